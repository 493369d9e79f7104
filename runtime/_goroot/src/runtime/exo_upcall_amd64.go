package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
	"unsafe"
)

// Fault upcalls: a fault in a range (exo_pages_amd64.go) goes to its holder, in one of two ways.
//
// The handler is called at once, on the M's signal stack, with nothing in between but the save of the registers: exoOpFault makes the
// context enter exoUpcallStart instead of the faulting instruction, and the way back is an IRETQ without a trap. It runs like a signal
// handler: it may not allocate, wait or touch what is not mapped outside ranges; it may do page operations. A fault of the handler in a
// range is an upcall of its own, below the first on the same stack.
//
// A handler that needs more says so (exoVerdictPager): then the goroutine parks as if it were preempted asynchronously at the faulting
// instruction, whatever it was doing there, and a pager goroutine serves the fault. Afterwards the instruction runs again.

// Verdicts of a handler, and of a pager the first two.
const (
	exoVerdictDecline = iota // the fault stands: SIGSEGV
	exoVerdictRetry          // the instruction shall run again
	exoVerdictPager          // shall run again when the pager has served it
	exoVerdictBus            // the fault stands: SIGBUS
)

// exoUpcalls is Go-side state; set once, before the first range has a handler.
var exoUpcalls struct {
	handle func(addr, pc uintptr, write bool) int // on the signal stack
	page   func(addr uintptr, write bool) bool    // on a pager goroutine

	lock     mutex
	idle     *exoPager
	starting *exoPager

	declined [16]exoDeclined // faults that a pager declined, until they happen again
	next     uint32
}

type exoDeclined struct {
	gp   guintptr
	addr uintptr
}

// exoUpcallFrame is what lies on the signal stack during an upcall, from its stack pointer on.
type exoUpcallFrame struct {
	regs exoFrame
	mask uint64 // signals that were held back before
	addr uintptr
}

const exoUpcallDepth = 8

const exoBusAdrerr = 2 // BUS_ADRERR, sigaction(2)

// exoOpFault enters the upcall for a fault at addr. It reports 0 where there can be none.
func exoOpFault(ctx, frame, addr uintptr) uintptr {
	t := (*exoContext)(exoPtr(ctx))
	fr := (*exoFrame)(exoPtr(frame))
	top := t.altLo + t.altSize
	if addr >= exoUserEnd {
		return 0
	}
	if sp := fr.rsp; sp > t.altLo && sp <= top {
		if t.upcalls == 0 || t.upcalls == exoUpcallDepth {
			return 0 // in a signal handler, or too deep
		}
		top = sp - 128
	} else if t.altSize == 0 || t.upcalls != 0 {
		return 0
	}
	sp := (top - unsafe.Sizeof(exoUpcallFrame{})) &^ 63
	if sp < t.altLo+4*exoPageSize || !exoPopulate(sp&^(exoPageSize-1), top) {
		return 0
	}
	u := (*exoUpcallFrame)(exoPtr(sp))
	u.regs = *fr
	u.mask = t.sigmask
	u.addr = addr
	t.upcalls++
	t.sigmask = ^uint64(0)
	fr.rip = abi.FuncPCABI0(exoUpcallStart)
	fr.rsp = sp
	fr.rflags = exoRPLFlags
	return 1
}

// exoUpcall1 runs on the signal stack. It returns 0 when the interrupted code goes on as the frame says, 1 when the fault stands, 2 when it does as SIGBUS.
func exoUpcall1(u *exoUpcallFrame, gp *g) uintptr {
	h := &exoUpcalls
	if gp == nil || h.handle == nil {
		return 1
	}
	write := u.regs.err&2 != 0
	switch h.handle(u.addr, u.regs.rip, write) {
	case exoVerdictRetry:
		return 0
	case exoVerdictBus:
		return 2
	case exoVerdictPager:
		if !exoWasDeclined(gp, u.addr) && exoInject(u, gp) {
			t := exoCurrent()
			t.faultAddr = u.addr
			if write {
				t.faultAddr |= 1 << 63
			}
			t.faultG = exoAddrG(gp)
			return 0
		}
	}
	return 1
}

// exoInject makes the interrupted goroutine call asyncPreempt where it faulted, as the preemption signal does. It reports false where it
// cannot park: in the runtime, with its locks held, in nosplit code.
func exoInject(u *exoUpcallFrame, gp *g) bool {
	pc, sp := u.regs.rip, u.regs.rsp
	if readgstatus(gp)&^_Gscan != _Grunning {
		return false
	}
	ok, to := isAsyncSafePoint(gp, pc, sp, 0)
	if !ok {
		if to = pc; !exoLeafSafe(gp, pc, sp) {
			return false
		}
	}
	sp -= 8
	exoStore(sp, to)
	u.regs.rsp = sp
	u.regs.rip = abi.FuncPCABI0(asyncPreempt)
	return true
}

// exoLeafSafe allows what isAsyncSafePoint does not look into: the assembly that moves, clears, compares and searches memory. It has no
// frame of its own, and its caller stands at a call.
func exoLeafSafe(gp *g, pc, sp uintptr) bool {
	mp := gp.m
	if mp.curg != gp || mp.p == 0 || !canPreemptM(mp) || sp < gp.stack.lo || sp-gp.stack.lo < asyncPreemptStack {
		return false
	}
	f := findfunc(pc)
	if exo.xcr0&0xe0 != 0 { // asyncPreempt keeps no more than AVX
		return false
	}
	if !f.valid() || f.flag&abi.FuncFlagAsm == 0 || funcspdelta(f, pc) != 0 {
		return false
	}
	name := funcname(f)
	for _, ok := range [...]string{"runtime.mem", "memeqbody", "internal/bytealg.", "indexbytebody", "countbody", "cmpbody", "indexbody"} {
		if len(name) >= len(ok) && name[:len(ok)] == ok {
			return true
		}
	}
	return false
}

func exoWasDeclined(gp *g, addr uintptr) bool {
	for i := range exoUpcalls.declined {
		if d := &exoUpcalls.declined[i]; d.gp.ptr() == gp && d.addr == addr {
			d.gp = 0
			return true
		}
	}
	return false
}

// exoParkFault takes the place of gopreempt_m in asyncPreempt2 and newstack: what was injected for a fault parks until the pager has served it, and who has a
// CPU to itself goes on (exo_isolate.go).
func exoParkFault(gp *g) {
	if exoPageIn != nil {
		exoPageIn(gp)
	}
	gopreempt_m(gp)
}

// exoPageIn is exoTakeFault or exoKeepCPU where something links them: an image without ranges has no pager.
var exoPageIn func(gp *g)

// exoTakeFault parks gp for the pager if it is here for that.
func exoTakeFault(gp *g) {
	t := exoCurrent()
	if a := t.faultAddr; a != 0 {
		t.faultAddr = 0
		if t.faultG == exoAddrG(gp) {
			exoPageInNow(gp, a)
		}
	}
}

// exoPager is one pager goroutine. Never freed.
type exoPager struct {
	gp   guintptr
	from guintptr // who faulted
	addr uintptr
	next *exoPager
}

// exoPageInNow parks gp and runs a pager, on g0.
func exoPageInNow(gp *g, addr uintptr) {
	h := &exoUpcalls
	lock(&h.lock)
	s := h.idle
	if s != nil {
		h.idle = s.next
		s.from.set(gp)
		s.addr = addr
		unlock(&h.lock)
		exoSwitch(gp, s.gp.ptr())
	}
	s = (*exoPager)(persistentalloc(unsafe.Sizeof(exoPager{}), 0, &memstats.other_sys))
	s.from.set(gp)
	s.addr = addr
	s.next = h.starting
	h.starting = s
	unlock(&h.lock)
	fn := exoPagers
	n := newproc1(*(**funcval)(unsafe.Pointer(&fn)), getg(), abi.FuncPCABIInternal(exoPageInNow), true, waitReasonIOWait)
	n.labels = nil
	exoSwitch(gp, n)
}

// exoPagers is the body of a pager goroutine.
func exoPagers() {
	h := &exoUpcalls
	lock(&h.lock)
	s := h.starting
	h.starting = s.next
	unlock(&h.lock)
	s.gp.set(getg())
	for {
		addr := s.addr &^ (1 << 63)
		write := s.addr >> 63
		// The page may be there by now: by another fault, or because this one was noted on an M that the collector then stopped the
		// goroutine on, and has been served since.
		reached := func() bool { return exoKernel(abi.FuncPCABIInternal(exoOpReach), addr, write, 0) != 0 }
		if !reached() && !h.page(addr, write != 0) && !reached() {
			lock(&h.lock)
			d := &h.declined[h.next%uint32(len(h.declined))]
			h.next++
			d.addr = addr
			d.gp = s.from
			unlock(&h.lock)
		}
		*(*uintptr)(unsafe.Pointer(&getg().param)) = uintptr(unsafe.Pointer(s))
		mcall(exoPagerDone)
	}
}

// exoOpReach reports whether an access would come through now: another fault may have brought the page in.
func exoOpReach(addr, write, _ uintptr) uintptr { return exoReachable(addr, 1, write) }

// exoPagerDone makes the pager idle and goes on with who faulted, on g0.
func exoPagerDone(gp *g) {
	s := (*exoPager)(gp.param)
	from := s.from.ptr()
	*(*uintptr)(unsafe.Pointer(&gp.param)) = 0
	exoPark(gp)
	lock(&exoUpcalls.lock)
	s.next = exoUpcalls.idle
	exoUpcalls.idle = s
	unlock(&exoUpcalls.lock)
	exoResumeG(from)
}

// exoOpUpcallEnd is the way back from an upcall when there is more to do than to go on: the fault stands, or a signal is pending. The
// vector state is at fp.
func exoOpUpcallEnd(frame, stands, fp uintptr) uintptr {
	c := exoSelf()
	t := c.cur
	u := (*exoUpcallFrame)(exoPtr(frame))
	t.regs = u.regs
	exoCopy(uintptr(unsafe.Pointer(&t.fp)), fp, uintptr(exo.fpSize))
	t.fpValid = 1
	if stands != 0 {
		sig, code := uint32(_SIGSEGV), uint32(exoSegvMaperr)
		if u.regs.err&1 != 0 {
			code = exoSegvAccerr
		}
		if stands == 2 {
			sig, code = _SIGBUS, exoBusAdrerr
		}
		if t.sigmask>>(sig-1)&1 != 0 {
			exoPanic("fault in a fault handler", &u.regs, u.addr)
		}
		exoUpcall(t, &t.regs, uintptr(unsafe.Pointer(&t.fp)), sig, code, u.addr)
		t.fpValid = 0
	}
	return t.regs.rax // exoSyscall stores it there
}

//go:linkname exoHwUpcalls github.com/hardtack-os/hardtack/exo.hwUpcalls
func exoHwUpcalls(handle func(addr, pc uintptr, write bool) int, page func(addr uintptr, write bool) bool) {
	exoUpcalls.handle, exoUpcalls.page = handle, page
	if exoPageIn == nil {
		exoPageIn = exoTakeFault
	}
	atomic.Storeuintptr(&exo.cold.fault, abi.FuncPCABIInternal(exoOpFault))
}

//go:linkname exoHwRange github.com/hardtack-os/hardtack/exo.hwRange
func exoHwRange(pages uintptr) uintptr {
	return exoKernel(abi.FuncPCABIInternal(exoOpRange), pages, 0, 0)
}

//go:linkname exoHwDropRange github.com/hardtack-os/hardtack/exo.hwDropRange
func exoHwDropRange(lo, pages uintptr) bool {
	return exoKernel(abi.FuncPCABIInternal(exoOpDropRange), lo, pages, 0) != 0
}

//go:linkname exoHwPages github.com/hardtack-os/hardtack/exo.hwPages
func exoHwPages(batch unsafe.Pointer) bool {
	return exoKernel(abi.FuncPCABIInternal(exoOpPages), uintptr(batch), 0, 0) != 0
}

//go:linkname exoHwUnmapFrames github.com/hardtack-os/hardtack/exo.hwUnmapFrames
func exoHwUnmapFrames(lo, pages uintptr, frames unsafe.Pointer) {
	exoKernel(abi.FuncPCABIInternal(exoOpUnmapFrames), lo, pages, uintptr(frames))
}

//go:linkname exoHwPhysical github.com/hardtack-os/hardtack/exo.hwPhysical
func exoHwPhysical(va, n uintptr) (phys, run uintptr) {
	var out [2]uintptr
	if exoKernel(abi.FuncPCABIInternal(exoOpPhysical), va, n, uintptr(unsafe.Pointer(&out))) == 0 {
		return 0, 0
	}
	return out[0], out[1]
}

//go:linkname exoHwDirty github.com/hardtack-os/hardtack/exo.hwDirty
func exoHwDirty(lo, pages uintptr, bits unsafe.Pointer) int {
	return int(exoKernel(abi.FuncPCABIInternal(exoOpDirty), lo, pages, uintptr(bits)))
}
