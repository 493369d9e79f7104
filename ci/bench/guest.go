package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/linuxguest"
	"github.com/hardtack-os/hardtack/ci/bench/qemu"
)

// A Guest is one program made bootable in one of the two ways.
type Guest struct {
	Kernel string // file: the image, or the Linux kernel
	Initrd string // file: empty for an image
	Memory int    // KiB that are plenty for it to start

	appendLine func(qemu.Clock) (string, error)

	// exitCode tells the program's exit code from QEMU's exit status and the console.
	exitCode func(status int, console []qemu.Line) (int, error)

	// start is the address of the first instruction that is not the VMM's; main, of the program's main.main.
	// Landmarks lie on the way, in order.
	start, main uint64
	landmarks   []landmark
}

// A landmark is a place that a guest passes on its way to main.main.
type landmark struct {
	name string
	addr uint64
}

// with is the guest with words on its command line besides.
func (g *Guest) with(words ...string) *Guest {
	h := *g
	h.appendLine = func(c qemu.Clock) (string, error) {
		line, err := g.appendLine(c)
		return strings.Join(append([]string{line}, words...), " "), err
	}
	return &h
}

// Linux reports whether the guest is the Linux guest.
func (g *Guest) Linux() bool { return g.Initrd != "" }

// machine fills in what the guest needs to boot.
func (g *Guest) machine(m qemu.Machine) (qemu.Machine, error) {
	m.Kernel, m.Initrd = g.Kernel, g.Initrd
	if m.MemoryKiB == 0 {
		m.MemoryKiB = g.Memory
	}
	var err error
	m.Append, err = g.appendLine(m.Clock)
	return m, err
}

// Boot starts the guest on m, whose kernel, initrd, command line and, if 0, memory are filled in.
func (g *Guest) Boot(ctx context.Context, m qemu.Machine, limit time.Duration) (*qemu.Process, error) {
	m, err := g.machine(m)
	if err != nil {
		return nil, err
	}
	return qemu.Start(ctx, m, limit)
}

// Run boots the guest, waits for its program to end with exit code 0, and returns its console.
func (g *Guest) Run(ctx context.Context, m qemu.Machine, limit time.Duration) ([]string, error) {
	p, err := g.Boot(ctx, m, limit)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	return g.finish(p)
}

func (g *Guest) finish(p *qemu.Process) ([]string, error) {
	status, err := p.Wait()
	if err != nil {
		return nil, err
	}
	console := p.Lines()
	code, err := g.exitCode(status, console)
	if err != nil {
		return nil, err
	}
	lines := make([]string, len(console))
	for i, l := range console {
		lines[i] = l.Text
	}
	if code != 0 {
		return nil, fmt.Errorf("the program exited with code %d: %s", code, tail(lines))
	}
	return lines, nil
}

// tail returns the last few lines of a console as one.
func tail(lines []string) string {
	const few = 4
	return strings.Join(lines[max(0, len(lines)-few):], " / ")
}

// imageExitCode undoes isa-debug-exit's coding: it ends QEMU with twice the code plus one, truncated to a byte by
// the host.
func imageExitCode(status int, console []qemu.Line) (int, error) {
	if status&1 == 0 {
		return 0, fmt.Errorf("the image ended without an exit code (QEMU's status %d); the console shows last: %q", status, lastText(console))
	}
	return status >> 1, nil
}

func lastText(console []qemu.Line) string {
	if len(console) == 0 {
		return ""
	}
	return console[len(console)-1].Text
}

// imageCommandLine tells an image where to leave its exit code.
func imageCommandLine(qemu.Clock) (string, error) {
	return fmt.Sprintf("debugexit=%#x", qemu.DebugExitPort), nil
}

func linuxExitCode(_ int, console []qemu.Line) (int, error) { return linuxguest.ExitCode(console) }
