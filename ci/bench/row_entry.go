package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/report"
	"github.com/hardtack-os/hardtack/ci/bench/stepcount"
	"github.com/hardtack-os/hardtack/ci/bench/symbol"
)

const (
	entryReach = 1.35
	entryRuns  = 3 // of each side; the least counts
	entryLimit = 2 * time.Minute
)

// entryRow counts what an image executes from its first instruction to main.main. Breakpoints at both ends and
// QEMU's own counter do it, so the program is samples/hello itself. What the same program executes natively
// before main.main is the Go runtime's part, which an image cannot save.
var entryRow = Row{
	Name:  "entry",
	What:  "instructions from entry to main.main, samples/hello, 1 CPU, 64 MiB (icount; each iteration of a REP counts; the least of 3 boots)",
	Reach: fmt.Sprintf("%.2f times the runtime's own", entryReach),
	Measure: func(ctx context.Context, b *Bench) Figures {
		native, err := nativeEntry(ctx, b)
		if err != nil {
			return failed(err)
		}
		ours, linux := both(ctx, b, "samples/hello", func(g *Guest) (passage, error) { return leastEntry(ctx, g) })
		f := Figures{
			Ours: ours.figure(func(p passage) string {
				n := p.total
				return fmt.Sprintf("%s = %s runtime + %s ours: %.2f times", report.Count(n), report.Count(native), report.Count(n-native), float64(n)/float64(native))
			}),
			Linux: linux.figure(func(p passage) string { return report.Count(p.total) }),
			Met:   float64(ours.Value.total) <= entryReach*float64(native),
			Notes: []string{"The runtime's own: user instructions of the same program run natively on one CPU, single-stepped, all threads but sysmon; " +
				"it has no memory to map, to zero or to fault in, and its system calls are free."},
		}
		if len(ours.Value.stages) > 0 {
			f.Notes = append(f.Notes, "Ours on the way: "+strings.Join(ours.Value.stages, ", ")+".")
		}
		return f
	},
}

// A passage is how many instructions a guest took from its first to main.main's first.
type passage struct {
	total  int64
	stages []string // the same by landmarks, in words
}

// leastEntry boots entryRuns times and returns the passage of the fewest instructions: where Go puts its heap is drawn by lot at each start, and
// once in some starts the search for pages there takes a fifth more.
func leastEntry(ctx context.Context, g *Guest) (least passage, err error) {
	for i := range entryRuns {
		p, err := entryToMain(ctx, g)
		if err != nil {
			return p, err
		}
		if i == 0 || p.total < least.total {
			least = p
		}
	}
	return least, nil
}

func entryToMain(ctx context.Context, g *Guest) (p passage, err error) {
	boot, err := g.Boot(ctx, qemu.Machine{Clock: qemu.ExactClock, Monitor: true, Debugger: true}, entryLimit)
	if err != nil {
		return p, err
	}
	defer boot.Close()
	monitor, err := boot.Monitor()
	if err != nil {
		return p, err
	}
	defer monitor.Close()
	debugger, err := boot.Debugger()
	if err != nil {
		return p, err
	}
	defer debugger.Close()
	// reach runs the guest to an address and counts.
	reach := func(addr uint64) (int64, error) {
		if err := debugger.RunTo(addr, entryLimit); err != nil {
			return 0, fmt.Errorf("%w; last line on the console: %q", err, lastText(boot.Lines()))
		}
		return monitor.Instructions()
	}
	first, err := reach(g.start)
	if err != nil {
		return p, err
	}
	last := first
	for _, l := range append(g.landmarks[:len(g.landmarks):len(g.landmarks)], landmark{"main.main", g.main}) {
		n, err := reach(l.addr)
		if err != nil {
			return p, err
		}
		if len(g.landmarks) > 0 {
			p.stages = append(p.stages, fmt.Sprintf("%s to %s", report.Count(n-last), l.name))
		}
		last = n
	}
	p.total = last - first
	return p, nil
}

// nativeEntry counts what samples/hello executes natively before main.main. The order in which threads run makes it
// differ by a percent or two from run to run.
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
	counts := make([]int64, entryRuns)
	for i := range counts {
		if counts[i], err = stepcount.Until(program, main, sysmon); err != nil {
			return 0, err
		}
	}
	return slices.Min(counts), nil
}
