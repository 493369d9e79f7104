package runtime

import (
	"internal/abi"
	"internal/goexperiment"
	"internal/runtime/sys"
	"unsafe"
)

// Waiting for a page. A goroutine that faults in a range whose handler says so is parked where it stands: in compiled code at an asynchronous safe point, and in assembly, its
// own frame and those of the assembly that called it. Nothing is written to its stack, which may be full. All its registers, the vector state included, are kept
// beside it, and the thread goes on with a pager goroutine, which serves the fault; when the page is there, any thread goes on with the goroutine.
//
// While it waits it looks like one in a system call: syscallsp keeps the stack where it is, and tracebacks begin there. The collector scans conservatively what it cannot know: the registers,
// frames of assembly, and the first compiled one, which holds what it passed to the assembly.
//
// What cannot wait: whoever holds locks of the runtime or is on a system stack, compiled code that is at no safe point (nosplit functions, package runtime,
// write barriers), assembly that sets the stack pointer in ways that no traceback can follow, secret mode (runtime/secret). There the fault stands.
//
// Who called the assembly does not matter: it waits below nosplit functions and package runtime, too. So a move can wait between its bulk write barrier and its stores, and a cycle that
// begins meanwhile is not told of the pointers that the stores overwrite. Whoever read one before the move began has it on a stack that the cycle scans; whoever reads it later races
// with the move.
//
// Execution traces have no stack of a wait in assembly, for its frame pointers are not known; those of other waits lack the function that faulted.
//
// Rejected: a thread that waits with its goroutine, as on Linux: thousands at once would take a thread each, and nothing in a thread is the assembly's but its registers.

// exoAwaiting is where a goroutine that waits for a page goes on.
type exoAwaiting struct {
	_    sys.NotInHeap
	regs exoFrame
	next *exoAwaiting // in exoUpcalls.spare

	declined uintptr // address of a fault that the pager declined, until the next one on the thread that goes on with it; 0 none

	fp [exoFPMax]byte // exo.fpSize of them
}

// XSAVE wants 64 bytes of alignment; a negative constant does not compile.
const _ uintptr = -(unsafe.Offsetof(exoAwaiting{}.fp) % 64)

// exoScanAwaiting takes a frame for the unwinder that it is the first field of.
const _ uintptr = -unsafe.Offsetof(unwinder{}.frame)

// exoCanAwait reports whether gp, the interrupted goroutine, can wait where it faulted. It may change where it goes on: before the start of a sequence that is run as a whole.
func exoCanAwait(gp *g, r *exoFrame) bool {
	mp := gp.m
	if mp.curg != gp || mp.p == 0 || !canPreemptM(mp) || readgstatus(gp)&^_Gscan != _Grunning || gp.syscallsp != 0 {
		return false
	}
	if goexperiment.RuntimeSecret && gp.secret > 0 {
		return false
	}
	if f := findfunc(r.rip); f.valid() && f.flag&abi.FuncFlagAsm != 0 {
		return exoAsmUnwinds(gp, f, r.rip, r.rsp)
	}
	ok, to := isAsyncSafePoint(gp, r.rip, gp.stack.hi, 0) // no stack is needed
	if ok {
		r.rip = to
	}
	return ok
}

// exoAsmUnwinds reports whether a traceback comes from f, at pc, to the first compiled function. Stack operations that are spelled as bytes are in no table: then a word that follows no
// call is refused. What is left is the return address of an earlier call, where the tables are that wrong.
func exoAsmUnwinds(gp *g, f funcInfo, pc, sp uintptr) bool {
	for f.valid() && f.flag&abi.FuncFlagAsm != 0 {
		if f.flag&abi.FuncFlagTopFrame != 0 {
			return true
		}
		if f.flag&abi.FuncFlagSPWrite != 0 || f.pcsp == 0 {
			return false
		}
		ret := sp + uintptr(funcspdelta(f, pc))
		if sp < gp.stack.lo || ret < sp || ret >= gp.stack.hi-8 {
			return false
		}
		pc, sp = exoLoad(ret), ret+8
		f = findfunc(pc)
		if f.valid() && f.flag&abi.FuncFlagTopFrame == 0 && !exoAfterCall(pc, f.entry()) {
			return false
		}
	}
	return f.valid()
}

// exoAfterCall reports whether a CALL ends at pc, in a function that begins at entry (SDM vol. 2A, 2.1 and CALL).
func exoAfterCall(pc, entry uintptr) bool {
	if pc >= entry+5 && exoLoad8(pc-5) == 0xe8 && findfunc(pc+uintptr(int32(exoLoad32(pc-4)))).valid() {
		return true
	}
	for n := uintptr(2); n <= 7 && pc >= entry+n; n++ {
		if modrm := exoLoad8(pc - n + 1); exoLoad8(pc-n) == 0xff && modrm>>3&7 == 2 {
			size, memory := uintptr(2), modrm>>6 != 3
			if memory && modrm&7 == 4 {
				size++
			}
			switch modrm >> 6 {
			case 0:
				if modrm&7 == 5 || modrm&7 == 4 && exoLoad8(pc-n+2)&7 == 5 {
					size += 4
				}
			case 1:
				size++
			case 2:
				size += 4
			}
			if size == n {
				return true
			}
		}
	}
	return false
}

// exoAwait parks gp, which faulted, and runs a pager. It runs on g0, which is free, for gp ran; u and fp, the vector state, are still on the signal stack and signals are still held back.
func exoAwait(gp *g, u *exoUpcallFrame, fp uintptr) {
	t := exoCurrent()
	w := exoTakeAwaiting(t)
	w.regs = u.regs
	w.declined = 0
	exoCopy(uintptr(unsafe.Pointer(&w.fp)), fp, uintptr(exo.fpSize))
	addr, mask := u.addr, u.mask
	if u.regs.err&2 != 0 {
		addr |= 1 << 63
	}
	gp.syscallpc = w.regs.rip + 1 // as a return address
	gp.syscallsp = w.regs.rsp
	gp.syscallbp = 0
	if f := findfunc(w.regs.rip); f.flag&abi.FuncFlagAsm == 0 { // which may have anything in BP
		gp.syscallbp = w.regs.rbp
	}
	gp.sched.pc = abi.FuncPCABI0(exoAwaitEnd)
	gp.sched.sp = w.regs.rsp
	gp.sched.bp = 0
	*(*uintptr)(unsafe.Pointer(&gp.sched.ctxt)) = uintptr(unsafe.Pointer(w)) // no heap object: no barrier
	t.upcalls--
	const setMask = 2 // SIG_SETMASK
	exoCall6(14, setMask, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
	exoPageInNow(gp, addr)
}

// exoAwaited prepares the way back of gp, which has been given a thread again: on g0, from exoAwaitEnd, which takes the registers from w afterwards. So w stays
// with the thread until that waits, or takes up another one.
func exoAwaited(gp *g, w *exoAwaiting) {
	gp.syscallsp, gp.syscallpc = 0, 0
	t := exoCurrent()
	if old := t.await; old != nil {
		lock(&exoUpcalls.lock)
		old.next = exoUpcalls.spare
		exoUpcalls.spare = old
		unlock(&exoUpcalls.lock)
	}
	t.await = w
}

func exoTakeAwaiting(t *exoContext) *exoAwaiting {
	if w := t.await; w != nil {
		t.await = nil
		return w
	}
	h := &exoUpcalls
	lock(&h.lock)
	w := h.spare
	if w != nil {
		h.spare = w.next
	}
	unlock(&h.lock)
	if w == nil {
		w = (*exoAwaiting)(persistentalloc(unsafe.Offsetof(exoAwaiting{}.fp)+uintptr(exo.fpSize), 64, &memstats.other_sys))
	}
	return w
}

// exoTakeDeclined reports whether u is the fault that was declined when the goroutine waited for it: the instruction has run again. If another thread runs it, it waits
// again. A goroutine that was preempted before the instruction and went to another thread leaves the note behind: then the fault stands unasked that comes next on this thread,
// if it is at the same address with the same stack pointer.
func exoTakeDeclined(u *exoUpcallFrame) bool {
	w := exoCurrent().await
	if w == nil || w.declined == 0 {
		return false
	}
	addr := w.declined
	w.declined = 0
	return addr == u.addr && w.regs.rsp == u.regs.rsp // no two goroutines have the same at a time
}

// exoScanAwait is exoScanAwaiting where something links it.
var exoScanAwait func(frame, state, gcw uintptr) bool

// exoScanFrame takes the place of scanframeworker in scanstack.
//
//go:nowritebarrier
func exoScanFrame(frame *stkframe, state *stackScanState, gcw *gcWork) {
	if f := exoScanAwait; f != nil && f(uintptr(unsafe.Pointer(frame)), uintptr(unsafe.Pointer(state)), uintptr(unsafe.Pointer(gcw))) {
		return
	}
	scanframeworker(frame, state, gcw)
}

// exoScanAwaiting scans what belongs to a goroutine that waits for a page. It reports true where it has scanned the whole frame.
func exoScanAwaiting(frame, state, gcw uintptr) bool {
	f, st, gc := (*stkframe)(exoPtr(frame)), (*stackScanState)(exoPtr(state)), (*gcWork)(exoPtr(gcw))
	gp := (*unwinder)(exoPtr(frame)).g.ptr() // the frame is its first field
	if sp := gp.syscallsp; sp != 0 && f.sp == sp && gp.sched.pc == abi.FuncPCABI0(exoAwaitEnd) {
		w := (*exoAwaiting)(gp.sched.ctxt)
		regs := (*[15]uintptr)(unsafe.Pointer(&w.regs))
		var before [15]uintptr // assembly may hold the end of what it works on and nothing else: in a register, for its arguments have the base
		for i := range before {
			before[i] = regs[i] - 1
		}
		scanConservative(uintptr(unsafe.Pointer(regs)), unsafe.Sizeof(before), nil, gc, st)
		scanConservative(uintptr(unsafe.Pointer(&before)), unsafe.Sizeof(before), nil, gc, st)
		scanConservative(uintptr(unsafe.Pointer(&w.fp)), uintptr(exo.fpSize), nil, gc, st)
		st.conservative = true
	}
	if !st.conservative || f.fn.flag&abi.FuncFlagAsm == 0 {
		return false // with conservative, all of this frame is scanned so, and no more
	}
	scanConservative(f.sp, f.fp-f.sp, nil, gc, st)
	return true
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
		reached := func() bool { return exoKernel(abi.FuncPCABIInternal(exoOpReach), addr, write, 0) != 0 }
		if !reached() && !h.page(addr, write != 0) && !reached() {
			(*exoAwaiting)(s.from.ptr().sched.ctxt).declined = addr
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
