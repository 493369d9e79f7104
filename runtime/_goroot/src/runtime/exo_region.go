package runtime

// Regions: what is reserved of the address space and how it may be touched. A reservation costs one record; memory is backed by
// frames on first touch (exoFault) or by exoPopulate. Kept sorted; the runtime reserves a few dozen.

const (
	exoProtRead  = 1
	exoProtWrite = 2
	exoProtKept  = 4 // not reachable now, but may have frames: it was before
)

// exoRegion is [lo, hi), page aligned.
type exoRegion struct {
	lo, hi uintptr
	prot   uint32
	huge   uint32 // large pages are asked for (1) or refused (2)
}

const exoRegionSize = 24

type exoVM struct {
	lock     exoLock
	tlbGen   uint32
	regions  uintptr // array of exoRegion in the direct map
	n, room  int
	imageEnd uintptr                         // below it only the image is mapped, and stays
	top      uintptr                         // where the next unplaced reservation ends
	mmio     uintptr                         // next free address for device registers
	backed   uintptr                         // frames that back regions
	last     int                             // index of the region that was touched last; a hint
	dirs     [4]struct{ key, table uintptr } // page directories by address, see exoDirectory
	spare    uintptr                         // exoSpareFrames frames for the last report; atomic, 0 when used
	reporter uint32                          // tid of the context that reports that memory is used up; atomic
	faults   uint64                          // page faults that were answered
	npend    int                             // used of exo.cold.unback
}

func (v *exoVM) at(i int) *exoRegion {
	return (*exoRegion)(exoPtr(v.regions + uintptr(i)*exoRegionSize))
}

// find returns the index of the first region that ends above va.
//
//go:noinline
func (v *exoVM) find(va uintptr) int {
	lo, hi := 0, v.n
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if v.at(m).hi > va {
			hi = m
		} else {
			lo = m + 1
		}
	}
	return lo
}

// insert puts a region at index i. It reports false when there is no memory for the list.
func (v *exoVM) insert(i int, lo, hi uintptr, prot, huge uint32) bool {
	if v.n >= v.room {
		frames := max(alignUp(uintptr(v.room*exoRegionSize)*2, exoPageSize)>>exoPageShift, 1)
		pa := exoFrameRun(frames, exoPageSize)
		if pa == 0 {
			return false
		}
		old := v.regions
		v.regions = exoDirect(pa)
		if v.n > 0 {
			exoCopy(v.regions, old, uintptr(v.n)*exoRegionSize)
			exoFrameRunFree(old-exoDirectBase, alignUp(uintptr(v.room*exoRegionSize), exoPageSize)>>exoPageShift)
		}
		v.room = int(frames << exoPageShift / exoRegionSize)
	}
	for j := v.n; j > i; j-- {
		*v.at(j) = *v.at(j - 1)
	}
	v.n++
	*v.at(i) = exoRegion{lo: lo, hi: hi, prot: prot, huge: huge}
	return true
}

func (v *exoVM) remove(i, k int) {
	for j := i; j+k < v.n; j++ {
		*v.at(j) = *v.at(j + k)
	}
	v.n -= k
}

// split makes va a boundary between regions, if it lies inside one.
func (v *exoVM) split(va uintptr) bool {
	i := v.find(va)
	if i == v.n || v.at(i).lo >= va {
		return true
	}
	r := *v.at(i)
	if !v.insert(i+1, va, r.hi, r.prot, r.huge) {
		return false
	}
	v.at(i).hi = va
	return true
}

// join merges region i with its neighbours where they are alike.
func (v *exoVM) join(i int) {
	for k := i + 1; k >= i; k-- {
		if k <= 0 || k >= v.n {
			continue
		}
		a, b := v.at(k-1), v.at(k)
		if a.hi == b.lo && a.prot == b.prot && a.huge == b.huge {
			a.hi = b.hi
			v.remove(k, 1)
		}
	}
}

// clear unmaps [lo, hi) and forgets its regions. What was only ever reserved has nothing to unmap.
func (v *exoVM) clear(lo, hi uintptr) bool {
	if !v.split(lo) || !v.split(hi) {
		return false
	}
	i := v.find(lo)
	k, used := 0, uint32(0)
	for i+k < v.n && v.at(i+k).lo < hi {
		used |= v.at(i + k).prot
		k++
	}
	v.remove(i, k)
	if used != 0 {
		exoUnback(lo, hi)
	}
	return true
}

// taken reports whether any region overlaps [lo, hi).
func (v *exoVM) taken(lo, hi uintptr) bool {
	i := v.find(lo)
	return i < v.n && v.at(i).lo < hi
}

// place finds n free bytes below v.top, aligned for large pages when big enough. 0: none.
func (v *exoVM) place(n uintptr) uintptr {
	hi := v.top
	for tries := 0; tries < 2; tries++ {
		for n < hi {
			lo := hi - n
			if n >= exoHugeSize {
				lo &^= exoHugeSize - 1
			}
			if lo < 1<<32 {
				break
			}
			i := v.find(lo)
			if i == v.n || v.at(i).lo >= lo+n {
				v.top = lo
				return lo
			}
			hi = v.at(i).lo
		}
		hi = exoUserEnd &^ (exoHugeSize - 1)
	}
	return 0
}

// exoReserve makes [va, va+n) a region, or any n bytes when va is 0 or taken and fixed is not set. 0: no room.
// With fixed, what was there is unmapped first.
func exoReserve(va, n uintptr, prot uint32, fixed bool) uintptr {
	v := &exo.vm
	n = alignUp(n, exoPageSize)
	if n == 0 || n > exoUserEnd {
		return 0
	}
	v.lock.lock()
	va = v.reserve(va, n, prot, fixed)
	v.lock.unlock()
	return va
}

func (v *exoVM) reserve(va, n uintptr, prot uint32, fixed bool) uintptr {
	if fixed {
		if va&(exoPageSize-1) != 0 || va < v.imageEnd || va > exoUserEnd-n || !v.clear(va, va+n) {
			return 0
		}
	} else {
		va &^= exoPageSize - 1
		if va < v.imageEnd || va > exoUserEnd-n || v.taken(va, va+n) {
			if va = v.place(n); va == 0 {
				return 0
			}
		}
	}
	i := v.find(va)
	if !v.insert(i, va, va+n, prot, 0) {
		return 0
	}
	v.join(i)
	return va
}

// exoRelease unmaps [va, va+n) and forgets its regions.
func exoRelease(va, n uintptr) bool {
	v := &exo.vm
	n = alignUp(n, exoPageSize)
	if va&(exoPageSize-1) != 0 || n == 0 || va < v.imageEnd || va > exoUserEnd-n {
		return false
	}
	v.lock.lock()
	ok := v.clear(va, va+n)
	v.lock.unlock()
	return ok
}

// exoProtect changes how the regions in [va, va+n) may be touched. It reports false where the range has a hole.
func exoProtect(va, n uintptr, prot uint32) bool {
	v := &exo.vm
	n = alignUp(n, exoPageSize)
	hi := va + n
	v.lock.lock()
	ok := va&(exoPageSize-1) == 0 && n != 0 && va >= v.imageEnd && va <= exoUserEnd-n && !v.hasRange(va, hi) && v.split(va) && v.split(hi)
	if ok {
		i := v.find(va)
		at := va
		for ; i < v.n && v.at(i).lo < hi; i++ {
			r := v.at(i)
			ok = ok && r.lo == at
			at = r.hi
			kept := uint32(0)
			if prot == 0 && r.prot != 0 {
				kept = exoProtKept
			}
			r.prot = prot | kept
		}
		ok = ok && at == hi
		exoReprotect(va, hi, prot)
		v.join(v.find(va))
	}
	v.lock.unlock()
	return ok
}

// exoDiscard gives back the frames of [va, va+n); the regions stay and read as zeroes when touched again.
func exoDiscard(va, n uintptr) {
	v := &exo.vm
	v.lock.lock()
	if lo, hi := max(alignUp(va, exoPageSize), v.imageEnd), (va+n)&^(exoPageSize-1); !v.hasRange(lo, hi) {
		exoUnback(lo, hi)
	}
	v.lock.unlock()
}

// exoHuge records whether [va, va+n) wants large pages.
func exoHuge(va, n uintptr, huge uint32) {
	v := &exo.vm
	va = alignUp(va, exoPageSize)
	hi := (va + n) &^ (exoPageSize - 1)
	v.lock.lock()
	if va < hi && !v.hasRange(va, hi) && v.split(va) && v.split(hi) {
		for i := v.find(va); i < v.n && v.at(i).lo < hi; i++ {
			v.at(i).huge = huge
		}
		v.join(v.find(va))
	}
	v.lock.unlock()
}

// hasRange reports whether part of [lo, hi) belongs to a range (exo_pages_amd64.go); lock held.
//
//go:noinline
func (v *exoVM) hasRange(lo, hi uintptr) bool {
	for i := v.find(lo); i < v.n && v.at(i).lo < hi; i++ {
		if v.at(i).prot == exoProtApp {
			return true
		}
	}
	return false
}
