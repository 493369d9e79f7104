package inet

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// sendSegment sends o's segment and gives its payload up. There is no error: what cannot be sent is lost, as on any network.
func (s *Stack) sendSegment(now tick.Time, via *path, o *output) {
	seg := &o.segment
	defer seg.Release()
	head, ok := s.heads.Get()
	if !ok {
		s.Counters.NoMemory.Add(1)
		return
	}
	n := seg.HeaderLen()
	head.TrimFront(headRoom)
	head.Truncate(n)
	seg.Marshal(head.Bytes())
	f := &o.frame
	if via.local {
		s.sendSelf(via, o, head)
		return
	}
	f.Head = head
	f.Body = append(f.Body[:0], seg.Payload...)
	seg.Payload, seg.Size = seg.Payload[:0], 0
	if seg.SegmentSize > 0 && f.Len() > n+seg.SegmentSize {
		if f.Kind, f.SegmentSize = link.GSOTCP4, uint16(seg.SegmentSize); via.ip.Dst.Is6() {
			f.Kind = link.GSOTCP6
		}
	}
	s.output(now, via, f, ip.Out{Protocol: protoTCP, TOS: via.tos | ecn(seg), TTL: via.ttl, Checksum: tcp.ChecksumOffset, Pseudo: true})
}

// sendSelf sends o's segment, whose header head is, to ourselves. It is apart from sendSegment for the goroutine's stack, which goes deeper from there.
//
//go:noinline
func (s *Stack) sendSelf(via *path, o *output, head buf.Ref) {
	seg, f := &o.segment, &o.frame
	f.Body = append(append(f.Body[:0], head), seg.Payload...)
	seg.Payload, seg.Size = seg.Payload[:0], 0
	s.sendLocal(packet{proto: protoTCP, src: via.ip.Src, dst: via.ip.Dst, ttl: via.ttl, tos: via.tos | ecn(seg), verified: true, body: f.Body})
}

// output gives a packet to the network layer, f's references with it.
func (s *Stack) output(now tick.Time, via *path, f *link.Frame, o ip.Out) syscall.Errno {
	err := s.host.Output(now, &via.ip, f, o)
	if err != nil {
		s.Counters.NoRoute.Add(1)
		return errnoOfIP(err)
	}
	s.sent(via)
	return 0
}

// sent notes that a path's device has something to be flushed.
func (s *Stack) sent(via *path) {
	if c := s.card(via.ip.Interface.Index); c != nil {
		c.dirty.Or(1 << via.ip.Queue)
	}
}

// ecn is the two bits of RFC 3168 that a segment's packet has.
func ecn(seg *tcp.Segment) uint8 {
	if seg.ECT {
		return 2 // ECT(0)
	}
	return 0
}

// maxDatagram is the most payload of UDP over IPv4 and IPv6.
const (
	maxDatagram4 = 65535 - 20 - udpHeader
	maxDatagram6 = 65535 - udpHeader
)

// maxSegments is how many datagrams one message is cut into at most: UDP_MAX_SEGMENTS of Linux.
const maxSegments = 128

// queueUDP sends a datagram, or as many as d.segment makes of p, but does not flush.
func (s *Stack) queueUDP(last *way, d *udpOut, p []byte) syscall.Errno {
	limit := maxDatagram6
	if d.to.Addr().Is4() {
		limit = maxDatagram4
	}
	if len(p) > limit {
		return syscall.EMSGSIZE
	}
	if last.mu.TryLock() {
		defer last.mu.Unlock()
	} else {
		last = new(way) // somebody else sends
	}
	now := s.now()
	if e := last.find(now, s, d); e != 0 {
		return e
	}
	via := &last.via
	if via.broadcast && !d.broadcast {
		return syscall.EACCES
	}
	e := syscall.Errno(0)
	via.ttl = last.ttl
	via.hops(d.ttl)
	via.tos = uint8(d.tos)
	if d.to.Addr().IsMulticast() {
		via.ttl = uint8(d.ttl)
	}
	via.steer(d.port, d.to.Port())
	if d.segment > 0 && len(p) > d.segment {
		if d.segment+via.headers()-tcp.HeaderSize+udpHeader > int(via.mtu) || len(p) > d.segment*maxSegments {
			return syscall.EINVAL
		}
		if whole := !d.to.Addr().IsMulticast() && (via.local || via.ip.Interface.Info.Offloads&link.TxUSO != 0); !whole {
			for len(p) > 0 && e == 0 {
				n := min(len(p), d.segment)
				e = s.sendDatagram(now, via, &last.frame, d, p[:n], 0)
				p = p[n:]
			}
			return e
		}
		e = s.sendDatagram(now, via, &last.frame, d, p, d.segment)
	} else {
		e = s.sendDatagram(now, via, &last.frame, d, p, 0)
	}
	if e == syscall.EMSGSIZE {
		d.mtu = int(via.mtu)
	}
	return e
}

// sendDatagram sends one datagram in f, or with segment several that the device, or the receiving endpoint, takes apart.
func (s *Stack) sendDatagram(now tick.Time, via *path, f *link.Frame, d *udpOut, p []byte, segment int) syscall.Errno {
	body, ok := s.datagram(f.Body[:0], d, p)
	if f.Body = body; !ok {
		s.Counters.NoMemory.Add(1)
		return syscall.ENOBUFS
	}
	if segment > 0 {
		f.Kind, f.SegmentSize = link.GSOUDP, uint16(segment)
	}
	k := packet{proto: protoUDP, src: via.source(), dst: d.to.Addr(), ttl: via.ttl, tos: via.tos, verified: true, gso: segment}
	e := s.emit(now, via, k, f, d.loop, d.discover.out(ip.Out{Protocol: protoUDP, TOS: via.tos, TTL: via.ttl, Checksum: wire.UDPChecksumOffset, Pseudo: true}))
	f.Kind, f.SegmentSize = link.NoGSO, 0
	return e
}

// datagram makes UDP's header and the copy of the program's bytes behind it, in one block if they fit.
func (s *Stack) datagram(body []buf.Ref, d *udpOut, p []byte) (_ []buf.Ref, ok bool) {
	pool := s.small
	if headRoom+udpHeader+len(p) > pool.Size() {
		pool = s.heads
	}
	head, ok := pool.Get()
	if !ok {
		return body, false
	}
	head.TrimFront(headRoom)
	in := 0
	if pool == s.small {
		in = len(p)
	}
	head.Truncate(udpHeader + in)
	h := head.Bytes()
	binary.BigEndian.PutUint16(h, d.port)
	binary.BigEndian.PutUint16(h[2:], d.to.Port())
	binary.BigEndian.PutUint16(h[4:], uint16(udpHeader+len(p)))
	binary.BigEndian.PutUint16(h[6:], 0)
	copy(h[udpHeader:], p[:in])
	body = append(body, head)
	if p = p[in:]; len(p) > 0 {
		var q buf.Queue
		if q.AppendCopy(s.data, p) == len(p) {
			body, _ = q.View(body, 0, len(p), q.Pieces())
		}
		q.Clear()
		if len(body) == 1 {
			release(body)
			return body[:0], false
		}
	}
	return body, true
}

// fit tells a connection that a listener has made what its path takes.
func (s *Stack) fit(c *tcp.Conn, via *path) {
	c.SetMSS(s.now(), int(via.mtu)-via.headers())
	c.SetLargest(int(via.maxSend), int(via.maxPieces))
}

// find finds the interface of a group.
func (s *Stack) find(g *group) syscall.Errno {
	index := g.index
	if index == 0 {
		via, e := s.pathTo(g.addr, netip.Addr{}, 0)
		if e != 0 {
			return syscall.ENODEV
		}
		if index = loopbackIndex; !via.local {
			index = via.ip.Interface.Index
		}
	}
	if g.joined = s.iface(index); g.joined == nil {
		return syscall.ENODEV
	}
	return 0
}

// iface gives an interface by number; nil: there is none such.
func (s *Stack) iface(index int) *ip.Interface {
	all := s.host.Interfaces()
	if index < 1 || index > len(all) {
		return nil
	}
	return all[index-1]
}

func (s *Stack) leave(g *group) {
	if !g.include {
		s.host.Leave(s.now(), g.joined, g.addr.WithZone(""))
	} else {
		for _, a := range g.sources {
			s.host.LeaveSource(s.now(), g.joined, g.addr.WithZone(""), a)
		}
	}
	s.armHost()
}

// join has the network layer receive a group from all sources.
func (s *Stack) join(g *group) {
	s.host.Join(s.now(), g.joined, g.addr.WithZone(""))
	s.armHost()
}

// receivers gives those who receive what is sent to a group or to everybody.
func (t *udpTable) receivers(src, dst netip.AddrPort, index int) []*UDP {
	if dst.Addr().IsMulticast() {
		return t.members(src, dst, index)
	}
	var all []*UDP
	for _, e := range t.list(dst.Port()) {
		if e.h.addr.IsUnspecified() && e.h.takes(dst.Addr()) {
			all = append(all, e.u)
		}
	}
	return all
}
