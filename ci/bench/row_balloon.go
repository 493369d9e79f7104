package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/report"
)

const (
	balloonMemory = 128 << 20
	balloonAsked  = balloonMemory / 2
	balloonWithin = 5 // per cent
	balloonLimit  = 5 * time.Minute
	balloonWait   = time.Minute // for memory to come or go
)

// A balloonFigure is how much of the machine's memory is resident in the host: in use, with half of it asked back, and given again.
type balloonFigure struct{ full, half, again int64 }

// balloonRow has the host ask for half of the memory and give it back, while the program uses all it may.
var balloonRow = Row{
	Name:  "balloon",
	What:  fmt.Sprintf("host memory returned when half of %d MiB is asked back by a balloon, under load", balloonMemory>>20),
	Reach: fmt.Sprintf("within %d %%, the program lives on", balloonWithin),
	Measure: func(ctx context.Context, b *Bench) Figures {
		ours := side(ctx, "ci/bench/guest/balloon", b.Image, func(g *Guest) (balloonFigure, error) { return balloonAndBack(ctx, g) })
		f := Figures{
			Ours: ours.figure(func(v balloonFigure) string {
				return fmt.Sprintf("%.1f %%", 100*float64(balloonMemory-v.half)/balloonAsked)
			}),
			Linux: Figure{Text: "left out"},
			Met:   balloonMemory-ours.Value.half >= balloonAsked*(100-balloonWithin)/100,
		}
		if ours.Err == nil {
			f.Notes = []string{fmt.Sprintf("Resident of the machine's memory: %s in use, %s with half asked back, %s with all given again. "+
				"No Linux guest: its init is the program alone, and the kernel's driver for balloons is a module.",
				report.KiB(ours.Value.full), report.KiB(ours.Value.half), report.KiB(ours.Value.again))}
		}
		return f
	},
}

func balloonAndBack(ctx context.Context, g *Guest) (v balloonFigure, err error) {
	p, err := g.Boot(ctx, qemu.Machine{MemoryKiB: balloonMemory >> 10, Balloon: true}, balloonLimit)
	if err != nil {
		return v, err
	}
	defer p.Close()
	monitor, err := p.Monitor()
	if err != nil {
		return v, err
	}
	defer monitor.Close()
	if _, err := p.WaitLine("RESULT ready"); err != nil {
		return v, err
	}
	if v.full, err = p.Resident(balloonMemory); err != nil {
		return v, err
	}
	// resize waits until the balloon has its size, what is resident is as wanted, and the program has said once more that it lives.
	resize := func(size int64, done func(resident int64) bool) (now int64, err error) {
		if err := monitor.Balloon(size); err != nil {
			return 0, err
		}
		for end := time.Now().Add(balloonWait); ; time.Sleep(100 * time.Millisecond) {
			actual, err := monitor.BalloonActual()
			if err != nil {
				return 0, err
			}
			if now, err = p.Resident(balloonMemory); err != nil {
				return 0, err
			}
			if actual == size && done(now) || time.Now().After(end) {
				break
			}
		}
		for lines, end := len(p.Lines()), time.Now().Add(balloonWait); len(p.Lines()) < lines+3; time.Sleep(100 * time.Millisecond) {
			if err := errors.Join(p.Alive(), ctx.Err()); err != nil {
				return 0, err
			}
			if time.Now().After(end) {
				return 0, fmt.Errorf("the program shows no life for %v with a machine of %s", balloonWait, report.KiB(size))
			}
		}
		return p.Resident(balloonMemory)
	}
	if v.half, err = resize(balloonAsked, func(now int64) bool { return now <= balloonAsked }); err != nil {
		return v, err
	}
	v.again, err = resize(balloonMemory, func(now int64) bool { return now >= v.full*9/10 })
	return v, err
}
