package stepcount

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"
)

// Until runs program until one of its threads is about to execute the instruction at the address until, kills it then
// and returns how many instructions all threads executed. A thread that reaches the address hold is held there
// for good; 0 holds none. That is for Go's sysmon, which works by the wall clock: to it a program that is
// single-stepped seems stuck, and its attempts at preemption would be most of the count.
func Until(program string, until, hold uint64) (int64, error) {
	// ptrace requests must come from the thread that started the program, and so does the CPU affinity that
	// the program inherits. The thread is not unlocked again, so that its affinity ends with the goroutine.
	type result struct {
		steps int64
		err   error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		steps, err := trace(program, until, hold)
		done <- result{steps, err}
	}()
	r := <-done
	return r.steps, r.err
}

func trace(program string, until, hold uint64) (steps int64, err error) {
	if err := holdOnOneCPU(); err != nil {
		return 0, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	cmd := exec.Command(program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = null, null, null
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true} // a group of its own, so that wait finds its threads
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("cannot trace %s: %w", program, err)
	}
	first := cmd.Process.Pid
	defer func() {
		cmd.Process.Kill()
		// The leader is only gone once its tracer has collected every thread.
		for err := error(nil); err == nil || err == syscall.EINTR; {
			_, err = syscall.Wait4(-first, nil, syscall.WALL, nil)
		}
		cmd.Wait() // finds no process any more; frees what cmd holds
	}()

	var status syscall.WaitStatus
	if _, err := syscall.Wait4(first, &status, syscall.WALL, nil); err != nil {
		return 0, err
	}
	const exitKill = 1 << 20 // PTRACE_O_EXITKILL
	if err := syscall.PtraceSetOptions(first, syscall.PTRACE_O_TRACECLONE|exitKill); err != nil {
		return 0, fmt.Errorf("cannot trace %s: %w", program, err)
	}
	known := map[int]bool{first: true} // threads that have been stepped
	if err := singleStep(first, 0); err != nil {
		return 0, err
	}
	for {
		tid, err := syscall.Wait4(-first, &status, syscall.WALL, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return 0, err
		}
		if status.Exited() || status.Signaled() {
			if tid == first {
				return 0, fmt.Errorf("%s ended before it reached %#x", program, until)
			}
			continue
		}
		if !known[tid] { // a new thread begins with a SIGSTOP
			known[tid] = true
			if err := singleStep(tid, 0); err != nil {
				return 0, err
			}
			continue
		}
		deliver := 0
		switch sig := status.StopSignal(); sig {
		case syscall.SIGTRAP:
			if status.TrapCause() <= 0 { // not a report of clone, which is no step of its own
				steps++
			}
		case syscall.SIGSTOP:
		default:
			deliver = int(sig)
		}
		pc, err := programCounter(tid)
		if err != nil {
			return 0, err
		}
		if pc == until {
			return steps, nil
		}
		if pc == hold && hold != 0 {
			continue
		}
		if err := singleStep(tid, deliver); err != nil && err != syscall.ESRCH {
			return 0, err
		}
	}
}

// holdOnOneCPU restricts the calling thread, and what it starts, to one of the CPUs it may use.
func holdOnOneCPU() error {
	var set [128]uint64 // 8192 CPUs
	size := unsafe.Sizeof(set)
	if _, _, e := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, size, uintptr(unsafe.Pointer(&set))); e != 0 {
		return os.NewSyscallError("sched_getaffinity", e)
	}
	found := false
	for i, word := range set {
		if set[i] = 0; !found && word != 0 {
			set[i], found = word&-word, true
		}
	}
	if _, _, e := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, size, uintptr(unsafe.Pointer(&set))); e != 0 {
		return os.NewSyscallError("sched_setaffinity", e)
	}
	return nil
}

// programCounter reads one register of a stopped thread.
func programCounter(tid int) (uint64, error) {
	var pc uint64
	const offset = unsafe.Offsetof(syscall.PtraceRegs{}.Rip) // struct user begins with the registers
	_, _, e := syscall.RawSyscall6(syscall.SYS_PTRACE, syscall.PTRACE_PEEKUSR, uintptr(tid), offset, uintptr(unsafe.Pointer(&pc)), 0, 0)
	if e != 0 {
		return 0, os.NewSyscallError("ptrace", e)
	}
	return pc, nil
}

// singleStep is syscall.PtraceSingleStep with a signal to deliver.
func singleStep(tid, signal int) error {
	_, _, e := syscall.RawSyscall6(syscall.SYS_PTRACE, syscall.PTRACE_SINGLESTEP, uintptr(tid), 0, uintptr(signal), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
