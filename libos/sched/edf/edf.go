// Package edf gives a class a slice of CPU time in every period and keeps to it: the contract of Nemesis (Leslie et al., "The Design and
// Implementation of an Operating System to Support Distributed Multimedia Applications", IEEE JSAC 14(7), 1996, section IV).
//
// A contract is (Slice, Period, Extra): Slice of CPU time in each Period, and whether the class may use what nobody is promised. Among
// classes with time left in their period the one whose period ends first runs (earliest deadline first); what has used its
// slice waits for the next period, or takes extra time. Slices are enforced by preemption. A class without a slice has extra
// time only; such classes share it alike.
//
// Admission: Renew and NewClass are refused where the sum of all promises could not be kept. On m CPUs, with u the part of one CPU that a
// contract promises, the sum of all u must stay below m - (m-1)*umax (Goossens, Funk, Baruah, "Priority-Driven Scheduling of
// Periodic Task Systems on Multiprocessors", 2003: EDF then meets every deadline), less a twentieth of the CPUs, which is for
// those without a contract. The system's class is promised a quarter of each CPU.
//
// Where it differs from Nemesis:
//
//   - A class that wakes in the middle of a period keeps what it has left only if that is no more than its rate for the rest
//     of the period; otherwise a new period begins (the rule of the constant bandwidth server: Abeni and Buttazzo, "Integrating Multimedia
//     Applications in Hard Real-Time Systems", 1998). So sleeping does not let it take more than its share from others.
//   - A class is a set of goroutines; the guarantee that a deadline is met holds if one of them runs at a time.
//   - What a turn ran over, because code could not be preempted at once, comes off the next period's slice; what was given too late,
//     because the world was stopped for the collector, is added to it.
//
// Tickets mean nothing here. The number of CPUs is that at the time of admission.
package edf

import "github.com/hardtack-os/hardtack/libos/sched"

// Quantum is how long a goroutine runs while others of its class, or others without a promise, wait.
const Quantum = 10_000_000 // ns

// The system's contract, for each CPU; the least slice that can be enforced; and the least rest of one that is worth a turn. A
// smaller rest is added to the next slice.
const (
	systemSlice  = 5_000_000
	systemPeriod = 20_000_000
	leastSlice   = 100_000
	leastTurn    = 20_000
)

func init() { sched.Register(new(Policy)) }

// A class is what the policy knows of a sched.Class.
type class struct {
	slice, period int64
	extra         bool

	end   int64 // of the current period
	left  int64 // of the slice, until then; negative: overrun
	spent int64 // extra time
	ready sched.Queue
	runs  int // its tasks on CPUs
}

func (k *class) active() bool { return k.ready.Len() != 0 || k.runs != 0 }

// due reports whether the class has promised time left.
func (k *class) due() bool { return k.slice != 0 && k.left >= leastTurn }

// A turn is what a CPU runs.
type turn struct {
	class  *class
	end    int64 // of the class's period; never for extra time
	until  int64
	booked int64 // of the slice
}

const never = 1<<63 - 1

// Policy implements [sched.Policy].
type Policy struct {
	classes [sched.MaxClasses]class
	n       int   // classes that were admitted
	start   int64 // extra time of a class that comes now: the largest that was the smallest
	cpu     [sched.MaxCPUs]turn
}

// Name implements [sched.Policy].
func (*Policy) Name() string { return "edf" }

// Admit implements [sched.Policy].
func (p *Policy) Admit(c *sched.Class, want sched.Contract) string {
	k := &p.classes[c.ID()]
	slice, period := int64(want.Slice), int64(want.Period)
	if c == sched.System {
		slice, period = systemSlice*int64(sched.CPUs()), systemPeriod
	}
	if slice != 0 && slice < leastSlice {
		return "a Slice below 100µs costs more to enforce than it gives"
	}
	if c != sched.System && slice != 0 && !p.fits(k, part(slice, period)) {
		return "with what is promised already the CPUs could not keep it"
	}
	p.n = max(p.n, c.ID()+1)
	k.slice, k.period, k.extra = slice, period, want.Extra || c == sched.System
	k.left = min(k.left, slice)
	return ""
}

// whole is one CPU in the units of part.
const whole = 1_000_000

// part returns how much of a CPU a contract promises, rounded up.
func part(slice, period int64) int64 { return (slice*whole + period - 1) / period }

// fits reports whether k can be promised u of a CPU beside all others.
func (p *Policy) fits(k *class, u int64) bool {
	m := int64(sched.CPUs())
	system := part(systemSlice, systemPeriod)
	sum, most := u+m*system, max(u, system)
	for i := range p.classes[1:p.n] {
		if o := &p.classes[i+1]; o != k && o.slice != 0 {
			v := part(o.slice, o.period)
			sum += v
			most = max(most, v)
		}
	}
	return sum <= m*whole-(m-1)*most-m*whole/20
}

// renew begins the periods that have come until now, for a class that wants to run. What it was not given in time it gets in the
// next one, but no more than a slice.
func (k *class) renew(now int64) {
	if k.slice == 0 || now < k.end {
		return
	}
	k.end += (now-k.end)/k.period*k.period + k.period
	k.left = k.slice + min(k.left, k.slice)
}

// wake is renew for a class that had nothing to run.
func (k *class) wake(now int64) {
	switch {
	case k.slice == 0:
	case now >= k.end || k.left >= leastTurn && float64(k.left)*float64(k.period) > float64(k.end-now)*float64(k.slice):
		k.end = now + k.period
		k.left = k.slice + min(k.left, leastTurn-1)
	}
}

// Enqueue implements [sched.Policy].
func (p *Policy) Enqueue(cpu int, t *sched.Task, why sched.Why, now int64) int {
	k := &p.classes[t.Class().ID()]
	if !k.active() {
		if why == sched.Ran {
			k.renew(now)
		} else {
			k.wake(now)
		}
		k.spent = max(k.spent, p.start)
	} else {
		k.renew(now)
	}
	k.ready.Push(t)
	if why == sched.Ran || k.slice == 0 {
		return -1
	}
	// Whoever runs with the latest deadline gives way if k is sooner, or asks again if it did not know of k's next period.
	victim := -1
	for i := range p.cpu[:min(sched.CPUs(), sched.MaxCPUs)] {
		if r := &p.cpu[i]; r.class != nil && r.class != k && (victim < 0 || r.end > p.cpu[victim].end) {
			victim = i
		}
	}
	if victim < 0 {
		return -1
	}
	if r := &p.cpu[victim]; k.due() && k.end < r.end || !k.due() && k.end < r.until {
		return victim
	}
	return -1
}

// Pick implements [sched.Policy].
func (p *Policy) Pick(cpu int, now int64) (*sched.Task, int64) {
	var first, least *class
	for i := range p.classes[:p.n] {
		k := &p.classes[i]
		if k.ready.Len() == 0 {
			continue
		}
		k.renew(now)
		switch {
		case k.due():
			if first == nil || k.end < first.end {
				first = k
			}
		case k.extra:
			if least == nil || k.spent < least.spent {
				least = k
			}
		}
	}
	switch {
	case first != nil:
		return p.run(cpu, first, now, first.end)
	case least != nil:
		p.start = max(p.start, least.spent)
		return p.run(cpu, least, now, never)
	}
	at := p.next(never)
	if at == never {
		return nil, 0
	}
	return nil, at
}

// run takes a task of k's for a turn with a deadline.
func (p *Policy) run(cpu int, k *class, now, end int64) (*sched.Task, int64) {
	t := k.ready.Pop()
	r := &p.cpu[cpu]
	*r = turn{class: k, end: end, until: now + Quantum}
	k.runs++
	if end != never {
		if k.ready.Len() == 0 {
			r.until = now + k.left
		} else {
			r.until = min(r.until, now+k.left)
		}
		r.booked = r.until - now
		k.left -= r.booked
	}
	r.until = min(r.until, p.next(end))
	return t, r.until
}

// next returns when the next period begins of a class that waits for it and would then be sooner than end.
func (p *Policy) next(end int64) int64 {
	at := int64(never)
	for i := range p.classes[:p.n] {
		if k := &p.classes[i]; k.ready.Len() != 0 && k.slice != 0 && !k.due() && k.end < at && (end == never || k.end+k.period < end) {
			at = k.end
		}
	}
	return at
}

// Charge implements [sched.Policy].
func (p *Policy) Charge(cpu int, t *sched.Task, ran int64) {
	r := &p.cpu[cpu]
	k := r.class
	if k == nil { // the goroutine has changed its class in this turn
		k = &p.classes[t.Class().ID()]
		if k.slice == 0 {
			k.spent += ran
		} else {
			k.left -= ran
		}
		return
	}
	if r.end == never {
		k.spent += ran
	} else {
		k.left += r.booked - ran
	}
	k.runs--
	*r = turn{}
}
