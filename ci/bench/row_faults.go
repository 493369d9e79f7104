package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

const (
	faultsLimit = 3 * time.Minute
	faultsReach = 10 // times fewer instructions than Linux
)

// faultCosts are the primitives of Appel and Li that guest/faults reports, in instructions each.
var faultCosts = []string{"prot+unprot", "prot1+trap+unprot", "prot100+trap+unprot", "dirty"}

// faultsRow counts the instructions of virtual memory primitives: ours by exo's page operations and upcalls, Linux's by mprotect, SIGSEGV and
// /proc/self/pagemap in a static C program.
var faultsRow = Row{
	Name:  "faults",
	What:  "Appel & Li's primitives, instructions each: " + strings.Join(faultCosts, ", "),
	Reach: fmt.Sprintf("%d times fewer", faultsReach),
	Measure: func(ctx context.Context, b *Bench) Figures {
		measure := func(g *Guest) ([]float64, error) {
			lines, err := g.Run(ctx, qemu.Machine{Clock: qemu.ExactClock}, faultsLimit)
			if err != nil {
				return nil, err
			}
			var costs []float64
			for _, name := range faultCosts {
				ns, err := stat.Find(lines, name, "ns")
				if err != nil {
					return nil, err
				}
				costs = append(costs, ns)
			}
			return costs, nil
		}
		const pkg = "ci/bench/guest/faults"
		ours := side(ctx, pkg, b.Image, measure)
		linux := Side[[]float64]{Left: true}
		if b.WithLinux {
			linux = side(ctx, pkg+"/linux/faults.c", b.LinuxC, measure)
		}
		text := func(costs []float64) string {
			var words []string
			for _, c := range costs {
				words = append(words, fmt.Sprintf("%.0f", c))
			}
			return strings.Join(words, ", ")
		}
		f := Figures{Ours: ours.figure(text), Linux: linux.figure(text)}
		if ours.Err != nil || linux.Err != nil || linux.Left {
			f.Unjudged = true
			return f
		}
		f.Met = true
		var ratios []string
		for i := range faultCosts {
			r := linux.Value[i] / ours.Value[i]
			f.Met = f.Met && r >= faultsReach
			ratios = append(ratios, fmt.Sprintf("%.1f", r))
		}
		f.Notes = []string{"Times fewer: " + strings.Join(ratios, ", ") + ". The guest's clock counts instructions. dirty asks about one page."}
		return f
	},
}
