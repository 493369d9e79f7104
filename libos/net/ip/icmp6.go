package ip

import (
	"net/netip"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// ICMPv6 (RFC 4443): echo, what is told of packets of ours, and what others are told of theirs.

// control6 does what a message of ICMPv6 asks of the host.
func (h *Host) control6(now tick.Time, p *Packet) Verdict {
	if p.Size < 4 || !p.Verified && wire.Fold(wire.SumRefs(wire.PseudoSum(p.Src, p.Dst, wire.ICMPv6, p.Size), p.Data)) != 0xffff {
		h.count(BadICMP)
		return Nothing
	}
	typ, sound := p.Data[0].Bytes()[0], true
	switch typ {
	case wire.ICMP6Echo:
		if sound = p.Size >= wire.ICMPSize; sound && !p.Src.IsUnspecified() {
			h.echo(now, p)
		}
	case wire.ICMP6Unreachable, wire.ICMP6TooBig, wire.ICMP6TimeExceeded, wire.ICMP6Parameter:
		if h.failure6(p) {
			return Failure
		}
		sound = false
	case wire.RouterAdvertisement, wire.NeighborSolicitation, wire.NeighborAdvertisement, wire.Redirect:
		sound = h.inputND(now, p, typ)
	case mldQuery, mldReport1:
		sound = h.inputMLD(now, p, typ)
	}
	if !sound {
		h.count(BadICMP)
	}
	return Nothing
}

// failure6 reads an ICMPv6 error: which packet of ours it is about.
func (h *Host) failure6(p *Packet) bool {
	h.whole(p, min(p.Size, wire.ICMPSize+wire.IPv6Size+256)) // the more the better, for extension headers
	m := wire.ICMPHeader(p.Data[0].Bytes())
	if len(m) < wire.ICMPSize+wire.IPv6Size+8 {
		return false
	}
	x := wire.IPv6(m[wire.ICMPSize:])
	if !x.Check() || !h.Local(x.Src()) {
		return false
	}
	next, inner := x.Next(), x[wire.IPv6Size:]
	for n := 0; n < maxHeaders; n++ {
		size := 8
		switch next {
		case wire.HopByHop, wire.Routing6, wire.DestOptions:
			if len(inner) > 1 {
				size += int(inner[1]) * 8
			}
		case wire.Fragment6:
			if len(inner) >= 8 && wire.Fragment6Header(inner).Offset() != 0 {
				return false
			}
		default:
			n = maxHeaders
			continue
		}
		if len(inner) < size+8 {
			return false
		}
		next, inner = inner[0], inner[size:]
	}
	e := Error{Protocol: next, From: p.Src, Type: m.Type(), Code: m.Code()}
	e.ends(x.Src(), x.Dst(), inner)
	switch m.Type() {
	case wire.ICMP6TooBig:
		e.Err, e.MTU = ErrMTU, int(m.Rest())
		if e.MTU < 1280 { // RFC 8201, 4: not to be believed
			return false
		}
	case wire.ICMP6TimeExceeded:
		e.Err = ErrTimeExceeded
	case wire.ICMP6Parameter:
		if e.Err = ErrParameter; m.Code() == wire.Code6Next {
			e.Err = ErrProtocolUnreachable
		}
	default:
		switch m.Code() {
		case wire.Code6NoRoute:
			e.Err = ErrNetUnreachable
		case wire.Code6Port:
			e.Err = ErrPortUnreachable
		case wire.Code6Prohibited, wire.Code6Policy, wire.Code6Reject:
			e.Err = ErrProhibited
		default:
			e.Err = ErrHostUnreachable
		}
	}
	p.Failure = e
	return true
}

// report6 tells a packet's sender what is wrong with it, unless RFC 4443, 2.4 (e), forbids that. many: also for a packet that was for many. p stays the caller's.
func (h *Host) report6(now tick.Time, p *Packet, typ, code uint8, rest uint32, many bool) {
	if p.Group && !many || p.Src.IsUnspecified() || p.Src.IsMulticast() {
		return
	}
	if p.Protocol == wire.ICMPv6 && len(p.Data) > 0 {
		if b := p.Data[0].Bytes(); len(b) == 0 || b[0] < 128 {
			return // an error about an error
		}
	}
	h.mu.Lock()
	ok := h.answers.allow(now)
	h.mu.Unlock()
	if !ok {
		h.count(ICMPLimited)
		return
	}
	f, ok := h.message(typ, code, rest)
	if !ok {
		return
	}
	const most = 1280 - wire.IPv6Size - wire.ICMPSize // RFC 4443, 2.4 (c)
	f.Head.Grow(0, min(most, f.Head.Back()))
	quote := f.Head.Bytes()[wire.ICMPSize:]
	n := h.quote6(quote, p)
	f.Head.Truncate(wire.ICMPSize + n)
	h.answer(now, p, &f, 0)
}

// quote6 copies a packet as it came, from its header on, where that is still there.
func (h *Host) quote6(dst []byte, p *Packet) (n int) {
	if p.Header > 0 {
		head := p.Data[0]
		head.Truncate(0)
		head.Grow(p.Header, 0)
		n = copy(dst, head.Bytes())
	} else {
		wire.IPv6(dst).Set(wire.V6{Class: p.TOS, Len: p.Size, Next: p.Protocol, HopLimit: p.TTL, Src: p.Src, Dst: p.Dst})
		n = wire.IPv6Size
	}
	return n + copyRefs(dst[n:], p.Data)
}

// copyRefs copies the beginning of what refs have.
func copyRefs(dst []byte, refs []buf.Ref) (n int) {
	for i := range refs {
		n += copy(dst[n:], refs[i].Bytes())
	}
	return n
}

// ends fills in whose packet an error is about, as far as its transport header tells.
func (e *Error) ends(src, dst netip.Addr, inner []byte) {
	e.Quoted = inner
	var local, remote uint16
	switch {
	case len(inner) < 8:
	case e.Protocol == wire.TCP || e.Protocol == wire.UDP:
		u := wire.UDPHeader(inner)
		local, remote = u.SrcPort(), u.DstPort()
		e.Seq = uint32(inner[4])<<24 | uint32(inner[5])<<16 | uint32(inner[6])<<8 | uint32(inner[7])
	case e.Protocol == wire.ICMP || e.Protocol == wire.ICMPv6:
		local = uint16(wire.ICMPHeader(inner).Rest() >> 16) // an echo request's identifier
	}
	e.Local, e.Remote = netip.AddrPortFrom(src, local), netip.AddrPortFrom(dst, remote)
}
