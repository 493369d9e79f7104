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

// isolateRow has a goroutine with a CPU of its own wait for deadlines.
var isolateRow = Row{
	Name: "isolate",
	What: "sched.Isolate: how late the one goroutine on CPU 1 notices a deadline, beside a loop, an allocation storm and the collector on CPU 0, 300 times each: " +
		"polling, in Rest, in time.Sleep",
	Reach: "the worst is reported",
	Measure: func(ctx context.Context, b *Bench) Figures {
		type late struct{ median, worst [3]float64 }
		ours := side(ctx, wakeupProgram, b.Image, func(g *Guest) (best late, err error) {
			for n := range b.N {
				lines, err := g.Run(ctx, qemu.Machine{CPUs: 2}, schedLimit)
				if err != nil {
					return best, err
				}
				var l late
				for i, how := range waits {
					if l.median[i], err = stat.Find(lines, how+"-median", "us"); err != nil {
						return best, err
					}
					if l.worst[i], err = stat.Find(lines, how+"-worst", "us"); err != nil {
						return best, err
					}
				}
				if n == 0 || l.worst[1] < best.worst[1] {
					best = l
				}
			}
			return best, nil
		})
		return Figures{
			Ours: ours.figure(func(l late) string {
				s := ""
				for i, how := range waits {
					s += fmt.Sprintf("; %s: median %.1f us, worst %.1f us", how, l.median[i], l.worst[i])
				}
				return s[2:]
			}),
			Linux:    Figure{Text: "-"},
			Unjudged: true,
			Notes: []string{fmt.Sprintf("By the host's clock, the best of %d boots, for the host takes CPUs away: the worst are mostly its. A clock that counts instructions "+
				"runs two CPUs in turns, and says nothing of them side by side.", b.N)},
		}
	},
}
