package runtime

import "internal/runtime/sys"

// Physical frames. Memory is kept in chunks of 2 MiB with a bit for each 4 KiB frame: single frames fill one chunk after another,
// whole chunks serve large pages, and a chunk whose frames have all come back is whole again. A chunk's record is made when the
// chunk is first used, so that boot costs the same on a machine of 64 MiB and of 64 GiB.
//
// Each CPU keeps a magazine of single frames (exoCPU.mag) and takes the lock for sixteen at a time.

const (
	exoFramesPerChunk = exoHugeSize / exoPageSize
	exoMaxRanges      = 48
)

// exoChunk is the record of one chunk.
type exoChunk struct {
	_          sys.NotInHeap
	bits       [exoFramesPerChunk / 64]uint64 // set: free
	base       uintptr                        // physical address of its first frame
	nfree      int32
	next, prev int32 // in the list of partial or whole chunks; -1 ends
	whole      bool  // on the list of whole chunks
	listed     bool
}

// exoRange is usable memory without a hole: [lo, hi) physical, page aligned.
type exoRange struct {
	lo, hi uintptr
	chunk  int32 // index of the chunk that holds lo
}

type exoFrames struct {
	lock    exoLock
	ranges  [exoMaxRanges]exoRange
	nranges int
	chunks  uintptr // array of exoChunk in the direct map
	nchunks int32
	made    int32 // chunks [0, made) have a record
	partial int32 // heads of lists, -1 none
	whole   int32
	total   uintptr // frames that were ever free
	free    uintptr // frames free now, without those in magazines
}

func (f *exoFrames) at(i int32) *exoChunk {
	return (*exoChunk)(exoPtr(f.chunks + uintptr(i)*exoChunkSize))
}

//go:noinline
func (f *exoFrames) push(head *int32, i int32) {
	c := f.at(i)
	c.prev = -1
	c.next = *head
	if *head >= 0 {
		f.at(*head).prev = i
	}
	*head = i
	c.listed = true
}

//go:noinline
func (f *exoFrames) drop(head *int32, i int32) {
	c := f.at(i)
	if c.prev >= 0 {
		f.at(c.prev).next = c.next
	} else {
		*head = c.next
	}
	if c.next >= 0 {
		f.at(c.next).prev = c.prev
	}
	c.listed = false
}

// rangeOf returns the range that holds chunk i.
func (f *exoFrames) rangeOf(i int32) *exoRange {
	k := f.nranges - 1
	for k > 0 && f.ranges[k].chunk > i {
		k--
	}
	return &f.ranges[k]
}

// make makes the record of the next chunk and lists it. It reports whether there was one.
func (f *exoFrames) make() bool {
	if f.made == f.nchunks {
		return false
	}
	i := f.made
	f.made++
	c := f.at(i)
	r := f.rangeOf(i)
	lo := r.lo&^(exoHugeSize-1) + uintptr(i-r.chunk)*exoHugeSize // may be before the range
	c.base = lo
	hi := lo + exoHugeSize
	c.bits = [exoFramesPerChunk / 64]uint64{}
	first, last := 0, exoFramesPerChunk
	if lo < r.lo {
		first = int((r.lo - lo) >> exoPageShift)
	}
	if hi > r.hi {
		last -= int((hi - r.hi) >> exoPageShift)
	}
	c.nfree = int32(last - first)
	for w := range c.bits {
		lo, hi := max(first-w*64, 0), min(last-w*64, 64)
		if lo < hi {
			c.bits[w] = ^uint64(0) >> uint(64-(hi-lo)) << uint(lo)
		}
	}
	c.whole = c.nfree == exoFramesPerChunk
	if c.whole {
		f.push(&f.whole, i)
	} else {
		f.push(&f.partial, i)
	}
	return true
}

// take moves up to n single frames to mag, the first to leave last in it, and returns how many; lock held.
func (f *exoFrames) take(mag *[32]uintptr, n int) int {
	k := n
	for k > 0 {
		if f.partial < 0 {
			if f.whole < 0 && !f.make() {
				break
			}
			if f.partial < 0 {
				i := f.whole
				f.drop(&f.whole, i)
				f.at(i).whole = false
				f.push(&f.partial, i)
			}
		}
		i := f.partial
		c := f.at(i)
		for w := 0; w < len(c.bits) && k > 0; w++ {
			b := c.bits[w]
			base := c.base + uintptr(w)*(64<<exoPageShift)
			for b != 0 && k > 0 {
				k--
				mag[k] = base + uintptr(sys.TrailingZeros64(b))<<exoPageShift
				b &= b - 1
				c.nfree--
			}
			c.bits[w] = b
		}
		if c.nfree == 0 {
			f.drop(&f.partial, i)
		}
	}
	f.free -= uintptr(n - k)
	for i := k; k > 0 && i < n; i++ {
		mag[i-k] = mag[i]
	}
	return n - k
}

// give returns a frame; lock held.
func (f *exoFrames) give(pa uintptr) {
	k := 0
	for k < f.nranges && (pa < f.ranges[k].lo || pa >= f.ranges[k].hi) {
		k++
	}
	if k == f.nranges {
		exoPanic("frame allocator: freed frame is not memory", nil, pa)
	}
	r := &f.ranges[k]
	i := r.chunk + int32((pa-r.lo&^(exoHugeSize-1))/exoHugeSize)
	c := f.at(i)
	bit := pa >> exoPageShift & (exoFramesPerChunk - 1)
	if c.bits[bit>>6]>>(bit&63)&1 != 0 {
		exoPanic("frame allocator: frame freed twice", nil, pa)
	}
	c.bits[bit>>6] |= 1 << (bit & 63)
	c.nfree++
	f.free++
	switch {
	case c.nfree == exoFramesPerChunk:
		if c.listed {
			f.drop(&f.partial, i)
		}
		c.whole = true
		f.push(&f.whole, i)
	case !c.listed:
		f.push(&f.partial, i)
	}
}

// run takes n contiguous frames aligned to align bytes (a power of two); lock held. 0: none.
// Up to a chunk's worth comes from one chunk, more from whole neighbouring chunks not used before.
func (f *exoFrames) run(n, align uintptr) uintptr {
	if n <= exoFramesPerChunk && align <= exoHugeSize {
		for i := f.partial; i >= 0 && n < exoFramesPerChunk; i = f.at(i).next {
			if pa := f.runIn(i, n, align); pa != 0 {
				return pa
			}
		}
		for f.whole < 0 {
			if !f.make() {
				return 0
			}
			if f.whole < 0 && n < exoFramesPerChunk {
				if pa := f.runIn(f.partial, n, align); pa != 0 {
					return pa
				}
			}
		}
		return f.runIn(f.whole, n, align)
	}
	k := int32((n + exoFramesPerChunk - 1) / exoFramesPerChunk)
	for have, i := int32(0), int32(0); ; i++ {
		if i == f.made && !f.make() {
			return 0
		}
		c := f.at(i)
		pa := f.at(i - have).base
		switch {
		case !c.whole:
			have = 0
			continue
		case have > 0 && f.at(i).base != f.at(i-1).base+exoHugeSize:
			have = 0
		}
		if have == 0 {
			if pa = f.at(i).base; pa&(align-1) != 0 {
				continue
			}
		}
		if have++; have == k {
			for j := i - k + 1; j <= i; j++ {
				f.runIn(j, exoFramesPerChunk, exoPageSize)
			}
			for p := pa + n<<exoPageShift; p < pa+uintptr(k)*exoHugeSize; p += exoPageSize {
				f.give(p)
			}
			return pa
		}
	}
}

// runIn takes n contiguous frames out of chunk i.
func (f *exoFrames) runIn(i int32, n, align uintptr) uintptr {
	c := f.at(i)
	if uintptr(c.nfree) < n {
		return 0
	}
	step := max(align>>exoPageShift, 1)
	for b := uintptr(0); b+n <= exoFramesPerChunk; b += step {
		if w := c.bits[b>>6] >> (b & 63); w&1 == 0 {
			// On to the next free frame, or the next word.
			skip := uintptr(64 - b&63)
			if w != 0 {
				skip = uintptr(sys.TrailingZeros64(w))
			}
			b = alignUp(b+skip, step) - step
			continue
		}
		k := uintptr(0)
		for k < n && c.bits[(b+k)>>6]>>((b+k)&63)&1 != 0 {
			k++
		}
		if k < n {
			continue
		}
		for k = 0; k < n; k++ {
			c.bits[(b+k)>>6] &^= 1 << ((b + k) & 63)
		}
		if c.whole {
			f.drop(&f.whole, i)
			c.whole = false
			f.push(&f.partial, i)
		}
		c.nfree -= int32(n)
		f.free -= n
		if c.nfree == 0 {
			f.drop(&f.partial, i)
		}
		return f.at(i).base + b<<exoPageShift
	}
	return 0
}

// exoFrameRaw takes one frame with whatever it held. 0: none is left.
func exoFrameRaw() uintptr {
	c := exoSelf()
	if c.nmag == 0 {
		f := &exo.frames
		f.lock.lock()
		c.nmag = uint32(f.take(&c.mag, len(c.mag)/2))
		f.lock.unlock()
		if c.nmag == 0 {
			return 0
		}
	}
	c.nmag--
	return c.mag[c.nmag&31]
}

// exoFrameZeroed takes one frame of zeroes. 0: none is left.
func exoFrameZeroed() uintptr {
	pa := exoFrameRaw()
	if pa != 0 {
		exoZeroPage(exoDirect(pa))
	}
	return pa
}

// exoFrameFree gives a frame back.
func exoFrameFree(pa uintptr) {
	c := exoSelf()
	if c.nmag == uint32(len(c.mag)) {
		f := &exo.frames
		f.lock.lock()
		for c.nmag > uint32(len(c.mag)/2) {
			c.nmag--
			f.give(c.mag[c.nmag])
		}
		f.lock.unlock()
	}
	c.mag[c.nmag] = pa
	c.nmag++
}

// exoFrameRun takes n contiguous frames aligned to align bytes, not cleared. 0: none.
func exoFrameRun(n, align uintptr) uintptr {
	f := &exo.frames
	f.lock.lock()
	pa := f.run(n, align)
	f.lock.unlock()
	return pa
}

// exoFrameRunFree gives n contiguous frames back.
func exoFrameRunFree(pa, n uintptr) {
	f := &exo.frames
	f.lock.lock()
	for ; n > 0; n-- {
		f.give(pa)
		pa += exoPageSize
	}
	f.lock.unlock()
}

// exoFramesInit takes over the memory that the map calls RAM, without what reserved names. Boot only.
func exoFramesInit(reserved []exoRange) {
	f := &exo.frames
	f.partial, f.whole = -1, -1
	for i := 0; i < exo.nmemmap; i++ {
		m := &exo.memmap[i]
		if m.kind == 1 {
			f.addRange(alignUp(uintptr(m.base), exoPageSize), uintptr(m.base+m.size)&^(exoPageSize-1), reserved)
		}
	}
	n := int32(0)
	for i := 0; i < f.nranges; i++ {
		r := &f.ranges[i]
		r.chunk = n
		n += int32((r.hi-1)>>21-r.lo>>21) + 1
		f.total += (r.hi - r.lo) >> exoPageShift
	}
	// The records themselves: at the start of the first range that has the room and lies in the boot map's first GiB.
	need := alignUp(uintptr(n)*exoChunkSize, exoPageSize)
	for i := 0; ; i++ {
		if i == f.nranges {
			exoPanic("no room for the frame allocator's records", nil, need)
		}
		r := &f.ranges[i]
		if r.hi-r.lo >= 2*need && r.lo+need <= 1<<30 {
			f.chunks = exoDirect(r.lo)
			before := r.lo >> 21
			r.lo += need
			if d := int32(r.lo>>21 - before); d != 0 {
				// The range now begins in a later chunk: keep indices dense.
				n -= d
				for k := i + 1; k < f.nranges; k++ {
					f.ranges[k].chunk -= d
				}
			}
			f.total -= need >> exoPageShift
			break
		}
	}
	f.nchunks = n
	f.free = f.total
}

// addRange adds [lo, hi) less the reserved ranges, what the map calls something else than RAM, and what was added before: maps overlap.
func (f *exoFrames) addRange(lo, hi uintptr, reserved []exoRange) {
	hi = min(hi, exoMMIOBase-exoDirectBase)
	for lo < hi {
		// The next range to leave out that ends after lo.
		cut := exoRange{lo: hi, hi: hi}
		skip := func(a, b uintptr) {
			if b > lo && a < cut.lo {
				cut.lo, cut.hi = a, b
			}
		}
		for i := range reserved {
			skip(reserved[i].lo, reserved[i].hi)
		}
		for i := 0; i < f.nranges; i++ {
			skip(f.ranges[i].lo, f.ranges[i].hi)
		}
		for i := 0; i < exo.nmemmap; i++ {
			if m := &exo.memmap[i]; m.kind != 1 {
				skip(uintptr(m.base)&^(exoPageSize-1), alignUp(uintptr(m.base+m.size), exoPageSize))
			}
		}
		if lo < cut.lo {
			if f.nranges == len(f.ranges) {
				return // a map with more holes than this loses its last memory
			}
			f.ranges[f.nranges] = exoRange{lo: lo, hi: min(cut.lo, hi)}
			f.nranges++
		}
		lo = max(lo, cut.hi)
	}
}
