package wire

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/hardtack-os/hardtack/libos/net/buf"
)

// A partial sum is of 16-bit words in the machine's byte order, any multiple of 2^16-1 apart (RFC 1071, 2 (B): the sum does not care).

// Sum adds bytes, which begin at an even offset, to a partial sum.
func Sum(sum uint64, p []byte) uint64 {
	var carry uint64
	if len(p) >= 64 {
		var other uint64 // two chains of carries, for the processor to work on both at once
		for len(p) >= 64 {
			sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(p), 0)
			sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(p[8:]), carry)
			sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(p[16:]), carry)
			sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(p[24:]), carry)
			sum += carry
			other, carry = bits.Add64(other, binary.LittleEndian.Uint64(p[32:]), 0)
			other, carry = bits.Add64(other, binary.LittleEndian.Uint64(p[40:]), carry)
			other, carry = bits.Add64(other, binary.LittleEndian.Uint64(p[48:]), carry)
			other, carry = bits.Add64(other, binary.LittleEndian.Uint64(p[56:]), carry)
			other += carry
			p = p[64:]
		}
		sum = add(sum, other)
	}
	for len(p) >= 32 {
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(p), 0)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(p[8:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(p[16:]), carry)
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(p[24:]), carry)
		sum += carry
		p = p[32:]
	}
	for len(p) >= 8 {
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(p), 0)
		sum += carry
		p = p[8:]
	}
	// What is left of 7 bytes fills no word of 64 bits, however its words of 16 are added.
	var last uint64
	if len(p) >= 4 {
		last = uint64(binary.LittleEndian.Uint32(p))
		p = p[4:]
	}
	if len(p) >= 2 {
		last += uint64(binary.LittleEndian.Uint16(p))
		p = p[2:]
	}
	if len(p) > 0 {
		last += uint64(p[0])
	}
	return add(sum, last)
}

// Fold makes 16 bits of a partial sum, as they are stored in a header: 0xffff or 0 for a sum that verifies.
func Fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return bits.ReverseBytes16(uint16(sum))
}

// SumRefs adds pieces of a packet, the first of which begins at an even offset.
func SumRefs(sum uint64, refs []buf.Ref) uint64 {
	odd := false
	for i := range refs {
		p := refs[i].Bytes()
		if odd && len(p) > 0 {
			sum = add(sum, uint64(p[0])<<8)
			p = p[1:]
			odd = false
		}
		sum = Sum(sum, p)
		odd = odd != (len(p)%2 == 1)
	}
	return sum
}

func add(sum, x uint64) uint64 {
	sum, carry := bits.Add64(sum, x, 0)
	return sum + carry
}

// PseudoSum is the partial sum of the pseudo header of TCP and UDP over IPv4 (RFC 9293, 3.1) or IPv6 (RFC 8200, 8.1); n is the length of the transport header and payload.
func PseudoSum(src, dst netip.Addr, protocol uint8, n int) uint64 {
	sum := uint64(bits.ReverseBytes32(uint32(n))) + uint64(protocol)<<8 // of which the first byte is the upper one
	if src.Is4() {
		s, d := src.As4(), dst.As4()
		return sum + uint64(binary.LittleEndian.Uint32(s[:])) + uint64(binary.LittleEndian.Uint32(d[:]))
	}
	s, d := src.As16(), dst.As16()
	return Sum(Sum(sum, s[:]), d[:])
}
