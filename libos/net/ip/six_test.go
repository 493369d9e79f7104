package ip

import (
	"bytes"
	"encoding/binary"
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

// newNode6 is a node with IPv6, whose addresses are not its own yet.
func newNode6(card *memwire.Card, now tick.Time) *node {
	rng := rand.New(rand.NewPCG(uint64(card.Info().MAC[5]), 2))
	n := &node{pool: buf.NewPool("test", 2048, 1<<12, buf.Heap), card: card}
	n.Host = New(n.pool, rng.Uint64)
	n.lo = n.Attach(loop.New(), true)
	n.eth = n.Attach(card, false)
	n.Enable6(now, n.eth, true)
	return n
}

// pass lets time pass in steps, with frames and timers served.
func pass(now *tick.Time, d time.Duration, nodes ...*node) {
	const step = 100 * time.Millisecond
	for ; d > 0; d -= step {
		settle(*now, nodes...)
		for _, n := range nodes {
			n.Tick(*now)
		}
		settle(*now, nodes...)
		*now = now.Add(min(step, d))
	}
}

func two6(o memwire.Options, now *tick.Time) (a, b *node) {
	x, y := memwire.New(o)
	a, b = newNode6(x, *now), newNode6(y, *now)
	pass(now, 2*time.Second, a, b)
	for _, n := range []*node{a, b} {
		n.addr = wire.InterfaceID(netip.MustParseAddr("fe80::"), n.eth.Info.MAC)
	}
	return a, b
}

func has(i *Interface, a netip.Addr) bool {
	for _, p := range i.Addresses() {
		if p.Addr() == a {
			return true
		}
	}
	return false
}

// TestLinkLocal: addresses for the link, neighbours found, datagrams of all sizes whole, echo answered.
func TestLinkLocal(t *testing.T) {
	for _, o := range []link.Offloads{0, link.TxChecksum} {
		now := tick.Time(1)
		a, b := two6(memwire.Options{Offloads: o}, &now)
		if !has(a.eth, a.addr) || !has(b.eth, b.addr) {
			t.Fatalf("addresses %v and %v after two seconds", a.eth.Addresses(), b.eth.Addresses())
		}
		for _, n := range []int{0, 1, 1452, 1453, 2800, 65527} {
			payload := random(n)
			a.sendUDP(t, now, b.addr, payload)
			settle(now, a, b)
			if len(b.got) != 1 {
				t.Fatalf("offloads %v, %d bytes: %d packets came", o, n, len(b.got))
			}
			p := &b.got[0]
			all := flat(p)
			if p.Src != a.addr || p.Dst != b.addr || p.Protocol != wire.UDP || p.TTL != 64 || !bytes.Equal(all[wire.UDPSize:], payload) {
				t.Errorf("%d bytes came as %v to %v, protocol %d, %d bytes", n, p.Src, p.Dst, p.Protocol, p.Size)
			}
			if s := wire.Fold(wire.Sum(wire.PseudoSum(p.Src, p.Dst, wire.UDP, len(all)), all)); s != 0xffff {
				t.Errorf("offloads %v: %d bytes: the checksum is wrong: %#x", o, n, s)
			}
			b.clean(t)
		}
		f, _ := a.message(wire.ICMP6Echo, 0, 7)
		p, err := a.Path(now, b.addr, netip.Addr{}, a.eth, 0)
		if err != nil {
			t.Fatal(err)
		}
		a.Output(now, &p, &f, Out{Protocol: wire.ICMPv6, Checksum: wire.ICMPChecksumOffset, Pseudo: true})
		settle(now, a, b)
		if len(a.got) != 1 || a.got[0].Data[0].Bytes()[0] != wire.ICMP6EchoReply {
			t.Errorf("an echo request brought %v", a.got)
		}
		a.clean(t)
	}
}

// A fake is a station of the test's own making: what it sends is written byte by byte.
type fake struct {
	*memwire.Card
	pool *buf.Pool
	seen [][]byte
}

var fakeMAC = link.MAC{2, 0, 0, 0, 0, 99}

// icmp sends a message of ICMPv6 with its checksum.
func (f *fake) icmp(src, dst netip.Addr, hops uint8, ext []byte, m []byte) {
	next := uint8(wire.ICMPv6)
	if len(ext) > 0 {
		next = wire.HopByHop
		ext = bytes.Clone(ext)
		ext[0] = wire.ICMPv6
	}
	m = bytes.Clone(m)
	m[2], m[3] = 0, 0
	binary.BigEndian.PutUint16(m[2:], ^wire.Fold(wire.Sum(wire.PseudoSum(src, dst, wire.ICMPv6, len(m)), m)))
	f.packet(src, dst, next, hops, append(ext, m...))
}

func (f *fake) packet(src, dst netip.Addr, next, hops uint8, payload []byte) {
	b := make([]byte, wire.EthernetSize+wire.IPv6Size, wire.EthernetSize+wire.IPv6Size+len(payload))
	mac := link.Broadcast
	if dst.IsMulticast() {
		mac = wire.GroupMAC(dst)
	}
	wire.Ethernet(b).Set(mac, fakeMAC, wire.TypeIPv6)
	wire.IPv6(b[wire.EthernetSize:]).Set(wire.V6{Len: len(payload), Next: next, HopLimit: hops, Src: src, Dst: dst})
	f.raw(append(b, payload...))
}

func (f *fake) raw(b []byte) {
	fr := link.Frame{Head: buf.Lend(b, nil)}
	f.Send(0, &fr)
	f.Flush(0)
}

// listen takes in what was sent to it.
func (f *fake) listen() {
	var fr link.Frame
	for f.Receive(0, &fr) {
		b := bytes.Clone(fr.Head.Bytes())
		for _, r := range fr.Body {
			b = append(b, r.Bytes()...)
		}
		fr.Release()
		f.seen = append(f.seen, b)
	}
}

// icmpSeen gives the messages of ICMPv6 of a type that were sent, headers stripped.
func (f *fake) icmpSeen(typ uint8) (list [][]byte) {
	f.listen()
	for _, b := range f.seen {
		if wire.Ethernet(b).Type() != wire.TypeIPv6 {
			continue
		}
		next, rest := b[wire.EthernetSize+6], b[wire.EthernetSize+wire.IPv6Size:]
		if next == wire.HopByHop {
			next, rest = rest[0], rest[8:]
		}
		if next == wire.ICMPv6 && rest[0] == typ {
			list = append(list, rest)
		}
	}
	return list
}

// withFake gives a node and, at the other end of its wire, a fake.
func withFake(now *tick.Time, wait time.Duration) (*node, *fake) {
	x, y := memwire.New(memwire.Options{})
	n := newNode6(x, *now)
	f := &fake{Card: y}
	n.addr = wire.InterfaceID(netip.MustParseAddr("fe80::"), n.eth.Info.MAC)
	pass(now, wait, n)
	return n, f
}

var (
	routerAddr = netip.MustParseAddr("fe80::99")
	prefix     = netip.MustParsePrefix("2001:db8::/64")
)

// advert makes a router advertisement.
func advert(life uint16, options ...[]byte) []byte {
	m := make([]byte, wire.RouterAdvertisementSize)
	m[0], m[4] = wire.RouterAdvertisement, 61
	binary.BigEndian.PutUint16(m[6:], life)
	m = wire.AppendLinkAddress(m, wire.OptionSource, fakeMAC)
	for _, o := range options {
		m = append(m, o...)
	}
	return m
}

func prefixOption(p netip.Prefix, flags uint8, valid, preferred uint32) []byte {
	o := make([]byte, 32)
	o[0], o[1], o[2], o[3] = wire.OptionPrefix, 4, uint8(p.Bits()), flags
	binary.BigEndian.PutUint32(o[4:], valid)
	binary.BigEndian.PutUint32(o[8:], preferred)
	a := p.Addr().As16()
	copy(o[16:], a[:])
	return o
}

// TestAutoconfiguration: a router is asked, its prefix gives an address, which ends with its lifetime; name servers, search list, MTU and hop limit are heard; a
// router's end is the route's.
func TestAutoconfiguration(t *testing.T) {
	now := tick.Time(1)
	n, f := withFake(&now, 1500*time.Millisecond)
	told := 0
	n.Changed(func() { told++ })
	if len(f.icmpSeen(wire.NeighborSolicitation)) != 1 || len(f.icmpSeen(wire.RouterSolicitation)) != 1 {
		t.Fatalf("%d probes and %d router solicitations were sent", len(f.icmpSeen(wire.NeighborSolicitation)), len(f.icmpSeen(wire.RouterSolicitation)))
	}
	if len(f.icmpSeen(mldReport2)) < 2 {
		t.Error("routers are not told of the groups that solicitations go to")
	}
	mtu := []byte{wire.OptionMTU, 1, 0, 0, 0, 0, 5, 0x78} // 1400
	dns := append([]byte{wire.OptionRDNSS, 3, 0, 0, 0, 0, 0, 60}, netip.MustParseAddr("2001:db8::53").AsSlice()...)
	search := append([]byte{wire.OptionDNSSL, 3, 0, 0, 0, 0, 0, 60}, "\x07example\x03org\x00\x00\x00\x00"...)
	f.icmp(routerAddr, allNodes, 255, nil, advert(1800, prefixOption(prefix, 0xc0, 100, 50), mtu, dns, search))
	pass(&now, 1500*time.Millisecond, n)
	own := wire.InterfaceID(prefix.Addr(), n.eth.Info.MAC)
	if !has(n.eth, own) {
		t.Fatalf("addresses %v, want %v among them", n.eth.Addresses(), own)
	}
	if servers, domains := n.Learned(); fmt.Sprint(servers, domains) != "[2001:db8::53] [example.org]" || told == 0 {
		t.Errorf("learnt %v %v, told %d times", servers, domains, told)
	}
	far := netip.MustParseAddr("2001:db8:1::1")
	p, err := n.Path(now, far, netip.Addr{}, nil, 0)
	if err != nil || p.Src != own || p.hop != routerAddr || p.MTU != 1400 || n.eth.HopLimit() != 61 {
		t.Errorf("path %+v, %v; hop limit %d", p, err, n.eth.HopLimit())
	}
	if p, err := n.Path(now, netip.MustParseAddr("2001:db8::7"), netip.Addr{}, nil, 0); err != nil || p.hop != p.Dst {
		t.Errorf("what is on the link goes by %v, %v", p.hop, err)
	}
	// Who forges a short lifetime does not end the address (RFC 4862, 5.5.3 (e)): 100 s remain.
	f.icmp(routerAddr, allNodes, 255, nil, advert(1800, prefixOption(prefix, 0xc0, 1, 1)))
	pass(&now, 5*time.Second, n)
	if !has(n.eth, own) {
		t.Error("a lifetime of a second has ended an address")
	}
	pass(&now, 55*time.Second, n)
	n.mu.Lock()
	deprecated := n.eth.six.deprecated(own)
	n.mu.Unlock()
	if !deprecated {
		t.Error("the address is not deprecated after its preferred lifetime")
	}
	f.icmp(routerAddr, allNodes, 255, nil, advert(0))
	pass(&now, 100*time.Millisecond, n)
	if _, err := n.Path(now, far, netip.Addr{}, nil, 0); err != ErrNoRoute {
		t.Errorf("after the router has gone: %v", err)
	}
	pass(&now, 60*time.Second, n)
	if has(n.eth, own) {
		t.Error("the address outlives its lifetime")
	}
	if servers, domains := n.Learned(); len(servers)+len(domains) != 0 {
		t.Errorf("%v %v outlive their lifetime", servers, domains)
	}
	n.clean(t)
}

// TestDuplicate: an address that somebody has, or looks for as well, is not used, whatever else goes on.
func TestDuplicate(t *testing.T) {
	for name, send := range map[string]func(*fake, *node){
		"it is advertised": func(f *fake, n *node) {
			f.icmp(n.addr, allNodes, 255, nil, neighborMessage(wire.NeighborAdvertisement, wire.NAOverride, n.addr, wire.AppendLinkAddress(nil, wire.OptionTarget, fakeMAC)))
		},
		"it is probed": func(f *fake, n *node) {
			f.icmp(netip.IPv6Unspecified(), wire.SolicitedNode(n.addr), 255, nil, neighborMessage(wire.NeighborSolicitation, 0, n.addr, nil))
		},
	} {
		now := tick.Time(1)
		n, f := withFake(&now, 300*time.Millisecond)
		send(f, n)
		pass(&now, 3*time.Second, n)
		if len(n.eth.Addresses()) != 0 || n.Count(AddressConflict) != 1 {
			t.Errorf("%s: addresses %v, %d conflicts", name, n.eth.Addresses(), n.Count(AddressConflict))
		}
		n.clean(t)
	}
	// Once it is ours it is defended: who probes for it is told.
	now := tick.Time(1)
	n, f := withFake(&now, 2*time.Second)
	f.icmp(netip.IPv6Unspecified(), wire.SolicitedNode(n.addr), 255, nil, neighborMessage(wire.NeighborSolicitation, 0, n.addr, nil))
	pass(&now, time.Second, n)
	if !has(n.eth, n.addr) || len(f.icmpSeen(wire.NeighborAdvertisement)) != 1 {
		t.Errorf("addresses %v; %d advertisements", n.eth.Addresses(), len(f.icmpSeen(wire.NeighborAdvertisement)))
	}
}

// TestForgedND: what did not come from the link itself, or makes no sense, changes nothing (RFC 4861, 6.1.2, 7.1; RFC 6980).
func TestForgedND(t *testing.T) {
	now := tick.Time(1)
	n, f := withFake(&now, 1500*time.Millisecond)
	good := advert(1800, prefixOption(prefix, 0xc0, 1000, 1000))
	f.icmp(routerAddr, allNodes, 254, nil, good)
	f.icmp(netip.MustParseAddr("2001:db8::99"), allNodes, 255, nil, good)
	f.icmp(routerAddr, allNodes, 255, nil, append(bytes.Clone(good), 3, 0, 0, 0, 0, 0, 0, 0))
	f.icmp(routerAddr, allNodes, 255, nil, append(bytes.Clone(good), 3, 9, 0, 0, 0, 0, 0, 0))
	f.icmp(routerAddr, allNodes, 255, nil, good[:12])
	wrong := bytes.Clone(good)
	wrong[1] = 1
	f.icmp(routerAddr, allNodes, 255, nil, wrong)
	sum := bytes.Clone(good)
	sum[2], sum[3] = 1, 2
	f.packet(routerAddr, allNodes, wire.ICMPv6, 255, sum)
	frag := make([]byte, 8)
	wire.Fragment6Header(frag).Set(wire.ICMPv6, 0, false, 5)
	whole := bytes.Clone(good)
	binary.BigEndian.PutUint16(whole[2:], ^wire.Fold(wire.Sum(wire.PseudoSum(routerAddr, allNodes, wire.ICMPv6, len(whole)), whole)))
	f.packet(routerAddr, allNodes, wire.Fragment6, 255, append(frag, whole...))
	pass(&now, 2*time.Second, n)
	if len(n.eth.Addresses()) != 1 || n.Count(BadICMP) != 8 {
		t.Errorf("addresses %v; %d messages were refused, not 8", n.eth.Addresses(), n.Count(BadICMP))
	}
	for i := range 3 * maxNeighbours { // none asked for: none is entered
		b := prefix.Addr().As16()
		binary.BigEndian.PutUint32(b[12:], uint32(i+1))
		f.icmp(netip.AddrFrom16(b), n.addr, 255, nil, neighborMessage(wire.NeighborAdvertisement, wire.NASolicited|wire.NAOverride, netip.AddrFrom16(b), wire.AppendLinkAddress(nil, wire.OptionTarget, fakeMAC)))
		settle(now, n)
	}
	if len(n.Neighbours()) != 0 {
		t.Errorf("%d neighbours nobody asked for are in the table", len(n.Neighbours()))
	}
	for i := range 3 * maxNeighbours { // these ask for us
		b := linkLocal.Addr().As16()
		binary.BigEndian.PutUint32(b[12:], uint32(i+1))
		f.icmp(netip.AddrFrom16(b), n.addr, 255, nil, neighborMessage(wire.NeighborSolicitation, 0, n.addr, wire.AppendLinkAddress(nil, wire.OptionSource, fakeMAC)))
		now++
		settle(now, n)
		f.listen()
	}
	if got := len(n.Neighbours()); got != maxNeighbours {
		t.Errorf("%d neighbours at the cap of %d", got, maxNeighbours)
	}
	for i := range 50 { // as many routers and prefixes as anybody likes
		b := linkLocal.Addr().As16()
		b[15] = byte(i + 1)
		p := netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 9, byte(i)}), 64)
		f.icmp(netip.AddrFrom16(b), allNodes, 255, nil, advert(1800, prefixOption(p, 0xc0, 1000, 1000)))
		settle(now, n)
	}
	pass(&now, 2*time.Second, n)
	if s := &n.eth.six; len(s.addrs) != maxAddresses6 || len(s.onLink) != maxOnLink || len(s.routers) != maxRouters {
		t.Errorf("%d addresses, %d prefixes, %d routers: not at their caps", len(s.addrs), len(s.onLink), len(s.routers))
	}
	n.clean(t)
}

// TestReachability: RFC 4861, 7.3.2: a neighbour that is used and not heard is asked after the delay, and given up; packets meanwhile go out.
func TestReachability(t *testing.T) {
	now := tick.Time(1)
	a, b := two6(memwire.Options{}, &now)
	a.sendUDP(t, now, b.addr, []byte("x"))
	settle(now, a, b)
	state := func() string {
		for _, n := range a.Neighbours() {
			if n.Addr == b.addr {
				return n.State
			}
		}
		return "none"
	}
	if s := state(); s != "reachable" {
		t.Fatalf("answered for: %s", s)
	}
	now = now.Add(31 * time.Second)
	a.sendUDP(t, now, b.addr, []byte("x"))
	if s := state(); s != "delay" {
		t.Errorf("used after half a minute: %s", s)
	}
	pass(&now, 6*time.Second, a, b)
	if s := state(); s != "reachable" {
		t.Errorf("asked and answered: %s", s)
	}
	now = now.Add(31 * time.Second)
	a.sendUDP(t, now, b.addr, []byte("x"))
	b.clean(t)
	pass(&now, 10*time.Second, a) // b is deaf
	if s := state(); s != "none" {
		t.Errorf("asked without an answer: %s", s)
	}
	pass(&now, time.Second, b)
	b.clean(t)
}

// TestExtensionHeaders: RFC 8200, 4: known ones are gone through, options obeyed by their upper bits, answers as told.
func TestExtensionHeaders(t *testing.T) {
	udp := make([]byte, 12)
	wire.UDPHeader(udp).Set(1, 2, 12)
	pad := func(next uint8) []byte { return []byte{next, 0, 1, 4, 0, 0, 0, 0} }
	option := func(next, typ uint8) []byte { return []byte{next, 0, typ, 4, 0, 0, 0, 0} }
	frag := func(next uint8, off int, more bool) []byte {
		h := make([]byte, 8)
		wire.Fragment6Header(h).Set(next, off, more, 77)
		return h
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	const hop, dst, route, fr, udpNext = wire.HopByHop, wire.DestOptions, wire.Routing6, wire.Fragment6, wire.UDP
	for name, x := range map[string]struct {
		next    uint8
		payload []byte
		arrives bool
		typ     uint8 // of the answer; 0: none
		code    uint8
		pointer uint32
	}{
		"hop by hop, destination":    {hop, join(pad(dst), pad(udpNext), udp), true, 0, 0, 0},
		"hop by hop comes late":      {dst, join(pad(hop), pad(udpNext), udp), false, 4, 1, 40},
		"an option to be skipped":    {dst, join(option(udpNext, 0x1e), udp), true, 0, 0, 0},
		"to be dropped":              {dst, join(option(udpNext, 0x5e), udp), false, 0, 0, 0},
		"to be told of":              {dst, join(option(udpNext, 0x9e), udp), false, 4, 2, 42},
		"to be told of, not to many": {dst, join(option(udpNext, 0xde), udp), false, 4, 2, 42},
		"options too long":           {dst, join([]byte{udpNext, 0, 0x1e, 40, 0, 0, 0, 0}, udp), false, 4, 0, 42},
		"a header too long":          {dst, join([]byte{udpNext, 200, 1, 4, 0, 0, 0, 0}, udp), false, 0, 0, 0},
		"no segments left":           {route, join([]byte{udpNext, 0, 7, 0, 0, 0, 0, 0}, udp), true, 0, 0, 0},
		"a route":                    {route, join([]byte{udpNext, 0, 0, 1, 0, 0, 0, 0}, udp), false, 4, 0, 42},
		"nothing next":               {wire.NoNextHeader, udp, false, 0, 0, 0},
		"an atomic fragment":         {fr, join(frag(udpNext, 0, false), udp), true, 0, 0, 0},
		"a fragment of odd length":   {fr, join(frag(udpNext, 0, true), udp), false, 4, 0, 4},
		"a fragment beyond the end":  {fr, join(frag(udpNext, 65528, false), udp), false, 4, 0, 42},
		"headers in two fragments":   {fr, join(frag(dst, 0, true), []byte{udpNext, 3, 1, 4, 0, 0, 0, 0}), false, 4, 3, 0},
		"nine headers":               {dst, join(pad(dst), pad(dst), pad(dst), pad(dst), pad(dst), pad(dst), pad(dst), pad(dst), pad(udpNext), udp), false, 0, 0, 0},
	} {
		now := tick.Time(1)
		n, f := withFake(&now, 1500*time.Millisecond)
		settle(now, n)
		// It has asked us: we know it.
		f.icmp(routerAddr, n.addr, 255, nil, neighborMessage(wire.NeighborSolicitation, 0, n.addr, wire.AppendLinkAddress(nil, wire.OptionSource, fakeMAC)))
		settle(now, n)
		f.listen()
		f.seen = nil
		f.packet(routerAddr, n.addr, x.next, 64, x.payload)
		settle(now, n)
		if (len(n.got) == 1) != x.arrives {
			t.Errorf("%s: %d packets have arrived", name, len(n.got))
		}
		n.clean(t)
		f.listen()
		var got []byte
		for _, b := range f.seen {
			if b[wire.EthernetSize+6] == wire.ICMPv6 {
				got = b[wire.EthernetSize+wire.IPv6Size:]
			}
		}
		switch {
		case x.typ == 0 && got != nil:
			t.Errorf("%s: it was answered with %x", name, got)
		case x.typ != 0 && (got == nil || got[0] != x.typ || got[1] != x.code || binary.BigEndian.Uint32(got[4:]) != x.pointer):
			t.Errorf("%s: answer %x, want type %d code %d pointer %d", name, got, x.typ, x.code, x.pointer)
		case x.typ != 0 && !bytes.Contains(got, x.payload[:min(len(x.payload), 16)]):
			t.Errorf("%s: the answer does not quote the packet: %x", name, got)
		}
		// To many, only options of 10 are answered.
		f.seen = nil
		f.packet(routerAddr, allNodes, x.next, 64, x.payload)
		settle(now, n)
		f.listen()
		if len(f.seen) > 0 && name != "to be told of" {
			t.Errorf("%s: it was answered though it was for many", name)
		}
		n.clean(t)
	}
}

// TestUnreachable6: who sends to a port that nobody has is told, at a limited rate; nobody is told of an error, or of what was for many.
func TestUnreachable6(t *testing.T) {
	now := tick.Time(1)
	a, b := two6(memwire.Options{}, &now)
	a.sendUDP(t, now, b.addr, []byte("hello"))
	settle(now, a, b)
	for k := range 200 {
		b.Unreachable(now, &b.got[0], wire.CodePort)
		if k == 0 {
			settle(now, a, b)
			if len(a.got) != 1 {
				t.Fatal("no answer")
			}
			e := a.got[0].Failure
			if e.Err != ErrPortUnreachable || e.Protocol != wire.UDP || e.Local != netip.AddrPortFrom(a.addr, 1000) || e.Remote != netip.AddrPortFrom(b.addr, 2000) {
				t.Errorf("told of as %+v", e)
			}
		}
	}
	settle(now, a, b)
	if n := len(a.got); n > 51 || b.Count(ICMPLimited) == 0 {
		t.Errorf("%d answers at once", n)
	}
	a.clean(t)
	b.clean(t)
}

// TestTooBig: RFC 8201: what is told is believed when the transport says so, and not below 1280.
func TestTooBig(t *testing.T) {
	now := tick.Time(1)
	n, f := withFake(&now, 1500*time.Millisecond)
	inner := make([]byte, wire.IPv6Size+8)
	wire.IPv6(inner).Set(wire.V6{Len: 1400, Next: wire.UDP, HopLimit: 3, Src: n.addr, Dst: routerAddr})
	wire.UDPHeader(inner[wire.IPv6Size:]).Set(5, 6, 1400)
	for _, mtu := range []uint32{1280, 1279, 0} {
		m := append(binary.BigEndian.AppendUint32([]byte{wire.ICMP6TooBig, 0, 0, 0}, mtu), inner...)
		f.icmp(routerAddr, n.addr, 64, nil, m)
	}
	settle(now, n)
	if len(n.got) != 1 || n.got[0].Failure.MTU != 1280 {
		t.Fatalf("%d messages were believed", len(n.got))
	}
	n.ConfirmMTU(now, &n.got[0].Failure)
	if p, err := n.Path(now, routerAddr, netip.Addr{}, n.eth, 0); err != nil || p.MTU != 1280 {
		t.Errorf("MTU %d, %v", p.MTU, err)
	}
	if p, err := n.Path(now.Add(11*time.Minute), routerAddr, netip.Addr{}, n.eth, 0); err != nil || p.MTU != 1500 {
		t.Errorf("ten minutes later: MTU %d, %v", p.MTU, err)
	}
	n.clean(t)
}

// TestRedirect: RFC 4861, 8: from the router in use only, and no more than there is room for.
func TestRedirect(t *testing.T) {
	now := tick.Time(1)
	n, f := withFake(&now, 1500*time.Millisecond)
	f.icmp(routerAddr, allNodes, 255, nil, advert(1800, prefixOption(prefix, 0xc0, 10000, 10000)))
	pass(&now, 1500*time.Millisecond, n)
	better, far := netip.MustParseAddr("fe80::55"), netip.MustParseAddr("2001:db8:7::1")
	redirect := func(from, target, dst netip.Addr) {
		m := make([]byte, wire.RedirectSize)
		m[0] = wire.Redirect
		copy(m[8:], target.AsSlice())
		copy(m[24:], dst.AsSlice())
		f.icmp(from, n.addr, 255, nil, m)
		settle(now, n)
	}
	hop := func() netip.Addr {
		p, err := n.Path(now, far, netip.Addr{}, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		return p.hop
	}
	redirect(netip.MustParseAddr("fe80::66"), better, far)
	redirect(routerAddr, netip.MustParseAddr("2001:db8::3"), far)
	if hop() != routerAddr {
		t.Error("a stranger's redirect counts")
	}
	redirect(routerAddr, better, far)
	if hop() != better {
		t.Error("the router's redirect does not count")
	}
	for i := range 3 * maxRedirects {
		b := far.As16()
		binary.BigEndian.PutUint16(b[14:], uint16(i))
		redirect(routerAddr, better, netip.AddrFrom16(b))
	}
	if len(n.redirects) > maxRedirects {
		t.Errorf("%d redirects", len(n.redirects))
	}
}

// TestSourceSelection has RFC 6724's own examples (10.1), as far as they are about one interface.
func TestSourceSelection(t *testing.T) {
	addr := netip.MustParseAddr
	for _, x := range []struct {
		dst  string
		have []string
		want string
	}{
		{"2001:db8:1::1", []string{"2001:db8:3::1", "fe80::1"}, "2001:db8:3::1"},
		{"ff05::1", []string{"2001:db8:3::1", "fe80::1"}, "2001:db8:3::1"},
		{"fe80::1", []string{"fe80::2", "2001:db8:1::1"}, "fe80::2"},
		{"2001:db8:1::1", []string{"2001:db8:1::2", "2001:db8:3::2"}, "2001:db8:1::2"},
		{"2001:db8:1::1", []string{"2001:db8:1::2", "2001:db8:1::1"}, "2001:db8:1::1"},
		{"2002:c633:6401::1", []string{"2002:c633:6401::d5e3:7953:13eb:22e8", "2001:db8:1::2"}, "2002:c633:6401::d5e3:7953:13eb:22e8"},
		{"fec0::2", []string{"fe80::1", "fec0::1", "2001:db8::1"}, "fec0::1"},
		{"fc00::9", []string{"2001:db8::1", "fc00::1"}, "fc00::1"},
	} {
		for range 2 { // in either order
			i := &Interface{}
			for _, a := range x.have {
				i.addresses = append(i.addresses, netip.PrefixFrom(addr(a), 64))
			}
			if got := i.source6(addr(x.dst)); got != addr(x.want) {
				t.Errorf("to %s of %v: %v", x.dst, x.have, got)
			}
			for k, l := 0, len(x.have)-1; k < l; k, l = k+1, l-1 {
				x.have[k], x.have[l] = x.have[l], x.have[k]
			}
		}
	}
}
