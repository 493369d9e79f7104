// Package lottery shares the CPUs by chance: each class that wants to run has as many chances as tickets, and who is drawn runs for
// a quantum (Waldspurger and Weihl, "Lottery Scheduling: Flexible Proportional-Share Resource Management", OSDI '94).
//
// It is here to be read: a whole policy, without the means against its own noise that the paper goes on to (compensation tickets,
// transfers). Over n draws a share is off by about 1/sqrt(n); package stride is what to use.
package lottery

import "github.com/hardtack-os/hardtack/libos/sched"

// Quantum is how long who is drawn runs.
const Quantum = 10_000_000 // ns

func init() { sched.Register(&Policy{Seed: 1}) }

// Policy implements [sched.Policy].
type Policy struct {
	Seed uint64 // of the draws; not 0

	classes [sched.MaxClasses]struct {
		tickets int
		ready   sched.Queue
	}
	n    int // classes that were admitted
	pool int // tickets of those with something ready
}

// Name implements [sched.Policy].
func (*Policy) Name() string { return "lottery" }

// Admit implements [sched.Policy]: everybody may play.
func (p *Policy) Admit(c *sched.Class, want sched.Contract) string {
	k := &p.classes[c.ID()]
	if k.ready.Len() != 0 {
		p.pool += want.Tickets - k.tickets
	}
	k.tickets = want.Tickets
	p.n = max(p.n, c.ID()+1)
	return ""
}

// Enqueue implements [sched.Policy]. Nobody gives way: the next draw is soon.
func (p *Policy) Enqueue(cpu int, t *sched.Task, why sched.Why, now int64) int {
	k := &p.classes[t.Class().ID()]
	if k.ready.Len() == 0 {
		p.pool += k.tickets
	}
	k.ready.Push(t)
	return -1
}

// Pick implements [sched.Policy]: it draws a ticket and looks whose it is.
func (p *Policy) Pick(cpu int, now int64) (*sched.Task, int64) {
	if p.pool == 0 {
		return nil, 0
	}
	ticket := int(p.draw() % uint64(p.pool))
	for i := range p.classes[:p.n] {
		k := &p.classes[i]
		if k.ready.Len() == 0 {
			continue
		}
		if ticket -= k.tickets; ticket < 0 {
			t := k.ready.Pop()
			if k.ready.Len() == 0 {
				p.pool -= k.tickets
			}
			return t, now + Quantum
		}
	}
	panic("lottery: a ticket that is nobody's")
}

// Charge implements [sched.Policy]. What one has had does not change one's chances.
func (p *Policy) Charge(cpu int, t *sched.Task, ran int64) {}

// draw returns the next of a row of numbers that looks random (Marsaglia, "Xorshift RNGs", 2003).
func (p *Policy) draw() uint64 {
	x := p.Seed
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	p.Seed = x
	return x
}
