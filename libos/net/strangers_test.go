package inet

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

const listenBacklog = 128

// A flood is a card that SYNs of ever new hosts come to, and that swallows what is sent, but for the answer to who asks for the router's address.
type flood struct {
	left int    // SYNs to come
	next uint32 // host
	sent int
	to   [1 + listenBacklog]int // of these, to each of the first hosts
	pool *buf.Pool
	now  tick.Time
}

func (f *flood) Info() link.Info {
	return link.Info{Name: "flood", MAC: link.MAC{2, 0, 0, 0, 0, 2}, MTU: 1500, MaxBody: 32, MaxSend: 65535, Queues: 1, Offloads: link.TxChecksum | link.RxChecksum}
}

func (f *flood) Send(_ int, x *link.Frame) bool {
	f.sent++
	if b := x.Head.Bytes()[wire.EthernetSize:]; len(b) >= wire.IPv4Size {
		if host := binary.BigEndian.Uint32(b[16:]) - 20<<24; int(host) < len(f.to) {
			f.to[host]++
		}
	}
	x.Release()
	return true
}

func (f *flood) Flush(int)      {}
func (f *flood) Wait(int) error { select {} }
func (f *flood) Up() bool       { return true }
func (f *flood) Close() error   { return nil }

func (f *flood) Receive(_ int, x *link.Frame) bool {
	if f.left == 0 {
		return false
	}
	f.left--
	f.next++
	r, _ := f.pool.Get()
	r.TrimFront(64)
	s := tcp.Segment{SrcPort: 1024 + uint16(f.next), DstPort: 80, Flags: tcp.SYN, Seq: tcp.Seq(f.next * 77), Window: 65535, Options: tcp.Options{MSS: 1460, HasTimestamps: true, TSVal: 9}}
	n := s.HeaderLen()
	r.Truncate(wire.EthernetSize + wire.IPv4Size + n)
	b := r.Bytes()
	src, dst := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 20<<24|f.next&0xffffff))), netip.AddrFrom4([4]byte{10, 0, 0, 2})
	wire.Ethernet(b).Set(link.MAC{2, 0, 0, 0, 0, 2}, link.MAC{2, 0, 0, 0, 0, 1}, wire.TypeIPv4)
	wire.IPv4(b[wire.EthernetSize:]).Set(wire.V4{Len: wire.IPv4Size + n, TTL: 9, Protocol: wire.TCP, Src: src, Dst: dst})
	p := b[wire.EthernetSize+wire.IPv4Size:]
	s.Marshal(p)
	sum := ^wire.Fold(wire.Sum(wire.PseudoSum(src, dst, wire.TCP, n), p))
	p[tcp.ChecksumOffset], p[tcp.ChecksumOffset+1] = byte(sum>>8), byte(sum)
	x.Head = r
	return true
}

// flooded is a stack that such a flood comes to, with a listener whose queue is full.
func flooded(t testing.TB) (*Stack, *flood, *Listener) {
	f := &flood{pool: buf.NewPool("flood", 2048, 1024, buf.Heap), now: tick.Time(1e9)}
	now := f.now
	s := New(Config{Driven: true, Clock: func() tick.Time { return f.now }, Random: func(p []byte) { rand.Read(p) }})
	t.Cleanup(s.Close)
	i := s.Attach(f)
	s.host.AddAddress(now, i, netip.MustParsePrefix("10.0.0.2/24"))
	s.host.AddRoute(ip.Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.1"), Interface: i})
	b, err := s.BindTCP(addr("10.0.0.2:80"), false, false, false)
	if err != nil {
		t.Fatal(err)
	}
	l, err := b.Listen(listenBacklog, DefaultTCPOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	// The router asks for us, and is known by that.
	r, _ := f.pool.Get()
	r.TrimFront(64)
	r.Truncate(wire.EthernetSize + wire.ARPSize)
	wire.Ethernet(r.Bytes()).Set(link.Broadcast, link.MAC{2, 0, 0, 0, 0, 1}, wire.TypeARP)
	wire.ARP(r.Bytes()[wire.EthernetSize:]).Set(wire.ARPRequest, link.MAC{2, 0, 0, 0, 0, 1}, netip.MustParseAddr("10.0.0.1"), link.MAC{}, netip.MustParseAddr("10.0.0.2"))
	s.host.Input(now, i, &link.Frame{Head: r}, &ip.Packet{})
	f.left = 1000
	s.Step()
	return s, f, l
}

// TestFloodedListenerIsQuiet: while cookies are in use each half-open connection sends its SYN three times, not eight (tcp.Conn.Spare).
func TestFloodedListenerIsQuiet(t *testing.T) {
	s, f, l := flooded(t)
	for range 70 { // of seconds: an eighth SYN would come at 127
		f.now = f.now.Add(time.Second)
		f.left = 1
		s.Step()
	}
	if n := l.core.Half(); n != listenBacklog {
		t.Errorf("%d half-open connections", n)
	}
	for host, n := range f.to[1:] {
		if n != 3 {
			t.Errorf("to host %d %d SYNs were sent", host+1, n)
		}
	}
}

// TestCookiesAllocateNothing: a SYN that a cookie answers costs no memory.
func TestCookiesAllocateNothing(t *testing.T) {
	if race {
		t.Skip("the race detector has sync.Pool forget things on purpose")
	}
	s, f, l := flooded(t)
	before, sent := l.core.Cookies, f.sent
	const each = 64
	n := testing.AllocsPerRun(100, func() {
		f.left = each
		s.Step()
	})
	if got := l.core.Cookies - before; got != 101*each || f.sent-sent != 101*each {
		t.Errorf("%d SYNs are answered by %d cookies, %d frames are sent", 101*each, got, f.sent-sent)
	}
	if n != 0 {
		t.Errorf("%v allocations for %d SYNs", n, each)
	}
	noBlocksIn(t, f.pool)
}

func noBlocksIn(t *testing.T, p *buf.Pool) {
	t.Helper()
	if n := p.Stats().InUse; n != 0 {
		t.Errorf("%d blocks are left", n)
	}
}

func BenchmarkCookie(b *testing.B) {
	s, f, _ := flooded(b)
	b.ResetTimer()
	for n := b.N; n > 0; n -= 64 {
		f.left = min(n, 64)
		s.Step()
	}
}
