package runtime

import (
	"internal/abi"
	"internal/runtime/syscall/linux"
)

// The trap door's other half: a SYSCALL that a program's own assembly executes, with a number that the bottom half does not serve.
// It becomes a call of the uintptr door on the goroutine's own stack, as if the instruction had been a CALL.

// exoTrapDoorStack is what the call needs of the goroutine's stack: saved registers and the frames of exoDoor. SYSCALL stands in
// nosplit code, which may have used up nearly all of the guard; then the call is refused (ENOSYS).
const exoTrapDoorStack = 800

// exoTrapDoorEnter redirects t, which executed SYSCALL, to exoTrapDoor. It reports false where no goroutine's ordinary code did:
// on g0, in a signal handler, or between entersyscall and exitsyscall.
func exoTrapDoorEnter(t *exoContext) bool {
	r := &t.regs
	own := abi.FuncPCABIInternal(linux.Syscall6) // the runtime's own calls, made under its locks; fcntl is only made without
	if t.fsbase == 0 || r.rip-own < 64 && r.rax != linux.SYS_FCNTL {
		return false
	}
	gp := *(**g)(exoPtr(t.fsbase - 8))
	if gp == nil {
		return false
	}
	mp := gp.m
	if mp == nil || gp == mp.g0 || gp == mp.gsignal || mp.curg != gp || mp.p == 0 || mp.locks != 0 || mp.mallocing != 0 || readgstatus(gp) != _Grunning {
		return false
	}
	if r.rsp < gp.stack.lo+exoTrapDoorStack || r.rsp > gp.stack.hi {
		return false
	}
	r.rsp -= 8
	exoStore(r.rsp, r.rip)
	r.rip = exoTrapDoorPC()
	return true
}
