package inet

import (
	"net/netip"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// How raw and ping endpoints send, and the messages of ICMP that the host answers itself.

// TrySend sends a message: to whom it is connected if to is invalid. with may say from which address and interface.
func (r *Raw) TrySend(p []byte, to netip.AddrPort, with *Info) (int, error) {
	r.mu.Lock()
	if e := r.err; e != 0 {
		r.err = 0
		r.mu.Unlock()
		return 0, e
	}
	if r.closed { // shutdown does not keep it from sending, as on Linux
		r.mu.Unlock()
		return 0, syscall.EPIPE
	}
	if !to.IsValid() {
		if to = r.remote; !to.IsValid() {
			r.mu.Unlock()
			return 0, syscall.EDESTADDRREQ
		}
	}
	if r.ping {
		if e := r.checkPing(p); e != 0 {
			r.mu.Unlock()
			return 0, e
		}
	}
	d := udpOut{to: to, src: r.bound, ttl: r.opts.TTL, tos: r.opts.TOS, broadcast: r.opts.Broadcast, discover: r.opts.Discover}
	if a := to.Addr(); a.IsUnspecified() {
		d.to = netip.AddrPortFrom(loopbackOf(a), 0)
	}
	d.group(&r.opts)
	out := rawOut{protocol: r.protocol, header: r.header, id: r.id, checksum: r.checksum}
	r.mu.Unlock()
	if r.ping {
		out.checksum = wire.ICMPChecksumOffset
	}
	if r.v6 && out.protocol == protoRaw && to.Port() != 0 {
		out.protocol = uint8(to.Port()) // as Linux: the port of sockaddr_in6 names the protocol
	}
	d.with(with)
	if e := r.s.sendRaw(&d, &out, p); e != 0 {
		return 0, e
	}
	return len(p), nil
}

// checkPing lets only echo requests pass, and binds the endpoint for its first one; mu is held.
func (r *Raw) checkPing(p []byte) syscall.Errno {
	echo := uint8(wire.ICMPEcho)
	if r.v6 {
		echo = wire.ICMP6Echo
	}
	if len(p) < wire.ICMPSize || p[0] != echo || p[1] != 0 {
		return syscall.EINVAL
	}
	if r.id == 0 {
		return r.hold(0)
	}
	return 0
}

// A rawOut is what a raw message has that a datagram has not.
type rawOut struct {
	protocol uint8
	header   bool
	id       uint16 // not 0: an echo request's identifier
	checksum int    // where it is to be put; below 0: nowhere
}

// sendRaw sends a message; no endpoint's lock is held.
func (s *Stack) sendRaw(d *udpOut, o *rawOut, p []byte) syscall.Errno {
	dst := d.to.Addr()
	limit := 65535
	if dst.Is4() && !o.header {
		limit -= wire.IPv4Size
	}
	switch {
	case len(p) > limit:
		return syscall.EMSGSIZE
	case len(p) < 2 && (o.protocol == wire.ICMP && dst.Is4() || o.protocol == wire.ICMPv6 && dst.Is6()):
		return syscall.EFAULT // as Linux, which looks at type and code
	case s.isBroadcast(dst) && !d.broadcast:
		return syscall.EACCES
	case o.checksum >= 0 && o.checksum+2 > min(len(p), firstBytes):
		return syscall.EINVAL
	}
	via, e := s.pathTo(dst, d.src, d.index)
	if e != 0 {
		return e
	}
	if o.header {
		return s.sendHeader(&via, p)
	}
	via.hops(d.ttl)
	via.tos = uint8(d.tos)
	group := dst.IsMulticast()
	if group {
		via.ttl = uint8(d.ttl)
	}
	out := s.outputs.Get().(*output)
	defer s.outputs.Put(out)
	r, ok := s.copied(out.frame.Body[:0], p)
	if out.frame.Body = r; !ok {
		s.Counters.NoMemory.Add(1)
		return syscall.ENOBUFS
	}
	if o.id != 0 {
		h := r[0].Bytes()
		h[4], h[5] = byte(o.id>>8), byte(o.id)
	}
	if o.checksum >= 0 {
		s.sum(&via, o, r)
	}
	k := packet{proto: o.protocol, src: via.source(), dst: dst, ttl: via.ttl, tos: via.tos}
	e = s.emit(s.now(), &via, k, &out.frame, d.loop, d.discover.out(ip.Out{Protocol: o.protocol, TOS: via.tos, TTL: via.ttl, Checksum: -1}))
	s.flush()
	return e
}

// emit sends a packet, to ourselves or by a card, or both: k without its bytes, which are those of f.Body, and how the network layer is to send it. It takes the bytes over. The caller
// flushes.
func (s *Stack) emit(now tick.Time, via *path, k packet, f *link.Frame, loop bool, o ip.Out) (e syscall.Errno) {
	group := k.dst.IsMulticast()
	switch {
	case via.local && group && !(loop && s.host.Joined(s.lo, k.dst)):
		release(f.Body)
	case via.local:
		k.body, k.group = f.Body, group
		s.sendLocal(k)
	default:
		if group && loop && s.host.Joined(via.ip.Interface, k.dst) || via.broadcast {
			c := k
			c.body, c.group, c.index = clone(f.Body), true, via.ip.Interface.Index
			s.sendLocal(c)
		}
		if group && via.ttl == 0 {
			release(f.Body)
			break
		}
		f.Head = f.Body[0]
		f.Body = append(f.Body[:0], f.Body[1:]...)
		e = s.output(now, via, f, o)
	}
	return e
}

// sum fills in the checksum of a message to be sent.
func (s *Stack) sum(via *path, o *rawOut, r []buf.Ref) {
	field := r[0].Bytes()[o.checksum:][:2]
	field[0], field[1] = 0, 0
	var sum uint64
	if via.ip.Dst.Is6() {
		sum = wire.PseudoSum(via.ip.Src, via.ip.Dst, o.protocol, size(r))
	}
	x := ^wire.Fold(wire.SumRefs(sum, r))
	field[0], field[1] = byte(x>>8), byte(x)
}

// firstBytes is how many of a raw message's are in one piece, where they are so many: its checksum must be among them.
const firstBytes = (smallBlock - headRoom) &^ 1

// copied appends blocks with a program's bytes, with room for headers before the first.
func (s *Stack) copied(r []buf.Ref, p []byte) (_ []buf.Ref, ok bool) {
	head, ok := s.small.Get()
	if !ok {
		return r, false
	}
	head.TrimFront(headRoom)
	n := min(len(p), firstBytes)
	head.Truncate(n)
	copy(head.Bytes(), p)
	r = append(r, head)
	if p = p[n:]; len(p) > 0 {
		var q buf.Queue
		if q.AppendCopy(s.data, p) == len(p) {
			r, _ = q.View(r, 0, len(p), q.Pieces())
		}
		q.Clear()
		if len(r) == 1 {
			release(r)
			return r[:0], false
		}
	}
	return r, true
}

// sendHeader sends a packet that begins with its IPv4 header (IP_HDRINCL). As on Linux its length and checksum are filled in, and an identifier and a source of 0; where it
// goes is the path's, not the header's, matter.
func (s *Stack) sendHeader(via *path, p []byte) syscall.Errno {
	if len(p) > int(via.mtu) {
		return syscall.EMSGSIZE
	}
	if len(p) < wire.IPv4Size || int(p[0]&15)*4 > len(p) || p[0]&15 < wire.IPv4Size/4 {
		return syscall.EINVAL
	}
	r, ok := s.copied(nil, p)
	if !ok {
		s.Counters.NoMemory.Add(1)
		return syscall.ENOBUFS
	}
	h := wire.IPv4(r[0].Bytes())
	h.Complete(len(p), s.host.NextID(), via.ip.Src)
	if !via.local {
		defer s.flush()
		f := link.Frame{Head: r[0], Body: r[1:]}
		if err := s.host.OutputWhole(s.now(), &via.ip, &f); err != nil {
			return errnoOfIP(err)
		}
		s.sent(via)
		return 0
	}
	n := h.HeaderLen()
	k := packet{proto: h.Protocol(), src: h.Src(), dst: h.Dst(), ttl: h.TTL(), tos: h.TOS(), header: n}
	if !h.Check() || h.Fragment() || !s.isLocal(k.dst) {
		release(r)
		return 0 // it has been sent, and nobody takes it
	}
	r[0].TrimFront(n)
	k.body = r
	s.sendLocal(k)
	s.flush()
	return 0
}

// deliverICMP has the network layer's own part done of a message of ICMP.
func (s *Stack) deliverICMP(now tick.Time, p *packet) {
	if p.from != nil {
		if s.host.Control(now, p.from) == ip.Failure {
			s.failure(now, p.from.Interface, &p.from.Failure)
		}
		return
	}
	// From ourselves: only requests need an answer. Errors about what we sent to ourselves are told to endpoints directly.
	m := wire.ICMPHeader(p.body[0].Bytes())
	echo, reply := uint8(wire.ICMPEcho), uint8(wire.ICMPEchoReply)
	if p.src.Is6() {
		echo, reply = wire.ICMP6Echo, wire.ICMP6EchoReply
	}
	if p.proto == wire.IGMP || len(m) < wire.ICMPSize || m.Type() != echo || p.group {
		return
	}
	o := rawOut{protocol: p.proto, checksum: wire.ICMPChecksumOffset}
	var sum uint64
	if p.src.Is6() {
		sum = wire.PseudoSum(p.src, p.dst, p.proto, size(p.body))
	}
	if !p.verified && wire.Fold(wire.SumRefs(sum, p.body)) != 0xffff {
		return
	}
	head, ok := s.heads.Get()
	if !ok {
		s.Counters.NoMemory.Add(1)
		return
	}
	head.TrimFront(headRoom)
	head.Truncate(wire.ICMPSize)
	wire.ICMPHeader(head.Bytes()).Set(reply, 0, m.Rest())
	body := append([]buf.Ref{head}, clone(p.body)...)
	if body[1].TrimFront(wire.ICMPSize); body[1].Len() == 0 {
		body[1].Release()
		body = append(body[:1], body[2:]...)
	}
	via := path{ip: ip.Path{Src: p.dst, Dst: p.src}}
	s.sum(&via, &o, body)
	s.sendLocal(packet{proto: p.proto, src: p.dst, dst: p.src, ttl: 64, tos: p.tos, verified: true, body: body})
}
