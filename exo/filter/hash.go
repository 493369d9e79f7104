package filter

import "math/bits"

// A slot of a hash table: the value that a field must equal, and the node to go to. No slot leads to node 0, the root, so 0 is an empty one.
type slot struct {
	key  uint32
	node int32
}

// maxProbes is how many slots a look-up may touch.
const maxProbes = 8

// tabulate makes an open-addressed table in which no look-up touches more than maxProbes slots, whatever is looked up. The table is made again, with another
// multiplier or twice the size, until that is so. Those who choose the keys could have them collide for multipliers that they
// know; they run out of them here, and get a sorted table instead (ok is false).
func tabulate(keys []slot) (table []slot, multiplier uint32, ok bool) {
	size := 2 << bits.Len(uint(len(keys)-1))
	for range 4 {
		multiplier = 0x9e3779b1 // 2^32 divided by the golden ratio, made odd
		for range 4 {
			if table, ok = fill(keys, size, multiplier); ok {
				return table, multiplier, true
			}
			multiplier = multiplier*0x2c9277b5 + 0x3504f334 // any odd numbers far apart would do
		}
		size *= 2
	}
	return nil, 0, false
}

func fill(keys []slot, size int, multiplier uint32) ([]slot, bool) {
	table := make([]slot, size)
	for _, e := range keys {
		i := int(home(e.key, multiplier, size))
		for table[i].node != 0 {
			i = (i + 1) & (size - 1)
		}
		table[i] = e
	}
	// A look-up ends at an empty slot, so the longest run of full ones bounds all of them.
	run := 0
	for i := range 2 * size {
		if run++; table[i&(size-1)].node == 0 {
			run = 0
		}
		if run >= maxProbes {
			return nil, false
		}
	}
	return table, true
}

// home is the slot where a key's probes begin.
func home(key, multiplier uint32, size int) uint32 {
	return key * multiplier >> (33 - bits.Len32(uint32(size)))
}
