package wire

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Protocols (IANA, Assigned Internet Protocol Numbers).
const (
	ICMP   = 1
	IGMP   = 2
	TCP    = 6
	UDP    = 17
	ICMPv6 = 58
)

// IPv4Size is the length of a header without options.
const IPv4Size = 20

// Flags of IPv4's fragmentation.
const (
	DontFragment  = 0x4000
	MoreFragments = 0x2000
	offsetMask    = 0x1fff
)

// IPv4 is an IPv4 header (RFC 791, 3.1).
type IPv4 []byte

// Check tells whether the slice, which may go on behind the header, begins with one; its checksum is right, and its lengths agree. The packet may be longer than
// the slice.
func (h IPv4) Check() bool {
	if len(h) < IPv4Size || h[0]>>4 != 4 {
		return false
	}
	n := h.HeaderLen()
	return n >= IPv4Size && n <= len(h) && h.TotalLen() >= n && Fold(h[:n].sum()) == 0xffff
}

// sum is the partial sum of a header: nearly all have no options.
func (h IPv4) sum() uint64 {
	if len(h) != IPv4Size {
		return Sum(0, h)
	}
	a, carry := bits.Add64(binary.LittleEndian.Uint64(h), binary.LittleEndian.Uint64(h[8:]), 0)
	return add(a+carry, uint64(binary.LittleEndian.Uint32(h[16:])))
}

func (h IPv4) HeaderLen() int  { return int(h[0]&15) * 4 }
func (h IPv4) TOS() uint8      { return h[1] }
func (h IPv4) TotalLen() int   { return int(be.Uint16(h[2:])) }
func (h IPv4) ID() uint16      { return be.Uint16(h[4:]) }
func (h IPv4) Flags() uint16   { return be.Uint16(h[6:]) &^ offsetMask }
func (h IPv4) Offset() int     { return int(be.Uint16(h[6:])&offsetMask) * 8 }
func (h IPv4) TTL() uint8      { return h[8] }
func (h IPv4) Protocol() uint8 { return h[9] }
func (h IPv4) Src() netip.Addr { return netip.AddrFrom4([4]byte(h[12:16])) }
func (h IPv4) Dst() netip.Addr { return netip.AddrFrom4([4]byte(h[16:20])) }

// Fragment tells whether it is one of several.
func (h IPv4) Fragment() bool { return be.Uint16(h[6:])&(MoreFragments|offsetMask) != 0 }

// A V4 is what a header without options says.
type V4 struct {
	TOS      uint8
	Len      int // with the header
	ID       uint16
	Flags    uint16
	Offset   int // bytes
	TTL      uint8
	Protocol uint8
	Src, Dst netip.Addr
}

// Complete fills in what a program that makes a header itself leaves to the network layer: length and checksum, and an identifier and a source that are 0.
func (h IPv4) Complete(n int, id uint16, src netip.Addr) {
	be.PutUint16(h[2:], uint16(n))
	if h.ID() == 0 {
		be.PutUint16(h[4:], id)
	}
	if h.Src().IsUnspecified() {
		s := src.As4()
		copy(h[12:], s[:])
	}
	h[10], h[11] = 0, 0
	be.PutUint16(h[10:], ^Fold(Sum(0, h[:h.HeaderLen()])))
}

// Set writes a header without options, with its checksum.
func (h IPv4) Set(v V4) {
	h = h[:IPv4Size]
	h[0], h[1] = 0x45, v.TOS
	be.PutUint16(h[2:], uint16(v.Len))
	be.PutUint16(h[4:], v.ID)
	be.PutUint16(h[6:], v.Flags|uint16(v.Offset/8))
	h[8], h[9] = v.TTL, v.Protocol
	h[10], h[11] = 0, 0
	s, d := v.Src.As4(), v.Dst.As4()
	copy(h[12:], s[:])
	copy(h[16:], d[:])
	be.PutUint16(h[10:], ^Fold(h.sum()))
}
