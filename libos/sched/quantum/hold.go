package quantum

import (
	"runtime"
	"sync"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/sched"
)

// SpaceName is the name of the space of slices, in errors.
const SpaceName = "CPU slice"

// slices are the program's capabilities.
var slices struct {
	once  sync.Once
	space *exo.Space
	cpus  []exo.Cap
	err   error
}

// Name is the name of slice i of a CPU.
func Name(cpu, i int) uint64 { return uint64(cpu)*Slices + uint64(i) }

// CPU gives the capability of the slices of a CPU: those that can be held, from Name(cpu, 0) on. Who hands part of it to others derives it first.
//
// Errors: *exo.RangeError.
func CPU(cpu int) (exo.Cap, error) {
	s := &slices
	s.once.Do(func() {
		n := sched.CPUs()
		space, all, err := exo.NewSpace(SpaceName, "quantum", 0, Name(n, 0)-1)
		s.space, s.err = space, err
		for i := 0; i < n && s.err == nil; i++ {
			var c exo.Cap
			c, s.err = all.Derive("program", Name(i, 0), Name(i, Slices-Common)-1, exo.Bind|exo.Derive)
			s.cpus = append(s.cpus, c)
		}
	})
	if s.err != nil {
		return exo.Cap{}, s.err
	}
	if cpu < 0 || cpu >= len(s.cpus) {
		return exo.Cap{}, &exo.RangeError{Space: "CPU of the scheduler", Lo: uint64(cpu), Hi: uint64(cpu), Have: 0, Last: uint64(len(s.cpus) - 1), Why: "GOMAXPROCS says how many there are"}
	}
	return s.cpus[cpu], nil
}

// Held is slices in which a class runs, until Release, or until they are taken back.
type Held struct {
	p      *Policy
	b      *exo.Binding
	holder int
	lo, hi uint64

	mu   sync.Mutex
	runs int // class and 1 that has them now; 0: it is over
	over bool
}

// Hold binds the slices [lo, hi] of c to a class.
//
// Needs: Bind. Errors: those of exo.Cap.Derive; *exo.HeldError if somebody has one of them. It does not block.
func Hold(c exo.Cap, class *sched.Class, lo, hi uint64) (*Held, error) {
	if _, err := CPU(0); err != nil {
		return nil, err
	}
	h := &Held{p: policy, holder: class.ID() + 1, lo: lo, hi: hi}
	b, err := slices.space.Bind(c, class.Contract().Name, lo, hi, 0, h.end)
	if err != nil {
		return nil, err
	}
	h.b = b
	h.give(h.holder)
	return h, nil
}

// end is called when they are anybody's again.
func (h *Held) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	h.move(0)
}

func (h *Held) give(to int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.over {
		h.move(to)
	}
}

// move enters who runs in them; mu held.
func (h *Held) move(to int) {
	n := int32(h.hi - h.lo + 1)
	if h.runs != 0 {
		h.p.classes[h.runs-1].held.Add(-n)
	}
	if to != 0 {
		h.p.classes[to-1].held.Add(n)
	}
	h.runs = to
	for i := h.lo; i <= h.hi; i++ {
		h.p.wheels[i/Slices].owner[i%Slices].Store(int32(to))
	}
}

// Donate has another class run in the slices, until the next Donate; nil takes them back.
//
// Errors: those of Err.
func (h *Held) Donate(to *sched.Class) error {
	who := h.holder
	if to != nil {
		who = to.ID() + 1
	}
	h.give(who)
	return h.b.Err()
}

// Err is nil while they are held.
func (h *Held) Err() error { return h.b.Err() }

// Release gives them back.
func (h *Held) Release() error { return h.b.Release() }

// YieldTo gives way for a class, which has what is left of the slices in a row that the caller runs in, ten at most, if it has something to run. Where the caller runs
// in a slice that its class does not hold, it gives way as runtime.Gosched does. Of goroutines of one class that run on several CPUs and are preempted at
// that moment another's may be given.
func YieldTo(to *sched.Class) {
	policy.classes[sched.Current().ID()].yields.Store(int32(to.ID() + 1))
	runtime.Gosched()
}
