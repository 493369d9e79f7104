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
// A handler that needs more says so (exoVerdictPager): then the goroutine waits at the faulting instruction (exo_await_amd64.go), and a pager goroutine
// serves the fault. Afterwards the instruction runs again.

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
	spare    *exoAwaiting // those that nobody needs
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

// Results of exoUpcall1.
const (
	exoUpcallBack  = iota // the interrupted code goes on as the frame says
	exoUpcallSegv         // the fault stands
	exoUpcallBus          // it does, as SIGBUS
	exoUpcallAwait        // the goroutine waits for a pager: exoAwait
)

// exoUpcall1 runs on the signal stack.
func exoUpcall1(u *exoUpcallFrame, gp *g) uintptr {
	h := &exoUpcalls
	if gp == nil || h.handle == nil {
		return exoUpcallSegv
	}
	declined := exoTakeDeclined(u)
	switch h.handle(u.addr, u.regs.rip, u.regs.err&2 != 0) {
	case exoVerdictRetry:
		return exoUpcallBack
	case exoVerdictBus:
		return exoUpcallBus
	case exoVerdictPager:
		if !declined && exoCanAwait(gp, &u.regs) {
			return exoUpcallAwait
		}
	}
	return exoUpcallSegv
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
	if stands != exoUpcallBack {
		sig, code := uint32(_SIGSEGV), uint32(exoSegvMaperr)
		if u.regs.err&1 != 0 {
			code = exoSegvAccerr
		}
		if stands == exoUpcallBus {
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
	exoScanAwait = exoScanAwaiting
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
