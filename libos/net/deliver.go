package inet

import (
	"net/netip"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// deliver hands a packet to its endpoint, and its bytes over. No lock is held.
func (s *Stack) deliver(now tick.Time, p *packet) {
	switch p.proto {
	case protoUDP:
		s.deliverUDP(p)
	case protoTCP:
		s.deliverTCP(now, p)
	}
	release(p.body) // what nobody took
}

const udpHeader = 8 // RFC 768

// size is how many bytes refs have.
func size(refs []buf.Ref) (n int) {
	for i := range refs {
		n += refs[i].Len()
	}
	return n
}

func (s *Stack) deliverUDP(p *packet) {
	h := p.body[0].Bytes()
	if len(h) < udpHeader {
		s.Counters.UDPMalformed.Add(1)
		return
	}
	length := int(h[4])<<8 | int(h[5])
	all := size(p.body)
	if length == 0 && p.gso == 0 && !p.src.Is4() {
		length = all // a jumbogram (RFC 2675, 4)
	}
	if length < udpHeader || length > all {
		s.Counters.UDPMalformed.Add(1)
		return
	}
	src := netip.AddrPortFrom(p.src, uint16(h[0])<<8|uint16(h[1]))
	dst := netip.AddrPortFrom(p.dst, uint16(h[2])<<8|uint16(h[3]))
	if !p.verified { // nothing but the loopback network is there yet, where all are
		s.Counters.UDPChecksum.Add(1)
		return
	}
	p.body[0].TrimFront(udpHeader)
	truncate(p.body, length-udpHeader)
	d := datagram{n: length - udpHeader, from: src, info: Info{To: p.dst, Interface: p.index, TTL: p.ttl, TOS: p.tos}}
	if p.dst.IsMulticast() || s.isBroadcast(p.dst) {
		for _, u := range s.udp.receivers(s, src, dst, p.index) {
			u.deliver(d, clone(p.body))
		}
		return
	}
	u := s.udp.find(src, dst)
	if u == nil {
		s.Counters.UDPNoEndpoint.Add(1)
		s.unreachable(p, src, dst)
		return
	}
	u.deliver(d, p.body)
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
func truncate(refs []buf.Ref, n int) {
	for i := range refs {
		m := min(n, refs[i].Len())
		if m == 0 {
			refs[i].Release()
		} else {
			refs[i].Truncate(m)
		}
		n -= m
	}
}

// unreachable answers a datagram to a port that nobody has: to ourselves by telling the sender's endpoint, to others by ICMP.
func (s *Stack) unreachable(p *packet, src, dst netip.AddrPort) {
	if p.index == loopbackIndex {
		if u := s.udp.find(dst, src); u != nil {
			u.fail(syscall.ECONNREFUSED)
		}
	}
}

// inputs is scratch for segments that come in.
var inputs = sync.Pool{New: func() any { return new(tcp.Segment) }}

func (s *Stack) deliverTCP(now tick.Time, p *packet) {
	in := inputs.Get().(*tcp.Segment)
	defer inputs.Put(in)
	n, err := tcp.Parse(p.body[0].Bytes(), in)
	if err != nil {
		s.Counters.TCPMalformed.Add(1)
		return
	}
	if !p.verified {
		s.Counters.TCPChecksum.Add(1)
		return
	}
	p.body[0].TrimFront(n)
	in.Payload, in.Size = in.Payload[:0], 0
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
	if c := s.tcp.get(k); c != nil && c.input(now, in) {
		return
	}
	t := tcp.Tuple{Local: netip.AddrPortFrom(p.dst, in.DstPort), Remote: netip.AddrPortFrom(p.src, in.SrcPort)}
	o := s.outputs.Get().(*output)
	defer s.outputs.Put(o)
	if l := s.tcp.listener(k); l != nil && !p.dst.IsMulticast() {
		l.input(now, t, in, o)
		return
	}
	s.Counters.TCPNoEndpoint.Add(1)
	if tcp.Refuse(in, &o.segment) && !p.dst.IsMulticast() {
		s.answer(t, o)
	}
	in.Release()
}

// answer sends a segment that belongs to no connection.
func (s *Stack) answer(t tcp.Tuple, o *output) {
	via, e := s.pathTo(t.Remote.Addr(), t.Local.Addr())
	if e != 0 {
		s.Counters.NoRoute.Add(1)
		return
	}
	s.sendSegment(&via, o)
}
