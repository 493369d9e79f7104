package qemu

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// A Line is one line of console output and when its end arrived, counted from the start of QEMU.
type Line struct {
	Text string
	At   time.Duration
}

// A Process is one boot. Close must be called; it ends QEMU if the guest has not.
type Process struct {
	cmd     *exec.Cmd
	dir     string
	stop    context.CancelFunc
	ctx     context.Context
	sockets *sockets
	stderr  strings.Builder // complete once done is closed

	mu    sync.Mutex
	lines []Line
	more  chan struct{} // replaced and closed when lines grows

	done    chan struct{} // closed when QEMU has ended and all its output is in lines
	waitErr error         // valid once done is closed
}

// Start boots m. A guest that has not ended within limit is killed.
func Start(ctx context.Context, m Machine, limit time.Duration) (*Process, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	p := &Process{dir: dir, more: make(chan struct{}), done: make(chan struct{})}
	if err := p.start(ctx, m, limit); err != nil {
		p.sockets.close()
		os.RemoveAll(dir)
		return nil, err
	}
	return p, nil
}

func (p *Process) start(ctx context.Context, m Machine, limit time.Duration) error {
	args, err := m.args(p.dir)
	if err != nil {
		return err
	}
	if p.sockets, err = listen(p.dir, m); err != nil {
		return err
	}
	command := m.command()
	p.ctx, p.stop = context.WithTimeoutCause(ctx, limit, fmt.Errorf("the guest did not end within %v", limit))
	p.cmd = exec.CommandContext(p.ctx, command[0], append(command[1:], args...)...)
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		p.stop()
		return err
	}
	began := time.Now()
	if err := child.Start(p.cmd); err != nil {
		p.stop()
		return fmt.Errorf("cannot start %s: %w; install QEMU (Debian: qemu-system-x86)", Binary, err)
	}
	go func() {
		r := bufio.NewReader(stdout)
		for {
			s, err := r.ReadString('\n')
			if s != "" {
				p.add(Line{strings.TrimRight(s, "\r\n"), time.Since(began)})
			}
			if err != nil {
				break
			}
		}
		p.waitErr = p.cmd.Wait()
		close(p.done)
	}()
	return nil
}

func (p *Process) add(l Line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, l)
	close(p.more)
	p.more = make(chan struct{})
}

// Lines returns the console output so far.
func (p *Process) Lines() []Line {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines[:len(p.lines):len(p.lines)]
}

// WaitLine waits for the first line that holds the given text.
func (p *Process) WaitLine(text string) (Line, error) {
	seen := 0
	for {
		p.mu.Lock()
		fresh, more := p.lines[seen:], p.more
		p.mu.Unlock()
		for _, l := range fresh {
			if strings.Contains(l.Text, text) {
				return l, nil
			}
		}
		seen += len(fresh)
		select {
		case <-more:
		case <-p.done:
			if len(p.Lines()) == seen {
				return Line{}, fmt.Errorf("the console never showed %q: %w", text, p.failure())
			}
		}
	}
}

// Wait waits for the guest to end by itself and returns QEMU's exit status.
func (p *Process) Wait() (int, error) {
	<-p.done
	if p.ctx.Err() != nil {
		return 0, p.failure()
	}
	var exit *exec.ExitError
	if p.waitErr != nil && !errors.As(p.waitErr, &exit) {
		return 0, p.waitErr
	}
	code := p.cmd.ProcessState.ExitCode()
	if code < 0 {
		return 0, p.failure()
	}
	return code, nil
}

// failure describes an end that was not the expected one. It may be called only once done is closed.
func (p *Process) failure() error {
	why := fmt.Sprintf("QEMU ended with %v", p.cmd.ProcessState)
	if cause := context.Cause(p.ctx); cause != nil {
		why = cause.Error()
	}
	if s := strings.TrimSpace(p.stderr.String()); s != "" {
		why += "; QEMU says " + lastLine(s)
	}
	if l := p.Lines(); len(l) > 0 {
		why += fmt.Sprintf("; last line on the console: %q", l[len(l)-1].Text)
	} else {
		why += "; the console stayed empty"
	}
	return errors.New(why)
}

func lastLine(s string) string { return s[strings.LastIndexByte(s, '\n')+1:] }

// CPUTime returns what QEMU has used of the host's CPUs so far. (ip netns exec becomes the program it starts.)
func (p *Process) CPUTime() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// After the name in parentheses: utime and stime are fields 14 and 15 (proc(5)).
	f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: too few fields", p.cmd.Process.Pid)
	}
	var ticks int64
	for _, s := range f[11:13] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	const perSecond = 100 // USER_HZ
	return time.Duration(ticks) * time.Second / perSecond, nil
}

// Close ends QEMU and removes what the boot left behind.
func (p *Process) Close() {
	select {
	case <-p.done:
	default:
		p.cmd.Process.Kill()
		<-p.done
	}
	p.stop()
	p.sockets.close()
	os.RemoveAll(p.dir)
}

// Alive returns nil while the guest runs, and how it ended otherwise.
func (p *Process) Alive() error {
	select {
	case <-p.done:
		return p.failure()
	default:
		return nil
	}
}
