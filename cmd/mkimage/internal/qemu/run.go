package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// Exit codes that the program in the image did not choose.
const (
	ExitLost   = 3   // the machine stopped or reset without an exit record
	ExitKilled = 130 // killed by us
)

// IO is how a running image is joined to its caller.
type IO struct {
	Stdin  io.Reader // nil: none, which is at its end from the start
	Stdout io.Writer // the console, byte for byte
	Trace  io.Writer // call and missing records; nil drops them
	Log    io.Writer // messages about the machine itself
	Outbox *Outbox   // what becomes of the files in the image's outbox; nil drops them

	// Stop asks for the end: the first value presses the power button. A second
	// os.Interrupt kills, unless both are one wish; any other signal kills when
	// the image has had its time to stop. nil never does.
	Stop <-chan os.Signal
}

// Run starts the machine and waits for its end. It returns the exit code of the
// program, or ExitLost, or ExitKilled; an error says that QEMU could not do its
// part. When ctx ends, the machine is killed.
func (m *Machine) Run(ctx context.Context, streams IO) (int, error) {
	if err := PortsFree(m.Ports); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "mkimage-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	qmp, qmpOptions, err := listenQMP(dir)
	if err != nil {
		return 0, err
	}
	defer qmp.close()
	control := filepath.Join(dir, "control")
	if err := os.WriteFile(control, nil, 0o600); err != nil {
		return 0, err
	}

	r := &run{streams: streams, qmp: qmp, memory: m.Memory, input: make(chan struct{})}
	cmd := exec.CommandContext(ctx, m.QEMU, m.args(channels{control, qmpOptions})...)
	cmd.SysProcAttr = ownGroup()
	// Not the file itself: QEMU would make it non-blocking for everyone who shares it.
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		r.acceptInput()
		return streams.Stdout.Write(p)
	})
	cmd.Stderr = &r.stderr
	// Left-over console output must not hold up the end for ever.
	cmd.WaitDelay = 2 * time.Second
	return r.wait(ctx, cmd, control)
}

// CommandLine returns the QEMU command that Run would execute, with
// placeholders for the names it makes up.
func (m *Machine) CommandLine() []string {
	return append([]string{m.QEMU}, m.args(channels{control: "CONTROL"})...)
}

// run is one machine at work.
type run struct {
	streams IO
	qmp     *monitor
	memory  int64 // of the machine
	stderr  bytes.Buffer
	input   chan struct{} // closed when the program reads standard input
	once    sync.Once

	code   int // from the exit record
	exited bool
	killed bool
}

func (r *run) wait(ctx context.Context, cmd *exec.Cmd, control string) (int, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	if err := child.Start(cmd); err != nil { // and it ends with us, should we die without a chance to end it
		return 0, fmt.Errorf("cannot start QEMU: %w", err)
	}
	running, ended := context.WithCancel(context.WithoutCancel(ctx))
	var helpers sync.WaitGroup
	helpers.Go(func() {
		if err := follow(running, control, r.handle); err != nil {
			fmt.Fprintf(r.streams.Log, "mkimage: the control channel: %v\n", err)
		}
	})
	helpers.Go(func() { r.obeyStop(running, cmd) })
	go r.feed(running, stdin) // not waited for: it may be blocked reading our standard input

	waitErr := cmd.Wait()
	ended()
	helpers.Wait()
	return r.result(ctx, waitErr)
}

// result makes an exit code of how QEMU ended.
func (r *run) result(ctx context.Context, waitErr error) (int, error) {
	switch {
	case r.exited:
		return r.code, nil
	case r.killed || ctx.Err() != nil:
		return ExitKilled, context.Cause(ctx)
	case strings.Contains(r.stderr.String(), "cannot set up guest memory"):
		return 0, fmt.Errorf("this machine cannot give %d MiB of memory to another: ask for less by --memory", r.memory>>20)
	case strings.Contains(r.stderr.String(), Program+":"):
		return 0, fmt.Errorf("QEMU failed:\n%s", strings.TrimSpace(r.stderr.String()))
	}
	var exit *exec.ExitError
	if waitErr != nil && !errors.As(waitErr, &exit) {
		return 0, fmt.Errorf("QEMU: %w", waitErr)
	}
	fmt.Fprintln(r.streams.Log, "mkimage: the machine reset or stopped without an exit code")
	return ExitLost, nil
}

// handle acts on a control record.
func (r *run) handle(rec record) {
	switch rec.verb {
	case verbExit:
		r.code, r.exited = rec.exitCode()
	case verbStdin:
		r.acceptInput()
	case verbCall, verbMissing:
		if r.streams.Trace != nil {
			fmt.Fprintf(r.streams.Trace, "%s %s\n", rec.verb, rec.rest)
		}
	case verbFile:
		if err := r.streams.Outbox.apply(rec); err != nil {
			fmt.Fprintf(r.streams.Log, "mkimage: a file from the image: %v\n", err)
		}
	}
}

// stopGrace is how long an image may take to stop where nobody is there to ask
// a second time.
const stopGrace = 10 * time.Second

// sameWish is how close signals are that one wish has sent: timeout(1) signals
// its child and then the child's process group. Nobody types that fast.
const sameWish = 200 * time.Millisecond

// obeyStop turns stop requests into a press of the power button, then death.
func (r *run) obeyStop(running context.Context, cmd *exec.Cmd) {
	var first time.Time // of the requests
	var last <-chan time.Time
	pressed := make(chan error, 1)
	for dead := false; !dead; {
		select {
		case <-running.Done():
			return
		case sig := <-r.streams.Stop:
			switch now := time.Now(); {
			case first.IsZero():
				first = now
				go func() { pressed <- r.press(sig) }()
			case now.Sub(first) > sameWish && sig == os.Interrupt:
				dead = true
			}
			if sig != os.Interrupt && last == nil {
				last = time.After(stopGrace)
			}
		case err := <-pressed:
			if dead = err != nil; dead {
				fmt.Fprintf(r.streams.Log, "mkimage: %v; killing it\n", err)
			}
		case <-last:
			dead = true
		}
	}
	r.killed = true
	cmd.Process.Kill()
}

// press presses the machine's power button, and tells whoever is at the keyboard.
func (r *run) press(sig os.Signal) error {
	err := r.qmp.powerdown()
	if err == nil && sig == os.Interrupt {
		fmt.Fprintln(r.streams.Log, "mkimage: pressed the power button; once more ends the machine")
	}
	return err
}

// acceptInput lets standard input through: the image has set up its serial port.
func (r *run) acceptInput() { r.once.Do(func() { close(r.input) }) }

// writerFunc is a function as a writer.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// inputGrace is how long input waits for a sign that the image has set up its
// serial port: the stdin record, or output. An image that gives none gets its
// input then.
const inputGrace = 3 * time.Second

// feed forwards standard input to the console. What comes before the image has
// set up its serial port would be lost, so it waits for a sign.
func (r *run) feed(running context.Context, console io.WriteCloser) {
	defer console.Close()
	select {
	case <-r.input:
	case <-time.After(inputGrace):
	case <-running.Done():
		return
	}
	if r.streams.Stdin != nil {
		if _, err := io.Copy(quoter{console}, r.streams.Stdin); err != nil {
			return // QEMU is gone
		}
	}
	console.Write([]byte{endOfInput})
	<-running.Done()
}
