package runtime

// Backing: frames under regions. All of it with the region lock held.

// exoAround is how many bytes around a first touch are backed with it, when the page before or behind is in use already: memory is then
// being filled in order, not touched here and there.
const exoAround = 4 * exoPageSize

// Results of exoBack.
const (
	exoBackNo   = iota // no region there allows the access
	exoBackYes         // backed
	exoBackFull        // no frame is left
)

// exoBack backs the page of va, and its neighbours if they come cheap.
func exoBack(va uintptr, write bool) int {
	v := &exo.vm
	i := v.last
	if i >= v.n || va-v.at(i).lo >= v.at(i).hi-v.at(i).lo {
		if i = v.find(va); i == v.n {
			return exoBackNo
		}
		v.last = i
	}
	r := v.at(i)
	if va < r.lo || r.prot&(exoProtRead|exoProtWrite) == 0 || write && r.prot&exoProtWrite == 0 {
		return exoBackNo
	}
	flags := uintptr(exoPteP | exoPteNX | exoPteA | exoPteD)
	if r.prot&exoProtWrite != 0 {
		flags |= exoPteW
	}
	pd := exoDirectory(va)
	if pd == 0 {
		return exoBackFull
	}
	pde := exoLoad(pd)
	if pde&exoPteP == 0 {
		if exoBackHuge(r, va, flags, pd) {
			return exoBackYes
		}
		t := exoFrameZeroed()
		if t == 0 {
			return exoBackFull
		}
		pde = t | exoPteP | exoPteW
		exoStore(pd, pde)
	} else if pde&exoPtePS != 0 {
		return exoBackYes // another CPU was faster
	}
	va &^= exoPageSize - 1
	lo, hi := va, va+exoPageSize
	t := exoDirect(pde & exoPteAddr)
	i512 := va >> exoPageShift & 511
	if exo.frames.free > exo.frames.total>>3 &&
		(i512 > 0 && exoLoad(t+i512*8-8) != 0 || i512 < 511 && exoLoad(t+i512*8+8) != 0) {
		lo = max(va&^(exoAround-1), r.lo)
		hi = min(va&^(exoAround-1)+exoAround, r.hi)
	}
	for p := lo; p < hi; p += exoPageSize {
		e := t + p>>exoPageShift&511*8
		if exoLoad(e) != 0 {
			continue
		}
		f := exoFrameRaw()
		if f == 0 {
			if exoLoad(t+va>>exoPageShift&511*8) != 0 {
				break
			}
			return exoBackFull
		}
		exoZeroPage(exoDirect(f))
		exoStore(e, f|flags)
		v.backed++
	}
	return exoBackYes
}

// exoBackHuge backs the 2 MiB around va, whose entry pd is empty, with one large page when the region holds all of them, wants it and
// memory is plenty. A region wants it when told so, or when the 2 MiB before are in use: then the heap is growing through.
func exoBackHuge(r *exoRegion, va, flags, pd uintptr) bool {
	lo := va &^ (exoHugeSize - 1)
	if r.huge == 2 || lo < r.lo || r.hi < lo+exoHugeSize || exo.frames.free < exo.frames.total>>2 {
		return false
	}
	if r.huge != 1 {
		if lo-r.lo < exoHugeSize {
			return false
		}
		b := exoTable(lo-exoHugeSize, 1, false)
		if b == 0 || exoLoad(b)&exoPteP == 0 {
			return false
		}
		// In use means: the last eighth of it has been reached.
		if t := exoLoad(b); t&exoPtePS == 0 && exoLoad(exoDirect(t&exoPteAddr)+448*8)&exoPteP == 0 {
			return false
		}
	}
	pa := exoFrameRun(exoFramesPerChunk, exoHugeSize)
	if pa == 0 {
		return false
	}
	for o := uintptr(0); o < exoHugeSize; o += exoPageSize {
		exoZeroPage(exoDirect(pa + o))
	}
	exoStore(pd, pa|flags|exoPtePS)
	exo.vm.backed += exoFramesPerChunk
	return true
}

// exoPopulate backs every page of [lo, hi) that a writable region holds. It reports false when frames ran out.
func exoPopulate(lo, hi uintptr) bool {
	v := &exo.vm
	v.lock.lock()
	ok := true
	for va := lo; va < hi && ok; va += exoPageSize {
		if e := exoTable(va, 0, false); e != 0 && exoLoad(e)&exoPteP != 0 {
			continue
		}
		if e := exoTable(va, 1, false); e != 0 && exoLoad(e)&exoPtePS != 0 {
			va = va | (exoHugeSize - 1) - (exoPageSize - 1)
			continue
		}
		ok = exoBack(va, true) != exoBackFull
	}
	v.lock.unlock()
	return ok
}

// exoNext returns the next address after va where a table of the given level ends.
//
//go:noinline
func exoNext(va uintptr, level int) uintptr {
	s := uint(12 + 9*level)
	return (va>>s + 1) << s
}

// exoUnback unmaps [lo, hi), waits until no CPU can still reach the frames, and frees them.
func exoUnback(lo, hi uintptr) {
	exo.vm.npend = 0
	for va := lo; va < hi; {
		e := exoTable(va, 0, false)
		if e == 0 {
			va = exoUnbackSparse(va, hi)
			continue
		}
		if pte := exoLoad(e); pte&exoPteAddr != 0 {
			exoStore(e, 0)
			exoInvlpg(va)
			exoPend(pte)
		}
		va += exoPageSize
		if va&(exoHugeSize-1) == 0 && va-lo >= exoHugeSize {
			// Nothing is left in this table: it goes, too.
			d := exoTable(va-exoPageSize, 1, false)
			exo.vm.backed++ // which it was not
			exoPend(exoLoad(d))
			exoStore(d, 0)
		}
	}
	exoPendFree()
}

// exoUnbackSparse handles an address without a 4 KiB entry: skips what is absent, takes a large page whole or splits it.
func exoUnbackSparse(va, hi uintptr) uintptr {
	for level := 3; level > 0; level-- {
		e := exoTable(va, level, false)
		pte := exoLoad(e)
		if pte&exoPteP == 0 {
			exoStore(e, 0) // it was nothing, or a range's large page without rights
			return exoNext(va, level)
		}
		if level == 1 && pte&exoPtePS != 0 {
			if va&(exoHugeSize-1) == 0 && hi-va >= exoHugeSize {
				exoStore(e, 0)
				exoInvlpg(va)
				exoPend(pte)
				return va + exoHugeSize
			}
			exoSplitHuge(va, e, pte)
			return va
		}
	}
	return va
}

// exoSplitHuge replaces a large page by a table of small ones. Where no frame is left it takes those for the last report: who unmaps gives some back.
//
//go:noinline
func exoSplitHuge(va, e, pte uintptr) {
	t := exoFrameRaw()
	if t == 0 {
		exoSpare()
		if t = exoFrameRaw(); t == 0 {
			exoPanic("no frame to split a large page", nil, va)
		}
	}
	for i := uintptr(0); i < 512; i++ {
		exoStore(exoDirect(t)+i*8, pte&^exoPtePS+i*exoPageSize)
	}
	exoStore(e, t|exoPteP|exoPteW)
	exoInvlpg(va)
}

// exoPend remembers the entry of a page that is unmapped: after the next shootdown its frames may be freed, and a range's are their holder's to
// give away.
//
//go:noinline
func exoPend(pte uintptr) {
	v := &exo.vm
	if v.npend == len(exo.cold.unback) {
		exoPendFree()
	}
	exo.cold.unback[v.npend] = pte
	v.npend++
}

func exoPendFree() {
	v := &exo.vm
	if v.npend == 0 {
		return
	}
	exoShoot()
	for _, pte := range exo.cold.unback[:v.npend] {
		pa := pte & exoPteAddr
		switch {
		case pte&exoPteApp != 0:
		case pte&exoPtePS != 0:
			exoFrameRunFree(pa, exoFramesPerChunk)
			v.backed -= exoFramesPerChunk
		default:
			exoFrameFree(pa)
			v.backed--
		}
	}
	v.npend = 0
}

// exoReprotect makes the mapped pages of [lo, hi) writable, read-only or (prot 0) unreachable.
// Unreachable pages keep their frames with the present bit clear and the write bit as a mark.
func exoReprotect(lo, hi uintptr, prot uint32) {
	for va := lo; va < hi; {
		e := exoTable(va, 0, false)
		if e == 0 {
			huge := exoTable(va, 1, false)
			if huge != 0 && exoLoad(huge)&exoPtePS != 0 {
				exoSplitHuge(va, huge, exoLoad(huge))
				continue
			}
			level := 3
			for level > 1 && exoLoad(exoTable(va, level, false))&exoPteP != 0 {
				level--
			}
			va = exoNext(va, level)
			continue
		}
		if pte := exoLoad(e); pte&exoPteAddr != 0 {
			pte &^= exoPteP | exoPteW
			if prot != 0 {
				pte |= exoPteP
			}
			if prot&exoProtWrite != 0 {
				pte |= exoPteW
			}
			exoStore(e, pte)
			exoInvlpg(va)
		}
		va += exoPageSize
	}
	exoShoot()
}

// exoFault answers a page fault: 1 when the access can be tried again, 0 when it is an exception.
//
//go:nowritebarrierrec
func exoFault(cr2 uintptr, fr *exoFrame) uintptr {
	if cr2 >= exoUserEnd || fr.err&1 != 0 {
		return 0
	}
	v := &exo.vm
	v.lock.lock()
	v.faults++
	r := exoBack(cr2, fr.err&2 != 0)
	v.lock.unlock()
	if r == exoBackFull {
		exoOutOfMemory(fr, cr2)
		return 1
	}
	return uintptr(r)
}
