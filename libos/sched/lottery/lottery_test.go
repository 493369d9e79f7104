package lottery_test

import (
	"math"
	"testing"

	"github.com/hardtack-os/hardtack/libos/sched"
	"github.com/hardtack-os/hardtack/libos/sched/lottery"
	"github.com/hardtack-os/hardtack/libos/sched/schedtest"
)

// TestShares allows for chance: over 6000 draws a share is off by more than 3% once in a million times.
func TestShares(t *testing.T) {
	s := schedtest.New(&lottery.Policy{Seed: 1}, 1)
	var all []*schedtest.Goroutine
	for i, tickets := range []int{300, 200, 100} {
		c := sched.ClassFor(i, sched.Contract{Tickets: tickets})
		s.Policy.Admit(c, c.Contract())
		all = append(all, s.Hog(c))
	}
	s.Run(60_000_000_000)
	for i, share := range schedtest.Shares(make([]int64, 3), all...) {
		if want := []float64{3. / 6, 2. / 6, 1. / 6}[i]; math.Abs(share-want) > 0.03 {
			t.Errorf("class %d has %.3f, want %.3f", i, share, want)
		}
	}
}

func policy() sched.Policy { return &lottery.Policy{Seed: 1} }

func TestTrials(t *testing.T)           { schedtest.Trials(t, policy) }
func FuzzPolicy(f *testing.F)           { schedtest.Fuzz(f, policy) }
func TestAllocatesNothing(t *testing.T) { schedtest.AllocatesNothing(t, policy()) }
