package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/report"
	"github.com/hardtack-os/hardtack/ci/bench/stat"
	"github.com/hardtack-os/hardtack/ci/bench/stepcount"
	"github.com/hardtack-os/hardtack/ci/bench/symbol"
)

const (
	entryReach = 1.35
	entryLimit = 2 * time.Minute
)

// entryRow counts what an image executes from its first instruction to main.main. Breakpoints at both ends and
// QEMU's own counter do it, so the program is samples/hello itself. What the same program executes natively
// before main.main is the Go runtime's part, which an image cannot save.
var entryRow = Row{
	Name:  "entry",
	What:  "instructions from entry to main.main, samples/hello, 1 CPU, 64 MiB (icount; each iteration of a REP counts)",
	Reach: fmt.Sprintf("%.2f times the runtime's own", entryReach),
	Measure: func(ctx context.Context, b *Bench) Figures {
		native, err := nativeEntry(ctx, b)
		if err != nil {
			return failed(err)
		}
		ours, linux := both(ctx, b, "samples/hello", func(g *Guest) (int64, error) { return entryToMain(ctx, g) })
		return Figures{
			Ours: ours.figure(func(n int64) string {
				return fmt.Sprintf("%s = %s runtime + %s ours: %.2f times", report.Count(n), report.Count(native), report.Count(n-native), float64(n)/float64(native))
			}),
			Linux: linux.figure(report.Count),
			Met:   float64(ours.Value) <= entryReach*float64(native),
			Notes: []string{"The runtime's own: user instructions of the same program run natively on one CPU, single-stepped, all threads but sysmon; " +
				"it has no memory to map, to zero or to fault in, and its system calls are free."},
		}
	},
}

// entryToMain counts the guest's instructions between its first and main.main's first.
func entryToMain(ctx context.Context, g *Guest) (int64, error) {
	p, err := g.Boot(ctx, qemu.Machine{Clock: qemu.ExactClock, Monitor: true, Debugger: true}, entryLimit)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	monitor, err := p.Monitor()
	if err != nil {
		return 0, err
	}
	defer monitor.Close()
	debugger, err := p.Debugger()
	if err != nil {
		return 0, err
	}
	defer debugger.Close()
	var at [2]int64
	for i, addr := range []uint64{g.start, g.main} {
		if err := debugger.RunTo(addr, entryLimit); err != nil {
			return 0, fmt.Errorf("%w; last line on the console: %q", err, lastText(p.Lines()))
		}
		if at[i], err = monitor.Instructions(); err != nil {
			return 0, err
		}
	}
	return at[1] - at[0], nil
}

// nativeEntry counts what samples/hello executes natively before main.main. Address-space randomisation and hash
// seeds make it differ by a percent from run to run.
func nativeEntry(ctx context.Context, b *Bench) (int64, error) {
	program, err := b.Program(ctx, "samples/hello")
	if err != nil {
		return 0, err
	}
	main, err := symbol.LinuxGoFunc(program, "main.main")
	if err != nil {
		return 0, err
	}
	sysmon, err := symbol.LinuxGoFunc(program, "runtime.sysmon")
	if err != nil {
		return 0, err
	}
	const runs = 3
	counts := make([]int64, runs)
	for i := range counts {
		if counts[i], err = stepcount.Until(program, main, sysmon); err != nil {
			return 0, err
		}
	}
	return stat.Median(counts), nil
}
