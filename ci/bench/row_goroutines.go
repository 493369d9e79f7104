package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

// operations are what guest/goroutines measures.
var operations = []string{"create", "pingpong", "mutex", "timer"}

// goroutinesRow runs guest/goroutines with Go's own scheduler on both sides.
var goroutinesRow = Row{
	Name:  "goroutines",
	What:  "Linux's time over ours, 1 CPU: starting a goroutine, a value to and fro over channels, a mutex that four want, a sleep of 1 us",
	Reach: "none below 1, median 1.3",
	Measure: func(ctx context.Context, b *Bench) Figures {
		ours, linux := both(ctx, b, "ci/bench/guest/goroutines", func(g *Guest) (ns []float64, err error) {
			lines, err := g.Run(ctx, qemu.Machine{Clock: qemu.ExactClock}, schedLimit)
			if err != nil {
				return nil, err
			}
			for _, name := range operations {
				v, err := stat.Find(lines, name, "ns")
				if err != nil {
					return nil, err
				}
				ns = append(ns, v)
			}
			return ns, nil
		})
		text := func(ns []float64) string {
			var s []string
			for _, v := range ns {
				s = append(s, fmt.Sprintf("%.0f", v))
			}
			return strings.Join(s, ", ") + " ns"
		}
		f := Figures{Ours: ours.figure(text), Linux: linux.figure(text)}
		if ours.Err != nil || linux.Err != nil || linux.Left {
			f.Unjudged = true
			return f
		}
		var ratios []float64
		for i := range operations {
			ratios = append(ratios, linux.Value[i]/ours.Value[i])
		}
		f.Ours.Text = fmt.Sprintf("%.2f, %.2f, %.2f, %.2f times; %s", ratios[0], ratios[1], ratios[2], ratios[3], f.Ours.Text)
		f.Met = slices.Min(ratios) >= 0.995 && stat.Median(ratios) >= 1.3
		f.Notes = []string{fmt.Sprintf("In the guest's time, an instruction a nanosecond. The median of the ratios is %.2f. What Go's scheduler does without its kernel is the "+
			"same on both sides.", stat.Median(ratios))}
		return f
	},
}
