package runtime

// Physical frames. Which free frame serves whom is for a module to say: libos/vm/buddy, libos/vm/bump, or a program's own (libos/vm/pool tells
// what a module is). Here is what stands around it: the memory that it is given, its lock, and what each CPU has at hand: a run of up to
// sixteen frames that it was given together, and a magazine of those that came back.

const (
	exoFramesPerChunk = exoHugeSize / exoPageSize
	exoMaxRanges      = 48
)

// exoRange is usable memory without a hole: [lo, hi) physical, page aligned.
type exoRange struct {
	lo, hi uintptr
}

// exoPool is what the module sees. libos/vm/pool declares the same.
type exoPool struct {
	n       uintptr // frames have numbers below this
	records uintptr // address of the module's memory
}

// The module, by linkname.

func exoPoolNeed(n uintptr) uintptr
func exoPoolStart(p *exoPool)
func exoPoolAdd(p *exoPool, first, n uintptr)
func exoPoolTake(p *exoPool, n, align uintptr) uintptr
func exoPoolGive(p *exoPool, first, n uintptr) uintptr
func exoPoolPick(p *exoPool, frame uintptr) bool

const exoPoolNone = ^uintptr(0)

type exoFrames struct {
	lock    exoLock
	pool    exoPool
	ranges  [exoMaxRanges]exoRange
	offset  [exoMaxRanges]uintptr // what makes a physical frame number of each range a number of the module's
	nranges int
	added   int     // ranges[:added] are the module's
	next    uintptr // of ranges[added], what follows is not yet
	step    uintptr // bytes that it gets next
	total   uintptr // frames that were ever free
	free    uintptr // frames free now, without those in magazines
}

// number gives the module's number for the frame at pa.
//
//go:noinline
func (f *exoFrames) number(pa uintptr) uintptr {
	for i := 0; i < f.nranges; i++ {
		if r := &f.ranges[i]; pa >= r.lo && pa < r.hi {
			return pa>>exoPageShift - f.offset[i]
		}
	}
	return exoPoolNone
}

// take gives n frames, if need be some that were spare (exo_spare.go); lock held. 0: none.
func (f *exoFrames) take(n, align uintptr) uintptr {
	for try := 0; ; try++ {
		if pa := f.takeFree(n, align); pa != 0 || !exoSpareTake(n, align, try) {
			return pa
		}
	}
}

// takeFree has the module give n frames, which must be memory; lock held. 0: none.
//
//go:noinline
func (f *exoFrames) takeFree(n, align uintptr) uintptr {
	first := exoPoolNone
	for {
		if first = exoPoolTake(&f.pool, n, align>>exoPageShift); first != exoPoolNone {
			break
		}
		if !f.add() {
			return 0
		}
	}
	for i := 0; i < f.nranges; i++ {
		pa := (first + f.offset[i]) << exoPageShift
		if r := &f.ranges[i]; pa >= r.lo && pa < r.hi && pa+n<<exoPageShift <= r.hi {
			f.free -= n
			return pa
		}
	}
	exoPanic("frame allocator: gave out no memory", nil, first)
	return 0
}

// add gives the module more of the memory that there is, twice as much each time: boot costs the same on small machines and on large ones. It
// reports whether there was any; lock held.
func (f *exoFrames) add() bool {
	if f.added == f.nranges {
		return false
	}
	r := &f.ranges[f.added]
	lo := max(f.next, r.lo)
	f.next = min(r.hi, (lo+f.step)&^(exoHugeSize-1))
	exoPoolAdd(&f.pool, lo>>exoPageShift-f.offset[f.added], (f.next-lo)>>exoPageShift)
	f.step *= 2
	if f.next == r.hi {
		f.next = 0
		f.added++
	}
	return true
}

// give returns n frames to the module; lock held.
//
//go:noinline
func (f *exoFrames) give(pa, n uintptr) {
	i := f.number(pa)
	if i != exoPoolNone {
		n = exoPoolGive(&f.pool, i, n)
		f.free += n
	}
	if i == exoPoolNone || n == exoPoolNone {
		exoPanic("frame allocator: freed no memory, or free memory", nil, pa)
	}
}

// exoFrameRaw takes one frame with whatever it held. 0: none is left.
func exoFrameRaw() uintptr {
	c := exoSelf()
	if c.nmag != 0 {
		c.nmag--
		return c.mag[c.nmag&31]
	}
	if c.run == c.runEnd {
		f := &exo.frames
		f.lock.lock()
		for n := uintptr(16); n > 0; n >>= 1 {
			if pa := f.take(n, exoPageSize); pa != 0 {
				c.run, c.runEnd = pa, pa+n<<exoPageShift
				break
			}
		}
		f.lock.unlock()
		if c.run == c.runEnd {
			return 0
		}
	}
	pa := c.run
	c.run += exoPageSize
	return pa
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
			f.give(c.mag[c.nmag], 1)
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
	pa := f.take(n, align)
	f.lock.unlock()
	return pa
}

// exoFrameRunFree gives n contiguous frames back.
func exoFrameRunFree(pa, n uintptr) {
	f := &exo.frames
	f.lock.lock()
	f.give(pa, n)
	f.lock.unlock()
}

// exoFramesInit takes over the memory that the map calls RAM, without what reserved names. Boot only.
func exoFramesInit(reserved []exoRange) {
	f, p := &exo.frames, &exo.frames.pool
	for i := 0; i < exo.nmemmap; i++ {
		m := &exo.memmap[i]
		if m.kind == 1 {
			f.addRange(alignUp(uintptr(m.base), exoPageSize), uintptr(m.base+m.size)&^(exoPageSize-1), reserved)
		}
	}
	// Each range begins at its place in a chunk, and at least a chunk of no memory lies before the next: so a run of numbers is a run of frames.
	n := uintptr(0)
	for i := 0; i < f.nranges; i++ {
		r := &f.ranges[i]
		f.offset[i] = r.lo>>exoPageShift&^(exoFramesPerChunk-1) - n
		n = (alignUp(r.hi>>exoPageShift, exoFramesPerChunk) - f.offset[i]) + exoFramesPerChunk
	}
	p.n = n
	// The module's records: at the start of the first range that has the room and lies in the boot map's first GiB.
	need := alignUp(exoPoolNeed(n), exoPageSize)
	for i := 0; i < f.nranges; i++ {
		r := &f.ranges[i]
		if p.records == 0 && r.hi-r.lo >= 2*need && r.lo+need <= exoBootReach {
			p.records = exoDirect(r.lo)
			r.lo += need
		}
		f.free += (r.hi - r.lo) >> exoPageShift
	}
	if p.records == 0 {
		exoPanic("no room for the frames' records", nil, need)
	}
	f.total = f.free
	f.step = 2 * exoHugeSize
	exoPoolStart(p)
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
			if f.nranges == exoMaxRanges {
				return // a map with more holes than this loses its last memory
			}
			f.ranges[f.nranges] = exoRange{lo: lo, hi: min(cut.lo, hi)}
			f.nranges++
		}
		lo = max(lo, cut.hi)
	}
}
