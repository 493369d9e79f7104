package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

// idleConnsReach is how many bytes a connection may cost beside what the program has of it.
const idleConnsReach = 2048

// A connsCost is what a connection costs in bytes: of the machine's memory, of that Go's heap and stacks, and all that Go has, its runtime's poll descriptors among it.
type connsCost struct{ machine, heap, all float64 }

// What the program has of a connection is what Go has of it in the same program on Linux, where the kernel's part lies elsewhere.
var connsRow = Row{
	Name:  "net-idle",
	What:  "memory of 10 000 idle connections of TCP, 1 CPU: bytes a connection beside what the program has of it on Linux",
	Reach: fmt.Sprintf("at most %d", idleConnsReach),
	Measure: func(ctx context.Context, b *Bench) Figures {
		wire, err := NewWire(ctx, 1)
		if err != nil {
			return failed(err)
		}
		defer wire.Close()
		const program = "ci/bench/guest/idleconns"
		measure := func(g *Guest) (connsCost, error) { return idleConns(ctx, b, g, wire) }
		ours, linux := side(ctx, program, func(ctx context.Context, pkg string) (*Guest, error) { return b.NetImage(ctx, pkg) }, measure), Side[connsCost]{Left: true}
		if b.WithLinux {
			linux = side(ctx, program, b.NetLinux, measure)
		}
		f := Figures{
			Ours: ours.figure(func(c connsCost) string { return fmt.Sprintf("%.0f B in all", c.machine) }),
			Linux: linux.figure(func(c connsCost) string {
				return fmt.Sprintf("%.0f B, and %.0f of the program, of which %.0f are heap and stacks", c.machine-c.all, c.all, c.heap)
			}),
		}
		if ours.Err != nil || linux.Err != nil || linux.Left {
			f.Unjudged = true
			return f
		}
		beside := ours.Value.machine - linux.Value.all
		f.Ours.Text = fmt.Sprintf("%.0f B; %s", beside, f.Ours.Text)
		f.Met = beside <= idleConnsReach
		return f
	},
}

func idleConns(ctx context.Context, b *Bench, g *Guest, wire *Wire) (connsCost, error) {
	load, err := b.Program(ctx, "ci/bench/connload")
	if err != nil {
		return connsCost{}, err
	}
	p, err := g.Boot(ctx, qemu.Machine{Tap: &wire.Tap, MemoryKiB: 256 << 10}, 5*time.Minute)
	if err != nil {
		return connsCost{}, err
	}
	defer p.Close()
	if _, err := p.WaitLine("ready"); err != nil {
		return connsCost{}, err
	}
	if _, err := wire.Command(ctx, load, guestHost+":80", "10000"); err != nil {
		return connsCost{}, err
	}
	console, err := g.finish(p)
	if err != nil {
		return connsCost{}, err
	}
	var c connsCost
	if c.machine, err = stat.Find(console, "machine", "B"); err == nil {
		c.heap, err = stat.Find(console, "heap", "B")
	}
	if err == nil {
		c.all, err = stat.Find(console, "go", "B")
	}
	return c, err
}
