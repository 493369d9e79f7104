package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
	"unsafe"
)

// The trap door: SYSCALL with Linux's numbers, as the runtime's own assembly executes it. It serves what the runtime needs of a kernel;
// what std and programs call goes to libos/posix before it gets here. Anything else is ENOSYS.

const (
	exoENOENT    = 2
	exoEINTR     = 4
	exoESRCH     = 3
	exoEBADF     = 9
	exoEAGAIN    = 11
	exoENOMEM    = 12
	exoEFAULT    = 14
	exoEINVAL    = 22
	exoENOSYS    = 38
	exoETIMEDOUT = 110
)

func exoErr(e uintptr) uintptr { return -e }

// exoCallRun is the one call of our own, beyond Linux's numbers: it runs a function on the kernel side, which ordinary Go code names by its
// PC (exoKernel). What no linked code names is not linked. All such functions are called exoOp...; TestKernelSide knows them by that.
const exoCallRun = 0x4000

const sigactionSize = 32

// exoCanRead and exoCanWrite report whether an optional argument of n bytes can be read or written; 0 stands for none.
func exoCanRead(p, n uintptr) bool  { return p == 0 || exoReachable(p, n, 0) != 0 }
func exoCanWrite(p, n uintptr) bool { return p == 0 || exoReachable(p, n, 1) != 0 }

// exoTimespec reads a relative time; 0 is no time at all.
func exoTimespec(p uintptr) int64 {
	ts := (*timespec)(exoPtr(p))
	if ts.tv_sec > 1<<33 {
		return 1 << 62
	}
	return ts.tv_sec*1e9 + ts.tv_nsec
}

// exoSyscall serves the call in t's registers. Afterwards the CPU's current context goes on, whichever it is.
//
//go:nowritebarrierrec
func exoSyscall(t *exoContext) {
	c := exoSelf()
	r := &t.regs
	ret := exoErr(exoENOSYS)
	switch r.rax {
	case 13: // rt_sigaction(sig, new, old, size)
		ret = exoErr(exoEINVAL)
		if !exoCanRead(r.rsi, sigactionSize) || !exoCanWrite(r.rdx, sigactionSize) {
			ret = exoErr(exoEFAULT)
		} else if r.rdi-1 < 64 {
			exoSigaction(uint32(r.rdi), (*sigactiont)(exoPtr(r.rsi)), (*sigactiont)(exoPtr(r.rdx)))
			ret = 0
		}
	case 14: // rt_sigprocmask(how, new, old, size)
		old := t.sigmask
		ret = 0
		if !exoCanRead(r.rsi, 8) || !exoCanWrite(r.rdx, 8) {
			ret = exoErr(exoEFAULT)
			break
		}
		if r.rsi != 0 {
			s := *(*uint64)(exoPtr(r.rsi))
			switch r.rdi {
			case 0:
				t.sigmask |= s
			case 1:
				t.sigmask &^= s
			case 2:
				t.sigmask = s
			default:
				ret = exoErr(exoEINVAL)
			}
		}
		if r.rdx != 0 {
			*(*uint64)(exoPtr(r.rdx)) = old
		}
	case 202: // futex(addr, op, val, timeout)
		if r.rdi == 0 || !exoCanRead(r.rdi&^3, 4) || !exoCanRead(r.r10, 16) && r.rsi&^128 == 0 {
			ret = exoErr(exoEFAULT)
			break
		}
		switch r.rsi &^ 128 {
		case 0:
			deadline := int64(0)
			if r.r10 != 0 {
				deadline = exoNow() + max(exoTimespec(r.r10), 1)
			}
			exoFutexWait(c, t, r.rdi, uint32(r.rdx), deadline)
			exoLeave(c)
			return
		case 1:
			ret = exoFutexWake(r.rdi, r.rdx, false)
		}
	case 9: // mmap(addr, n, prot, flags, fd, off)
		ret = exoMmap(r.rdi, r.rsi, uint32(r.rdx), r.r10, r.r8)
	case 28: // madvise(addr, n, advice)
		ret = exoMadvise(r.rdi, r.rsi, r.rdx)
	case 11: // munmap(addr, n)
		ret = 0
		if !exoRelease(r.rdi, r.rsi) {
			ret = exoErr(exoEINVAL)
		}
	case 10: // mprotect(addr, n, prot)
		ret = 0
		if r.rdx&4 != 0 {
			ret = exoErr(exoEINVAL) // never executable
		} else if !exoProtect(r.rdi, r.rsi, exoProt(r.rdx)) {
			ret = exoErr(exoENOMEM)
		}
	case 27: // mincore(addr, n, vec): only for finding the page size
		ret = exoErr(exoENOMEM)
		if r.rdi&(exoPageSize-1) != 0 {
			ret = exoErr(exoEINVAL)
		}
	case 15: // rt_sigreturn
		exoSigreturn(t)
		exoLeave(c)
		return
	case 1: // write(fd, p, n): print and panics; what package os writes goes through libos/posix
		if r.rdi == 1 || r.rdi == 2 {
			if exoReachable(r.rsi, r.rdx, 0) == 0 {
				ret = exoErr(exoEFAULT)
				break
			}
			exoConsoleWrite(r.rsi, r.rdx)
			ret = r.rdx
		} else if exoTrapDoorEnter(t) {
			return
		} else {
			ret = exoErr(exoEBADF)
		}
	case 24: // sched_yield
		r.rax = 0
		exoYield(c, t)
		exoLeave(c)
		return
	case 35: // nanosleep(ts, rem)
		if r.rdi == 0 || !exoCanRead(r.rdi, 16) {
			ret = exoErr(exoEFAULT)
			break
		}
		exoWait(c, t, exoNow()+max(exoTimespec(r.rdi), 1), 0, nil)
		exoLeave(c)
		return
	case 39: // getpid
		ret = 1
	case 186: // gettid
		ret = uintptr(t.tid)
	case 56: // clone(flags, stack, ptid, ctid, tls)
		ret = exoClone(t)
	case 60: // exit: this thread
		exoExitContext(c)
		exoSchedule(c)
		return
	case 231: // exit_group
		exoExit(r.rdi)
	case 72: // fcntl(fd, F_GETFD): the runtime asks whether 0, 1, 2 are open
		if exoTrapDoorEnter(t) {
			return
		}
		ret = exoErr(exoEBADF)
		if r.rdi < 3 {
			ret = 0
		}
	case 131: // sigaltstack(new, old)
		ret = exoAltStack(t, r.rdi, r.rsi)
	case 158: // arch_prctl(ARCH_SET_FS, addr)
		ret = exoErr(exoEINVAL)
		if r.rdi == 0x1002 {
			t.fsbase = r.rsi
			ret = 0
		}
	case 204: // sched_getaffinity(pid, n, mask)
		ret = exoErr(exoEINVAL)
		if exoReachable(r.rdx, 8, 1) == 0 {
			ret = exoErr(exoEFAULT)
		} else if r.rsi >= 8 {
			*(*uint64)(exoPtr(r.rdx)) = 1<<exo.ncpu - 1
			ret = 8
		}
	case 234: // tgkill(pid, tid, sig)
		ret = exoKill(exoByTid(uint32(r.rsi)), uint32(r.rdx))
	case 200: // tkill(tid, sig)
		ret = exoKill(exoByTid(uint32(r.rdi)), uint32(r.rsi))
	case 62: // kill(pid, sig)
		ret = exoErr(exoEINVAL)
		if r.rsi-1 < 64 {
			exoPostAny(uint32(r.rsi))
			ret = 0
		}
	case 228: // clock_gettime(clock, ts)
		if exoReachable(r.rsi, 16, 1) == 0 {
			ret = exoErr(exoEFAULT)
			break
		}
		now := exoNow()
		if r.rdi == 0 {
			now += int64(exo.clock.wall0)
		}
		*(*timespec)(exoPtr(r.rsi)) = timespec{now / 1e9, now % 1e9}
		ret = 0
	case 318: // getrandom(p, n, flags)
		if exoReachable(r.rdi, r.rsi, 1) == 0 {
			ret = exoErr(exoEFAULT)
			break
		}
		exoRandomFill(r.rdi, r.rsi)
		ret = r.rsi
	case 38: // setitimer(which, new, old)
		ret = exoSetitimer(c, r.rdi, r.rsi)
	case 157: // prctl: the runtime names its mappings, until told that this is not known
		ret = exoErr(exoEINVAL)
	case 257: // openat: the runtime looks for files of /sys and /proc
		if exoTrapDoorEnter(t) {
			return
		}
		ret = exoErr(exoENOENT)
	case 233: // epoll_ctl: the runtime has no descriptors
		if exoTrapDoorEnter(t) {
			return
		}
		ret = exoErr(exoEBADF)
	case exoCallRun:
		ret = exoAt(r.rdi, r.rsi, r.rdx, r.r10)
	default:
		if r1, errno, ok := exoPosixInPlace(r.rax, r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9); ok {
			ret = r1
			if errno != 0 {
				ret = exoErr(errno)
			}
		} else if exoTrapDoorEnter(t) {
			return
		}
	}
	r.rax = ret
	exoLeave(c)
}

func exoTrapDoorPC() uintptr { return abi.FuncPCABI0(exoTrapDoor) }

// exoLeave is the last thing before a CPU goes back to a context: signals for it are delivered.
func exoLeave(c *exoCPU) {
	if t := c.cur; atomic.Load64(&t.pending) != 0 {
		exoDeliverPending(c, t)
	}
}

func exoProt(prot uintptr) uint32 {
	p := uint32(0)
	if prot&(_PROT_READ|_PROT_WRITE) != 0 {
		p = exoProtRead
	}
	if prot&_PROT_WRITE != 0 {
		p |= exoProtWrite
	}
	return p
}

// exoMmap serves anonymous private mappings.
func exoMmap(addr, n uintptr, prot uint32, flags, fd uintptr) uintptr {
	if flags&_MAP_ANON == 0 || prot&4 != 0 || n == 0 {
		return exoErr(exoEINVAL)
	}
	if n > exoUserEnd {
		return exoErr(exoENOMEM)
	}
	va := exoReserve(addr, n, exoProt(uintptr(prot)), flags&_MAP_FIXED != 0)
	if va == 0 {
		return exoErr(exoENOMEM)
	}
	return va
}

// exoMadvise: giving frames back, and what size of page to back with.
func exoMadvise(addr, n, advice uintptr) uintptr {
	if addr&(exoPageSize-1) != 0 || addr > exoUserEnd || n > exoUserEnd-addr {
		return exoErr(exoEINVAL)
	}
	switch advice {
	case 0, 1, 2, exoMadvWillNeed: // in what order it is touched, and that it is soon: there is nothing to read
	case _MADV_DONTNEED, _MADV_FREE:
		exoDiscard(addr, n)
	case _MADV_HUGEPAGE:
		exoHuge(addr, n, 1)
	case _MADV_NOHUGEPAGE:
		exoHuge(addr, n, 2)
	case exoMadvPopulate:
		if !exoPopulate(addr, addr+n) {
			return exoErr(exoENOMEM)
		}
	default:
		return exoErr(exoEINVAL)
	}
	return 0
}

const (
	exoMadvWillNeed = 3
	exoMadvPopulate = 23 // MADV_POPULATE_WRITE
)

// exoClone starts a context with t's registers on another stack (clone(2) with CLONE_VM and the like).
func exoClone(t *exoContext) uintptr {
	r := &t.regs
	// Who finds no frame reports that on a signal stack, which a new context sets up first. What it needs of its own stack for that is there before it runs.
	if !exoPopulate((r.rsi-1-exoPageSize)&^(exoPageSize-1), r.rsi) {
		return exoErr(exoEAGAIN)
	}
	n := exoNewContext()
	if n == nil {
		return exoErr(exoEAGAIN)
	}
	n.regs = *r
	n.regs.rax = 0
	n.regs.rsp = r.rsi
	n.fsbase = t.fsbase
	if r.rdi&0x80000 != 0 { // CLONE_SETTLS
		n.fsbase = r.r8
	}
	n.sigmask = t.sigmask
	n.cpu = t.cpu
	n.fpValid = 0
	n.deadline = 0
	atomic.Store(&n.state, exoCtxReady)
	tid := uintptr(n.tid)
	exoReady(n, false)
	return tid
}

func exoKill(t *exoContext, sig uint32) uintptr {
	if t == nil {
		return exoErr(exoESRCH)
	}
	if sig > 64 {
		return exoErr(exoEINVAL)
	}
	if sig != 0 {
		exoPost(t, sig)
	}
	return 0
}

func exoAltStack(t *exoContext, new, old uintptr) uintptr {
	const ssDisable = 2
	if !exoCanRead(new, 24) || !exoCanWrite(old, 24) {
		return exoErr(exoEFAULT)
	}
	var cur stackt
	set := func(s *stackt) {
		*(*uintptr)(unsafe.Pointer(&s.ss_sp)) = t.altLo
		s.ss_size = t.altSize
		s.ss_flags = 0
		if t.altSize == 0 {
			s.ss_flags = ssDisable
		}
	}
	set(&cur)
	if new != 0 {
		lo, size, flags := exoLoad(new), exoLoad(new+16), exoLoad32(new+8)
		t.altLo, t.altSize = lo, size
		if flags&ssDisable != 0 {
			t.altSize = 0
		}
	}
	if old != 0 {
		exoCopy(old, uintptr(unsafe.Pointer(&cur)), unsafe.Sizeof(cur))
	}
	return 0
}

// CPU profiles: setitimer(ITIMER_PROF). Each CPU ticks while it runs a context, so the ticks count CPU time.
type exoProfile struct {
	period int64 // ns; 0 off
}

func exoSetitimer(c *exoCPU, which, new uintptr) uintptr {
	if which != _ITIMER_PROF || new == 0 {
		return exoErr(exoEINVAL)
	}
	if !exoCanRead(new, 32) {
		return exoErr(exoEFAULT)
	}
	it := (*itimerval)(exoPtr(new))
	p := int64(it.it_interval.tv_sec)*1e9 + int64(it.it_interval.tv_usec)*1e3
	exo.prof.period = p
	for i := uint32(0); i < exo.ncpu; i++ {
		if o := exo.cpus[i]; o != c && atomic.Load(&o.up) != 0 {
			exoIPI(o)
		}
	}
	exoProfileSwitch(c)
	exoArm(c)
	return 0
}

// exoProfileSwitch starts or stops this CPU's profile tick.
func exoProfileSwitch(c *exoCPU) {
	switch p := exo.prof.period; {
	case p == 0:
		c.profAt = 0
	case c.profAt == 0:
		c.profAt = exoNow() + p
	}
}
