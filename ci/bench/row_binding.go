package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

const bindingLimit = time.Minute

// bindingUses is how many bytes guest/binding uses in a pass.
const bindingUses = 8 * 4096

// bindingRow counts what a secure binding adds to a use: the same loop over the Go heap, over bound frames, over pages.
var bindingRow = Row{
	Name:  "binding",
	What:  "bind once and use a frame, instructions added to each use: by a slice of the frames, by pages of one's own",
	Reach: "0",
	Measure: func(ctx context.Context, b *Bench) Figures {
		type added struct{ frames, pages float64 }
		ours := side(ctx, "ci/bench/guest/binding", b.Image, func(g *Guest) (a added, err error) {
			lines, err := g.Run(ctx, qemu.Machine{Clock: qemu.ExactClock}, bindingLimit)
			if err != nil {
				return a, err
			}
			var ns [3]float64
			for i, name := range []string{"heap", "frames", "pages"} {
				if ns[i], err = stat.Find(lines, name, "ns"); err != nil {
					return a, err
				}
			}
			return added{(ns[1] - ns[0]) / bindingUses, (ns[2] - ns[0]) / bindingUses}, nil
		})
		return Figures{
			Ours:  ours.figure(func(a added) string { return fmt.Sprintf("%.3f, %.3f", a.frames, a.pages) }),
			Linux: Figure{Text: "-"},
			// A pass is measured with two readings of the clock: less than an instruction in a thousand uses is their noise.
			Met: ours.Err == nil && ours.Value.frames < 0.001 && ours.Value.pages < 0.001,
		}
	},
}
