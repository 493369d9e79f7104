// Package child starts processes that end with the one that starts them, however that ends: a test's by a time limit or a panic, a tool's by a kill. Without that QEMU goes on for ever.
//
// Linux ends a process so when the thread ends that started it (prctl(2), PR_SET_PDEATHSIG), and Go ends threads now and then. So one is kept for starts. Elsewhere processes are started as ever.
package child

import (
	"bytes"
	"os/exec"
	"runtime"
	"sync"
)

type start struct {
	cmd  *exec.Cmd
	done chan error
}

// starts leads to the goroutine that starts processes, on a thread that nobody else uses and that lives as long as this process.
var starts = sync.OnceValue(func() chan<- start {
	c := make(chan start)
	go func() {
		runtime.LockOSThread()
		for s := range c {
			s.done <- s.cmd.Start()
		}
	}()
	return c
})

// Start is cmd.Start.
func Start(cmd *exec.Cmd) error {
	Tie(cmd)
	s := start{cmd, make(chan error)}
	starts() <- s
	return <-s.done
}

// Run is cmd.Run.
func Run(cmd *exec.Cmd) error {
	if err := Start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}

// CombinedOutput is cmd.CombinedOutput.
func CombinedOutput(cmd *exec.Cmd) ([]byte, error) {
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	err := Run(cmd)
	return b.Bytes(), err
}
