package wire

import (
	"net/netip"

	"github.com/hardtack-os/hardtack/libos/net/link"
)

// IPv6Size is the length of an IPv6 header.
const IPv6Size = 40

// Headers that may follow one of IPv6 (RFC 8200, 4; IANA).
const (
	HopByHop     = 0
	Routing6     = 43
	Fragment6    = 44
	NoNextHeader = 59
	DestOptions  = 60
)

// IPv6 is an IPv6 header (RFC 8200, 3).
type IPv6 []byte

// Check tells whether the slice, which may go on behind the header, begins with one.
func (h IPv6) Check() bool { return len(h) >= IPv6Size && h[0]>>4 == 6 }

func (h IPv6) TrafficClass() uint8 { return uint8(be.Uint16(h[0:]) >> 4) }
func (h IPv6) PayloadLen() int     { return int(be.Uint16(h[4:])) }
func (h IPv6) Next() uint8         { return h[6] }
func (h IPv6) HopLimit() uint8     { return h[7] }
func (h IPv6) Src() netip.Addr     { return netip.AddrFrom16([16]byte(h[8:24])) }
func (h IPv6) Dst() netip.Addr     { return netip.AddrFrom16([16]byte(h[24:40])) }

// A V6 is what a header says.
type V6 struct {
	Class    uint8
	Len      int // without the header
	Next     uint8
	HopLimit uint8
	Src, Dst netip.Addr
}

// Set writes a header, its flow label 0.
func (h IPv6) Set(v V6) {
	be.PutUint32(h[0:], 6<<28|uint32(v.Class)<<20)
	be.PutUint16(h[4:], uint16(v.Len))
	h[6], h[7] = v.Next, v.HopLimit
	s, d := v.Src.As16(), v.Dst.As16()
	copy(h[8:], s[:])
	copy(h[24:], d[:])
}

// Fragment6Size is the length of a fragment header.
const Fragment6Size = 8

// A Fragment6Header is IPv6's fragment header (RFC 8200, 4.5).
type Fragment6Header []byte

func (h Fragment6Header) Next() uint8 { return h[0] }
func (h Fragment6Header) Offset() int { return int(be.Uint16(h[2:]) &^ 7) }
func (h Fragment6Header) More() bool  { return h[3]&1 != 0 }
func (h Fragment6Header) ID() uint32  { return be.Uint32(h[4:]) }

// Set writes the header.
func (h Fragment6Header) Set(next uint8, offset int, more bool, id uint32) {
	h[0], h[1] = next, 0
	v := uint16(offset)
	if more {
		v |= 1
	}
	be.PutUint16(h[2:], v)
	be.PutUint32(h[4:], id)
}

// Options calls f for each option of a hop-by-hop or destination options header but padding, with its offset in b, the options behind the header's two bytes; f says
// whether to go on. It tells whether all make sense (RFC 8200, 4.2).
func Options(b []byte, f func(at int, typ uint8, data []byte) bool) bool {
	for at := 0; at < len(b); {
		if b[at] == 0 { // Pad1
			at++
			continue
		}
		if at+2 > len(b) || at+2+int(b[at+1]) > len(b) {
			return false
		}
		n := 2 + int(b[at+1])
		if b[at] != 1 && !f(at, b[at], b[at+2:at+n]) { // PadN
			return true
		}
		at += n
	}
	return true
}

// SolicitedNode is the group in which an address's holder hears who looks for it (RFC 4291, 2.7.1).
func SolicitedNode(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]})
}

// GroupMAC is the station address of a multicast group (RFC 1112, 6.4; RFC 2464, 7).
func GroupMAC(a netip.Addr) link.MAC {
	if a.Is4() {
		b := a.As4()
		return link.MAC{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}
	}
	b := a.As16()
	return link.MAC{0x33, 0x33, b[12], b[13], b[14], b[15]}
}

// InterfaceID makes an address of a 64-bit prefix and a station's address (RFC 4291, 2.5.1 and appendix A).
func InterfaceID(prefix netip.Addr, m link.MAC) netip.Addr {
	b := prefix.As16()
	copy(b[8:], []byte{m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
	return netip.AddrFrom16(b)
}
