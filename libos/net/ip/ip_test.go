package ip

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/loop"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// A node is a host with a loopback interface and a card.
type node struct {
	*Host
	pool *buf.Pool
	card *memwire.Card
	eth  *Interface
	lo   *Interface
	addr netip.Addr
	got  []Packet
}

func newNode(card *memwire.Card, addr string) *node {
	rng := rand.New(rand.NewPCG(1, 2))
	n := &node{pool: buf.NewPool("test", 2048, 1<<12, buf.Heap), card: card}
	n.Host = New(n.pool, rng.Uint64)
	n.lo = n.Attach(loop.New(), true)
	n.AddAddress(1, n.lo, netip.MustParsePrefix("127.0.0.1/8"))
	n.eth = n.Attach(card, false)
	p := netip.MustParsePrefix(addr)
	n.addr = p.Addr()
	n.AddAddress(1, n.eth, p)
	return n
}

func two(o memwire.Options) (a, b *node) {
	x, y := memwire.New(o)
	a, b = newNode(x, "10.0.0.1/24"), newNode(y, "10.0.0.2/24")
	settle(1, a, b)
	return a, b
}

// settle moves frames until none is left.
func settle(now tick.Time, nodes ...*node) {
	for moved := true; moved; {
		moved = false
		for _, n := range nodes {
			for _, i := range n.Interfaces() {
				var f link.Frame
				for i.Device.Receive(0, &f) {
					moved = true
					var p Packet
					switch v := n.Input(now, i, &f, &p); {
					case v == Nothing:
					case p.Protocol != wire.ICMP && p.Protocol != wire.ICMPv6 && p.Protocol != wire.IGMP || n.Control(now, &p) == Failure || isReply(&p):
						n.got = append(n.got, p)
					default:
						p.Release()
					}
				}
			}
		}
	}
}

// isReply tells whether it answers an echo request.
func isReply(p *Packet) bool {
	typ := p.Data[0].Bytes()[0]
	return p.Protocol == wire.ICMP && typ == wire.ICMPEchoReply || p.Protocol == wire.ICMPv6 && typ == wire.ICMP6EchoReply
}

// clean asserts that no block is left.
func (n *node) clean(t *testing.T) {
	t.Helper()
	for i := range n.got {
		n.got[i].Release()
	}
	n.got = nil
	if s := n.pool.Stats(); s.InUse != 0 {
		t.Errorf("%d blocks are not released", s.InUse)
	}
	if n.card != nil {
		if s := n.card.Pool().Stats(); s.InUse != 0 {
			t.Errorf("%d received blocks are not released", s.InUse)
		}
	}
}

// datagram makes a UDP packet.
func (n *node) datagram(payload []byte) *link.Frame {
	r, _ := n.pool.Get()
	r.TrimFront(HeadRoom)
	r.Truncate(wire.UDPSize)
	wire.UDPHeader(r.Bytes()).Set(1000, 2000, wire.UDPSize+len(payload))
	f := &link.Frame{Head: r}
	if len(payload) > 0 {
		f.Body = []buf.Ref{buf.Lend(payload, nil)}
	}
	return f
}

var udp = Out{Protocol: wire.UDP, Checksum: wire.UDPChecksumOffset, Pseudo: true, Fragment: true}

func (n *node) sendUDP(t *testing.T, now tick.Time, to netip.Addr, payload []byte) {
	t.Helper()
	p, err := n.Path(now, to, netip.Addr{}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Output(now, &p, n.datagram(payload), udp); err != nil {
		t.Fatal(err)
	}
	p.Flush()
}

func flat(p *Packet) (b []byte) {
	for _, r := range p.Data {
		b = append(b, r.Bytes()...)
	}
	return b
}

func random(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 3))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestDatagrams(t *testing.T) {
	for _, o := range []link.Offloads{0, link.TxChecksum} {
		a, b := two(memwire.Options{Offloads: o})
		for _, n := range []int{0, 1, 17, 1400, 1472, 1473, 4000, 65507} {
			payload := random(n)
			a.sendUDP(t, 5, b.addr, payload)
			settle(5, a, b)
			if len(b.got) != 1 {
				t.Fatalf("offloads %v, %d bytes: %d packets came", o, n, len(b.got))
			}
			p := &b.got[0]
			if p.Src != a.addr || p.Dst != b.addr || p.Protocol != wire.UDP || p.Group || p.Size != n+wire.UDPSize || p.TTL != 64 {
				t.Errorf("%d bytes came as %+v", n, p)
			}
			all := flat(p)
			if !bytes.Equal(all[wire.UDPSize:], payload) {
				t.Errorf("offloads %v: %d bytes have changed on the way", o, n)
			}
			if s := wire.Fold(wire.Sum(wire.PseudoSum(p.Src, p.Dst, wire.UDP, len(all)), all)); s != 0xffff {
				t.Errorf("offloads %v: %d bytes: the checksum is wrong: %#x", o, n, s)
			}
			b.clean(t)
		}
		a.clean(t)
		if b.Count(Reassembled) != 3 {
			t.Errorf("%d packets were reassembled, want 3", b.Count(Reassembled))
		}
	}
}

func TestLoopback(t *testing.T) {
	a, _ := two(memwire.Options{})
	for _, to := range []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.9.9.9"), a.addr} {
		a.sendUDP(t, 5, to, []byte("to me"))
		settle(5, a)
		if len(a.got) != 1 || a.got[0].Src != to || a.got[0].Dst != to || !a.got[0].Verified {
			t.Errorf("to %v: %+v", to, a.got)
		}
		a.clean(t)
	}
}

func TestPing(t *testing.T) {
	a, b := two(memwire.Options{})
	for _, n := range []int{0, 56, 5000} {
		p, _ := a.Path(5, b.addr, netip.Addr{}, nil, 0)
		f, _ := a.message(wire.ICMPEcho, 0, 0x1234_0001)
		payload := random(n)
		if n > 0 {
			f.Body = []buf.Ref{buf.Lend(payload, nil)}
		}
		if err := a.Output(5, &p, &f, Out{Protocol: wire.ICMP, Checksum: wire.ICMPChecksumOffset, Fragment: true}); err != nil {
			t.Fatal(err)
		}
		settle(5, a, b)
		if len(a.got) != 1 || a.got[0].Protocol != wire.ICMP || flat(&a.got[0])[0] != wire.ICMPEchoReply || !bytes.Equal(flat(&a.got[0])[wire.ICMPSize:], payload) {
			t.Fatalf("%d bytes: %+v", n, a.got)
		}
		a.clean(t)
		b.clean(t)
	}
}

func TestPortUnreachable(t *testing.T) {
	a, b := two(memwire.Options{})
	a.sendUDP(t, 5, b.addr, []byte("anybody?"))
	settle(5, a, b)
	b.Unreachable(5, &b.got[0], wire.CodePort)
	settle(5, a, b)
	want := Error{Err: ErrPortUnreachable, Protocol: wire.UDP, Local: netip.AddrPortFrom(a.addr, 1000), Remote: netip.AddrPortFrom(b.addr, 2000), From: b.addr, Type: 3, Code: 3}
	if len(a.got) != 1 {
		t.Fatalf("%d packets came", len(a.got))
	}
	got := a.got[0].Failure
	got.Seq = 0
	if fmt.Sprint(got.Err, got.Protocol, got.Local, got.Remote, got.From, got.Type, got.Code) != fmt.Sprint(want.Err, want.Protocol, want.Local, want.Remote, want.From, want.Type, want.Code) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	a.clean(t)
	b.clean(t)
}

func TestPathMTU(t *testing.T) {
	a, b := two(memwire.Options{})
	p, _ := a.Path(5, b.addr, netip.Addr{}, nil, 0)
	a.ConfirmMTU(5, &Error{Remote: netip.AddrPortFrom(b.addr, 0), MTU: 1000})
	f := a.datagram(random(1200))
	if err := a.Output(6, &p, f, Out{Protocol: wire.UDP, Checksum: wire.UDPChecksumOffset, Pseudo: true}); err != ErrTooLong || p.MTU != 1000 {
		t.Errorf("1200 bytes over an MTU of %d: %v", p.MTU, err)
	}
	a.sendUDP(t, 6, b.addr, random(1200))
	if n := a.Count(FragmentsOut); n != 2 {
		t.Errorf("%d fragments, want 2", n)
	}
	a.ConfirmMTU(5, &Error{Remote: netip.AddrPortFrom(b.addr, 0), MTU: 3})
	if q, _ := a.Path(7, b.addr, netip.Addr{}, nil, 0); q.MTU != leastMTU {
		t.Errorf("a stranger got the MTU down to %d", q.MTU)
	}
	if q, _ := a.Path(tick.Time(11*time.Minute), b.addr, netip.Addr{}, nil, 0); q.MTU != 1500 {
		t.Errorf("after 11 minutes the MTU is %d", q.MTU)
	}
}

func TestNobodyAnswers(t *testing.T) {
	a, b := two(memwire.Options{})
	nobody := netip.MustParseAddr("10.0.0.9")
	told := 0
	a.Lost(func(_ tick.Time, i *Interface, e *Error) {
		local, remote := netip.AddrPortFrom(a.addr, 1000), netip.AddrPortFrom(nobody, 2000)
		if i != a.eth || e.Err != ErrNoNeighbour || e.Protocol != wire.UDP || e.Local != local || e.Remote != remote || e.From != a.addr {
			t.Errorf("told of %+v", e)
		}
		told++
	})
	for range maxWaiting + 4 {
		a.sendUDP(t, 5, nobody, []byte("hello"))
	}
	now := tick.Time(5)
	for range 10 {
		d := a.Deadline()
		if d == 0 {
			break
		}
		now = d
		a.Tick(now)
		settle(now, a, b)
	}
	if n := a.Count(NeighbourFailed); n != maxWaiting+4 {
		t.Errorf("%d frames failed, want %d", n, maxWaiting+4)
	}
	if told != maxWaiting {
		t.Errorf("told of %d packets, want of the %d that waited to the end", told, maxWaiting)
	}
	if d := now.Sub(5); d < 2*time.Second || d > 4*time.Second {
		t.Errorf("given up after %v", d)
	}
	if a.Deadline() != 0 {
		t.Error("there is still something to wait for")
	}
	a.clean(t)
}

// TestNeighbourMoves shows that a station that takes an address over is found by its announcement, and asked for when it was silent for long.
func TestNeighbourMoves(t *testing.T) {
	a, b := two(memwire.Options{})
	p, _ := a.Path(5, b.addr, netip.Addr{}, nil, 0)
	send := func(now tick.Time) {
		t.Helper()
		if err := a.Output(now, &p, a.datagram(nil), udp); err != nil {
			t.Fatal(err)
		}
		settle(now, a, b)
	}
	send(5)
	mac := link.MAC{2, 9, 9, 9, 9, 9}
	b.eth.Info.MAC = mac
	b.announce(6, b.eth, b.addr)
	settle(6, a, b)
	send(7)
	if p.mac != mac || len(b.got) != 2 {
		t.Errorf("after the announcement frames go to %v, %d have come", p.mac, len(b.got))
	}
	b.eth.Info.MAC = link.MAC{2, 8, 8, 8, 8, 8}
	late := tick.Time(time.Minute)
	send(late) // to the old station, and a question to it
	for range 5 {
		if d := a.Deadline(); d != 0 {
			late = d
			a.Tick(late)
			settle(late, a, b)
		}
	}
	send(late.Add(time.Second))
	if p.mac != b.eth.Info.MAC {
		t.Errorf("after a minute of silence frames go to %v", p.mac)
	}
	a.clean(t)
	b.clean(t)
}

func TestConflict(t *testing.T) {
	a, b := two(memwire.Options{})
	b.sendARP(b.eth, wire.ARPReply, link.Broadcast, a.addr, link.MAC{}, b.addr)
	settle(5, a, b)
	if a.Count(AddressConflict) != 1 {
		t.Error("the other station's claim went unnoticed")
	}
	if len(a.Neighbours()) != 0 {
		t.Errorf("and was believed: %+v", a.Neighbours())
	}
}

func TestGossipIsNotEntered(t *testing.T) {
	a, b := two(memwire.Options{})
	for i := range 100 {
		b.sendARP(b.eth, wire.ARPReply, a.eth.Info.MAC, netip.AddrFrom4([4]byte{10, 0, 0, byte(100 + i)}), a.eth.Info.MAC, a.addr)
	}
	settle(5, a, b)
	if n := len(a.Neighbours()); n != 0 {
		t.Errorf("%d neighbours nobody asked for are in the table", n)
	}
	for i := range 2 * maxNeighbours {
		b.sendARP(b.eth, wire.ARPRequest, link.Broadcast, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), link.MAC{}, a.addr)
		settle(tick.Time(i+6), a, b)
	}
	if n := len(a.Neighbours()); n > maxNeighbours {
		t.Errorf("%d neighbours, more than there may be", n)
	}
}

func TestRoutes(t *testing.T) {
	a, _ := two(memwire.Options{})
	addr := netip.MustParseAddr
	if _, err := a.Path(5, addr("8.8.8.8"), netip.Addr{}, nil, 0); err != ErrNoRoute {
		t.Errorf("without a route: %v", err)
	}
	a.AddRoute(Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: addr("10.0.0.254"), Interface: a.eth})
	a.AddRoute(Route{Prefix: netip.MustParsePrefix("8.8.0.0/16"), Gateway: addr("10.0.0.253"), Interface: a.eth})
	a.AddRoute(Route{Prefix: netip.MustParsePrefix("8.8.0.0/16"), Gateway: addr("10.0.0.252"), Interface: a.eth, Metric: 5})
	for dst, hop := range map[string]string{"8.8.8.8": "10.0.0.253", "9.9.9.9": "10.0.0.254", "10.0.0.7": "10.0.0.7"} {
		p, err := a.Path(5, addr(dst), netip.Addr{}, nil, 0)
		if err != nil || p.hop != addr(hop) || p.Src != a.addr {
			t.Errorf("to %s: by %v from %v, %v; want by %s", dst, p.hop, p.Src, err, hop)
		}
	}
	if _, err := a.Path(5, addr("8.8.8.8"), addr("1.2.3.4"), nil, 0); err != ErrNoSource {
		t.Errorf("from a stranger's address: %v", err)
	}
	p, err := a.Path(5, addr("255.255.255.255"), netip.Addr{}, a.eth, 0)
	if err != nil || p.mac != link.Broadcast {
		t.Errorf("broadcast: %+v, %v", p, err)
	}
	p, err = a.Path(5, addr("10.0.0.255"), netip.Addr{}, nil, 0)
	if err != nil || p.mac != link.Broadcast {
		t.Errorf("the subnet's broadcast: %+v, %v", p, err)
	}
	p, err = a.Path(5, addr("224.1.129.3"), netip.Addr{}, nil, 0)
	if err != nil || p.mac != (link.MAC{1, 0, 0x5e, 1, 129, 3}) {
		t.Errorf("a group: %+v, %v", p, err)
	}
}

// TestCards: of two cards that reach a destination the one is taken that has the source, else that with the lower metric; a longer prefix goes before both, and one that was
// asked for before all.
func TestCards(t *testing.T) {
	a, _ := two(memwire.Options{})
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	x, y := memwire.New(memwire.Options{})
	_ = y
	eth1 := a.Attach(x, false)
	a.AddAddress(1, eth1, prefix("10.1.0.1/24"))
	a.AddRoute(Route{Prefix: prefix("0.0.0.0/0"), Gateway: addr("10.1.0.254"), Interface: eth1, Metric: 3})
	a.AddRoute(Route{Prefix: prefix("0.0.0.0/0"), Gateway: addr("10.0.0.254"), Interface: a.eth, Metric: 2})
	a.AddRoute(Route{Prefix: prefix("8.8.0.0/16"), Gateway: addr("10.1.0.253"), Interface: eth1, Metric: 3})
	for _, i := range []*Interface{a.eth, eth1} {
		a.Enable6(1, i, false)
	}
	a.AddAddress6(1, a.eth, prefix("fd00::1/64"))
	a.AddAddress6(1, eth1, prefix("fd01::1/64"))
	run(1, tick.Time(10*time.Second), a)
	a.AddRoute(Route{Prefix: prefix("::/0"), Gateway: addr("fd01::fe"), Interface: eth1, Metric: 3})
	a.AddRoute(Route{Prefix: prefix("::/0"), Gateway: addr("fd00::fe"), Interface: a.eth, Metric: 2})
	none := ""
	for _, x := range []struct {
		dst, src string
		by       *Interface
		hop, own string
	}{
		{"9.9.9.9", none, nil, "10.0.0.254", "10.0.0.1"},
		{"9.9.9.9", "10.0.0.1", nil, "10.0.0.254", "10.0.0.1"},
		{"9.9.9.9", "10.1.0.1", nil, "10.1.0.254", "10.1.0.1"},
		{"9.9.9.9", none, eth1, "10.1.0.254", "10.1.0.1"},
		{"8.8.8.8", none, nil, "10.1.0.253", "10.1.0.1"},
		{"8.8.8.8", "10.0.0.1", nil, "10.1.0.253", "10.0.0.1"},
		{"8.8.8.8", none, a.eth, "10.0.0.254", "10.0.0.1"},
		{"10.1.0.7", none, nil, "10.1.0.7", "10.1.0.1"},
		{"10.0.0.7", "10.1.0.1", nil, "10.0.0.7", "10.1.0.1"},
		{"2001:db8::1", none, nil, "fd00::fe", "fd00::1"},
		{"2001:db8::1", "fd01::1", nil, "fd01::fe", "fd01::1"},
		{"2001:db8::1", none, eth1, "fd01::fe", "fd01::1"},
		{"fd01::7", none, nil, "fd01::7", "fd01::1"},
	} {
		var src netip.Addr
		if x.src != none {
			src = addr(x.src)
		}
		p, err := a.Path(tick.Time(10*time.Second), addr(x.dst), src, x.by, 0)
		if err != nil || p.hop != addr(x.hop) || p.Src != addr(x.own) {
			t.Errorf("to %s from %q: by %v from %v, %v; want by %s from %s", x.dst, x.src, p.hop, p.Src, err, x.hop, x.own)
		}
	}
}

// TestFragmentAttacks shows that overlaps kill a packet, that floods stay in bounds and that time clears what is left.
func TestFragmentAttacks(t *testing.T) {
	pool := buf.NewPool("f", 256, 1<<14, buf.Heap)
	var a reassembly
	a.init()
	piece := func(n int) []buf.Ref {
		r, _ := pool.Get()
		r.Truncate(n)
		return []buf.Ref{r}
	}
	key := func(id int) fragmentKey { return fragmentKey{id: uint32(id)} }
	add := func(id, from, n int, more bool) (bool, Reason, bool) {
		whole, _, done, why, ok := a.add(1, key(id), from, more, 17, piece(n))
		for i := range whole {
			whole[i].Release()
		}
		return done, why, ok
	}
	add(1, 0, 64, true)
	if _, why, ok := add(1, 56, 64, true); ok || why != FragmentOverlap {
		t.Error("an overlap passes")
	}
	if done, _, _ := add(1, 64, 8, false); done {
		t.Error("a packet with an overlap is joined")
	}
	add(2, 0, 64, true)
	add(2, 0, 64, true) // the same again
	if done, _, _ := add(2, 64, 8, false); !done {
		t.Error("a doubled fragment spoils a packet")
	}
	add(3, 128, 8, true)
	if _, _, ok := add(3, 64, 8, false); ok {
		t.Error("an end before the end passes")
	}
	if _, why, _ := add(4, 0xfff8, 64, false); why != BadFragment {
		t.Error("more than 65535 bytes pass")
	}
	if _, why, _ := add(5, 0, 63, true); why != BadFragment {
		t.Error("a middle piece of 63 bytes passes")
	}
	for id := 10; id < 10+2*maxDatagrams; id++ {
		add(id, 8, 8, true)
	}
	if len(a.datagrams) > maxDatagrams {
		t.Errorf("%d packets wait", len(a.datagrams))
	}
	for i := range 2 * maxFragments {
		add(10, 16+16*i, 8, true)
	}
	if a.held > maxHeld {
		t.Errorf("%d bytes are held", a.held)
	}
	a.expire(tick.Time(2 * fragmentsLife))
	if len(a.datagrams) != 0 || a.held != 0 || pool.Stats().InUse != 0 {
		t.Errorf("left: %d packets, %d bytes, %d blocks", len(a.datagrams), a.held, pool.Stats().InUse)
	}
}

// frame hands a node a frame made of bytes.
func (n *node) frame(now tick.Time, b []byte) {
	var f link.Frame
	for len(b) > 0 {
		r, _ := n.pool.Get()
		m := copy(r.Bytes(), b)
		r.Truncate(m)
		b = b[m:]
		if f.Head.Len() == 0 {
			f.Head = r
		} else {
			f.Body = append(f.Body, r)
		}
	}
	var p Packet
	if n.Input(now, n.eth, &f, &p) != Nothing {
		p.Release()
	}
}

func TestMartians(t *testing.T) {
	a, _ := two(memwire.Options{})
	packet := func(src, dst string, options ...byte) []byte {
		b := make([]byte, wire.EthernetSize+wire.IPv4Size+8)
		wire.Ethernet(b).Set(a.eth.Info.MAC, link.MAC{2, 3}, wire.TypeIPv4)
		wire.IPv4(b[wire.EthernetSize:]).Set(wire.V4{Len: 28, TTL: 9, Protocol: wire.UDP, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst)})
		return b
	}
	for _, x := range []struct {
		src, dst string
		why      Reason
	}{
		{"127.0.0.1", "10.0.0.1", Martian}, {"10.0.0.2", "127.0.0.1", Martian}, {"224.0.0.1", "10.0.0.1", Martian},
		{"255.255.255.255", "10.0.0.1", Martian}, {"10.0.0.1", "10.0.0.1", Martian}, {"0.0.0.0", "10.0.0.1", Martian},
		{"10.0.0.2", "10.0.0.3", NotForUs}, {"10.0.0.2", "224.0.0.5", NotForUs},
	} {
		before := a.Count(x.why)
		a.frame(5, packet(x.src, x.dst))
		if a.Count(x.why) != before+1 {
			t.Errorf("%s to %s is not counted as %v", x.src, x.dst, x.why)
		}
	}
	a.clean(t)
}

// FuzzInput shows that no frame makes a host panic or keep a block.
func FuzzInput(f *testing.F) {
	for _, n := range []int{0, 13, 14, 34, 60, 200, 1514} {
		f.Add(random(n), uint8(n))
	}
	a, b := two(memwire.Options{Observe: func(_ int, frame []byte) { f.Add(bytes.Clone(frame), uint8(1)) }})
	p, _ := a.Path(5, b.addr, netip.Addr{}, nil, 0)
	a.Output(5, &p, a.datagram(random(3000)), udp)
	settle(5, a, b)
	b.Unreachable(5, &b.got[0], wire.CodePort)
	settle(5, a, b)
	m, _ := a.message(wire.ICMPEcho, 0, 7)
	a.Output(5, &p, &m, Out{Protocol: wire.ICMP, Checksum: wire.ICMPChecksumOffset})
	settle(5, a, b)
	f.Fuzz(func(t *testing.T, raw []byte, mend uint8) {
		if len(raw) > 70000 {
			return
		}
		card, other := memwire.New(memwire.Options{})
		n := newNode(card, "10.0.0.2/24")
		raw = bytes.Clone(raw)
		if mend&1 != 0 && len(raw) >= wire.EthernetSize+wire.IPv4Size {
			// Make the outer header's checksum right, to get further in.
			x := wire.IPv4(raw[wire.EthernetSize:])
			if l := x.HeaderLen(); l >= wire.IPv4Size && l <= len(x) {
				x[10], x[11] = 0, 0
				s := ^wire.Fold(wire.Sum(0, x[:l]))
				x[10], x[11] = byte(s>>8), byte(s)
			}
		}
		n.frame(5, raw)
		n.frame(6, raw)
		n.Tick(tick.Time(time.Hour))
		n.Tick(tick.Time(2 * time.Hour))
		n.Tick(tick.Time(3 * time.Hour))
		n.Tick(tick.Time(4 * time.Hour))
		n.clean(t)
		other.Close()
	})
}

func TestDirected(t *testing.T) {
	for _, c := range []struct {
		p, a string
		want bool
	}{
		{"10.1.2.3/24", "10.1.2.255", true}, {"10.1.2.3/24", "10.1.2.254", false}, {"10.1.2.3/24", "10.1.3.255", false}, {"10.1.2.3/9", "10.127.255.255", true},
		{"10.1.2.3/30", "10.1.2.3", true}, {"10.1.2.2/31", "10.1.2.3", false}, {"10.1.2.3/32", "10.1.2.3", false}, {"0.0.0.0/0", "255.255.255.255", true},
		{"fe80::1/64", "fe80::ffff:ffff:ffff:ffff", false}, {"10.1.2.3/24", "fe80::1", false},
	} {
		if got := directed(netip.MustParsePrefix(c.p), netip.MustParseAddr(c.a)); got != c.want {
			t.Errorf("%s is all hosts of %s: %v", c.a, c.p, got)
		}
	}
}
