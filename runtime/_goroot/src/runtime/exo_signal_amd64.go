package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
	"unsafe"
)

// Signals are upcalls: a fault, a preemption request or a profile tick builds the frame that Go's own handler expects on the M's
// gsignal stack and enters sigtramp; rt_sigreturn ends it. The frame is Linux's (arch/x86 struct rt_sigframe): return address, ucontext,
// siginfo, vector state.

const (
	exoSigIgnore = 1
	exoRPLFlags  = 0x202 // IF and the always-one bit
)

const exoSIGTERM = 15

// exoSigQuiet are the signals whose default action is not to end the program.
const exoSigQuiet = 1<<(_SIGURG-1) | 1<<(_SIGCHLD-1) | 1<<(_SIGCONT-1) | 1<<(_SIGWINCH-1) | 1<<(_SIGSTOP-1) | 1<<(_SIGTSTP-1) | 1<<(_SIGTTIN-1) | 1<<(_SIGTTOU-1)

// exoSigaction reads and sets what is done about a signal. The runtime calls it without a trap (its sysSigaction is edited): it asks
// and sets for each of 64 signals before main.
//
//go:nosplit
func exoSigaction(sig uint32, new, old *sigactiont) {
	sa := &exo.cold.act[sig&63]
	if old != nil {
		*old = *sa
	}
	if new != nil {
		*sa = *new
	}
}

// exoPost marks a signal pending for t and makes t notice.
func exoPost(t *exoContext, sig uint32) {
	bit := uint64(1) << (sig - 1)
	if atomic.Load64(&t.pending)&bit != 0 {
		return
	}
	for {
		old := atomic.Load64(&t.pending)
		if atomic.Cas64(&t.pending, old, old|bit) {
			break
		}
	}
	switch atomic.Load(&t.state) {
	case exoCtxWaiting:
		if bit&^t.sigmask != 0 {
			exoWake(t, exoErr(exoEINTR), false)
		}
	case exoCtxRunning:
		c := exo.cpus[atomic.Load(&t.cpu)]
		if c == exoSelf() {
			return // seen on the way out
		}
		exoIPI(c)
	}
}

// exoPostAny sends a signal to the process: to any context that does not hold it back.
func exoPostAny(sig uint32) {
	bit := uint64(1) << (sig - 1)
	for tid := uint32(1); tid <= atomic.Load(&exo.ctx.made); tid++ {
		if t := exoByTid(tid); t != nil && t.sigmask&bit == 0 && t.altSize != 0 {
			exoPost(t, sig)
			return
		}
	}
	if t := exoByTid(1); t != nil {
		exoPost(t, sig)
	}
}

// exoDeliverPending enters the handler of one pending signal of t, the current context, whose registers are all in t.regs.
func exoDeliverPending(c *exoCPU, t *exoContext) {
	for {
		p := atomic.Load64(&t.pending) &^ t.sigmask
		if p == 0 {
			return
		}
		sig := uint32(1)
		for p&1 == 0 {
			p >>= 1
			sig++
		}
		for {
			old := atomic.Load64(&t.pending)
			if atomic.Cas64(&t.pending, old, old&^(1<<(sig-1))) {
				break
			}
		}
		fp := uintptr(0)
		if t.fpValid != 0 {
			fp = uintptr(unsafe.Pointer(&t.fp))
		}
		const siTkill = ^uintptr(5) // SI_TKILL, -6
		if exoUpcall(t, &t.regs, fp, sig, uint32(siTkill&0xffffffff), 0) {
			t.fpValid = 0
			return
		}
	}
}

// exoUpcall makes fr enter the handler of sig; fp is the address of the vector state to come back to, 0 when there is none to keep.
// It reports false when the signal is ignored. Without a handler the program ends.
func exoUpcall(t *exoContext, fr *exoFrame, fp uintptr, sig, code uint32, addr uintptr) bool {
	sa := &exo.cold.act[sig&63]
	switch {
	case sa.sa_handler == exoSigIgnore, sa.sa_handler == 0 && exoSigQuiet>>(sig-1)&1 != 0:
		return false
	case sa.sa_handler == 0:
		if fr.vec != 0 || code < 0x80 && addr != 0 {
			exoPanic("fault with no handler", fr, addr)
		}
		exoExit(128 + uintptr(sig))
	}
	sp := fr.rsp
	if sa.sa_flags&_SA_ONSTACK != 0 && t.altSize != 0 && (sp <= t.altLo || sp > t.altLo+t.altSize) {
		sp = t.altLo + t.altSize
	} else {
		sp -= 128
	}
	top := sp
	sp = (sp - uintptr(exo.fpSize)) &^ 63
	fpAt := sp
	sp -= unsafe.Sizeof(siginfo{})
	info := sp
	sp = (sp - unsafe.Sizeof(ucontext{})) &^ 15
	uc := sp
	sp -= 8
	// This may run in the page-fault handler's place: nothing here may fault.
	if !exoPopulate(sp&^(exoPageSize-1), top) {
		if sig == _SIGURG || sig == _SIGPROF {
			return false // out of memory; whoever sent these sends them again
		}
		exoSpare()
		exoPopulate(sp&^(exoPageSize-1), top)
	}
	if !exoWritable(sp, top) {
		exoPanic("no stack for a signal", fr, sp)
	}
	exoZero(sp&^7, (fpAt-sp+uintptr(exo.fpSize))&^7)
	exoStore(sp, sa.sa_restorer)
	if fp != 0 {
		exoCopy(fpAt, fp, uintptr(exo.fpSize))
	} else {
		// None to keep, but handlers look: that of a processor at its start (SDM vol. 1, 8.1.5, 11.6.4).
		exoStore32(fpAt, 0x37f)
		exoStore32(fpAt+24, 0x1f80)
	}
	si := (*siginfo)(exoPtr(info))
	si.si_signo = int32(sig)
	si.si_code = int32(code)
	si.si_addr = uint64(addr)
	u := (*ucontext)(exoPtr(uc))
	exoStore(uc+unsafe.Offsetof(u.uc_sigmask), uintptr(t.sigmask))
	m := (*sigcontext)(unsafe.Pointer(&u.uc_mcontext))
	m.r8, m.r9, m.r10, m.r11 = uint64(fr.r8), uint64(fr.r9), uint64(fr.r10), uint64(fr.r11)
	m.r12, m.r13, m.r14, m.r15 = uint64(fr.r12), uint64(fr.r13), uint64(fr.r14), uint64(fr.r15)
	m.rdi, m.rsi, m.rbp, m.rbx = uint64(fr.rdi), uint64(fr.rsi), uint64(fr.rbp), uint64(fr.rbx)
	m.rdx, m.rax, m.rcx, m.rsp = uint64(fr.rdx), uint64(fr.rax), uint64(fr.rcx), uint64(fr.rsp)
	m.rip, m.eflags = uint64(fr.rip), uint64(fr.rflags)
	m.err, m.trapno, m.cr2 = uint64(fr.err), uint64(fr.vec), uint64(addr)
	exoStore(uintptr(unsafe.Pointer(&m.fpstate)), fpAt)
	t.sigmask |= sa.sa_mask | 1<<(sig-1)
	fr.rip = sa.sa_handler
	fr.rsp = sp
	fr.rdi = uintptr(sig)
	fr.rsi = info
	fr.rdx = uc
	fr.rflags = exoRPLFlags
	return true
}

// exoWritable reports whether every page of [lo, hi) is mapped writable now.
func exoWritable(lo, hi uintptr) bool {
	if lo >= hi || hi > exoUserEnd {
		return false
	}
	for va := lo &^ (exoPageSize - 1); va < hi; va += exoPageSize {
		e := exoTable(va, 0, false)
		if e == 0 {
			e = exoTable(va, 1, false)
			if e == 0 || exoLoad(e)&exoPtePS == 0 {
				return false
			}
		}
		if exoLoad(e)&(exoPteP|exoPteW) != exoPteP|exoPteW {
			return false
		}
	}
	return true
}

// exoSigreturn goes back to what a signal interrupted: the frame's ucontext is at the stack pointer.
func exoSigreturn(t *exoContext) {
	uc := t.regs.rsp
	u := (*ucontext)(exoPtr(uc))
	t.sigmask = uint64(exoLoad(uc + unsafe.Offsetof(u.uc_sigmask)))
	m := (*sigcontext)(unsafe.Pointer(&u.uc_mcontext))
	r := &t.regs
	r.r8, r.r9, r.r10, r.r11 = uintptr(m.r8), uintptr(m.r9), uintptr(m.r10), uintptr(m.r11)
	r.r12, r.r13, r.r14, r.r15 = uintptr(m.r12), uintptr(m.r13), uintptr(m.r14), uintptr(m.r15)
	r.rdi, r.rsi, r.rbp, r.rbx = uintptr(m.rdi), uintptr(m.rsi), uintptr(m.rbp), uintptr(m.rbx)
	r.rdx, r.rax, r.rcx, r.rsp = uintptr(m.rdx), uintptr(m.rax), uintptr(m.rcx), uintptr(m.rsp)
	r.rip, r.rflags = uintptr(m.rip), uintptr(m.eflags)&0xcd5|exoRPLFlags
	if fp := exoLoad(uintptr(unsafe.Pointer(&m.fpstate))); fp != 0 {
		exoCopy(uintptr(unsafe.Pointer(&t.fp)), fp, uintptr(exo.fpSize))
		if exo.xcr0 != 0 {
			// XRSTOR refuses a header it does not know (SDM vol. 1, 13.8); the program may have written anything there.
			h := uintptr(unsafe.Pointer(&t.fp)) + 512
			exoStore(h, exoLoad(h)&uintptr(exo.xcr0))
			exoZero(h+8, 56)
		}
		mxcsr := uintptr(unsafe.Pointer(&t.fp)) + 24
		exoStore32(mxcsr, exoLoad32(mxcsr)&0xffff)
		t.fpValid = 1
	}
}

// Linux's si_code for faults.
const (
	exoSegvMaperr = 1
	exoSegvAccerr = 2
	exoSiKernel   = 0x80
)

// exoException turns an exception into a signal for the current context, or, when the kernel side caused it, into a report.
//
//go:nowritebarrierrec
func exoException(fr *exoFrame, cr2 uintptr) {
	c := exoSelf()
	t := c.cur
	if t == nil || fr.rsp >= exoDirectBase {
		if at := abi.FuncPCABIInternal(exoReachable); fr.vec == 14 && fr.rip-at < abi.FuncPCABI0(exoUnreachable)-at {
			fr.rip = abi.FuncPCABI0(exoUnreachable)
			return
		}
		if fr.vec != 14 && fr.vec != 8 {
			cr2 = fr.rip // only these two leave an address there
		}
		exoPanic("exception on the kernel side", fr, cr2)
	}
	if f := exo.cold.fault; f != 0 && fr.vec == 14 && exoAt(f, uintptr(unsafe.Pointer(t)), uintptr(unsafe.Pointer(fr)), cr2) != 0 {
		return
	}
	sig, code, addr := uint32(_SIGSEGV), uint32(exoSiKernel), uintptr(0)
	switch fr.vec {
	case 0, 16, 19:
		sig, code, addr = _SIGFPE, 1, fr.rip
	case 1, 3:
		sig, addr = _SIGTRAP, fr.rip
	case 6:
		sig, code, addr = _SIGILL, 1, fr.rip
	case 4, 5, 11, 12, 13:
	case 14:
		code, addr = exoSegvMaperr, cr2
		if fr.err&1 != 0 {
			code = exoSegvAccerr
		}
	case 17:
		sig = _SIGBUS
	default:
		exoPanic("exception", fr, cr2)
	}
	if t.sigmask>>(sig-1)&1 != 0 {
		exoPanic("fault in a signal handler", fr, cr2)
	}
	exoUpcall(t, fr, c.fpArea, sig, code, addr)
}

// exoSpareFrames are kept back at boot for the report that there is no more memory: it needs a signal stack.
const exoSpareFrames = 16

// exoSpare gives the spare frames to this CPU alone.
func exoSpare() {
	c := exoSelf()
	s := atomic.Xchguintptr(&exo.vm.spare, 0)
	for i := uintptr(0); s != 0 && i < exoSpareFrames && c.nmag < uint32(len(c.mag)); i++ {
		c.mag[c.nmag] = s + i*exoPageSize
		c.nmag++
	}
}

// exoOutOfMemory makes the interrupted code report that memory is used up, on its signal stack: the page it touched cannot be backed.
func exoOutOfMemory(fr *exoFrame, addr uintptr) {
	t := exoSelf().cur
	if t == nil || fr.rsp >= exoDirectBase || t.altSize == 0 {
		exoPanic("out of memory", fr, addr)
	}
	// The first to run out reports. Others try again until the image ends; if the report itself runs out there is no more to be done.
	if !atomic.Cas(&exo.vm.reporter, 0, t.tid) {
		if exo.vm.reporter == t.tid {
			exoPanic("out of memory while reporting it", fr, addr)
		}
		return
	}
	fr.rdi, fr.rsi, fr.rdx = fr.rip, fr.rsp, fr.rbp
	fr.rip = abiFuncOOM()
	fr.rsp = (t.altLo+t.altSize)&^15 - 64
	fr.rflags = exoRPLFlags
	t.sigmask = ^uint64(1<<(_SIGSEGV-1) | 1<<(_SIGBUS-1) | 1<<(_SIGFPE-1)) // faults in the report are Go's to report
	exoSpare()
	if !exoPopulate(t.altLo&^(exoPageSize-1), t.altLo+t.altSize) {
		exoPanic("out of memory", fr, addr)
	}
}
