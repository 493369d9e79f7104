package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/report"
)

const (
	idleLimit  = 2 * time.Minute
	idleSettle = 3 * time.Second  // from the program's word to the window
	idleWindow = 10 * time.Second // of the host's time
)

// idleRow counts what an idle guest executes, by QEMU's counter: exact, and with no help from the guest. An idle
// guest's time runs as the host's here, so a window of the host's time is one of the guest's.
func idleRow(name, what, pkg string, reach int64) Row {
	r := Row{
		Name:  name,
		What:  "instructions a second in an idle machine, " + what,
		Reach: "0",
		Measure: func(ctx context.Context, b *Bench) Figures {
			ours, linux := both(ctx, b, pkg, func(g *Guest) (int64, error) { return idleRate(ctx, g) })
			return Figures{
				Ours: ours.figure(report.Count), Linux: linux.figure(report.Count), Met: ours.Value <= reach,
				Notes: []string{fmt.Sprintf("Over %v, %v after the program began to wait.", idleWindow, idleSettle)},
			}
		},
	}
	if reach > 0 {
		r.Reach = "below " + report.Count(reach)
	}
	return r
}

func idleRate(ctx context.Context, g *Guest) (int64, error) {
	p, err := g.Boot(ctx, qemu.Machine{Clock: qemu.IdleClock, Monitor: true}, idleLimit)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	monitor, err := p.Monitor()
	if err != nil {
		return 0, err
	}
	defer monitor.Close()
	if _, err := p.WaitLine("RESULT ready"); err != nil {
		return 0, err
	}
	var count [2]int64
	var at [2]time.Time
	for i, wait := range []time.Duration{idleSettle, idleWindow} {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if count[i], err = monitor.Instructions(); err != nil {
			return 0, err
		}
		at[i] = time.Now()
	}
	if err := p.Alive(); err != nil {
		return 0, err
	}
	return int64(float64(count[1]-count[0]) / at[1].Sub(at[0]).Seconds()), nil
}
