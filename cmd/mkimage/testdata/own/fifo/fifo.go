// Package fifo is a policy: who has waited longest runs next, for a hundredth of a second.
package fifo

import (
	"sync/atomic"

	"github.com/hardtack-os/hardtack/libos/sched"
)

func init() { sched.Register(new(policy)) }

// Picks is how often it was asked and had an answer.
var Picks atomic.Int64

type policy struct{ ready sched.Queue }

func (*policy) Name() string { return "fifo" }

func (*policy) Admit(*sched.Class, sched.Contract) string { return "" }

func (p *policy) Enqueue(_ int, t *sched.Task, _ sched.Why, _ int64) int {
	p.ready.Push(t)
	return -1
}

func (p *policy) Pick(_ int, now int64) (*sched.Task, int64) {
	t := p.ready.Pop()
	if t == nil {
		return nil, 0
	}
	Picks.Add(1)
	return t, now + 10_000_000
}

func (*policy) Charge(int, *sched.Task, int64) {}
