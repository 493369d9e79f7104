package ip

import (
	"net/netip"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// A Verdict is what Input has made of a frame.
type Verdict uint8

// The verdicts.
const (
	Nothing   Verdict = iota // it was the host's own business, or was dropped
	Transport                // the packet is for a transport protocol, or ICMP: to be handed to Host.ICMP as well
	Failure                  // only from Host.ICMP: a packet of ours did not arrive
)

// A Packet is what came for a transport protocol. The caller releases Data, or takes them over.
type Packet struct {
	Interface *Interface
	Src, Dst  netip.Addr
	Protocol  uint8
	TOS, TTL  uint8
	Group     bool // it was for many: a multicast group or a broadcast address

	Data []buf.Ref // from the transport header on, which is in the first one
	Size int       // bytes of Data

	Header int // bytes of the network header, which lies before the data in the first block; 0: it does not

	Verified    bool // the checksum needs no look
	Kind        link.GSO
	SegmentSize int // with Kind

	Failure Error // with that verdict

	named  int  // IPv6: offset of the field that names the protocol
	alert  bool // IPv6: its hop-by-hop header wants routers to look at it (RFC 2711)
	joined bool // IPv6: it had a fragment header
}

// Release gives the packet's data up; Data keeps its array.
func (p *Packet) Release() {
	for i := range p.Data {
		p.Data[i].Release()
	}
	*p = Packet{Data: p.Data[:0]}
}

// contiguous is how much of a packet its first piece must have, if it is so long: the longest transport header.
const contiguous = 60

// Input takes in a frame that an interface has received and fills in *p, which is empty, with what is to be done with it. The frame is taken over; its Body keeps its array.
func (h *Host) Input(now tick.Time, i *Interface, f *link.Frame, p *Packet) Verdict {
	b := f.Head.Bytes()
	if len(b) < wire.EthernetSize {
		h.count(BadEthernet)
		f.Release()
		return Nothing
	}
	e := wire.Ethernet(b)
	if dst := e.Dst(); dst != i.Info.MAC && !dst.Multicast() && !i.Loopback {
		h.count(NotOurMAC)
		f.Release()
		return Nothing
	}
	switch e.Type() {
	case wire.TypeIPv4:
		return h.inputV4(now, i, f, p)
	case wire.TypeIPv6:
		switch {
		case !i.six.on():
			h.count(UnknownType)
		case e.Src() == i.Info.MAC:
			h.count(Martian) // our own, come back: what looks for duplicates of our addresses must not find us
		default:
			return h.inputV6(now, i, f, p)
		}
	case wire.TypeARP:
		if !i.Loopback {
			h.inputARP(now, i, f)
		}
	default:
		h.count(UnknownType)
	}
	f.Release()
	return Nothing
}

// drop counts and releases.
func (h *Host) drop(f *link.Frame, why Reason) Verdict {
	h.count(why)
	f.Release()
	return Nothing
}

func (h *Host) inputV4(now tick.Time, i *Interface, f *link.Frame, p *Packet) Verdict {
	x := wire.IPv4(f.Head.Bytes()[wire.EthernetSize:])
	if !x.Check() {
		return h.drop(f, BadHeader)
	}
	have, want := f.Len()-wire.EthernetSize, x.TotalLen()
	if have < want {
		return h.drop(f, Truncated)
	}
	src, dst := x.Src(), x.Dst()
	h.mu.Lock()
	why, group := h.admit(i, src, dst)
	h.mu.Unlock()
	if why >= 0 {
		return h.drop(f, why)
	}
	if routed(x[wire.IPv4Size:x.HeaderLen()]) {
		return h.drop(f, SourceRouted)
	}
	h.count(PacketsIn)
	p.Interface, p.Src, p.Dst, p.Group = i, src, dst, group
	p.Protocol, p.TOS, p.TTL = x.Protocol(), x.TOS(), x.TTL()
	p.Verified, p.Kind, p.SegmentSize = f.Verified || i.Loopback, f.Kind, int(f.SegmentSize)
	from, more, fragment, id := x.Offset(), x.Flags()&wire.MoreFragments != 0, x.Fragment(), x.ID()
	p.Size, p.Header = want-x.HeaderLen(), x.HeaderLen()
	if !take(f, p, wire.EthernetSize+x.HeaderLen(), have-want) {
		p.Header = 0
	}
	if fragment {
		p.Verified = false
		if _, whole := h.join(now, p, fragmentKey{p.Src, p.Dst, uint32(id), p.Protocol}, from, more, p.Protocol); !whole {
			return Nothing
		}
	}
	if len(p.Data) == 0 {
		p.Release()
		h.count(Truncated)
		return Nothing
	}
	if p.Data[0].Len() < min(contiguous, p.Size) && !h.pullUp(p, min(contiguous, p.Size)) {
		p.Release()
		return Nothing
	}
	return Transport
}

// admit tells what is wrong with a packet's addresses (below 0: nothing), and whether it is for many. mu held.
func (h *Host) admit(i *Interface, src, dst netip.Addr) (why Reason, group bool) {
	if i.Loopback {
		return -1, dst.IsMulticast() || i.broadcast(dst)
	}
	from, to := src.As4(), dst.As4()
	const loopback, multicast, all = 127, 0xe0, 0xff // first bytes
	if from[0] == loopback || to[0] == loopback || from[0]&0xf0 == multicast || from[0] == all && src == limitedBroadcast || to[0] == 0 && dst.IsUnspecified() {
		return Martian, false
	}
	ours := false
	for k := range i.addresses {
		a := i.addresses[k].Addr()
		if a == src {
			return Martian, false // ours: a land attack, or our own packet sent back
		}
		ours = ours || a == dst
	}
	switch {
	case to[0]&0xf0 == multicast:
		if !i.takes(dst, src) && dst != allHosts {
			return NotForUs, false
		}
		return -1, true
	case i.broadcast(dst):
		return -1, true
	}
	if ours {
		if from[0] == 0 && src.IsUnspecified() {
			return Martian, false
		}
		return -1, false
	}
	if len(i.addresses) == 0 && !src.IsUnspecified() {
		return -1, false // a DHCP server may answer to the address that it is about to give (RFC 2131, 4.1)
	}
	return NotForUs, false
}

// allHosts is the group that every host is in (RFC 1112, 4).
var allHosts = netip.AddrFrom4([4]byte{224, 0, 0, 1})

// routed tells whether options want the packet to go a way of the sender's choice.
func routed(options []byte) bool {
	const end, nop, loose, strict = 0, 1, 131, 137
	for len(options) > 0 {
		switch options[0] {
		case end:
			return false
		case nop:
			options = options[1:]
			continue
		case loose, strict:
			return true
		}
		if len(options) < 2 || options[1] < 2 || int(options[1]) > len(options) {
			return true // nobody can say
		}
		options = options[options[1]:]
	}
	return false
}

// take moves a frame's references to a packet without the first front and the last back bytes. It tells whether these lie before the data in the same block.
func take(f *link.Frame, p *Packet, front, back int) (before bool) {
	p.Data = append(p.Data[:0], f.Head)
	p.Data = append(p.Data, f.Body...)
	*f = link.Frame{Body: f.Body[:0]}
	for back > 0 {
		last := &p.Data[len(p.Data)-1]
		if n := last.Len(); n > back {
			last.Truncate(n - back)
			break
		} else {
			back -= n
		}
		last.Release()
		p.Data = p.Data[:len(p.Data)-1]
	}
	for front > 0 && len(p.Data) > 0 {
		first := &p.Data[0]
		if n := first.Len(); n > front {
			first.TrimFront(front)
			return true
		} else {
			front -= n
		}
		first.Release()
		p.Data = append(p.Data[:0], p.Data[1:]...)
	}
	return false
}

// join puts a fragment to the others; done: p is the whole packet, and next what its first fragment says that is in it.
func (h *Host) join(now tick.Time, p *Packet, k fragmentKey, from int, more bool, named uint8) (next uint8, done bool) {
	h.mu.Lock()
	whole, next, done, why, ok := h.fragments.add(now, k, from, more, named, p.Data)
	h.mu.Unlock()
	if !ok {
		h.count(why)
	}
	if !done {
		p.Data = p.Data[:0]
		*p = Packet{Data: p.Data}
		return 0, false
	}
	h.count(Reassembled)
	p.Header = 0 // it was a fragment's
	p.Data = append(p.Data[:0], whole...)
	p.Size = 0
	for i := range p.Data {
		p.Size += p.Data[i].Len()
	}
	return next, true
}

// pullUp copies the first n bytes of a packet, which it has, into one piece.
func (h *Host) pullUp(p *Packet, n int) bool {
	r, ok := h.pool.Get()
	if !ok {
		h.count(NoMemory)
		return false
	}
	r.TrimFront(HeadRoom)
	r.Truncate(n)
	if p.Header > HeadRoom {
		p.Header = 0
	}
	if p.Header > 0 {
		was, now := p.Data[0], r
		was.Truncate(0)
		now.Truncate(0)
		was.Grow(p.Header, 0)
		now.Grow(p.Header, 0)
		copy(now.Bytes(), was.Bytes())
	}
	at := r.Bytes()
	for len(at) > 0 {
		first := &p.Data[0]
		m := copy(at, first.Bytes())
		at = at[m:]
		if m < first.Len() {
			first.TrimFront(m)
			break
		}
		first.Release()
		p.Data = append(p.Data[:0], p.Data[1:]...)
	}
	p.Data = append(p.Data, buf.Ref{})
	copy(p.Data[1:], p.Data)
	p.Data[0] = r
	return true
}
