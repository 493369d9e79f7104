package cffs

import "math/bits"

// alloc says which blocks are in use. Its methods want FS.mu for writing.
type alloc struct {
	groups []group
	blocks uint64 // of the volume
	used   uint64 // bits set, those of freed included
	freed  []span // what the next commit does not need, but the last one does: in use until then
	nfreed uint64
	cursor uint64 // where the search goes on
}

// A group is one bitmap.
type group struct {
	bits  [groupBlocks / 64]uint64
	slot  int    // which of the two is current
	dirty bool   // it differs from that, or the other slot holds what must not become current
	half  bool   // not both slots are right: the commit behind the next one writes it again, to the other
	sum   uint32 // of the block of the current one
}

// A span is blocks in a row.
type span struct{ first, n uint64 }

// groupsOf is how many groups a volume has: one that would end within its bitmaps does not exist.
func groupsOf(blocks uint64) int {
	n := int(blocks / groupBlocks)
	if blocks%groupBlocks > bitmapAt+2 {
		n++
	}
	return n
}

// usable is how many of a volume's blocks its groups reach.
func usable(blocks uint64) uint64 { return min(blocks, uint64(groupsOf(blocks))*groupBlocks) }

func (a *alloc) set(b uint64) {
	a.groups[b/groupBlocks].bits[b%groupBlocks/64] |= 1 << (b % groupBlocks % 64)
}
func (a *alloc) clear(b uint64) {
	a.groups[b/groupBlocks].bits[b%groupBlocks/64] &^= 1 << (b % groupBlocks % 64)
}
func (a *alloc) is(b uint64) bool {
	return a.groups[b/groupBlocks].bits[b%groupBlocks/64]>>(b%groupBlocks%64)&1 != 0
}

// reserved calls f for the blocks of group g that are never given out.
func reserved(g int, backup uint64, f func(b uint64)) {
	base := uint64(g) * groupBlocks
	f(base + bitmapAt)
	f(base + bitmapAt + 1)
	if g == 0 {
		for b := range uint64(4) {
			f(b)
		}
		f(backup)
		f(backup + 1)
	}
}

// count finds how many blocks are in use, of which those that are never given out.
func (a *alloc) count(backup uint64) {
	a.used = 0
	for g := range a.groups {
		reserved(g, backup, a.set)
		end := min(groupBlocks, a.blocks-uint64(g)*groupBlocks)
		for i, w := range a.groups[g].bits {
			if left := end - min(end, uint64(i)*64); left < 64 {
				w &= 1<<left - 1
			}
			a.used += uint64(bits.OnesCount64(w))
		}
	}
}

// sum is one of all current bitmaps.
func (a *alloc) sum() uint64 {
	h := uint64(wordSeed)
	for g := range a.groups {
		h = mix(h, uint64(a.groups[g].sum))
	}
	return h
}

// grow makes room for a volume of so many blocks. New groups are empty, but for what is never given out, and dirty.
func (a *alloc) grow(blocks, backup uint64) {
	a.blocks = usable(blocks)
	for g := len(a.groups); g < groupsOf(blocks); g++ {
		a.groups = append(a.groups, group{dirty: true, half: true, slot: 1})
		reserved(g, backup, func(b uint64) {
			a.set(b)
			a.used++
		})
	}
}

// free is how many blocks can be given out now.
func (a *alloc) free() uint64 { return a.blocks - a.used }

// wrap is behind how many blocks the search begins anew on a volume that is mostly empty. What was written before and is free again is had for less than what is new, where the disk is a sparse
// file of the host's or flash: a flush then has nothing to say of the host's own tables.
const wrap = 4 << 20 / BlockSize

// take gives up to n blocks in a row, at least one; none where there is none free. It prefers n in a row to being near, and near to far.
func (a *alloc) take(n uint64) span {
	if a.free() == 0 || n == 0 {
		return span{}
	}
	limit := min(a.blocks, 2*a.used+wrap)
	if a.cursor >= limit {
		a.cursor = 0
	}
	best := a.search(a.cursor, limit, n, span{})
	if best.n < n {
		best = a.search(0, a.cursor, n, best)
	}
	if best.n < n && limit < a.blocks {
		best = a.search(limit, a.blocks, n, best)
	}
	for b := best.first; b < best.first+best.n; b++ {
		a.set(b)
		a.groups[b/groupBlocks].dirty = true
	}
	a.used += best.n
	a.cursor = best.first + best.n
	return best
}

// search finds n free blocks in a row in [from, to), or the longest row, if it is longer than best.
func (a *alloc) search(from, to, n uint64, best span) span {
	run := span{first: from}
	for b := from; b < to; {
		g := &a.groups[b/groupBlocks]
		i := b % groupBlocks
		w := g.bits[i/64] >> (i % 64)
		left := min(64-i%64, to-b)
		if w&1 != 0 { // in use: over to the next that is not
			k := min(uint64(bits.TrailingZeros64(^w)), left)
			b += k
			run = span{first: b}
			continue
		}
		k := min(uint64(bits.TrailingZeros64(w)), left)
		b += k
		run.n += k
		if run.n >= n {
			return span{run.first, n}
		}
		if run.n > best.n {
			best = run
		}
	}
	return best
}

// giveUp says that the next commit does not need blocks any more.
func (a *alloc) giveUp(s span) {
	a.nfreed += s.n
	if last := len(a.freed) - 1; last >= 0 && a.freed[last].first+a.freed[last].n == s.first {
		a.freed[last].n += s.n
	} else {
		a.freed = append(a.freed, s)
	}
	for b := s.first; b < s.first+s.n; b = (b/groupBlocks + 1) * groupBlocks {
		a.groups[b/groupBlocks].dirty = true
	}
}

// bitmap is the block of group g, encoded to b, as it is with what the next commit frees: without its sum.
func (a *alloc) bitmap(b []byte, g int, gen uint64, uuid *[16]byte) []byte {
	le.PutUint32(b[4:], bitmapMagic)
	le.PutUint64(b[8:], gen)
	le.PutUint64(b[16:], uint64(g))
	copy(b[24:bitmapHeader], uuid[:8])
	at := b[bitmapHeader:BlockSize]
	for i, w := range &a.groups[g].bits {
		le.PutUint64(at[8*i:], w)
	}
	return b
}

// bitmaps adds the blocks of the groups that differ to what a commit writes, without what it frees.
func (a *alloc) bitmaps(w *writes, gen uint64, uuid *[16]byte) {
	blocks := map[int][]byte{}
	for g := range a.groups {
		if p := &a.groups[g]; p.dirty {
			blocks[g] = a.bitmap(w.blank(), g, gen, uuid)
			w.add(uint64(g)*groupBlocks+bitmapAt+uint64(1-p.slot), blocks[g])
		}
	}
	for _, s := range a.freed {
		for b := s.first; b < s.first+s.n; {
			g := b / groupBlocks
			bits := blocks[int(g)][bitmapHeader:]
			for ; b < s.first+s.n && b/groupBlocks == g; b++ {
				bits[b%groupBlocks/8] &^= 1 << (b % 8)
			}
		}
	}
	for g, b := range blocks {
		a.groups[g].sum = seal(b)
	}
}

// committed makes what was freed free, and gives it for discarding.
func (a *alloc) committed() []span {
	list := a.freed
	for _, s := range list {
		for b := s.first; b < s.first+s.n; b++ {
			a.clear(b)
		}
	}
	a.used -= a.nfreed
	a.freed, a.nfreed = nil, 0
	return list
}

// decodeBitmap says of which commit a slot of group g is; ok is false if it is none.
func decodeBitmap(b []byte, g int, uuid *[16]byte) (gen uint64, ok bool) {
	if le.Uint32(b[4:]) != bitmapMagic || le.Uint64(b[16:]) != uint64(g) || string(b[24:32]) != string(uuid[:8]) || !sealed(b) {
		return 0, false
	}
	return le.Uint64(b[8:]), true
}
