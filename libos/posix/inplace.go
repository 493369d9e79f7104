package posix

import "syscall"

// callInPlace serves the calls that neither block nor need stack; ok is false for the others. It runs on stacks that
// must not grow, the kernel side's among them: it is nosplit and calls only the like.
//
//go:nosplit
func callInPlace(nr, a1, a2, a3, a4, a5, a6 uintptr) (r1, errno uintptr, ok bool) {
	if Tracer != nil {
		return 0, 0, false
	}
	r1, ok = identity(nr, a1)
	return r1, 0, ok
}

// identity serves the calls that tell who we are.
//
//go:nosplit // for callInPlace
func identity(nr, a1 uintptr) (r uintptr, ok bool) {
	switch nr {
	case syscall.SYS_GETPID:
		return PID, true
	case syscall.SYS_GETPPID, syscall.SYS_GETUID, syscall.SYS_GETEUID, syscall.SYS_GETGID, syscall.SYS_GETEGID,
		syscall.SYS_GETGROUPS:
		return 0, true
	case syscall.SYS_UMASK:
		return uintptr(Umask(uint32(a1))), true
	}
	return 0, false
}
