package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/floor"
	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

const (
	startReach = 30 * time.Millisecond
	startLimit = time.Minute
	startRuns  = 3 // times -n, since each run is short
)

// helloLine is in the first line that samples/hello prints.
const helloLine = "hello from "

// startRow times hello from the start of QEMU to its first line. The floor, a payload that does nothing but print,
// is timed in turn with it and subtracted: it is QEMU's own part.
var startRow = Row{
	Name:  "start",
	What:  "start of QEMU to main's first line, samples/hello, over the floor of a payload that only prints",
	Reach: "below 30 ms",
	Measure: func(ctx context.Context, b *Bench) Figures {
		payload := filepath.Join(b.work, "floor.elf")
		if err := floor.Write(payload); err != nil {
			return failed(err)
		}
		var floors []time.Duration
		var fastest []string
		measure := func(g *Guest) (time.Duration, error) {
			var floor, hello []time.Duration
			for range startRuns * b.N {
				if err := ctx.Err(); err != nil {
					return 0, err
				}
				f, err := floorLine(ctx, payload)
				if err != nil {
					return 0, err
				}
				h, err := firstLine(ctx, g)
				if err != nil {
					return 0, err
				}
				floor, hello = append(floor, f), append(hello, h)
			}
			floors = append(floors, floor...)
			fastest = append(fastest, milliseconds(slices.Min(hello)-slices.Min(floor)))
			return stat.Median(hello) - stat.Median(floor), nil
		}
		ours, linux := both(ctx, b, "samples/hello", measure)
		f := Figures{Ours: ours.figure(milliseconds), Linux: linux.figure(milliseconds), Met: ours.Value < startReach}
		if len(floors) > 0 {
			f.Notes = []string{fmt.Sprintf("Medians of %d boots each; the floor itself: %s. The fastest boot over the fastest floor, which other load on the host disturbs least: %s.",
				startRuns*b.N, milliseconds(stat.Median(floors)), strings.Join(fastest, "; Linux guest "))}
		}
		return f
	},
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// floorLine times the floor payload's line.
func floorLine(ctx context.Context, payload string) (time.Duration, error) {
	p, err := qemu.Start(ctx, qemu.Machine{Kernel: payload, MemoryKiB: imageMemory}, startLimit)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	l, err := p.WaitLine(floor.Line)
	return l.At, err
}

// firstLine times hello's first line.
func firstLine(ctx context.Context, g *Guest) (time.Duration, error) {
	p, err := g.Boot(ctx, qemu.Machine{}, startLimit)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	l, err := p.WaitLine(helloLine)
	return l.At, err
}
