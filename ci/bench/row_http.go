package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
	"github.com/hardtack-os/hardtack/ci/bench/stat"
)

// webProgram is the server that the network's rows talk to.
const webProgram = "ci/bench/guest/web"

// httpLimit is how long one guest may take to serve its load.
const httpLimit = 2 * time.Minute

// httpRow has wrk ask net/http for a short page over kept connections. The guests take turns, each fresh for each turn.
func httpRow(connections, cpus int) Row {
	return Row{
		Name:  fmt.Sprintf("http-%d-%d", connections, cpus),
		What:  fmt.Sprintf("net/http hello over %d kept connections, %d CPU(s): requests a second, p99, QEMU's CPU time a request", connections, cpus),
		Reach: "2 times the requests, half the p99, half the CPU time",
		Measure: func(ctx context.Context, b *Bench) Figures {
			wire, err := NewWire(ctx, cpus)
			if err != nil {
				return failed(err)
			}
			defer wire.Close()
			measure := func(g *Guest) (Load, error) { return serve(ctx, g, wire, connections, cpus) }
			var ours, linux []Load
			image := side(ctx, webProgram, b.NetImage, func(g *Guest) (*Guest, error) { return g, nil })
			guest := Side[*Guest]{Left: true}
			if b.WithLinux {
				guest = side(ctx, webProgram, b.NetLinux, func(g *Guest) (*Guest, error) { return g, nil })
			}
			for range b.N {
				ours = turn(&image, measure, ours)
				linux = turn(&guest, measure, linux)
			}
			return judgeLoad(image, guest, ours, linux)
		},
	}
}

// turn lets a guest serve once more, unless it has failed or is left out.
func turn(g *Side[*Guest], measure func(*Guest) (Load, error), loads []Load) []Load {
	if g.Left || g.Err != nil {
		return loads
	}
	l, err := measure(g.Value)
	if g.Err = err; err != nil {
		return loads
	}
	return append(loads, l)
}

// serve boots the guest and returns what a few seconds of load see of it.
func serve(ctx context.Context, g *Guest, wire *Wire, connections, cpus int) (Load, error) {
	p, err := g.Boot(ctx, qemu.Machine{CPUs: cpus, Tap: &wire.Tap, MemoryKiB: linuxMemory}, httpLimit)
	if err != nil {
		return Load{}, err
	}
	defer p.Close()
	if _, err := p.WaitLine("ready"); err != nil {
		return Load{}, err
	}
	load := func(seconds int) (Load, time.Duration, error) {
		before, err := p.CPUTime()
		if err != nil {
			return Load{}, 0, err
		}
		out, err := wire.Command(ctx, "wrk", "-t1", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%ds", seconds), "--timeout", "10s", "--latency", "http://"+guestHost+"/")
		if err != nil {
			return Load{}, 0, err
		}
		after, err := p.CPUTime()
		if err != nil {
			return Load{}, 0, err
		}
		l, err := parseWrk(out)
		return l, after - before, err
	}
	if _, _, err := load(1); err != nil { // lets QEMU translate the code
		return Load{}, fmt.Errorf("warming up: %w", err)
	}
	const seconds = 5
	l, used, err := load(seconds)
	if err != nil {
		return Load{}, err
	}
	l.CPU = time.Duration(float64(used) / (l.Rate * seconds))
	return l, nil
}

// judgeLoad compares medians.
func judgeLoad(image, guest Side[*Guest], ours, linux []Load) Figures {
	median := func(s Side[*Guest], loads []Load) Side[Load] {
		m := Side[Load]{Err: s.Err, Left: s.Left}
		if s.Err == nil && !s.Left {
			var rate []float64
			var p99, cpu []time.Duration
			for _, l := range loads {
				rate, p99, cpu = append(rate, l.Rate), append(p99, l.P99), append(cpu, l.CPU)
			}
			m.Value = Load{stat.Median(rate), stat.Median(p99), stat.Median(cpu)}
		}
		return m
	}
	text := func(l Load) string {
		return fmt.Sprintf("%.0f/s, %.2f ms, %.0f µs", l.Rate, float64(l.P99)/1e6, float64(l.CPU)/1e3)
	}
	o, l := median(image, ours), median(guest, linux)
	f := Figures{Ours: o.figure(text), Linux: l.figure(text)}
	if o.Err != nil || l.Err != nil || l.Left {
		f.Unjudged = true
		return f
	}
	rate, p99, cpu := o.Value.Rate/l.Value.Rate, float64(l.Value.P99)/float64(o.Value.P99), float64(l.Value.CPU)/float64(o.Value.CPU)
	f.Ours.Text = fmt.Sprintf("%.2f, %.2f, %.2f times; %s", rate, p99, cpu, f.Ours.Text)
	f.Met = rate >= 2 && p99 >= 2 && cpu >= 2
	return f
}
