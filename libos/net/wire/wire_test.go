package wire

import (
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/libos/net/buf"
)

// slow is RFC 1071's sum, word by word.
func slow(p []byte) uint16 {
	var sum uint64
	for i := 0; i < len(p); i += 2 {
		w := uint64(p[i]) << 8
		if i+1 < len(p) {
			w |= uint64(p[i+1])
		}
		sum += w
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func TestSum(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 300 {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(rng.Uint32())
			if n%3 == 0 {
				p[i] = 0xff
			}
		}
		if got, want := Fold(Sum(0, p)), slow(p); got != want {
			t.Fatalf("%d bytes: %#x, want %#x", n, got, want)
		}
		// In pieces of any length.
		var refs []buf.Ref
		for rest := p; len(rest) > 0; {
			k := min(1+rng.IntN(9), len(rest))
			refs = append(refs, buf.Lend(rest[:k], nil))
			rest = rest[k:]
		}
		if got, want := Fold(SumRefs(0, refs)), slow(p); got != want {
			t.Fatalf("%d bytes in %d pieces: %#x, want %#x", n, len(refs), got, want)
		}
	}
	big := make([]byte, 1<<20)
	for i := range big {
		big[i] = 0xff
	}
	if got, want := Fold(Sum(0, big)), slow(big); got != want {
		t.Errorf("1 MiB of ones: %#x, want %#x", got, want)
	}
	if n := testing.AllocsPerRun(10, func() { Fold(Sum(PseudoSum(netip.IPv4Unspecified(), netip.IPv4Unspecified(), 6, 3), big[:1500])) }); n != 0 {
		t.Errorf("a sum allocates %v times", n)
	}
}

// TestKnownHeader reads the IPv4 header that textbooks use to show the checksum, b861.
func TestKnownHeader(t *testing.T) {
	raw, err := hex.DecodeString("45000073000040004011b861c0a80001c0a800c7")
	if err != nil {
		t.Fatal(err)
	}
	x := IPv4(raw)
	src, dst := netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("192.168.0.199")
	if !x.Check() || x.TotalLen() != 115 || x.TTL() != 64 || x.Protocol() != UDP || x.Flags() != DontFragment || x.Fragment() || x.Src() != src || x.Dst() != dst {
		t.Errorf("read as %v", x)
	}
	y := make(IPv4, IPv4Size)
	y.Set(V4{Len: 115, Flags: DontFragment, TTL: 64, Protocol: UDP, Src: src, Dst: dst})
	if string(y) != string(x) {
		t.Errorf("written: %x, want %x", []byte(y), raw)
	}
	y[8]++
	if y.Check() {
		t.Error("a damaged header passes")
	}
}

func FuzzChecks(f *testing.F) {
	f.Add([]byte{0x45, 0, 0, 20})
	f.Fuzz(func(t *testing.T, b []byte) {
		if x := IPv4(b); x.Check() && (x.HeaderLen() > len(b) || x.TotalLen() < x.HeaderLen()) {
			t.Error("a header passes whose lengths make no sense")
		}
		if p := ARP(b); p.Check() {
			p.Sender()
			p.Target()
		}
		if x := IPv6(b); x.Check() {
			_, _, _, _ = x.Src(), x.Dst(), x.TrafficClass(), x.PayloadLen()
		}
		seen := 0
		if Options(b, func(at int, typ uint8, data []byte) bool {
			seen += 2 + len(data)
			return typ != 255
		}) && seen > len(b) {
			t.Errorf("options of %d bytes in %d", seen, len(b))
		}
		seen = 0
		if NDOptions(b, func(typ uint8, o []byte) {
			seen += len(o)
			LinkAddress(o)
			ParsePrefix(o)
			if servers, _, ok := ParseRDNSS(o); ok && len(servers)*16 > len(o) {
				t.Error("more name servers than there is room for")
			}
			if domains, _, _ := ParseDNSSL(o); len(strings.Join(domains, "")) > len(o) {
				t.Error("more domains than there is room for")
			}
		}) && seen != len(b) {
			t.Errorf("Neighbour Discovery's options of %d bytes in %d", seen, len(b))
		}
	})
}

// TestHeaderSum: the sum of an IPv4 header without options is that of its bytes.
func TestHeaderSum(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		h := make(IPv4, IPv4Size+4*(i%3))
		for k := range h {
			h[k] = []byte{byte(r.Uint32()), 0, 0xff}[r.IntN(3)]
		}
		if Fold(h.sum()) != Fold(Sum(0, h)) {
			t.Fatalf("%x: %#x, want %#x", []byte(h), Fold(h.sum()), Fold(Sum(0, h)))
		}
	}
}
