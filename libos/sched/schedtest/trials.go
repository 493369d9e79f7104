package schedtest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/sched"
)

// patience is how long a task may be ready in a trial before that counts as starvation.
const patience = 10_000_000_000

// Trials runs a policy on random machines under random loads. The machine itself looks after the rules; beyond them no goroutine
// may starve, and the CPUs may not idle while somebody could run (which a policy says by naming a time).
func Trials(t *testing.T, make func() sched.Policy) {
	for seed := range uint64(25) {
		trial(t, make(), rand.New(rand.NewPCG(seed, 1)))
		if t.Failed() {
			t.Fatalf("in trial %d", seed)
		}
	}
}

func trial(t *testing.T, p sched.Policy, rng *rand.Rand) {
	t.Helper()
	s := New(p, 1+rng.IntN(4))
	s.Switch = int64(rng.IntN(10_000))
	classes := []*sched.Class{sched.System, sched.Default}
	for i := range rng.IntN(8) {
		c := sched.ClassFor(i, Contract(rng))
		if p.Admit(c, c.Contract()) == "" {
			classes = append(classes, c)
		}
	}
	var all []*Goroutine
	for range 1 + rng.IntN(20) {
		g := &Goroutine{Class: classes[rng.IntN(len(classes))]}
		if rng.IntN(3) > 0 {
			burst, sleep := 1+rng.Int64N(1<<(16+rng.IntN(10))), 1+rng.Int64N(1<<(16+rng.IntN(12)))
			g.Burst = func() int64 { return 1 + rng.Int64N(burst) }
			g.Sleep = func() int64 { return 1 + rng.Int64N(sleep) }
		}
		all = append(all, s.Start(g))
		s.Run(rng.Int64N(50_000_000))
	}
	s.Run(3 * patience)
	for i, g := range all {
		if g.ready {
			g.Late = max(g.Late, s.Now-g.since)
		}
		if g.Late > patience {
			t.Errorf("goroutine %d of %v starved: it had %d ns and waited for up to %d", i, g.Class.Contract(), g.Ran, g.Late)
		}
	}
}

// Contract makes a random contract that sched would let pass.
func Contract(rng *rand.Rand) sched.Contract {
	c := sched.Contract{Tickets: 200 + rng.IntN(800), Extra: rng.IntN(2) == 0}
	if rng.IntN(2) == 0 {
		c.Period = time.Duration(1+rng.IntN(100)) * time.Millisecond
		c.Slice = c.Period / time.Duration(5+rng.IntN(20))
	}
	return c
}

// Fuzz drives a policy by the bytes of a fuzzer: which call comes next, for whom and when. A slow list of who is ready is the judge.
func Fuzz(f *testing.F, make func() sched.Policy) {
	f.Add([]byte("\x00\x01\x02\x30\x41\x52\x63\x74\x85\x96"))
	f.Add([]byte("abcdefghijklmnopqrstuvwxyz0123456789"))
	f.Fuzz(func(t *testing.T, data []byte) {
		const tasks, cpus = 16, 3
		p := make()
		sched.Simulate(cpus)
		classes := []*sched.Class{sched.System, sched.Default}
		for i := range 4 {
			classes = append(classes, sched.ClassFor(i, sched.Contract{Tickets: 1 + i*100, Slice: 1_000_000, Period: 50_000_000, Extra: i%2 == 0}))
		}
		admitted := classes[:0:0]
		for _, c := range classes {
			if p.Admit(c, c.Contract()) == "" {
				admitted = append(admitted, c)
			}
		}
		var all [tasks]*sched.Task
		for i := range all {
			all[i] = sched.NewTask(admitted[i%len(admitted)])
		}
		ready := map[*sched.Task]bool{}
		var runs [cpus]*sched.Task
		running := map[*sched.Task]bool{}
		now := int64(0)
		for _, b := range data {
			now += int64(b) * 100_000
			t0 := all[b%tasks]
			cpu := int(b>>4) % cpus
			switch {
			case b&1 == 0 && !ready[t0] && !running[t0]:
				if v := p.Enqueue(cpu, t0, sched.Why(b>>6)%3, now); v < -1 || v >= sched.MaxCPUs {
					t.Fatalf("Enqueue wants CPU %d to give way", v)
				}
				ready[t0] = true
			case runs[cpu] != nil:
				r := runs[cpu]
				p.Charge(cpu, r, int64(b)*50_000)
				runs[cpu] = nil
				delete(running, r)
			default:
				got, until := p.Pick(cpu, now)
				switch {
				case got == nil && until == 0 && len(ready) != 0:
					t.Fatalf("Pick has nothing and names no time though %d tasks are ready", len(ready))
				case got == nil && until != 0 && until <= now:
					t.Fatalf("at %d Pick wants to be asked again at %d", now, until)
				case got != nil && !ready[got]:
					t.Fatal("Pick returned a task that was not ready")
				case got != nil:
					delete(ready, got)
					running[got] = true
					runs[cpu] = got
				}
			}
		}
		// All of them come out in the end.
		for step := 0; len(ready) != 0; step++ {
			if step > 10_000 {
				t.Fatalf("%d tasks never come out", len(ready))
			}
			for cpu := range runs {
				if r := runs[cpu]; r != nil {
					p.Charge(cpu, r, 1000)
					runs[cpu] = nil
				}
			}
			got, until := p.Pick(0, now)
			if got == nil {
				now = until
				continue
			}
			if !ready[got] {
				t.Fatal("Pick returned a task that was not ready")
			}
			delete(ready, got)
			runs[0] = got
		}
	})
}

// AllocatesNothing holds a policy to its first rule.
func AllocatesNothing(t *testing.T, p sched.Policy) {
	sched.Simulate(1)
	for _, c := range []*sched.Class{sched.System, sched.Default} {
		p.Admit(c, c.Contract())
	}
	a, b := sched.NewTask(sched.Default), sched.NewTask(sched.System)
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() {
		p.Enqueue(0, a, sched.Woken, now)
		p.Enqueue(0, b, sched.New, now)
		for range 2 {
			if t, _ := p.Pick(0, now); t != nil {
				p.Charge(0, t, 1000)
			}
			now += 1000
		}
	}); n != 0 {
		t.Errorf("a round of two tasks allocates %v times", n)
	}
}
