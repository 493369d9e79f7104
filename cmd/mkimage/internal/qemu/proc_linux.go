package qemu

import (
	"os/exec"
	"runtime"
	"syscall"
)

// ownGroup keeps the terminal's signals away from QEMU, and ends QEMU when we
// die without a chance to do so.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// start starts cmd and returns a channel that tells its end. It holds on to its
// thread meanwhile: the death signal is tied to the thread that started cmd.
func start(cmd *exec.Cmd) (<-chan error, error) {
	started, waited := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			waited <- cmd.Wait()
		}
	}()
	return waited, <-started
}
