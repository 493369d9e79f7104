//go:build !hardtack

package image

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTimeZones(t *testing.T) {
	t.Parallel()
	run(t, "plain", machine{env: []string{"TZ=America/Sao_Paulo"}}, "zones").want(t, 0, "local 2026-07-01T09:00:00-03:00\n",
		"Europe/Berlin 2026-07-01T14:00:00+02:00\n", "Asia/Kolkata 2026-07-01T17:30:00+05:30\n", "America/New_York 2026-07-01T08:00:00-04:00\n",
		"unknown time zone Nowhere/None\n")
	run(t, "plain", machine{}, "zones").want(t, 0, "local 2026-07-01T12:00:00Z\n")
}

// TestClocks compares the guest's clocks with the host's. A busy host reads a line late now and then; a clock that is wrong is so each time.
func TestClocks(t *testing.T) {
	const tries = 10
	for try := range tries {
		if clocksAgree(t, try == tries-1) {
			return
		}
	}
}

func clocksAgree(t *testing.T, last bool) bool {
	b := start(t, "plain", machine{}, "clock")
	var wall, slept int64
	fmt.Sscanf(b.line(t), "wall=%d", &wall)
	first := time.Now()
	fmt.Sscanf(b.line(t), "slept_us=%d", &slept)
	here, there := time.Since(first), time.Duration(slept)*time.Microsecond
	b.wait(t).want(t, 0)
	say := t.Logf
	if last {
		say = t.Errorf
	}
	if there < 2*time.Second {
		t.Fatalf("a sleep of 2 s took %v there", there)
	}
	d := first.Sub(time.Unix(0, wall)).Abs()
	if d > 5*time.Second {
		say("the wall clock differs by %v", d)
	}
	drift := (here - there).Abs()
	if drift > here/20 {
		say("a sleep of 2 s took %v here, %v there", here, there)
	}
	return d <= 5*time.Second && drift <= here/20
}

// TestCPUTime: what a program is told that it has used is what its CPUs had to do, not what the clock says. The machine's clock counts instructions,
// so a host that takes its CPUs away changes nothing. Of two CPUs QEMU then runs one after the other, each for as long as it likes, and one that
// waits for its turn is busy: what is used beyond the loops has the clock for its bound only.
func TestCPUTime(t *testing.T) {
	for cpus := 1; cpus <= 2; cpus++ {
		b := run(t, "plain", machine{cpus: cpus, more: []string{"-icount", "shift=3,sleep=off"}}, "cputime")
		b.want(t, 0)
		var used, of [3]int // ms of a sleep, one loop, two loops of 500 ms each; and what the clock said
		fmt.Sscanf(b.console, "used %d of %d\nused %d of %d\nused %d of %d\n", &used[0], &of[0], &used[1], &of[1], &used[2], &of[2])
		for i := range used {
			low, high := min(i, cpus)*490, cpus*of[i]+10
			if i == 0 {
				high = 100
			}
			if of[i] < 490 || used[i] < low || used[i] > high {
				t.Errorf("%d CPUs, %d loops of 500 ms: %d ms of CPU time in %d ms, want %d to %d", cpus, i, used[i], of[i], low, high)
			}
		}
	}
}

// TestEntropy boots twice on machines with and without sources of entropy: no value comes again.
func TestEntropy(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]machine{
		"all sources": {},
		"no source":   {cpu: "max,-rdrand,-rdseed", bare: true},
	} {
		a, b := run(t, "plain", m, "entropy"), run(t, "plain", m, "entropy")
		a.want(t, 0, "crypto ")
		old := map[string]bool{}
		for line := range strings.Lines(a.console) {
			old[line] = true
		}
		for line := range strings.Lines(b.console) {
			if old[line] {
				t.Errorf("%s: the same in two boots: %s", name, line)
			}
		}
	}
}
