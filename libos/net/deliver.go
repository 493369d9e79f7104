package inet

import (
	"net/netip"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// A delivery is what somebody who delivers packets, one after the other, needs for that.
type delivery struct {
	packet packet
	in     tcp.Segment
	out    output // for what is sent in answer

	gathers bool    // settle is called when there are no more packets for now
	later   []*Conn // for settle
}

// deliver hands d's packet to its endpoint, and its bytes over. No lock is held.
func (s *Stack) deliver(now tick.Time, d *delivery) {
	p := &d.packet
	raw := s.deliverRaw(p)
	switch p.proto {
	case wire.ICMP, wire.ICMPv6, wire.IGMP:
		s.deliverICMP(now, p)
	case protoUDP:
		s.deliverUDP(now, p)
	case protoTCP:
		s.deliverTCP(now, d)
	default:
		if raw {
			break
		}
		s.Counters.NoProtocol.Add(1)
		if p.from != nil {
			s.host.Unreachable(now, p.from, wire.CodeProtocol)
		}
	}
	release(p.body) // what nobody took
}

// share is how much memory one connection may hold of that which a device receives into, as Segment.Share has it: with all of it held by programs that do not read, nothing would be
// received any more, acknowledgments included.
func (p *packet) share() int {
	if p.from == nil {
		return 0 // the sender's memory, which he holds until it is acknowledged
	}
	n, ok := p.body[0].Share()
	switch {
	case !ok:
		return 0
	case n == 0:
		return -1
	}
	return n
}

const udpHeader = wire.UDPSize

// size is how many bytes refs have.
func size(refs []buf.Ref) (n int) {
	for i := range refs {
		n += refs[i].Len()
	}
	return n
}

// checksumOK verifies a transport checksum, which covers n bytes and the pseudo header.
func checksumOK(p *packet, n int) bool {
	return wire.Fold(wire.SumRefs(wire.PseudoSum(p.src, p.dst, p.proto, n), p.body)) == 0xffff
}

func (s *Stack) deliverUDP(now tick.Time, p *packet) {
	h := wire.UDPHeader(p.body[0].Bytes())
	all := size(p.body)
	if len(h) < udpHeader {
		s.Counters.UDPMalformed.Add(1)
		return
	}
	length := h.Len()
	if p.gso > 0 {
		length = all
	}
	if length < udpHeader || length > all {
		s.Counters.UDPMalformed.Add(1)
		return
	}
	if length < all {
		p.body = truncate(p.body, length)
	}
	if none := h.Checksum() == 0 && p.src.Is4(); !p.verified && !none && !checksumOK(p, length) {
		s.Counters.UDPChecksum.Add(1)
		return
	}
	src, dst := netip.AddrPortFrom(p.src, h.SrcPort()), netip.AddrPortFrom(p.dst, h.DstPort())
	d := datagram{n: length - udpHeader, from: src, info: Info{To: p.dst, Interface: p.index, TTL: p.ttl, TOS: p.tos}}
	if p.group {
		all := s.udp.receivers(src, dst, p.index)
		p.body[0].TrimFront(udpHeader)
		for _, u := range all {
			u.deliverAll(d, p.gso, clone(p.body))
		}
		return
	}
	u := s.udp.find(src, dst)
	if u == nil {
		s.Counters.UDPNoEndpoint.Add(1)
		if p.from != nil {
			s.host.Unreachable(now, p.from, wire.CodePort)
		} else if u := s.udp.find(dst, src); u != nil {
			s.refuse(u, p, length) // ourselves: no need of ICMP
		}
		return
	}
	p.body[0].TrimFront(udpHeader)
	u.deliverAll(d, p.gso, p.body)
}

// deliverAll gives an endpoint a datagram, or with gso several of so many bytes each that the device has joined.
func (u *UDP) deliverAll(d datagram, gso int, body []buf.Ref) {
	if gso > 0 && d.n > gso && u.Options().Join {
		d.seg, gso = gso, 0
	}
	if gso == 0 || d.n <= gso {
		u.deliver(d, body)
		return
	}
	var q buf.Queue
	for i := range body {
		q.Append(body[i])
		body[i] = buf.Ref{}
	}
	var part []buf.Ref
	for q.Len() > 0 {
		d.n = min(q.Len(), gso)
		part, _ = q.View(part[:0], 0, d.n, q.Pieces())
		q.Discard(d.n)
		u.deliver(d, part)
	}
}

// refuse tells an endpoint of ours that nobody of ours takes its datagram, of n bytes with its header.
func (s *Stack) refuse(u *UDP, p *packet, n int) {
	e := ip.Error{
		Err: ip.ErrPortUnreachable, Protocol: protoUDP, From: p.dst, Type: wire.ICMPUnreachable, Code: wire.CodePort,
		Local: netip.AddrPortFrom(p.src, 0), Remote: netip.AddrPortFrom(p.dst, wire.UDPHeader(p.body[0].Bytes()).DstPort()),
	}
	if p.src.Is6() {
		e.Type, e.Code = wire.ICMP6Unreachable, wire.Code6Port
	}
	var quote [548]byte // what is left of RFC 1812's 576 bytes, 4.3.2.3
	e.Quoted = quote[:0]
	for i := range p.body {
		e.Quoted = append(e.Quoted, p.body[i].Bytes()[:min(p.body[i].Len(), len(quote)-len(e.Quoted))]...)
	}
	u.trouble(troubleOf(&e, loopbackIndex, udpHeader))
}

// clone gives further references.
func clone(refs []buf.Ref) []buf.Ref {
	c := make([]buf.Ref, len(refs))
	for i := range refs {
		c[i] = refs[i].Clone()
	}
	return c
}

// truncate keeps the first n bytes.
func truncate(refs []buf.Ref, n int) []buf.Ref {
	for i := range refs {
		m := min(n, refs[i].Len())
		if n -= m; m == 0 {
			release(refs[i:])
			return refs[:i]
		}
		refs[i].Truncate(m)
	}
	return refs
}

func (s *Stack) deliverTCP(now tick.Time, d *delivery) {
	p, in, o := &d.packet, &d.in, &d.out
	n, err := tcp.Parse(p.body[0].Bytes(), in)
	if err != nil {
		s.Counters.TCPMalformed.Add(1)
		return
	}
	if !p.verified && !checksumOK(p, size(p.body)) {
		s.Counters.TCPChecksum.Add(1)
		return
	}
	p.body[0].TrimFront(n)
	in.Payload, in.Size, in.Share = in.Payload[:0], 0, p.share()
	for i := range p.body {
		if m := p.body[i].Len(); m > 0 {
			in.Payload = append(in.Payload, p.body[i])
			in.Size += m
			p.body[i] = buf.Ref{}
		}
	}
	const ce = 3 // of the two bits of RFC 3168
	in.CE, in.ECT, in.SegmentSize = p.tos&3 == ce, false, p.gso
	k := key(tcp.Tuple{Local: netip.AddrPortFrom(p.dst, in.DstPort), Remote: netip.AddrPortFrom(p.src, in.SrcPort)})
	if c := s.tcp.get(k); c != nil && c.input(now, d) {
		return
	}
	t := tcp.Tuple{Local: netip.AddrPortFrom(p.dst, in.DstPort), Remote: netip.AddrPortFrom(p.src, in.SrcPort)}
	if p.group || p.src.IsMulticast() || p.src.IsUnspecified() || s.isBroadcast(p.src) {
		// TCP is between two hosts: neither a connection nor an answer comes of this (RFC 9293, 3.9.2.3, MUST-57 and MUST-63).
		s.Counters.TCPAddress.Add(1)
		in.Release()
		return
	}
	if l := s.tcp.listener(k); l != nil {
		l.input(now, t, in, o)
		return
	}
	s.Counters.TCPNoEndpoint.Add(1)
	if tcp.Refuse(in, &o.segment) {
		s.answer(now, t, o)
	}
	in.Release()
}

// answer sends a segment that belongs to no connection.
func (s *Stack) answer(now tick.Time, t tcp.Tuple, o *output) {
	via, e := s.pathTo(t.Remote.Addr(), t.Local.Addr(), 0)
	if e != 0 {
		s.Counters.NoRoute.Add(1)
		return
	}
	s.sendSegment(now, &via, o)
}
