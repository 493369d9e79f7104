package stride_test

import (
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
	_ = rand.Int
}
