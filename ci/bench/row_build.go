package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

const (
	buildReach = 1.2
	buildRuns  = 2 // times -n
)

// buildRow times the second build of an unchanged program, in turn with what `go build` takes for the same.
var buildRow = Row{
	Name:  "build",
	What:  "second `mkimage build` of samples/hello with nothing changed, against `go build` of the same",
	Reach: "1.2 times",
	Measure: func(ctx context.Context, b *Bench) Figures {
		mkimage, err := b.Mkimage(ctx)
		if err != nil {
			return failed(err)
		}
		image := func() error {
			_, err := command(ctx, b.Root, nil, mkimage, "build", "-o", b.file("hello", "again.image"), "./samples/hello")
			return err
		}
		plain := func() error {
			_, err := command(ctx, b.Root, linuxBuild, "go", "build", "-o", b.file("hello", "again"), "./samples/hello")
			return err
		}
		var ratios []float64
		var took [2][]time.Duration
		for round := range 1 + buildRuns*b.N { // the first fills the caches
			var pair [2]time.Duration
			for i, build := range []func() error{image, plain} {
				began := time.Now()
				if err := build(); err != nil {
					return failed(err)
				}
				pair[i] = time.Since(began)
			}
			if round == 0 {
				continue
			}
			ratios = append(ratios, float64(pair[0])/float64(pair[1]))
			took[0], took[1] = append(took[0], pair[0]), append(took[1], pair[1])
		}
		ratio := stat.Median(ratios)
		return Figures{
			Ours: Figure{Text: fmt.Sprintf("%.2f times", ratio)},
			Met:  ratio <= buildReach,
			Notes: []string{fmt.Sprintf("Median of %d pairs; %s against %s.", len(ratios),
				milliseconds(stat.Median(took[0])), milliseconds(stat.Median(took[1])))},
		}
	},
}
