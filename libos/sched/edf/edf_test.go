package edf_test

import (
	"math"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/sched"
	"github.com/hardtack-os/hardtack/libos/sched/edf"
	"github.com/hardtack-os/hardtack/libos/sched/schedtest"
)

const ms = int64(time.Millisecond)

func contract(slice, period int64, extra bool) sched.Contract {
	return sched.Contract{Slice: time.Duration(slice), Period: time.Duration(period), Extra: extra}
}

// admit makes a class with a contract that fits.
func admit(t *testing.T, s *schedtest.Sim, n int, c sched.Contract) *sched.Class {
	t.Helper()
	k := sched.ClassFor(n, c)
	if refusal := s.Policy.Admit(k, k.Contract()); refusal != "" {
		t.Fatalf("%v in %v: %s", c.Slice, c.Period, refusal)
	}
	return k
}

// TestEveryPeriod looks at each period of a class that always wants more, beside hogs and a busy system.
func TestEveryPeriod(t *testing.T) {
	for _, cpus := range []int{1, 2} {
		s := schedtest.New(new(edf.Policy), cpus)
		g := s.Hog(admit(t, s, 0, contract(5*ms, 20*ms, false)))
		for range 3 {
			s.Hog(sched.Default)
		}
		s.Hog(sched.System)
		had := g.Ran
		for period := range 200 {
			s.Run(20 * ms)
			if got := g.Ran - had; got != 5*ms {
				t.Fatalf("%d CPUs: in period %d it had %d ns", cpus, period, got)
			}
			had = g.Ran
		}
		if s.Idle != 0 {
			t.Errorf("%d CPUs: idle for %d ns", cpus, s.Idle)
		}
	}
}

// TestPeriodicJob wakes at the start of each period and has its slice before the end.
func TestPeriodicJob(t *testing.T) {
	s := schedtest.New(new(edf.Policy), 1)
	var g *schedtest.Goroutine
	release, worst := int64(0), int64(0)
	g = &schedtest.Goroutine{Class: admit(t, s, 0, contract(5*ms, 20*ms, false)),
		Burst: func() int64 { return 5 * ms },
		Sleep: func() int64 {
			worst = max(worst, s.Now-release)
			release += 20 * ms
			return release - s.Now
		}}
	s.Start(g)
	s.Hog(admit(t, s, 1, contract(4*ms, 10*ms, true)))
	s.Hog(sched.Default)
	s.Hog(sched.System)
	s.Run(10 * int64(time.Second))
	if worst > 20*ms {
		t.Errorf("the worst job took %d ns from its release", worst)
	}
}

// TestExtraTime is shared by those who may use it; who may not gets the slice alone.
func TestExtraTime(t *testing.T) {
	s := schedtest.New(new(edf.Policy), 1)
	strict := s.Hog(admit(t, s, 0, contract(2*ms, 20*ms, false)))
	loose := s.Hog(admit(t, s, 1, contract(2*ms, 20*ms, true)))
	rest := s.Hog(sched.Default)
	s.Run(10 * int64(time.Second))
	for _, c := range []struct {
		name string
		got  int64
		want float64
	}{{"strict", strict.Ran, 0.1}, {"loose", loose.Ran, 0.1 + 0.4}, {"default", rest.Ran, 0.4}} {
		if part := float64(c.got) / float64(s.Now); math.Abs(part-c.want) > 0.01 {
			t.Errorf("%s had %.3f of the CPU, want %.3f", c.name, part, c.want)
		}
	}
	if s.Idle != 0 {
		t.Errorf("idle for %d ns", s.Idle)
	}
}

// TestIdleUntilThePeriod: with nobody to take extra time the CPU rests.
func TestIdleUntilThePeriod(t *testing.T) {
	s := schedtest.New(new(edf.Policy), 1)
	g := s.Hog(admit(t, s, 0, contract(5*ms, 20*ms, false)))
	s.Run(1000 * ms)
	if g.Ran != 250*ms || s.Idle != 750*ms {
		t.Errorf("it had %d ns, and the CPU was idle for %d", g.Ran, s.Idle)
	}
}

func TestAdmission(t *testing.T) {
	s := schedtest.New(new(edf.Policy), 1)
	a := admit(t, s, 0, contract(5*ms, 10*ms, false))
	for _, c := range []sched.Contract{contract(5*ms, 20*ms, false), contract(3*ms, 10*ms, true), contract(10*ms, 10*ms, false), contract(1000, 2000, false)} {
		k := sched.ClassFor(1, c)
		if s.Policy.Admit(k, c) == "" {
			t.Errorf("beside 5 ms in 10 ms, and the system's quarter, %v in %v was admitted", c.Slice, c.Period)
		}
	}
	admit(t, s, 1, contract(1*ms, 10*ms, false))
	// What one gives back another can have.
	if refusal := s.Policy.Admit(a, sched.Contract{}); refusal != "" {
		t.Error(refusal)
	}
	admit(t, s, 2, contract(5*ms, 10*ms, false))

	// Two CPUs keep more, but not twice as much: one large promise costs the others.
	s = schedtest.New(new(edf.Policy), 2)
	admit(t, s, 0, contract(5*ms, 10*ms, false))
	k := sched.ClassFor(1, contract(5*ms, 10*ms, false))
	if s.Policy.Admit(k, k.Contract()) == "" {
		t.Error("two halves of a CPU beside the system's two quarters were admitted on two CPUs, which EDF cannot keep in all cases")
	}
	admit(t, s, 1, contract(1*ms, 10*ms, false))
}

// TestNobodyTakesMore has a class that sleeps so as to start as many periods as it can.
func TestNobodyTakesMore(t *testing.T) {
	s := schedtest.New(new(edf.Policy), 1)
	g := s.Start(&schedtest.Goroutine{Class: admit(t, s, 0, contract(5*ms, 20*ms, false)),
		Burst: func() int64 { return 4900 * ms / 1000 }, Sleep: func() int64 { return 1 }})
	s.Hog(sched.Default)
	s.Run(10 * int64(time.Second))
	if part := float64(g.Ran) / float64(s.Now); part > 0.2501 {
		t.Errorf("it had %.3f of the CPU", part)
	}
}

func TestTrials(t *testing.T) { schedtest.Trials(t, func() sched.Policy { return new(edf.Policy) }) }

func FuzzPolicy(f *testing.F) { schedtest.Fuzz(f, func() sched.Policy { return new(edf.Policy) }) }

func TestAllocatesNothing(t *testing.T) { schedtest.AllocatesNothing(t, new(edf.Policy)) }
