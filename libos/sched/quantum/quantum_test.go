package quantum

import (
	"errors"
	"math"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/sched"
	"github.com/hardtack-os/hardtack/libos/sched/schedtest"
)

func fresh() sched.Policy { return new(Policy) }

func TestTrials(t *testing.T)           { schedtest.Trials(t, fresh) }
func FuzzPolicy(f *testing.F)           { schedtest.Fuzz(f, fresh) }
func TestAllocatesNothing(t *testing.T) { schedtest.AllocatesNothing(t, fresh()) }

// machine is a simulated one under the program's own policy, which forgets what was.
func machine(t *testing.T, cpus int) *schedtest.Sim {
	t.Helper()
	*policy = Policy{}
	s := &slices
	s.space, s.cpus, s.err = nil, nil, nil
	sched.Simulate(cpus)
	space, all, err := exo.NewSpace(SpaceName, "quantum", 0, Name(cpus, 0)-1)
	if err != nil {
		t.Fatal(err)
	}
	s.once.Do(func() {})
	s.space = space
	for i := range cpus {
		c, err := all.Derive("program", Name(i, 0), Name(i, Slices-Common)-1, exo.Bind|exo.Derive)
		if err != nil {
			t.Fatal(err)
		}
		s.cpus = append(s.cpus, c)
	}
	return schedtest.New(policy, cpus)
}

func hold(t *testing.T, cpu int, c *sched.Class, lo, hi int) *Held {
	t.Helper()
	all, err := CPU(cpu)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Hold(all, c, Name(cpu, lo), Name(cpu, hi))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// shares runs for two seconds and compares what each had with hundredths of a CPU.
func shares(t *testing.T, what string, s *schedtest.Sim, all []*schedtest.Goroutine, want ...float64) {
	t.Helper()
	s.Run(20_000_000) // what has begun ends
	var from []int64
	for _, g := range all {
		from = append(from, g.Ran)
	}
	const time = 2_000_000_000
	s.Run(time)
	for i, g := range all {
		if got := float64(g.Ran-from[i]) / time * 100; math.Abs(got-want[i]) > 1 {
			t.Errorf("%s: goroutine %d has %.2f hundredths, want %v", what, i, got, want[i])
		}
	}
}

func TestShares(t *testing.T) {
	s := machine(t, 1)
	var all []*schedtest.Goroutine
	var class []*sched.Class
	for i := range 3 {
		c := sched.ClassFor(i, sched.Contract{})
		policy.Admit(c, c.Contract())
		class = append(class, c)
		all = append(all, s.Hog(c))
	}
	all = append(all, s.Hog(sched.Default))
	shares(t, "nobody holds", s, all, 25, 25, 25, 25)
	a := hold(t, 0, class[0], 0, 49)
	b := hold(t, 0, class[1], 50, 79)
	c := hold(t, 0, class[2], 80, 89)
	shares(t, "50, 30, 10", s, all, 50, 30, 10, 10)

	if err := a.Donate(class[2]); err != nil {
		t.Error(err)
	}
	shares(t, "donated", s, all, 5, 30, 60, 5)
	a.Donate(nil)
	shares(t, "taken back", s, all, 50, 30, 10, 10)

	cpu, _ := CPU(0)
	if err := cpu.RevokeRange(Name(0, 60), Name(0, 60)); err != nil {
		t.Error(err)
	}
	var rev *exo.RevokedError
	if err := b.Donate(class[0]); !errors.As(err, &rev) || !errors.As(b.Err(), &rev) {
		t.Error(err)
	}
	shares(t, "revoked", s, all, 50, 20, 10, 20)
	if a.Release() != nil || c.Release() != nil {
		t.Error("not released")
	}
	shares(t, "released", s, all, 25, 25, 25, 25)
}

// TestUnused: what its holder does not use is everybody's, and the holder has it as soon as it is ready.
func TestUnused(t *testing.T) {
	s := machine(t, 1)
	c := sched.ClassFor(0, sched.Contract{})
	policy.Admit(c, c.Contract())
	hold(t, 0, c, 0, 89)
	g := s.Start(&schedtest.Goroutine{Class: c, Burst: func() int64 { return 200_000 }, Sleep: func() int64 { return 300_000 }})
	hog := s.Hog(sched.Default)
	s.Run(2_000_000_000)
	if both := g.Ran + hog.Ran; both < 1_999_000_000 || g.Ran < 2_000_000_000*36/100 {
		t.Errorf("the holder had %d, who has the rest %d", g.Ran, hog.Ran)
	}
	// In a slice of its own it waits for nobody, in the last ten it does.
	if g.Late > Common*Slice {
		t.Errorf("the holder waited for %d ns", g.Late)
	}
}

// TestYield: what is left of the slices in a row goes to a class, once.
func TestYield(t *testing.T) {
	machine(t, 1)
	a, b := sched.ClassFor(0, sched.Contract{}), sched.ClassFor(1, sched.Contract{})
	hold(t, 0, a, 0, 4)
	hold(t, 0, b, 50, 59)
	ta, tb := sched.NewTask(a), sched.NewTask(b)
	for _, c := range []*sched.Class{sched.System, sched.Default, a, b} {
		policy.Admit(c, c.Contract())
	}
	const start = 7 * Slices * Slice // a wheel begins
	policy.Enqueue(0, ta, sched.New, start)
	policy.Enqueue(0, tb, sched.New, start)
	pick := func(now int64, want *sched.Task, until int64) {
		t.Helper()
		got, to := policy.Pick(0, now)
		if got != want || to != until {
			t.Errorf("at %d it is %v until %d", now-start, got.Class().Contract(), to-start)
		}
	}
	pick(start, ta, start+5*Slice)
	policy.classes[a.ID()].yields.Store(int32(b.ID() + 1))
	policy.Charge(0, ta, 1000)
	policy.Enqueue(0, ta, sched.Ran, start+1000)
	pick(start+1000, tb, start+5*Slice)
	policy.Charge(0, tb, 5*Slice-1000)
	policy.Enqueue(0, tb, sched.Ran, start+5*Slice)
	pick(start+5*Slice, ta, start+6*Slice) // both hold others: by turns
	policy.Charge(0, ta, Slice)
	policy.Enqueue(0, ta, sched.Ran, start+6*Slice)
	pick(start+100*Slice, ta, start+105*Slice) // the next time it is a's again
}

func TestRefused(t *testing.T) {
	machine(t, 2)
	a, b := sched.ClassFor(0, sched.Contract{}), sched.ClassFor(1, sched.Contract{})
	var re *exo.RangeError
	for _, n := range []int{-1, 2, math.MaxInt} {
		if _, err := CPU(n); !errors.As(err, &re) {
			t.Error(n, err)
		}
	}
	cpu, _ := CPU(1)
	hold(t, 1, a, 10, 19)
	var held *exo.HeldError
	if _, err := Hold(cpu, b, Name(1, 19), Name(1, 25)); !errors.As(err, &held) || held.Holder != "c0" {
		t.Error(err)
	}
	for _, r := range [][2]uint64{{Name(1, 90), Name(1, 90)}, {Name(0, 5), Name(0, 5)}, {Name(1, 85), Name(1, 95)}, {Name(1, 3), Name(1, 2)}, {0, math.MaxUint64}} {
		if _, err := Hold(cpu, b, r[0], r[1]); !errors.As(err, &re) {
			t.Error(r, err)
		}
	}
	part, err := cpu.Derive("part", Name(1, 20), Name(1, 29), exo.Bind)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Hold(part, b, Name(1, 20), Name(1, 30)); !errors.As(err, &re) {
		t.Error(err)
	}
	h, err := Hold(part, b, Name(1, 20), Name(1, 29))
	if err != nil {
		t.Fatal(err)
	}
	var rev *exo.RevokedError
	if err := cpu.Revoke(); err != nil || !errors.As(h.Err(), &rev) || policy.classes[b.ID()].held.Load() != 0 || policy.classes[a.ID()].held.Load() != 0 {
		t.Error(err, h.Err())
	}
	var empty *exo.EmptyError
	if _, err := Hold(exo.Cap{}, b, 0, 0); !errors.As(err, &empty) {
		t.Error(err)
	}
}
