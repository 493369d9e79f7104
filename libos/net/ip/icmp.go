package ip

import (
	"errors"
	"net/netip"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// What ICMP errors tell (RFC 1122, 3.2.2). The stack makes errno of them.
var (
	ErrNetUnreachable      = errors.New("ip: network unreachable")
	ErrHostUnreachable     = errors.New("ip: host unreachable")
	ErrProtocolUnreachable = errors.New("ip: protocol unreachable")
	ErrPortUnreachable     = errors.New("ip: port unreachable")
	ErrProhibited          = errors.New("ip: administratively prohibited")
	ErrTimeExceeded        = errors.New("ip: time to live exceeded")
	ErrParameter           = errors.New("ip: a router found fault with a header")
	ErrNoNeighbour         = errors.New("ip: no station on the link has the address") // no ICMP error: the host itself found out
	ErrMTU                 = errors.New("ip: too large for the path")                 // Error.MTU tells how large it may be
)

// An Error is what became of a packet that we sent.
type Error struct {
	Err           error
	MTU           int // with ErrMTU
	Protocol      uint8
	Local, Remote netip.AddrPort // its ends; ports where the protocol has them
	Seq           uint32         // TCP: its sequence number, to be checked against what was sent
	From          netip.Addr     // who tells
	Type, Code    uint8
	Quoted        []byte // of the packet, from its transport header on; as long as the Packet that tells of it is not released
}

// Control does what a message of ICMP, ICMPv6 or IGMP asks of the host itself, or says what it tells of a packet of ours (Failure). The packet stays the caller's.
func (h *Host) Control(now tick.Time, p *Packet) Verdict {
	switch p.Protocol {
	case wire.ICMPv6:
		if p.Src.Is6() {
			return h.control6(now, p)
		}
		return Nothing
	case wire.IGMP:
		if !p.Src.Is4() || !h.inputIGMP(now, p) {
			h.count(BadICMP)
		}
		return Nothing
	}
	if p.Size < wire.ICMPSize || !p.Verified && wire.Fold(wire.SumRefs(0, p.Data)) != 0xffff {
		h.count(BadICMP)
		return Nothing
	}
	m := wire.ICMPHeader(p.Data[0].Bytes())
	switch m.Type() {
	case wire.ICMPEcho:
		if !p.Group {
			h.echo(now, p)
		}
	case wire.ICMPUnreachable, wire.ICMPTimeExceeded, wire.ICMPParameter:
		if !h.failure(now, p, m) {
			h.count(BadICMP)
			return Nothing
		}
		return Failure
	}
	return Nothing
}

// failure reads an ICMP error: which packet of ours it is about.
func (h *Host) failure(now tick.Time, p *Packet, m wire.ICMPHeader) bool {
	x := wire.IPv4(m[wire.ICMPSize:])
	if len(x) < wire.IPv4Size || x[0]>>4 != 4 || x.HeaderLen() < wire.IPv4Size || len(x) < x.HeaderLen()+8 || x.Offset() != 0 {
		return false
	}
	src, dst := x.Src(), x.Dst()
	if !h.Local(src) {
		return false
	}
	e := Error{Protocol: x.Protocol(), From: p.Src, Type: m.Type(), Code: m.Code()}
	e.ends(src, dst, x[x.HeaderLen():])
	switch m.Type() {
	case wire.ICMPTimeExceeded:
		e.Err = ErrTimeExceeded
	case wire.ICMPParameter:
		e.Err = ErrParameter
	default:
		switch m.Code() {
		case wire.CodeNet, wire.CodeNetUnknown:
			e.Err = ErrNetUnreachable
		case wire.CodeProtocol:
			e.Err = ErrProtocolUnreachable
		case wire.CodePort:
			e.Err = ErrPortUnreachable
		case wire.CodeFragment:
			e.Err = ErrMTU
			if e.MTU = int(m.Rest() & 0xffff); e.MTU == 0 {
				e.MTU = plateau(x.TotalLen())
			}
			e.MTU = max(e.MTU, leastMTU)
			// The path has it only if our packet was longer; the transport decides whether it believes that (RFC 5927, 7.2), so it is learnt by ConfirmMTU.
		case wire.CodeProhibited, 9, 10:
			e.Err = ErrProhibited
		default:
			e.Err = ErrHostUnreachable
		}
	}
	p.Failure = e
	return true
}

// ConfirmMTU takes a path MTU that ICMP told of and the transport believes.
func (h *Host) ConfirmMTU(now tick.Time, e *Error) {
	h.learnMTU(now, e.Remote.Addr().WithZone(""), e.MTU)
}

// plateau guesses an MTU below a length, for routers before RFC 1191 (its section 7.1).
func plateau(n int) int {
	for _, p := range [...]int{32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296} {
		if p < n {
			return p
		}
	}
	return 68
}

// echo answers an echo request (RFC 1122, 3.2.2.6).
func (h *Host) echo(now tick.Time, p *Packet) {
	h.mu.Lock()
	ok := h.echoes.allow(now)
	h.mu.Unlock()
	if !ok {
		h.count(ICMPLimited)
		return
	}
	m := wire.ICMPHeader(p.Data[0].Bytes())
	reply := uint8(wire.ICMPEchoReply)
	if p.Src.Is6() {
		reply = wire.ICMP6EchoReply
	}
	f, ok := h.message(reply, 0, m.Rest())
	if !ok {
		return
	}
	f.Body = parts(nil, p.Data, wire.ICMPSize, p.Size-wire.ICMPSize)
	h.answer(now, p, &f, p.TOS)
}

// message makes the header of an ICMP message.
func (h *Host) message(typ, code uint8, rest uint32) (f link.Frame, ok bool) {
	if f.Head, ok = h.pool.Get(); !ok {
		h.count(NoMemory)
		return f, false
	}
	f.Head.TrimFront(HeadRoom)
	f.Head.Truncate(wire.ICMPSize)
	wire.ICMPHeader(f.Head.Bytes()).Set(typ, code, rest)
	return f, true
}

// answer sends an ICMP message to who sent a packet.
func (h *Host) answer(now tick.Time, p *Packet, f *link.Frame, tos uint8) {
	from, by := p.Dst, (*Interface)(nil)
	if p.Src.Is6() {
		if by = p.Interface; p.Group {
			from = netip.Addr{}
		}
	}
	path, err := h.Path(now, p.Src, from, by, 0)
	if err != nil {
		f.Release()
		return
	}
	o := Out{Protocol: wire.ICMP, TOS: tos, Checksum: wire.ICMPChecksumOffset, Fragment: true}
	if p.Src.Is6() {
		o.Protocol, o.Pseudo = wire.ICMPv6, true
	}
	if h.Output(now, &path, f, o) == nil {
		path.Flush()
	}
}

// Unreachable tells a packet's sender that nobody here takes it: code is CodePort or CodeProtocol (RFC 1122, 3.2.2.1). p stays the caller's.
func (h *Host) Unreachable(now tick.Time, p *Packet, code uint8) {
	if p.Src.Is6() {
		if code == wire.CodePort {
			h.report6(now, p, wire.ICMP6Unreachable, wire.Code6Port, 0, false)
		} else {
			h.report6(now, p, wire.ICMP6Parameter, wire.Code6Next, uint32(p.named), false)
		}
		return
	}
	if p.Group || p.Src.IsUnspecified() {
		return // RFC 1122, 3.2.2
	}
	h.mu.Lock()
	ok := h.answers.allow(now)
	h.mu.Unlock()
	if !ok {
		h.count(ICMPLimited)
		return
	}
	f, ok := h.message(wire.ICMPUnreachable, code, 0)
	if !ok {
		return
	}
	// The header as it came, but for what nobody needs, and as much as 576 bytes have room for (RFC 1812, 4.3.2.3).
	const most = 576 - 2*wire.IPv4Size - wire.ICMPSize
	n := min(p.Size, most, f.Head.Back()-wire.IPv4Size)
	f.Head.Grow(0, wire.IPv4Size+n)
	quote := f.Head.Bytes()[wire.ICMPSize:]
	wire.IPv4(quote).Set(wire.V4{TOS: p.TOS, Len: wire.IPv4Size + p.Size, TTL: max(p.TTL, 1), Protocol: p.Protocol, Src: p.Src, Dst: p.Dst})
	copyRefs(quote[wire.IPv4Size:], p.Data)
	h.answer(now, p, &f, 0xc0) // internetwork control (RFC 1812, 4.3.2.5)
}
