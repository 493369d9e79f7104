package stride_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/hardtack-os/hardtack/libos/sched"
	"github.com/hardtack-os/hardtack/libos/sched/schedtest"
	"github.com/hardtack-os/hardtack/libos/sched/stride"
)

const second = 1_000_000_000

// machine makes a machine with classes of so many tickets.
func machine(t *testing.T, cpus int, tickets ...int) (*schedtest.Sim, []*sched.Class) {
	t.Helper()
	s := schedtest.New(new(stride.Policy), cpus)
	var list []*sched.Class
	for i, n := range tickets {
		c := sched.ClassFor(i, sched.Contract{Tickets: n})
		if refusal := s.Policy.Admit(c, c.Contract()); refusal != "" {
			t.Fatal(refusal)
		}
		list = append(list, c)
	}
	return s, list
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within {
		t.Errorf("%s is %.4f, want %.4f", what, got, want)
	}
}

// TestShares has one and more goroutines in each class, on one and more CPUs.
func TestShares(t *testing.T) {
	for _, c := range []struct {
		cpus    int
		tickets []int
		each    int // goroutines in a class
		want    []float64
	}{
		{1, []int{300, 200, 100}, 1, []float64{3. / 6, 2. / 6, 1. / 6}},
		{1, []int{300, 200, 100}, 4, []float64{3. / 6, 2. / 6, 1. / 6}},
		{2, []int{300, 200, 100}, 1, []float64{3. / 6, 2. / 6, 1. / 6}},
		{2, []int{300, 200, 100}, 3, []float64{3. / 6, 2. / 6, 1. / 6}},
		{4, []int{1000, 100, 10}, 5, []float64{1000. / 1110, 100. / 1110, 10. / 1110}},
		{2, []int{400, 100, 100}, 1, []float64{2. / 4, 1. / 4, 1. / 4}}, // one goroutine cannot use more than a CPU
	} {
		s, classes := machine(t, c.cpus, c.tickets...)
		var all []*schedtest.Goroutine
		for range c.each {
			for _, k := range classes {
				all = append(all, s.Hog(k))
			}
		}
		s.Run(second / 10)
		from := schedtest.Account(all...)
		s.Run(5 * second)
		shares := schedtest.Shares(from, all...)
		for i := range c.tickets {
			sum := 0.0
			for j := i; j < len(shares); j += len(classes) {
				sum += shares[j]
			}
			near(t, "a share", sum, c.want[i], 0.01)
		}
		if s.Idle != 0 {
			t.Errorf("the CPUs were idle for %d ns", s.Idle)
		}
		if t.Failed() {
			t.Fatalf("with %+v", c)
		}
	}
}

// TestStalls has turns that go on for much longer than they should: who had too much waits for the others, and nobody else
// loses by it.
func TestStalls(t *testing.T) {
	for _, cpus := range []int{1, 2} {
		s, classes := machine(t, cpus, 300, 200, 100)
		rng := rand.New(rand.NewPCG(1, 2))
		s.Stall = func() int64 {
			if rng.IntN(20) == 0 {
				return rng.Int64N(60_000_000)
			}
			return rng.Int64N(500_000)
		}
		var all []*schedtest.Goroutine
		for _, k := range classes {
			all = append(all, s.Hog(k))
		}
		s.Run(60 * second)
		for i, share := range schedtest.Shares(make([]int64, 3), all...) {
			near(t, fmt.Sprintf("on %d CPUs the share of class %d", cpus, i), share, []float64{3. / 6, 2. / 6, 1. / 6}[i], 0.01)
		}
	}
}

// TestSleepers has a class that wants a little now and then beside hogs: it gets all of it, and soon.
func TestSleepers(t *testing.T) {
	s, classes := machine(t, 1, 100, 100, 100)
	s.Hog(classes[0])
	s.Hog(classes[1])
	g := s.Start(&schedtest.Goroutine{Class: classes[2], Burst: func() int64 { return second / 1000 }, Sleep: func() int64 { return second / 100 }})
	s.Run(5 * second)
	near(t, "what the sleeper had, of a CPU", float64(g.Ran)/(5*second), 1./20, 0.02)
	if g.Late > 2*stride.Quantum {
		t.Errorf("it waited for %d ns", g.Late)
	}
}

// TestNothingIsSavedUp lets one class rest while another works: when it comes back it gets its share and no more.
func TestNothingIsSavedUp(t *testing.T) {
	s, classes := machine(t, 1, 100, 100)
	first := true
	rest := s.Start(&schedtest.Goroutine{Class: classes[0], Burst: func() int64 {
		if first {
			first = false
			return 1
		}
		return math.MaxInt64
	}, Sleep: func() int64 { return 10 * second }})
	work := s.Hog(classes[1])
	s.Run(11 * second)
	from := schedtest.Account(rest, work)
	s.Run(second)
	shares := schedtest.Shares(from, rest, work)
	near(t, "the share of who comes back", shares[0], 0.5, 0.02)

	// And the other way round: who worked alone owes nothing for it.
	s, classes = machine(t, 1, 100, 100)
	work = s.Hog(classes[0])
	s.Run(10 * second)
	late := s.Hog(classes[1])
	from = schedtest.Account(work, late)
	s.Run(second)
	near(t, "the share of who worked before", schedtest.Shares(from, work, late)[0], 0.5, 0.02)
}

// TestSystemHasAQuarter has the system's class want all it can get.
func TestSystemHasAQuarter(t *testing.T) {
	s, classes := machine(t, 1, 300, 600)
	sys := s.Hog(sched.System)
	a, b := s.Hog(classes[0]), s.Hog(classes[1])
	s.Run(5 * second)
	near(t, "the system's part", float64(sys.Ran)/float64(s.Now), 0.25, 0.02)
	near(t, "the ratio of the others", float64(b.Ran)/float64(a.Ran), 2, 0.05)
}

// TestTicketsChange gives a class other tickets while it runs.
func TestTicketsChange(t *testing.T) {
	s, classes := machine(t, 2, 100, 100)
	var all []*schedtest.Goroutine
	for range 3 {
		all = append(all, s.Hog(classes[0]), s.Hog(classes[1]))
	}
	s.Run(second)
	s.Policy.Admit(classes[1], sched.Contract{Tickets: 300})
	from := schedtest.Account(all...)
	s.Run(5 * second)
	shares := schedtest.Shares(from, all...)
	near(t, "the share of who got more", shares[1]+shares[3]+shares[5], 0.75, 0.01)
}

func TestTrials(t *testing.T) { schedtest.Trials(t, func() sched.Policy { return new(stride.Policy) }) }

func FuzzPolicy(f *testing.F) { schedtest.Fuzz(f, func() sched.Policy { return new(stride.Policy) }) }

func TestAllocatesNothing(t *testing.T) {
	schedtest.AllocatesNothing(t, new(stride.Policy))
}
