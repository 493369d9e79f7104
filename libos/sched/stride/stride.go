// Package stride shares the CPUs in proportion to tickets: stride scheduling, after Waldspurger and Weihl, "Stride Scheduling:
// Deterministic Proportional-Share Resource Management" (MIT/LCS/TM-528, 1995).
//
// A class with 300 tickets gets three times the CPU time of one with 100, as long as both want to run, however many goroutines
// each has. Each class has a pass, its time so far divided by its tickets; who runs next is who has the smallest (section 2). The
// goroutines of one class take turns.
//
// Where it differs from the paper:
//
//   - A class pays for its whole quantum when it is picked, and gets back what it did not use. So a second CPU that picks
//     meanwhile sees the first one's choice.
//   - A class that comes back after it had nothing to run starts where those are that run, or at its own pass if that is larger:
//     sleeping saves nothing up, and a debt stays (the paper keeps both in "remain", section 3.3).
//   - A class cannot use more CPUs than it has goroutines. What it is entitled to beyond that is given to the others; its pass follows
//     theirs at a distance.
//   - The system's class has no tickets: it pays as if it had a third of all the others', so it gets up to a quarter of the
//     time, and what it does not use is the others'.
//
// Slice and Period of a contract mean nothing here.
package stride

import "github.com/hardtack-os/hardtack/libos/sched"

// Quantum is how long a goroutine runs while others wait.
const Quantum = 10_000_000 // ns

// scale makes passes finer than nanoseconds: pass is ns * scale / tickets.
const scale = 1 << 10

// distance is how many quanta of the class with the fewest tickets a pass may lag behind the others'.
const distance = 8

func init() { sched.Register(new(Policy)) }

// A class is what the policy knows of a sched.Class.
type class struct {
	tickets int64
	pass    int64
	ready   sched.Queue
	running int // its tasks on CPUs
}

// active reports whether the class wants to run.
func (c *class) active() bool { return c.ready.Len() != 0 || c.running != 0 }

// Policy implements [sched.Policy].
type Policy struct {
	classes [sched.MaxClasses]class
	n       int                   // classes that were admitted
	start   int64                 // the pass of a class that comes now: the smallest of those there are
	tickets int64                 // of all active classes, the system's aside
	cpu     [sched.MaxCPUs]*class // whose task it runs
}

// Name implements [sched.Policy].
func (*Policy) Name() string { return "stride" }

// Admit takes every contract: shares are relative.
func (p *Policy) Admit(c *sched.Class, want sched.Contract) string {
	k := &p.classes[c.ID()]
	p.n = max(p.n, c.ID()+1)
	if c != sched.System {
		if k.active() {
			p.tickets += int64(want.Tickets) - k.tickets
		}
		k.tickets = int64(want.Tickets)
	}
	return ""
}

// cost is what ns nanoseconds add to a class's pass.
func (p *Policy) cost(k *class, ns int64) int64 {
	t := k.tickets
	if k == &p.classes[0] {
		t = max(p.tickets/3, 1)
	}
	return ns * scale / t
}

// least returns the class with the smallest pass among those with something ready, or nil.
func (p *Policy) least() *class {
	var l *class
	for i := range p.classes[:p.n] {
		if k := &p.classes[i]; k.ready.Len() != 0 && (l == nil || k.pass < l.pass) {
			l = k
		}
	}
	return l
}

// lowest returns the smallest pass among those that want to run, but for one; never if there is none.
func (p *Policy) lowest(but *class) int64 {
	low := int64(never)
	for i := range p.classes[:p.n] {
		if k := &p.classes[i]; k != but && k.active() {
			low = min(low, k.pass)
		}
	}
	return low
}

const never = 1<<63 - 1

// Enqueue implements [sched.Policy].
func (p *Policy) Enqueue(cpu int, t *sched.Task, why sched.Why, now int64) int {
	k := &p.classes[t.Class().ID()]
	switch others := p.lowest(k); {
	case why != sched.Ran && !k.active():
		k.pass = max(k.pass, p.start)
	case others != never:
		k.pass = max(k.pass, others-p.lag())
	}
	if !k.active() {
		p.tickets += k.tickets
	}
	k.ready.Push(t)
	if why == sched.Ran {
		return -1
	}
	return p.ahead(k)
}

// lag is the distance in units of pass.
func (p *Policy) lag() int64 {
	fewest := int64(sched.MaxTickets)
	for i := range p.classes[1:p.n] {
		if k := &p.classes[i+1]; k.active() {
			fewest = min(fewest, k.tickets)
		}
	}
	return distance * Quantum * scale / max(fewest, 1)
}

// ahead returns the CPU whose class is furthest ahead of k, if by more than a quantum of k's; else -1.
func (p *Policy) ahead(k *class) int {
	victim, most := -1, k.pass+p.cost(k, Quantum)
	for cpu, r := range p.cpu[:min(sched.CPUs(), sched.MaxCPUs)] {
		if r != nil && r != k && r.pass > most {
			victim, most = cpu, r.pass
		}
	}
	return victim
}

// Pick implements [sched.Policy].
func (p *Policy) Pick(cpu int, now int64) (*sched.Task, int64) {
	k := p.least()
	if k == nil {
		return nil, 0
	}
	p.start = max(p.start, p.lowest(nil))
	t := k.ready.Pop()
	t.Word = p.cost(k, Quantum)
	k.pass += t.Word
	k.running++
	p.cpu[cpu] = k
	return t, now + Quantum
}

// Charge implements [sched.Policy].
func (p *Policy) Charge(cpu int, t *sched.Task, ran int64) {
	k := &p.classes[t.Class().ID()]
	k.pass += p.cost(k, ran) - t.Word
	t.Word = 0
	if r := p.cpu[cpu]; r != nil {
		p.cpu[cpu] = nil
		if r.running--; !r.active() {
			p.tickets -= r.tickets
		}
	}
}
