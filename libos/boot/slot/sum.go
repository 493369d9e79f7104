package slot

import (
	"encoding/binary"
	"math/bits"
)

var le = binary.LittleEndian

// Sum is XXH32 with seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md) of data whose length is a multiple of 16 and
// not 0: what boot/amd64/hash.S computes, by which the loaders know an image, and a copy of the state.
func Sum(data []byte) uint32 {
	const p1, p2, p3 uint32 = 0x9e3779b1, 0x85ebca77, 0xc2b2ae3d
	lanes := [4]uint32{p1, p2, 0, 0}
	lanes[0] += p2
	lanes[3] -= p1
	n := uint32(len(data))
	for ; len(data) >= 16; data = data[16:] {
		for i := range lanes {
			lanes[i] = bits.RotateLeft32(lanes[i]+le.Uint32(data[4*i:])*p2, 13) * p1
		}
	}
	h := n
	for i, by := range []int{1, 7, 12, 18} {
		h += bits.RotateLeft32(lanes[i], by)
	}
	h = (h ^ h>>15) * p2
	h = (h ^ h>>13) * p3
	return h ^ h>>16
}
