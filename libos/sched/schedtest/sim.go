// Package schedtest tries a scheduling policy on simulated CPUs and in simulated time, on the host.
//
// It calls the policy as the runtime does, in the same order, and holds it to the same rules: a task that the policy was not
// given, or gives twice, is a panic with a message that says so. Besides it keeps the slow and obvious account of who is
// ready (the oracle), against which a policy's answers are checked.
package schedtest

import (
	"fmt"
	"math"

	"github.com/hardtack-os/hardtack/libos/sched"
)

// A Goroutine is a task with something to do.
type Goroutine struct {
	Class *sched.Class
	Ran   int64 // CPU time so far
	Late  int64 // the longest that it was ready before it ran

	// Burst says how long the goroutine computes next, and Sleep how long it then waits; nil Burst is for ever.
	Burst func() int64
	Sleep func() int64

	task  *sched.Task
	left  int64 // of its burst
	ready bool
	cpu   int // -1: none
	wakes int64
	until int64
	since int64 // when it became ready, or began to run
}

// A Sim is a machine.
type Sim struct {
	Policy sched.Policy
	Now    int64
	Idle   int64 // CPU time that nobody used, of all CPUs
	Switch int64 // what it costs to begin a turn, out of its time

	// Stall, if set, says for how long a turn goes on although its time is over: code that cannot be preempted, or a CPU that its
	// own host has taken away.
	Stall func() int64

	cpus []cpu
	all  []*Goroutine
	by   map[*sched.Task]*Goroutine
}

type cpu struct {
	runs  *Goroutine
	again int64 // when an idle CPU asks next
	at    int64 // when it can ask
}

// New makes a machine whose policy has admitted the classes that always exist.
func New(p sched.Policy, cpus int) *Sim {
	s := &Sim{Policy: p, cpus: make([]cpu, cpus), by: map[*sched.Task]*Goroutine{}}
	for i := range s.cpus {
		s.cpus[i].again = math.MaxInt64
	}
	sched.Simulate(cpus)
	for _, c := range []*sched.Class{sched.System, sched.Default} {
		if refusal := p.Admit(c, c.Contract()); refusal != "" {
			panic("schedtest: " + p.Name() + " does not admit " + c.Contract().Name + ": " + refusal)
		}
	}
	return s
}

// Start adds a goroutine, which becomes ready now.
func (s *Sim) Start(g *Goroutine) *Goroutine {
	g.task = sched.NewTask(g.Class)
	g.cpu = -1
	s.all = append(s.all, g)
	s.by[g.task] = g
	s.burst(g)
	s.give(0, g, sched.New)
	return g
}

// Hog starts a goroutine that never waits.
func (s *Sim) Hog(c *sched.Class) *Goroutine { return s.Start(&Goroutine{Class: c}) }

func (s *Sim) burst(g *Goroutine) {
	g.left = math.MaxInt64
	if g.Burst != nil {
		g.left = max(g.Burst(), 1)
	}
}

// give hands a goroutine to the policy and sees to it that somebody asks for it.
func (s *Sim) give(on int, g *Goroutine, why sched.Why) {
	g.ready = true
	g.since = s.Now
	victim := s.Policy.Enqueue(on, g.task, why, s.Now)
	for i := range s.cpus {
		if c := &s.cpus[i]; c.runs == nil && c.again > s.Now {
			c.again = s.Now
			return
		}
	}
	if victim >= 0 && victim < len(s.cpus) && s.cpus[victim].runs != nil {
		s.cpus[victim].runs.until = s.Now
	}
}

// stop takes what a CPU runs off it.
func (s *Sim) stop(i int) *Goroutine {
	g := s.cpus[i].runs
	s.cpus[i].runs = nil
	g.cpu = -1
	ran := s.Now - g.since
	g.Ran += ran
	if g.left != math.MaxInt64 {
		g.left -= max(ran-s.Switch, 0)
	}
	s.Policy.Charge(i, g.task, ran)
	return g
}

// pick has a CPU ask.
func (s *Sim) pick(i int) {
	c := &s.cpus[i]
	t, until := s.Policy.Pick(i, s.Now)
	if t == nil {
		c.again = until
		if until == 0 {
			c.again = math.MaxInt64
			for _, g := range s.all {
				if g.ready {
					panic(fmt.Sprintf("schedtest: at %d ns Pick(%d) returned neither a task nor a time, though some are ready", s.Now, i))
				}
			}
		} else if until <= s.Now {
			panic(fmt.Sprintf("schedtest: at %d ns Pick(%d) wants to be asked again at %d", s.Now, i, until))
		}
		return
	}
	g := s.by[t]
	switch {
	case g == nil:
		panic("schedtest: Pick returned a task that Enqueue did not give it")
	case g.cpu >= 0:
		panic(fmt.Sprintf("schedtest: Pick returned a task twice: it runs on CPU %d", g.cpu))
	case !g.ready:
		panic("schedtest: Pick returned a task that it had returned before")
	}
	g.ready, g.cpu = false, i
	g.Late = max(g.Late, s.Now-g.since)
	g.since = s.Now
	g.until = until
	if until == 0 {
		g.until = math.MaxInt64
	} else if s.Stall != nil {
		g.until += s.Stall()
	}
	c.runs = g
}

// next returns when something happens next.
func (s *Sim) next() int64 {
	at := int64(math.MaxInt64)
	for i := range s.cpus {
		if g := s.cpus[i].runs; g != nil {
			at = min(at, max(min(g.until, s.end(g)), s.Now))
		} else {
			at = min(at, s.cpus[i].again)
		}
	}
	for _, g := range s.all {
		if g.wakes != 0 {
			at = min(at, g.wakes)
		}
	}
	return at
}

// end is when a running goroutine's burst is over.
func (s *Sim) end(g *Goroutine) int64 {
	if g.left == math.MaxInt64 {
		return math.MaxInt64
	}
	return g.since + s.Switch + g.left
}

// Run lets ns nanoseconds pass.
func (s *Sim) Run(ns int64) {
	stop := s.Now + ns
	for {
		at := s.next()
		step := min(at, stop) - s.Now
		for i := range s.cpus {
			if s.cpus[i].runs == nil {
				s.Idle += step
			}
		}
		s.Now += step
		if at > stop {
			return
		}
		for _, g := range s.all {
			if g.wakes != 0 && g.wakes <= s.Now {
				g.wakes = 0
				s.burst(g)
				s.give(0, g, sched.Woken)
			}
		}
		for i := range s.cpus {
			g := s.cpus[i].runs
			switch {
			case g == nil:
				if s.cpus[i].again <= s.Now {
					s.pick(i)
				}
			case s.end(g) <= s.Now:
				s.stop(i)
				g.wakes = s.Now + max(1, g.sleep())
				s.pick(i)
			case g.until <= s.Now:
				s.stop(i)
				s.give(i, g, sched.Ran)
				s.pick(i)
			}
		}
	}
}

func (g *Goroutine) sleep() int64 {
	if g.Sleep == nil {
		return 1
	}
	return g.Sleep()
}

// Shares returns what part of the time that all have had each has had since the account was taken (see [Sim.Account]).
func Shares(from []int64, all ...*Goroutine) []float64 {
	sum := 0.0
	out := make([]float64, len(all))
	for i, g := range all {
		out[i] = float64(g.Ran - from[i])
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// Account returns what each goroutine has had so far.
func Account(all ...*Goroutine) []int64 {
	out := make([]int64, len(all))
	for i, g := range all {
		out[i] = g.Ran
	}
	return out
}
