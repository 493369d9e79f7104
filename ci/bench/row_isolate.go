package main

import (
	"context"
	"fmt"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

const wakeupProgram = "libos/sched/testdata/wakeup"

// waits are the ways in which guest programs wait, as libos/sched/testdata/wakeup names them.
var waits = []string{"polled", "rested", "slept"}

// A wakeupLateness is how late deadlines were noticed, in us, by ways to wait.
type wakeupLateness struct{ median, worst [3]float64 }

func (l wakeupLateness) String() string {
	s := ""
	for i, how := range waits {
		s += fmt.Sprintf(", %s %.1f and %.1f us", how, l.median[i], l.worst[i])
	}
	return s[2:]
}

// wakeups runs the program.
func wakeups(ctx context.Context, g *Guest) (l wakeupLateness, err error) {
	lines, err := g.Run(ctx, qemu.Machine{CPUs: 2, Clock: qemu.ExactClock}, schedLimit)
	if err != nil {
		return l, err
	}
	for i, how := range waits {
		if l.median[i], err = stat.Find(lines, how+"-median", "us"); err != nil {
			return l, err
		}
		if l.worst[i], err = stat.Find(lines, how+"-worst", "us"); err != nil {
			return l, err
		}
	}
	return l, nil
}

// isolateRow has a goroutine with a CPU of its own wait for deadlines.
var isolateRow = Row{
	Name: "isolate",
	What: "sched.Isolate: how late the one goroutine on CPU 1 notices a deadline, 300 times each by polling, in Rest, in time.Sleep, median and worst: " +
		"alone; and beside a loop, an allocation storm and the collector on CPU 0",
	Reach: "the worst is reported",
	Measure: func(ctx context.Context, b *Bench) Figures {
		type both struct{ alone, beside wakeupLateness }
		ours := side(ctx, wakeupProgram, b.Image, func(g *Guest) (l both, err error) {
			if l.alone, err = wakeups(ctx, g.with("arg=quiet")); err != nil {
				return l, err
			}
			l.beside, err = wakeups(ctx, g)
			return l, err
		})
		return Figures{
			Ours:     ours.figure(func(l both) string { return fmt.Sprintf("alone: %v; beside: %v", l.alone, l.beside) }),
			Linux:    Figure{Text: "-"},
			Unjudged: true,
			Notes: []string{"In the guest's time, an instruction a nanosecond. QEMU then runs one CPU at a time: alone, what is measured is the way of a wake-up; beside others, CPU 1 " +
				"also waits until QEMU takes its turn from CPU 0, up to 20 ms."},
		}
	},
}
