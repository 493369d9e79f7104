package ip

import (
	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// HeadRoom is how many bytes must lie before the transport header in its block, for what Output and the device put there.
const HeadRoom = link.Room + wire.EthernetSize + 40

// An Out says how a packet is to be sent.
type Out struct {
	Protocol uint8
	TOS      uint8
	TTL      uint8 // 0: 64, or 1 to a group
	Checksum int   // where in the transport header the checksum is; below 0: it has none, or has it already
	Pseudo   bool  // the checksum covers the pseudo header
	Fragment bool  // it may be cut if it is too long; else that is an error
	AnyMTU   bool  // what is known of the path's MTU does not count, but for the interface's own

	DontFragment bool // no router may cut it; so it is without Fragment, too
}

// Output sends a packet: f.Head is the transport header, with HeadRoom bytes before it, f.Body the payload. It takes them over, whatever it returns. With f.Kind the
// device cuts it, and it may be as long as Info.MaxSend. The frame moves at the latest with Flush. It does not park.
func (h *Host) Output(now tick.Time, p *Path, f *link.Frame, o Out) error {
	if err := h.current(now, p); err != nil {
		f.Release()
		return err
	}
	n := f.Len()
	mtu := int(p.MTU)
	if o.AnyMTU {
		mtu = p.Interface.Info.MTU
	}
	if f.Kind == link.NoGSO && n+p.header() > mtu {
		if !o.Fragment {
			f.Release()
			return ErrTooLong
		}
		return h.outputFragments(now, p, f, o)
	}
	h.checksum(p, f, o, n, p.Interface.Info.Offloads&link.TxChecksum != 0)
	h.head(p, f, o, n)
	h.link(now, p, f)
	return nil
}

// head puts the network header before n bytes. It is apart from Output for the goroutine's stack, which goes deeper from there.
//
//go:noinline
func (h *Host) head(p *Path, f *link.Frame, o Out, n int) {
	if p.Dst.Is6() {
		f.Head.Grow(wire.IPv6Size, 0)
		wire.IPv6(f.Head.Bytes()).Set(wire.V6{Class: o.TOS, Len: n, Next: o.Protocol, HopLimit: ttl(p, o), Src: p.Src, Dst: p.Dst})
		return
	}
	v := wire.V4{TOS: o.TOS, Len: n + wire.IPv4Size, Flags: wire.DontFragment, TTL: ttl(p, o), Protocol: o.Protocol, Src: p.Src, Dst: p.Dst}
	if o.Fragment && !o.DontFragment {
		v.Flags, v.ID = 0, h.NextID() // with DF it means nothing (RFC 6864, 4.1)
	}
	f.Head.Grow(wire.IPv4Size, 0)
	wire.IPv4(f.Head.Bytes()).Set(v)
}

// OutputWhole sends a packet that has its network header already: f.Head begins with it, with room for Ethernet's before. It takes them over, whatever it returns.
func (h *Host) OutputWhole(now tick.Time, p *Path, f *link.Frame) error {
	if err := h.current(now, p); err != nil {
		f.Release()
		return err
	}
	if f.Len() > int(p.MTU) {
		f.Release()
		return ErrTooLong
	}
	h.link(now, p, f)
	return nil
}

// current brings a path up to date.
func (h *Host) current(now tick.Time, p *Path) error {
	if p.gen == h.gen.Load() && !p.fresh.Due(now) {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.resolve(now, p)
}

// KeepSource has a path keep the source address that was chosen for it, though another one would be chosen when the network has changed: what is under way is known by it (RFC 4862, 5.5.4).
func (p *Path) KeepSource() { p.bound = true }

// Generation is another one when something has changed that paths, or addresses, depend on. As long as it is the same Path gives what it gave, but for path MTUs that age.
func (h *Host) Generation() uint64 { return h.gen.Load() }

// Flush has the device send what Output gave it: once for a batch.
func (p *Path) Flush() { p.Interface.Device.Flush(int(p.Queue)) }

func ttl(p *Path, o Out) uint8 {
	switch {
	case o.TTL != 0:
		return o.TTL
	case p.Dst.IsMulticast():
		return 1
	case p.Dst.Is6():
		return p.Interface.hopLimit()
	}
	return 64
}

// header is the length of a packet's network header.
func (p *Path) header() int {
	if p.Dst.Is6() {
		return wire.IPv6Size
	}
	return wire.IPv4Size
}

// etherType is the one of a packet.
func (p *Path) etherType() uint16 {
	if p.Dst.Is6() {
		return wire.TypeIPv6
	}
	return wire.TypeIPv4
}

// NextID numbers packets that may be cut (RFC 6864); guessing one helps to forge fragments, so they are not counted up by one.
func (h *Host) NextID() uint16 { return uint16(h.ids.Add(1 + uint32(h.random()&15))) }

// checksum fills the transport checksum in, or asks the device to.
func (h *Host) checksum(p *Path, f *link.Frame, o Out, n int, device bool) {
	if o.Checksum < 0 {
		return
	}
	field := f.Head.Bytes()[o.Checksum : o.Checksum+2]
	field[0], field[1] = 0, 0
	sum := uint64(0)
	if o.Pseudo {
		sum = wire.PseudoSum(p.Src, p.Dst, o.Protocol, n)
	}
	if device {
		x := wire.Fold(sum)
		field[0], field[1] = byte(x>>8), byte(x)
		f.ChecksumStart = uint16(wire.EthernetSize + p.header())
		f.ChecksumOffset = uint16(o.Checksum)
		f.Verified = p.Interface.Loopback
		return
	}
	head := [1]buf.Ref{f.Head}
	sum = wire.SumRefs(sum, head[:])
	if len(f.Body) > 0 {
		// The header's length is even, whatever the protocol.
		sum = wire.SumRefs(sum, f.Body)
	}
	x := ^wire.Fold(sum)
	if x == 0 && (o.Protocol == wire.UDP || o.Protocol == wire.ICMPv6) {
		x = 0xffff // 0 says that there is none (RFC 768)
	}
	field[0], field[1] = byte(x>>8), byte(x)
}

// link puts the Ethernet header in front and sends the frame, or lets it wait for its neighbour.
func (h *Host) link(now tick.Time, p *Path, f *link.Frame) {
	i := p.Interface
	h.count(PacketsOut)
	f.Head.Grow(wire.EthernetSize, 0)
	wire.Ethernet(f.Head.Bytes()).Set(p.mac, i.Info.MAC, p.etherType())
	if !p.known {
		known, ask, to := h.hop(now, p, f)
		if ask {
			h.request(i, to, p.Src, p.hop)
		}
		if !known {
			return
		}
		wire.Ethernet(f.Head.Bytes()).Set(p.mac, i.Info.MAC, p.etherType())
	}
	i.send(int(p.Queue), f)
}

// transmit sends a frame that has waited for its destination's address.
func (h *Host) transmit(i *Interface, queue int, f *link.Frame, to link.MAC) {
	copy(f.Head.Bytes()[0:6], to[:])
	i.send(queue, f)
}

// outputFragments sends a packet in pieces (RFC 791, 3.2). The checksum is computed here: a device cannot.
func (h *Host) outputFragments(now tick.Time, p *Path, f *link.Frame, o Out) error {
	defer f.Release()
	n := f.Len()
	if n+wire.IPv4Size > 0xffff && p.Dst.Is4() || n > 0xffff {
		return ErrTooLong
	}
	if o.Checksum >= 0 {
		h.checksum(p, f, o, n, false)
	}
	id := h.ids.Add(1 + uint32(h.random()&15))
	most := (int(p.MTU) - wire.IPv4Size) &^ 7
	if p.Dst.Is6() {
		most = (int(p.MTU) - wire.IPv6Size - wire.Fragment6Size) &^ 7
	}
	all := append([]buf.Ref{f.Head}, f.Body...)
	for off := 0; off < n; off += most {
		size := min(most, n-off)
		r, ok := h.pool.Get()
		if !ok {
			h.count(NoMemory)
			return ErrNoBuffers
		}
		fragmentHeader(&r, p, o, id, off, size, off+size < n)
		piece := link.Frame{Head: r, Body: parts(nil, all, off, size)}
		h.count(FragmentsOut)
		h.link(now, p, &piece)
	}
	return nil
}

// fragmentHeader writes the header, or headers, of a fragment into a block.
func fragmentHeader(r *buf.Ref, p *Path, o Out, id uint32, off, size int, more bool) {
	if p.Dst.Is6() {
		r.TrimFront(HeadRoom - wire.IPv6Size)
		r.Truncate(wire.IPv6Size + wire.Fragment6Size)
		wire.IPv6(r.Bytes()).Set(wire.V6{
			Class: o.TOS, Len: size + wire.Fragment6Size, Next: wire.Fragment6, HopLimit: ttl(p, o), Src: p.Src, Dst: p.Dst,
		})
		wire.Fragment6Header(r.Bytes()[wire.IPv6Size:]).Set(o.Protocol, off, more, id)
		return
	}
	r.TrimFront(HeadRoom - wire.IPv4Size)
	r.Truncate(wire.IPv4Size)
	v := wire.V4{TOS: o.TOS, Len: size + wire.IPv4Size, ID: uint16(id), Offset: off, TTL: ttl(p, o), Protocol: o.Protocol, Src: p.Src, Dst: p.Dst}
	if more {
		v.Flags = wire.MoreFragments
	}
	wire.IPv4(r.Bytes()).Set(v)
}

// parts appends references to n bytes of refs from off on.
func parts(dst, refs []buf.Ref, off, n int) []buf.Ref {
	for _, r := range refs {
		if n == 0 {
			break
		}
		l := r.Len()
		if off >= l {
			off -= l
			continue
		}
		m := min(l-off, n)
		dst = append(dst, r.Part(off, off+m))
		off, n = 0, n-m
	}
	return dst
}
