package runtime

import "internal/abi"

// Out of memory: the upcall into Go's own report.

func abiFuncOOM() uintptr { return abi.FuncPCABI0(exoOOM) }

// exoThrowOOM is Go's own report for memory that was promised and is not there. The access at pc is where the goroutine's trace begins.
func exoThrowOOM(pc, sp, bp uintptr) {
	if gp := getg().m.curg; gp != nil && gp.stack.lo <= sp && sp <= gp.stack.hi {
		gp.sched.pc, gp.sched.sp, gp.sched.bp = pc, sp, bp
	}
	throw("out of memory")
}
