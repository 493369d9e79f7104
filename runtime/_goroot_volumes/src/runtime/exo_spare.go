package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
	_ "unsafe" // linkname
)

// Spare frames: memory that its holder, the page cache, can do without at any moment (exo/spare.go). It lies in slots of sixteen frames. When the
// allocator has no frame, for a fault or for anybody, it takes slots that nobody uses, and asks nobody: whoever faults may hold any lock of the program's.
//
// A slot has a word, which holder and allocator change by compare-and-swap. Who made it busy has it.
const (
	exoSpareHave  = 1 << 31 // it has frames
	exoSpareUsed  = 1 << 30 // it was used since the hand came by
	exoSpareBusy  = 1 << 29 // somebody makes it empty, or another's; below: in use so many times
	exoSpareChunk = 16      // frames of a slot
	exoSpareBytes = exoSpareChunk << exoPageShift

	exoSpareBatch  = 16 // slots that are taken at once, at least: 1 MiB
	exoSpareTries  = 4  // times that slots are taken for a run of frames, which may not come about by that
	exoSpareVector = 4  // that of no device: an overflow's

	exoSpareIdle = 256 << 10 // bytes of the heap's that are given back for a slot that could not be filled, at most: who wants it waits, and those who want another
)

// exoSpares is what is known of them. It is in the data segment, as exoState is.
type exoSpares struct {
	magic uintptr
	words uintptr // address of n words, in frames, behind a word that is how many pages must not go although their slots have them
	at    uintptr // address of n physical addresses, in frames
	n     uintptr // slots; 0: there are none
	top   uintptr // slots that ever had frames; frame lock, as for all below that say nothing
	hand  uintptr
	held  uintptr // slots that have frames
	least uintptr // of them, those that stay
	taken uint64  // slots that were taken

	keep  uintptr // free frames that the holder leaves, but for its least: then as many as those
	low   uintptr // with fewer it is asked
	asked uint32  // atomic: it is
	short func(frames int) int
}

var exoSpareMem = exoSpares{magic: exoMagic}

func (s *exoSpares) word(i uintptr) *uint32 { return (*uint32)(exoPtr(s.words + 4*i)) }

// exoSpareTake takes slots for who wants n frames and there were none, for the try-th time. It reports whether there was any; frame lock held.
//
//go:nowritebarrierrec
func exoSpareTake(n, align uintptr, try int) bool {
	s := &exoSpareMem
	if s.held <= s.least || align > exoSpareBytes || try >= exoSpareTries {
		return false
	}
	if n > exo.frames.free+(s.held-s.least)*exoSpareChunk {
		return false // with all of them there would be too few: the cache need not be lost
	}
	want := max((n+exoSpareChunk-1)/exoSpareChunk, exoSpareBatch)
	got := uintptr(0)
	for left := 2 * s.top; left > 0 && got < want && s.held > s.least; left-- {
		if s.hand++; s.hand >= s.top {
			s.hand = 0
		}
		p := s.word(s.hand)
		switch w := atomic.Load(p); {
		case w == exoSpareHave|exoSpareUsed:
			atomic.Cas(p, w, exoSpareHave)
		case w == exoSpareHave && atomic.Cas(p, w, exoSpareHave|exoSpareBusy):
			s.empty(s.hand)
			atomic.Store64(&s.taken, s.taken+1)
			got++
		}
	}
	return got > 0
}

// empty frees the frames of a slot that is busy.
func (s *exoSpares) empty(i uintptr) {
	pa := exoLoad(s.at + 8*i)
	atomic.Store(s.word(i), 0)
	s.held--
	exo.frames.give(pa, exoSpareChunk)
}

// exoSpareFree is how many frames would be free if all were taken that may be. Without the lock: it may be old.
func exoSpareFree() uintptr {
	s := &exoSpareMem
	held, kept := atomic.Loaduintptr(&s.held), uintptr(0)
	if s.words != 0 {
		kept = uintptr(atomic.Load((*uint32)(exoPtr(s.words - 4))))
	}
	if out := s.least*exoSpareChunk + kept; held*exoSpareChunk > out {
		return held*exoSpareChunk - out
	}
	return 0
}

func exoOpSpareFill(i, _, _ uintptr) (pa uintptr) {
	s, f := &exoSpareMem, &exo.frames
	f.lock.lock()
	if f.free > s.keep+exoSpareChunk || s.held < s.least && f.free > s.least*exoSpareChunk {
		if pa = f.takeFree(exoSpareChunk, exoSpareBytes); pa != 0 {
			exoStore(s.at+8*i, pa)
			s.held++
			s.top = max(s.top, i+1)
			atomic.Store(s.word(i), exoSpareHave|exoSpareBusy)
		}
	}
	f.lock.unlock()
	return pa
}

func exoOpSpareDrop(i, _, _ uintptr) uintptr {
	f := &exo.frames
	f.lock.lock()
	exoSpareMem.empty(i)
	f.lock.unlock()
	return 0
}

// exoHwSpareOpen makes n slots, of which least are never taken, and gives the address of their words; 0: there are some already, or no memory. short is asked to give up frames, on a
// goroutine, and says how many it gave.
//
//go:linkname exoHwSpareOpen github.com/hardtack-os/hardtack/exo.hwSpareOpen
func exoHwSpareOpen(n, least uintptr, short func(frames int) int) uintptr {
	s := &exoSpareMem
	if s.n != 0 {
		return 0
	}
	size := alignUp(4+12*n, exoPageSize)
	pa := exoKernel(abi.FuncPCABIInternal(exoOpFrames), size>>exoPageShift, exoPageSize, 0) // zeroes
	if pa == 0 {
		return 0
	}
	s.at = exoDirect(pa)
	s.words = s.at + 8*n + 4
	s.n, s.least, s.short = n, least, short
	total := exo.frames.total
	s.keep, s.low = total>>3+total>>6, total>>4
	go exoSpareWatch()
	return s.words
}

// exoHwSpareFill gives slot i frames, and the address of the first; 0: so many are not free. Then it has the heap give back some of what it has, does not use and will give back anyhow: the scavenger takes
// minutes for hundreds of MiB, for which the cache would have its least. The caller is on a goroutine, and holds no lock of the runtime's: the scavenger takes the heap's, and lets go of it while it unmaps.
// A lock of the program's, as the page cache's, may be held: who unmaps asks nobody for memory but exoSpareTake, which takes no lock of any program's.
//
//go:linkname exoHwSpareFill github.com/hardtack-os/hardtack/exo.hwSpareFill
func exoHwSpareFill(i uintptr) uintptr {
	pa := exoKernel(abi.FuncPCABIInternal(exoOpSpareFill), i, 0, 0)
	if pa == 0 && exoSpareScavenge() > 0 {
		pa = exoKernel(abi.FuncPCABIInternal(exoOpSpareFill), i, 0, 0)
	}
	return pa
}

// exoSpareScavenge does at once a piece of what the background scavenger is to do until the next collection (gcPaceScavenger), and gives its bytes; 0 where there is nothing to do, or what is left is in chunks that
// were lately full, as the scavenger has it (mgcscavenge.go, scavengeIndex.find), which then looks at none of them again. What the collector pays for assists does not count this: who reads files is no allocator.
func exoSpareScavenge() uintptr {
	goal, retained := scavenge.gcPercentGoal.Load(), heapRetained()
	if goal == 0 || retained <= goal { // before the first collection nobody knows; where there is nothing to do the goal is ^0
		return 0
	}
	n := mheap_.pages.scavenge(uintptr(min(retained-goal, exoSpareIdle)), nil, false)
	mheap_.pages.scav.releasedEager.Add(n)
	return n
}

//go:linkname exoHwSpareDrop github.com/hardtack-os/hardtack/exo.hwSpareDrop
func exoHwSpareDrop(i uintptr) { exoKernel(abi.FuncPCABIInternal(exoOpSpareDrop), i, 0, 0) }

//go:linkname exoHwSpareTaken github.com/hardtack-os/hardtack/exo.hwSpareTaken
func exoHwSpareTaken() uint64 { return atomic.Load64(&exoSpareMem.taken) }

// exoSpareAsk is sysmon's look whether memory is short: then the holder gives some back before the allocator takes it, and writes what is not written yet, which nobody can take.
// Who faults could not tell anybody.
//
//go:nowritebarrierrec
func exoSpareAsk() {
	s := &exoSpareMem
	if s.n == 0 || atomic.Loaduintptr(&exo.frames.free) >= s.low || atomic.Loaduintptr(&s.held) <= s.least || !atomic.Cas(&s.asked, 0, 1) {
		return
	}
	atomic.Xadd(&exo.cold.count[exoSpareVector], 1)
	atomic.Or64(&exo.cold.fired[0], 1<<exoSpareVector)
	netpollBreak()
}

// exoSpareWatch has the holder give.
func exoSpareWatch() {
	for {
		exoVectorWait(exoSpareVector, 0)
		s := &exoSpareMem
		free, held := atomic.Loaduintptr(&exo.frames.free), atomic.Loaduintptr(&s.held)
		if free < s.keep && held > s.least && s.short(int(min(s.keep-free, (held-s.least)*exoSpareChunk))) == 0 {
			timeSleep(20e6) // what it writes takes a while
		}
		atomic.Store(&s.asked, 0)
	}
}
