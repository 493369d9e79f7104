package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/report"
	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

// The sizes tried, in KiB. A guest that needs more than the largest is one that fails.
const (
	memoryLow  = 1 << 10
	memoryHigh = 256 << 10
	memoryStep = 256
)

// memoryRow searches the smallest machine on which a program boots and ends with exit code 0.
func memoryRow(name, what, pkg string, reachKiB int) Row {
	return Row{
		Name:  name,
		What:  "least memory: " + what,
		Reach: report.KiB(int64(reachKiB) << 10),
		Measure: func(ctx context.Context, b *Bench) Figures {
			ours, linux := both(ctx, b, pkg, func(g *Guest) (int, error) { return leastMemory(ctx, g) })
			text := func(kib int) string { return report.KiB(int64(kib) << 10) }
			return Figures{
				Ours: ours.figure(text), Linux: linux.figure(text), Met: ours.Value <= reachKiB,
				Notes: []string{fmt.Sprintf("Found by bisection in steps of %d KiB; each size counts only if two boots succeed.", memoryStep)},
			}
		},
	}
}

func leastMemory(ctx context.Context, g *Guest) (int, error) {
	// Plenty first: a program that fails with it fails for another reason, and the time it takes bounds the
	// time that smaller machines get before they count as hung.
	began := time.Now()
	if _, err := g.Run(ctx, qemu.Machine{MemoryKiB: memoryHigh}, time.Minute); err != nil {
		return 0, fmt.Errorf("with %s of memory: %w", report.KiB(memoryHigh<<10), err)
	}
	limit := 5*time.Second + 5*time.Since(began)
	kib, found, err := stat.Least(memoryLow, memoryHigh, memoryStep, func(kib int) (bool, error) {
		for range 2 {
			if _, err := g.Run(ctx, qemu.Machine{MemoryKiB: kib}, limit); err != nil {
				return false, ctx.Err()
			}
		}
		return true, nil
	})
	if err == nil && !found {
		err = fmt.Errorf("it boots with %s once, but not twice more", report.KiB(memoryHigh<<10))
	}
	return kib, err
}
