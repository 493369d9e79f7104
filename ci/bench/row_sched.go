package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

const schedLimit = 3 * time.Minute

// The programs belong to libos/sched, whose tests run them, too.
const (
	sharesProgram = "libos/sched/testdata/shares"
	edfProgram    = "libos/sched/testdata/edf"
)

// with makes images with a module, for side.
func (b *Bench) with(module string) func(context.Context, string) (*Guest, error) {
	return func(ctx context.Context, pkg string) (*Guest, error) { return b.ImageWith(ctx, pkg, module) }
}

// strideRow runs one loop in each of three classes.
var strideRow = Row{
	Name:  "stride",
	What:  "stride, 3:2:1 over loops, 5 s: what each class had, on 1 CPU and on 2",
	Reach: "50, 33.3, 16.7 %, each within 1 %",
	Measure: func(ctx context.Context, b *Bench) Figures {
		type both struct{ one, two []float64 }
		ours := side(ctx, sharesProgram, b.with("libos/sched/stride"), func(g *Guest) (s both, err error) {
			if s.one, err = shares(ctx, g, qemu.Machine{Clock: qemu.ExactClock}); err != nil {
				return s, err
			}
			s.two, err = shares(ctx, g, qemu.Machine{CPUs: 2, Clock: qemu.ExactClock})
			return s, err
		})
		text := func(s []float64) string { return fmt.Sprintf("%.1f, %.1f, %.1f", s[0], s[1], s[2]) }
		return Figures{
			Ours:  ours.figure(func(s both) string { return text(s.one) + "; " + text(s.two) }),
			Linux: Figure{Text: "-"},
			Met:   ours.Err == nil && off(ours.Value.one) < 1 && off(ours.Value.two) < 1,
			Notes: []string{"In the guest's time, an instruction a nanosecond; of two CPUs QEMU then runs one at a time, in turns."},
		}
	},
}

// shares returns the three classes' parts in percent.
func shares(ctx context.Context, g *Guest, m qemu.Machine) ([]float64, error) {
	lines, err := g.Run(ctx, m, schedLimit)
	if err != nil {
		return nil, err
	}
	var s []float64
	for i := range 3 {
		v, err := stat.Find(lines, fmt.Sprint("share", i), "%")
		if err != nil {
			return nil, err
		}
		s = append(s, v)
	}
	return s, nil
}

// off is how far the worst of three shares is from 3:2:1.
func off(s []float64) float64 {
	return slices.Max([]float64{math.Abs(s[0] - 50), math.Abs(s[1] - 100./3), math.Abs(s[2] - 50./3)})
}

// edfRow has a class with 5 ms in every 20 use all of it beside what disturbs most.
var edfRow = Row{
	Name:  "edf",
	What:  "edf, 5 ms in every 20 ms beside a loop, an allocation storm and the collector, 1 CPU, 250 periods: slices that came late, the worst",
	Reach: "0 late",
	Measure: func(ctx context.Context, b *Bench) Figures {
		type late struct{ slices, worst, collections float64 }
		ours := side(ctx, edfProgram, b.with("libos/sched/edf"), func(g *Guest) (l late, err error) {
			lines, err := g.Run(ctx, qemu.Machine{Clock: qemu.ExactClock}, schedLimit)
			if err != nil {
				return l, err
			}
			for _, r := range []struct {
				to         *float64
				name, unit string
			}{{&l.slices, "late", "slices"}, {&l.worst, "worst", "ms"}, {&l.collections, "collections", "times"}} {
				if *r.to, err = stat.Find(lines, r.name, r.unit); err != nil {
					return l, err
				}
			}
			return l, nil
		})
		return Figures{
			Ours:  ours.figure(func(l late) string { return fmt.Sprintf("%.0f late, worst %.1f ms", l.slices, l.worst) }),
			Linux: Figure{Text: "-"},
			Met:   ours.Err == nil && ours.Value.slices == 0,
			Notes: []string{fmt.Sprintf("In the guest's time, an instruction a nanosecond; %.0f collections meanwhile.", ours.Value.collections)},
		}
	},
}
