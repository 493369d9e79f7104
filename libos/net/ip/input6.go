package ip

import (
	"net/netip"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// maxHeaders is how many extension headers a packet may have. Nobody honest has four.
const maxHeaders = 8

// Groups that every host is in (RFC 4291, 2.7.1), and those that it sends to.
var (
	allNodes   = netip.MustParseAddr("ff02::1")
	allRouters = netip.MustParseAddr("ff02::2")
	linkLocal  = netip.MustParsePrefix("fe80::/10")
)

func (h *Host) inputV6(now tick.Time, i *Interface, f *link.Frame, p *Packet) Verdict {
	x := wire.IPv6(f.Head.Bytes()[wire.EthernetSize:])
	if !x.Check() {
		return h.drop(f, BadHeader)
	}
	have, want := f.Len()-wire.EthernetSize-wire.IPv6Size, x.PayloadLen()
	if have < want {
		return h.drop(f, Truncated)
	}
	src, dst := x.Src(), x.Dst()
	h.mu.Lock()
	why, group := h.admit6(i, src, dst)
	h.mu.Unlock()
	if why >= 0 {
		return h.drop(f, why)
	}
	h.count(PacketsIn)
	p.Interface, p.Src, p.Dst, p.Group = i, src, dst, group
	p.TOS, p.TTL = x.TrafficClass(), x.HopLimit()
	p.Verified, p.Kind, p.SegmentSize = f.Verified || i.Loopback, f.Kind, int(f.SegmentSize)
	next := x.Next()
	p.Size, p.Header = want, wire.IPv6Size
	if !take(f, p, wire.EthernetSize+wire.IPv6Size, have-want) {
		p.Header = 0
	}
	return h.chain(now, p, next)
}

// admit6 tells what is wrong with a packet's addresses (below 0: nothing), and whether it is for many. mu held.
func (h *Host) admit6(i *Interface, src, dst netip.Addr) (why Reason, group bool) {
	if src.IsMulticast() || src.IsLoopback() || dst.IsLoopback() || dst.IsUnspecified() || src.Is4In6() || dst.Is4In6() {
		return Martian, false
	}
	own := false
	for _, a := range i.addresses {
		if a.Addr() == src {
			return Martian, false
		}
		own = own || a.Addr() == dst
	}
	switch {
	case dst.IsMulticast():
		if dst.IsInterfaceLocalMulticast() {
			return Martian, false
		}
		if !i.takes(dst, src) && dst != allNodes {
			return NotForUs, false
		}
		return -1, true
	case !own:
		return NotForUs, false
	case src.IsUnspecified():
		return Martian, false
	}
	return -1, false
}

// chain goes through the headers behind IPv6's own (RFC 8200, 4) up to that of a transport protocol, which next is if there are none. It takes the packet over where it does not
// return Transport.
func (h *Host) chain(now tick.Time, p *Packet, next uint8) Verdict {
	at, named := wire.IPv6Size, 6 // where next's header begins, and where the field is that names it
	for n := 0; ; n++ {
		switch next {
		case wire.HopByHop, wire.Routing6, wire.Fragment6, wire.DestOptions:
		case wire.NoNextHeader:
			p.Release()
			return Nothing
		default:
			p.Protocol, p.named = next, named
			if p.Size == 0 || len(p.Data) == 0 {
				return h.discard(p, Truncated)
			}
			if !h.whole(p, min(contiguous, p.Size)) {
				p.Release()
				return Nothing
			}
			return Transport
		}
		if n == maxHeaders || !h.whole(p, 8) {
			return h.discard(p, BadHeader)
		}
		size := 8
		if next != wire.Fragment6 {
			size += int(p.Data[0].Bytes()[1]) * 8
		}
		if !h.whole(p, size) {
			return h.discard(p, BadHeader)
		}
		b := p.Data[0].Bytes()[:size]
		kind := next
		next = b[0]
		switch kind {
		case wire.HopByHop, wire.DestOptions:
			if kind == wire.HopByHop && n > 0 {
				return h.problem(now, p, wire.Code6Next, named)
			}
			if answer, ok := h.options(now, p, b[2:], at+2); !ok {
				return answer
			}
		case wire.Routing6:
			if b[3] != 0 { // segments left: we are no router (RFC 8200, 4.4; RFC 5095)
				return h.problem(now, p, wire.Code6Field, at+2)
			}
		}
		var x [wire.Fragment6Size]byte
		copy(x[:], b)
		p.strip(size)
		if kind == wire.Fragment6 {
			done := false
			if next, done = h.fragment6(now, p, x[:], at); !done {
				return Nothing
			}
		}
		named, at = at, at+size
	}
}

// strip takes a header of n bytes, which is in the first piece, off the front.
func (p *Packet) strip(n int) {
	first := &p.Data[0]
	p.Size -= n
	if p.Header > 0 {
		p.Header += n
	}
	if first.Len() > n {
		first.TrimFront(n)
		return
	}
	p.Header = 0
	first.Release()
	p.Data = append(p.Data[:0], p.Data[1:]...)
}

// whole has the first n bytes of a packet in one piece; false: it has not so many, or no block has.
func (h *Host) whole(p *Packet, n int) bool {
	if p.Size < n || len(p.Data) == 0 {
		return false
	}
	return p.Data[0].Len() >= n || n <= h.pool.Size()-HeadRoom && h.pullUp(p, n)
}

// discard counts and releases.
func (h *Host) discard(p *Packet, why Reason) Verdict {
	h.count(why)
	p.Release()
	return Nothing
}

// options looks through a header's options. None is known that a host had to heed: what is to be done about the others is in the upper two bits of their type (RFC 8200, 4.2).
func (h *Host) options(now tick.Time, p *Packet, b []byte, at int) (v Verdict, ok bool) {
	bad, typ := -1, uint8(0)
	sound := wire.Options(b, func(o int, t uint8, _ []byte) bool {
		const routerAlert = 5
		p.alert = p.alert || t == routerAlert
		if t>>6 != 0 {
			bad, typ = at+o, t
			return false
		}
		return true
	})
	switch {
	case !sound:
		return h.problem(now, p, wire.Code6Field, at), false
	case bad < 0:
		return Nothing, true
	case typ>>6 == 1 || typ>>6 == 3 && p.Group:
		return h.discard(p, BadOption), false
	}
	h.count(BadOption)
	h.report6(now, p, wire.ICMP6Parameter, wire.Code6Option, uint32(bad), true)
	p.Release()
	return Nothing, false
}

// problem tells a packet's sender what is wrong at an offset of it, and drops it.
func (h *Host) problem(now tick.Time, p *Packet, code uint8, at int) Verdict {
	h.report6(now, p, wire.ICMP6Parameter, code, uint32(at), false)
	return h.discard(p, BadHeader)
}

// fragment6 takes in a fragment, whose header x, at at, is off already. done: p is a whole packet, and its next header is named.
func (h *Host) fragment6(now tick.Time, p *Packet, x wire.Fragment6Header, at int) (next uint8, done bool) {
	from, more := x.Offset(), x.More()
	p.joined = true
	switch {
	case from == 0 && !more:
		return x.Next(), true // one that is whole: RFC 6946
	case more && p.Size%8 != 0:
		h.problem(now, p, wire.Code6Field, 4)
		return 0, false
	case from+p.Size > 0xffff:
		h.problem(now, p, wire.Code6Field, at+2)
		return 0, false
	case from == 0 && !h.complete(p, x.Next()):
		h.report6(now, p, wire.ICMP6Parameter, wire.Code6Incomplete, 0, false)
		h.discard(p, BadFragment)
		return 0, false
	}
	p.Verified = false
	return h.join(now, p, fragmentKey{p.Src, p.Dst, x.ID(), wire.Fragment6}, from, more, x.Next())
}

// complete tells whether a first fragment has all headers up to the transport's own (RFC 7112).
func (h *Host) complete(p *Packet, next uint8) bool {
	if !h.whole(p, min(p.Size, contiguous)) {
		return false
	}
	b := p.Data[0].Bytes()
	for n := 0; n < maxHeaders; n++ {
		need := 8
		switch next {
		case wire.HopByHop, wire.Routing6, wire.DestOptions:
			if len(b) < 8 || len(b) < 8+int(b[1])*8 {
				return false
			}
			next, b = b[0], b[8+int(b[1])*8:]
			continue
		case wire.TCP:
			need = 20
		case wire.NoNextHeader:
			need = 0
		}
		return len(b) >= need
	}
	return false
}
