// Package quantum is CPU time as a resource: each CPU's time is a wheel of a hundred slices of a millisecond, which are held by capability, donated, yielded and
// revoked like frames (Engler, Kaashoek, O'Toole, "Exokernel", SOSP '95, 5.1; Xok's quantum vector, SOSP '97).
//
// Who holds a slice, a class of goroutines, runs in it: so many slices, so many hundredths of a CPU. What its goroutines do not use, and what nobody holds, is
// everybody's, by turns of a slice: first of those classes that hold none, then of all. There are no priorities and no shares but these; the fields of a
// contract are not heeded. Ten slices of each wheel cannot be held: the collector and the libOS live of them.
//
// The names of a slice are a space of exo's, so that capabilities are derived, bound, asked back and revoked as exo's page says. What exo does not have
// is the dispatcher: it is here, a policy (mkimage build --module libos/sched/quantum), because what runs in a slice is a goroutine. ARCHITECTURE.md says why it is not
// a thread. A CPU is here what the scheduler takes for one, of GOMAXPROCS.
//
// A goroutine with a CPU of its own (sched.Isolate) keeps the P that it runs on: the slices of that wheel lapse as long as it runs or rests, whoever holds them.
//
// A change counts from the next slice on, where a turn began that goes further from its end on: ten slices at most.
package quantum

import (
	"sync/atomic"

	"github.com/hardtack-os/hardtack/libos/sched"
)

const (
	Slices = 100       // of a wheel
	Slice  = 1_000_000 // ns of each
	Common = 10        // the last ones of a wheel, which nobody can hold
	row    = 10        // slices in a row that are one turn at most
)

func init() { sched.Register(policy) }

// Policy implements [sched.Policy].
type Policy struct {
	wheels  [sched.MaxCPUs]wheel
	classes [sched.MaxClasses]class
	n       int // classes that were admitted
	turn    int // class that had the last common slice
}

// policy is the program's.
var policy = new(Policy)

type wheel struct {
	owner [Slices]atomic.Int32 // class and 1; 0: nobody
	runs  int                  // class and 1 of what runs; 0: nothing

	// What was yielded.
	gift  int // class and 1
	until int64
}

type class struct {
	ready  sched.Queue
	held   atomic.Int32 // slices
	yields atomic.Int32 // class and 1 that its next goroutine to give way does so for
}

// Name implements [sched.Policy].
func (*Policy) Name() string { return "quantum" }

// Admit implements [sched.Policy].
func (p *Policy) Admit(c *sched.Class, _ sched.Contract) string {
	p.n = max(p.n, c.ID()+1)
	return ""
}

// now says whose the present slice is, 0 for nobody's, and until when.
func (w *wheel) now(now int64) (who int, until int64) {
	if w.gift != 0 && now < w.until {
		return w.gift, w.until
	}
	w.gift = 0
	at := now / Slice
	first := w.owner[at%Slices].Load()
	n := int64(1)
	for first != 0 && n < row && w.owner[(at+n)%Slices].Load() == first {
		n++
	}
	return int(first), (at + n) * Slice
}

// Enqueue implements [sched.Policy]. A CPU gives way whose slice this is.
func (p *Policy) Enqueue(cpu int, t *sched.Task, why sched.Why, now int64) int {
	who := t.Class().ID() + 1
	c := &p.classes[who-1]
	if to := c.yields.Load(); why == sched.Ran && to != 0 {
		c.yields.Store(0)
		w := &p.wheels[cpu]
		if holder, until := w.now(now); holder == who {
			w.gift, w.until = int(to), until
		}
	}
	c.ready.Push(t)
	if c.held.Load() == 0 {
		return -1
	}
	for i := range p.wheels[:sched.CPUs()] {
		w := &p.wheels[i]
		if holder, _ := w.now(now); holder == who && w.runs != who {
			return i
		}
	}
	return -1
}

// Pick implements [sched.Policy].
func (p *Policy) Pick(cpu int, now int64) (*sched.Task, int64) {
	w := &p.wheels[cpu]
	who, until := w.now(now)
	if who == 0 || p.classes[who-1].ready.Len() == 0 {
		if who = p.next(false); who == 0 {
			who = p.next(true)
		}
		if who == 0 {
			return nil, 0
		}
		p.turn = who
		until = min(until, (now/Slice+1)*Slice)
	}
	w.runs = who
	return p.classes[who-1].ready.Pop(), until
}

// next gives the class, and 1, whose turn of common time it is: one of those that hold slices, or of those that hold none. 0: nothing of them is ready.
func (p *Policy) next(holders bool) int {
	for i := range p.n {
		k := (p.turn + i) % p.n
		if c := &p.classes[k]; c.ready.Len() != 0 && c.held.Load() != 0 == holders {
			return k + 1
		}
	}
	return 0
}

// Charge implements [sched.Policy].
func (p *Policy) Charge(cpu int, t *sched.Task, ran int64) { p.wheels[cpu].runs = 0 }
