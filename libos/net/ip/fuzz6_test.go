package ip

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/memwire"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// mend makes lengths and checksums of a frame right, as far as its headers can be followed, so that a fuzzer gets further in.
func mend(raw []byte) {
	if len(raw) < wire.EthernetSize {
		return
	}
	b := raw[wire.EthernetSize:]
	switch wire.Ethernet(raw).Type() {
	case wire.TypeIPv4:
		x := wire.IPv4(b)
		if len(x) < wire.IPv4Size || x.HeaderLen() < wire.IPv4Size || x.HeaderLen() > len(x) {
			return
		}
		n := x.HeaderLen()
		x.Complete(len(x), x.ID(), x.Src())
		if p := x.Protocol(); (p == wire.ICMP || p == wire.IGMP) && len(x) >= n+4 {
			m := x[n:]
			m[2], m[3] = 0, 0
			binary.BigEndian.PutUint16(m[2:], ^wire.Fold(wire.Sum(0, m)))
		}
	case wire.TypeIPv6:
		x := wire.IPv6(b)
		if !x.Check() {
			return
		}
		binary.BigEndian.PutUint16(x[4:], uint16(len(x)-wire.IPv6Size))
		next, m := x.Next(), x[wire.IPv6Size:]
		for next == wire.HopByHop && len(m) >= 8 && len(m) >= 8+int(m[1])*8 {
			next, m = m[0], m[8+int(m[1])*8:]
		}
		if next == wire.ICMPv6 && len(m) >= 4 {
			m[2], m[3] = 0, 0
			binary.BigEndian.PutUint16(m[2:], ^wire.Fold(wire.Sum(wire.PseudoSum(x.Src(), x.Dst(), wire.ICMPv6, len(m)), m)))
		}
	}
}

// FuzzInput6 shows that no frames of IPv6, Neighbour Discovery, MLD or IGMP make a host panic, keep a block or exceed its bounds.
func FuzzInput6(f *testing.F) {
	now := tick.Time(1)
	n, g := withFake(&now, 1500*time.Millisecond)
	one := &seeds{f: f}
	frame := func(send func(*fake)) {
		x, y := memwire.New(memwire.Options{Observe: func(_ int, b []byte) { one.add(b) }})
		send(&fake{Card: y})
		x.Close()
	}
	frame(func(k *fake) {
		k.icmp(routerAddr, allNodes, 255, nil, advert(1800, prefixOption(prefix, 0xc0, 100, 50), append([]byte{wire.OptionRDNSS, 3, 0, 0, 0, 0, 0, 60}, make([]byte, 16)...),
			append([]byte{wire.OptionDNSSL, 2, 0, 0, 0, 0, 0, 60}, "\x01a\x02bc\x00\x00\x00"...)))
	})
	for _, typ := range []uint8{wire.NeighborSolicitation, wire.NeighborAdvertisement} {
		frame(func(k *fake) {
			k.icmp(routerAddr, n.addr, 255, nil, neighborMessage(typ, wire.NASolicited, n.addr, wire.AppendLinkAddress(nil, wire.OptionSource, fakeMAC)))
		})
	}
	frame(func(k *fake) {
		k.icmp(routerAddr, n.addr, 255, nil, append([]byte{wire.Redirect, 7: 0}, make([]byte, 32)...))
	})
	frame(func(k *fake) {
		k.icmp(routerAddr, allNodes, 1, []byte{0, 0, 5, 2, 0, 0, 1, 0}, append([]byte{mldQuery, 0, 0, 0, 0, 100, 0, 0}, make([]byte, 20)...))
	})
	for _, next := range []uint8{wire.HopByHop, wire.Routing6, wire.Fragment6, wire.DestOptions} {
		frame(func(k *fake) {
			k.packet(routerAddr, n.addr, next, 64, append([]byte{wire.UDP, 0, 1, 4, 0, 0, 0, 0}, make([]byte, 24)...))
		})
	}
	frame(func(k *fake) { k.raw(igmpFrame(allHosts, []byte{igmpQuery, 100, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0})) })
	g.listen()
	f.Fuzz(func(t *testing.T, first, second []byte, right bool) {
		if len(first)+len(second) > 70000 {
			return
		}
		now := tick.Time(1)
		n, g := withFake(&now, 1200*time.Millisecond)
		n.AddAddress(now, n.eth, netip.MustParsePrefix("10.0.0.2/24"))
		n.Join(now, n.eth, netip.AddrFrom4([4]byte{239, 1, 1, 1}))
		for _, b := range [][]byte{first, second, first} {
			b = bytes.Clone(b)
			if right {
				mend(b)
			}
			n.frame(now, b)
			g.listen()
			n.Tick(now)
			now = now.Add(time.Second)
		}
		s := &n.eth.six
		if len(s.addrs) > maxAddresses6 || len(s.onLink) > maxOnLink || len(s.routers) > maxRouters || len(s.servers) > maxServers || len(s.search) > maxSearch || len(n.eth.neighbour) > maxNeighbours {
			t.Error("a table is larger than it may be")
		}
		for range 5 {
			now = now.Add(time.Hour)
			n.Tick(now)
			g.listen()
		}
		n.clean(t)
		g.Close()
	})
}

// seeds adds frames to a fuzzer's corpus, each of them twice.
type seeds struct {
	f    *testing.F
	last []byte
}

func (s *seeds) add(b []byte) {
	s.f.Add(bytes.Clone(b), bytes.Clone(s.last), true)
	s.last = bytes.Clone(b)
}

// igmpFrame is a message of IGMP to a group, with right checksums.
func igmpFrame(dst netip.Addr, m []byte) []byte {
	b := make([]byte, wire.EthernetSize+wire.IPv4Size, wire.EthernetSize+wire.IPv4Size+len(m))
	wire.Ethernet(b).Set(wire.GroupMAC(dst), fakeMAC, wire.TypeIPv4)
	wire.IPv4(b[wire.EthernetSize:]).Set(wire.V4{Len: wire.IPv4Size + len(m), TTL: 1, Protocol: wire.IGMP, Src: netip.AddrFrom4([4]byte{10, 0, 0, 99}), Dst: dst})
	b = append(b, m...)
	mend(b)
	return b
}
