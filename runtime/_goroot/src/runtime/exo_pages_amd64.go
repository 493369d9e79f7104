package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
	"unsafe"
)

// Ranges: parts of the address space whose page table entries exo's holders write themselves (exo/pages.go). To the regions a range
// is a reservation that allows nothing: a first touch is not backed here, it is a fault for the upcall (exo_upcall_amd64.go).
// The frames in a range belong to who mapped them; unmapping never frees them.

const (
	exoProtApp = 16     // of a region: a range
	exoPteApp  = 1 << 9 // of an entry: not our frame
)

// exoPageOp is one operation of a batch. Package exo declares the same.
type exoPageOp struct {
	frame uintptr // physical address, for map; of query the result
	live  uintptr // for map: address of a word that is 0 once the frame may not be mapped any more
	page  uint32  // in the range
	verb  uint8
	prot  uint8 // for map and protect; of query the result
	seen  uint8 // result: exoSeen*
	fail  uint8 // result: exoFail*
}

const exoPageOpSize = 24

const (
	exoVerbMap = iota + 1 // 0 is no operation
	exoVerbMapLarge
	exoVerbUnmap
	exoVerbProtect
	exoVerbQuery
	exoVerbClean // query, and forget what was seen

	exoSeenAccess = 1
	exoSeenWrite  = 2
	exoSeenLarge  = 4

	exoFailAbsent  = 1
	exoFailMemory  = 2
	exoFailVerb    = 3
	exoFailOutside = 4
	exoFailMixed   = 5
	exoFailFrame   = 6 // from here on exo's, and for ever: there is no such frame
)

// exoPageBatch is what exo hands over: n operations at ops on the range of the given pages from lo.
type exoPageBatch struct {
	lo, pages uintptr
	ops, n    uintptr
	failed    uintptr // result
}

// exoOpRange reserves a range of n pages and returns its address, 0 when there is no room.
func exoOpRange(n, _, _ uintptr) uintptr { return exoReserve(0, n<<exoPageShift, exoProtApp, false) }

// exoOpRangeAt is exoOpRange at an address; replace: of what is there, which goes. 0: somebody has it.
func exoOpRangeAt(va, n, replace uintptr) uintptr {
	got := exoReserve(va, n<<exoPageShift, exoProtApp, replace != 0)
	if got != va {
		exoRelease(got, n<<exoPageShift)
		return 0
	}
	return va
}

//go:linkname exoHwRangeAt github.com/hardtack-os/hardtack/exo.hwRangeAt
func exoHwRangeAt(va, pages uintptr, replace bool) bool {
	r := uintptr(0)
	if replace {
		r = 1
	}
	return exoKernel(abi.FuncPCABIInternal(exoOpRangeAt), va, pages, r) != 0
}

// exoOpDropRange unmaps all of a range and gives its addresses back.
func exoOpDropRange(lo, n, _ uintptr) uintptr {
	v := &exo.vm
	hi := lo + n<<exoPageShift
	ok := uintptr(0)
	v.lock.lock()
	if v.isRange(lo, hi) && v.clear(lo, hi) {
		ok = 1
		if v.top == lo {
			v.top = hi // page tables stay: the next range uses these again
		}
	}
	v.lock.unlock()
	return ok
}

// isRange reports whether [lo, hi) is still a range, or part of one; lock held.
func (v *exoVM) isRange(lo, hi uintptr) bool {
	i := v.find(lo)
	return i < v.n && v.at(i).prot == exoProtApp && v.at(i).lo <= lo && hi <= v.at(i).hi
}

// exoOpPages does a batch: each operation on its own, one shootdown for all. It returns 0 where the range is gone.
func exoOpPages(batch, _, _ uintptr) uintptr {
	b := (*exoPageBatch)(exoPtr(batch))
	v := &exo.vm
	v.lock.lock()
	if !v.isRange(b.lo, b.lo+b.pages<<exoPageShift) {
		v.lock.unlock()
		return 0
	}
	flush := false
	for i := uintptr(0); i < b.n; i++ {
		op := (*exoPageOp)(exoPtr(b.ops + i*exoPageOpSize))
		op.seen = 0
		if op.fail < exoFailFrame {
			op.fail = exoFailOutside
		}
		need := uintptr(1)
		if op.verb == exoVerbMapLarge {
			need = exoFramesPerChunk
		}
		if uintptr(op.page)+need <= b.pages && op.fail == exoFailOutside && v.pageOp(op, b.lo+uintptr(op.page)<<exoPageShift) {
			flush = true
		}
		if op.fail != 0 {
			b.failed++
		}
	}
	if flush {
		exoShoot()
	}
	v.lock.unlock()
	return 1
}

// exoLarge returns the address of the entry of the large page around va, 0 if there is none. One without rights is not present.
func exoLarge(va uintptr) uintptr {
	e := exoTable(va, 1, false)
	if e == 0 || exoLoad(e)&exoPtePS == 0 {
		return 0
	}
	return e
}

// entry returns the address of the entry that op is about, 0 where it can be about none: then op says why.
func (v *exoVM) entry(op *exoPageOp, va uintptr) uintptr {
	grow := op.verb <= exoVerbMapLarge
	e := exoTable(va, 1, grow)
	switch {
	case e != 0 && exoLoad(e)&exoPtePS != 0:
		// A large page is one thing: what is done to it is done to its first page. Any page may be asked about.
		if op.verb == exoVerbMap || va&(exoHugeSize-1) != 0 && op.verb != exoVerbQuery {
			op.fail = exoFailMixed
			return 0
		}
		return e
	case e != 0 && op.verb == exoVerbMapLarge:
		if t := exoLoad(e) & exoPteAddr; t != 0 && !exoDropTable(va, e, t) {
			op.fail = exoFailMixed
			return 0
		}
		return e
	case e != 0:
		e = exoTable(va, 0, grow)
	}
	if e == 0 {
		op.fail = exoFailAbsent
		if grow {
			op.fail = exoFailMemory
		}
	}
	return e
}

// exoDropTable frees the table at t, to which the entry at e points, if it maps nothing.
func exoDropTable(va, e, t uintptr) bool {
	for o := uintptr(0); o < exoPageSize; o += 8 {
		if exoLoad(exoDirect(t)+o) != 0 {
			return false
		}
	}
	exoStore(e, 0)
	exoInvlpg(va) // also what the processor remembers of tables (SDM vol. 3, 4.10.4.1)
	exoShoot()
	exoFrameFree(t)
	return true
}

// pageOp does one operation and reports whether other CPUs may remember an entry that no longer holds. The processor may set A and D of an entry at
// any moment: what it has set when the entry changes is what is told.
func (v *exoVM) pageOp(op *exoPageOp, va uintptr) bool {
	if op.verb == 0 || op.verb > exoVerbClean {
		op.fail = exoFailVerb
		return false
	}
	e := v.entry(op, va)
	if e == 0 {
		return false
	}
	for {
		old := exoLoad(e)
		if old&exoPteAddr == 0 && op.verb > exoVerbMapLarge {
			op.fail = exoFailAbsent
			return false
		}
		pte := old
		switch op.verb {
		case exoVerbMap, exoVerbMapLarge:
			// Under the lock that exoOpUnmapFrames takes: who ends the frame's binding clears the word first.
			if op.live == 0 || exoLoad(op.live) == 0 {
				op.fail = exoFailFrame
				return false
			}
			pte = op.frame | exoPteNX | exoPteApp | exoRights(op.prot)
			if op.verb == exoVerbMapLarge {
				pte |= exoPtePS
			}
		case exoVerbUnmap:
			pte = 0
		case exoVerbProtect:
			pte = old&^(exoPteP|exoPteW) | exoRights(op.prot)
		case exoVerbClean:
			pte &^= exoPteA | exoPteD
		}
		if pte != old && !atomic.Casuintptr((*uintptr)(exoPtr(e)), old, pte) {
			continue
		}
		op.fail = 0
		if old&exoPteA != 0 {
			op.seen = exoSeenAccess
		}
		if old&exoPteD != 0 {
			op.seen |= exoSeenWrite
		}
		off := uintptr(0)
		if old&exoPtePS != 0 {
			op.seen |= exoSeenLarge
			off = va & (exoHugeSize - 1)
		}
		if op.verb > exoVerbMapLarge {
			op.frame = old&exoPteAddr + off
		}
		if op.verb >= exoVerbQuery {
			op.prot = 0
			if old&exoPteP != 0 {
				op.prot = exoProtRead
			}
			if old&exoPteW != 0 {
				op.prot |= exoProtWrite
			}
		}
		if pte == old || old&exoPteP == 0 {
			return false
		}
		exoInvlpg(va)
		// What other CPUs remember and may not: rights that are gone, another frame, and that a page which is clean was written already.
		return old&^(pte|exoPteA) != 0 || (old^pte)&exoPteAddr != 0 || op.verb == exoVerbClean
	}
}

// exoRights are the bits of an entry that say what an access may do. Without rights it is not present and keeps its frame.
func exoRights(prot uint8) uintptr {
	switch {
	case prot&exoProtWrite != 0:
		return exoPteP | exoPteW
	case prot&exoProtRead != 0:
		return exoPteP
	}
	return 0
}

// exoOpUnmapFrames unmaps the pages of a range whose frames lie between the two physical addresses at frames.
func exoOpUnmapFrames(lo, n, frames uintptr) uintptr {
	v := &exo.vm
	first, last := exoLoad(frames), exoLoad(frames+8)
	hi := lo + n<<exoPageShift
	flush := false
	v.lock.lock()
	if v.isRange(lo, hi) {
		for va := lo; va < hi; {
			e := exoTable(va, 0, false)
			if e == 0 {
				if d := exoLarge(va); d != 0 {
					if f := exoLoad(d) & exoPteAddr; f+exoHugeSize > first && f < last {
						exoStore(d, 0)
						exoInvlpg(va)
						flush = true
					}
				}
				va = exoSkip(va)
				continue
			}
			for end := min(hi, exoNext(va, 1)); va < end; va += exoPageSize {
				if f := exoLoad(e) & exoPteAddr; f >= first && f < last {
					exoStore(e, 0)
					exoInvlpg(va)
					flush = true
				}
				e += 8
			}
		}
	}
	if flush {
		exoShoot()
	}
	v.lock.unlock()
	return 0
}

// exoOpDirty sets the bit of each page in [lo, lo+n pages) that was written since the last time, in the words at bits, which are zero, and
// returns how many there are. The first page of a large one stands for all of it.
func exoOpDirty(lo, n, bits uintptr) uintptr {
	v := &exo.vm
	hi := lo + n<<exoPageShift
	found := uintptr(0)
	v.lock.lock()
	if v.isRange(lo, hi) {
		for va := lo; va < hi; {
			e := exoTable(va, 0, false)
			if e == 0 {
				if d := exoLarge(va); d != 0 && va&(exoHugeSize-1) == 0 {
					found += exoTakeDirty(d, va, (va-lo)>>exoPageShift, bits)
				}
				va = exoSkip(va)
				continue
			}
			for end := min(hi, exoNext(va, 1)); va < end; va += exoPageSize {
				found += exoTakeDirty(e, va, (va-lo)>>exoPageShift, bits)
				e += 8
			}
		}
	}
	if found != 0 {
		exoShoot()
	}
	v.lock.unlock()
	return found
}

// exoTakeDirty clears the dirty bit of an entry. Where it was set it sets bit i, and returns 1.
func exoTakeDirty(e, va, i, bits uintptr) uintptr {
	for pte := exoLoad(e); pte&exoPteD != 0; pte = exoLoad(e) {
		if atomic.Casuintptr((*uintptr)(exoPtr(e)), pte, pte&^exoPteD) {
			exoInvlpg(va)
			exoStore(bits+i>>6*8, exoLoad(bits+i>>6*8)|1<<(i&63))
			return 1
		}
	}
	return 0
}

// exoOpResident sets bit i of the words at bits, which are zero, where page i of [va, va+n pages) has a frame, and returns how many pages from va on are the program's.
func exoOpResident(va, n, bits uintptr) uintptr {
	v := &exo.vm
	i, end := uintptr(0), va
	v.lock.lock()
	for ; i < n && va < exoUserEnd; i++ {
		e := exoTable(va, 0, false)
		if e == 0 {
			e = exoLarge(va)
		}
		has := e != 0 && exoLoad(e)&exoPteAddr != 0
		if va < v.imageEnd {
			end = va // its segments are mapped whole, and are no regions
			if has {
				end += exoPageSize
			}
		} else if va >= end {
			if r := v.find(va); r < v.n && v.at(r).lo <= va {
				end = v.at(r).hi
			}
		}
		if va >= end {
			break
		}
		if has {
			exoStore(bits+i>>6*8, exoLoad(bits+i>>6*8)|1<<(i&63))
		}
		va += exoPageSize
	}
	v.lock.unlock()
	return i
}

//go:linkname exoHwResident github.com/hardtack-os/hardtack/exo.hwResident
func exoHwResident(va, pages uintptr, bits unsafe.Pointer) int {
	return int(exoKernel(abi.FuncPCABIInternal(exoOpResident), va, pages, uintptr(bits)))
}

// exoOpPhysical makes [va, va+n) present and writable, and stores at out the physical address of va and for how many bytes from there on it goes
// on without a break. 0: it is mapped nowhere.
func exoOpPhysical(va, n, out uintptr) uintptr {
	if va < exoDirectBase && exoReachable(va, n, 1) == 0 {
		return 0
	}
	v := &exo.vm
	v.lock.lock()
	first, run := uintptr(0), uintptr(0)
	for run < n {
		pa, size := uintptr(0), uintptr(exoPageSize)
		for level := range 3 { // the direct map has pages of 1 GiB
			if e := exoTable(va+run, level, false); e != 0 {
				pa = exoLoad(e)
				break
			}
			size <<= 9
		}
		if pa&exoPteP == 0 {
			break
		}
		off := (va + run) & (size - 1)
		if pa = pa&exoPteAddr&^(size-1) + off; run == 0 {
			first = pa
		}
		if pa != first+run {
			break
		}
		run += size - off
	}
	v.lock.unlock()
	exoStore(out, first)
	exoStore(out+8, min(run, n))
	return min(run, 1)
}

// exoSkip returns the end of what an absent table would map around va.
func exoSkip(va uintptr) uintptr {
	level := 3
	for level > 1 && exoLoad(exoTable(va, level, false))&exoPteP != 0 {
		level--
	}
	return exoNext(va, level)
}

const _ uintptr = -(unsafe.Sizeof(exoPageOp{}) - exoPageOpSize) // they are the same, or this does not compile
