package child

import (
	"os/exec"
	"syscall"
)

// Tie has the process that cmd.Start starts end with the thread that calls it.
func Tie(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
