//go:build !hardtack

package image

import (
	"fmt"
	"testing"
	"time"
)

// TestPreemption runs loops that call nothing on every processor and one more.
func TestPreemption(t *testing.T) {
	for _, cpus := range []int{1, 2} {
		r := run(t, "plain", machine{cpus: cpus}, "preempt")
		r.want(t, 0, fmt.Sprintf("ran=%d ", cpus+1))
		if ms := r.number(t, "worst_ms"); ms > 30_000 { // it would be for ever
			t.Errorf("%d CPUs: a sleep of 5 ms and a collection took %d ms", cpus, ms)
		}
	}
}

// TestWoken has a device wake a program that has done nothing for a while, so that sysmon sleeps deeply, and then makes no call: it is preempted all the same.
func TestWoken(t *testing.T) {
	t.Parallel()
	b := start(t, "plain", machine{cpus: 1}, "woken")
	if s := b.line(t); s != "ready" {
		t.Fatalf("first line %q", s)
	}
	for range 5 {
		time.Sleep(100 * time.Millisecond)
		fmt.Fprintln(b.stdin)
		if s, ms := b.line(t), 0; !scanned(s, "waited_ms=%d", &ms) || ms > 30_000 { // it would be a minute
			t.Errorf("%q: the other goroutine had to wait for longer than 30 s", s)
		}
	}
	b.stdin.Write([]byte{4}) // ASCII EOT ends the input
	b.wait(t).want(t, 0)
}

func scanned(s, format string, values ...any) bool {
	n, err := fmt.Sscanf(s, format, values...)
	return err == nil && n == len(values)
}

// TestUrgent: of two threads that a deadline wakes at the same moment none waits for the other's turn, nor for those of loops.
func TestUrgent(t *testing.T) {
	t.Parallel()
	r := run(t, "urgent", machine{cpus: 1, env: []string{"GODEBUG=asyncpreemptoff=1"}, more: []string{"-icount", "shift=3,sleep=off"}})
	r.want(t, 0)
	if us := r.number(t, "worst_us"); us > 500 {
		t.Errorf("one was %d us late", us)
	}
}

func TestProcessors(t *testing.T) {
	for _, c := range []struct {
		cpus int
		env  []string
		want int
	}{
		{1, nil, 1}, {2, nil, 2}, {4, nil, 4}, {8, nil, 8}, {16, nil, 16}, {64, nil, 64},
		{4, []string{"GOMAXPROCS=4"}, 4},
	} {
		t.Run(fmt.Sprint(c.cpus, c.env), func(t *testing.T) {
			t.Parallel()
			r := run(t, "plain", machine{cpus: c.cpus, env: c.env, memory: "256M"}, "cpus")
			r.want(t, 0, fmt.Sprintf("cpus=%d procs=%d\nmet=%d\n", c.cpus, c.want, c.want))
		})
	}
	r := run(t, "plain", machine{cpus: 2, env: []string{"GOMAXPROCS=7"}}, "cpus")
	r.want(t, 0, "cpus=2 procs=7\n")
}

// TestLockedExits ends many threads; what they used serves the next ones.
func TestLockedExits(t *testing.T) {
	t.Parallel()
	for _, cpus := range []int{1, 4} {
		r := run(t, "plain", machine{cpus: cpus, memory: "32M"}, "locked", "2000")
		r.want(t, 0)
		if id := r.number(t, "highest"); id > 100 {
			t.Errorf("%d CPUs: thread id %d after 2000 threads one by one", cpus, id)
		}
	}
}

func TestThousandThreads(t *testing.T) {
	t.Parallel()
	run(t, "plain", machine{cpus: 2, memory: "256M"}, "threads", "1000").want(t, 0, "threads=1000\n")
}

func TestContention(t *testing.T) {
	t.Parallel()
	run(t, "plain", machine{cpus: 4}, "mutex").want(t, 0, "count=32000 handed=2000\n")
	run(t, "plain", machine{cpus: 1}, "mutex").want(t, 0, "count=32000 handed=2000\n")
}

func TestBlockedReaders(t *testing.T) {
	t.Parallel()
	run(t, "plain", machine{cpus: 2}, "pipes", "1000").want(t, 0, "goroutines=1001\n", "read=1000\n")
}

// TestVectorState shows that switches, signals and the collector lose no part of a wide register.
func TestVectorState(t *testing.T) {
	t.Parallel()
	for _, cpus := range []int{1, 2} {
		r := run(t, "vector", machine{cpus: cpus})
		if r.console == "no AVX2\n" {
			t.Skip("this QEMU has no AVX2 (7.2 has)")
		}
		r.want(t, 0, "bad=0 ")
		if r.number(t, "rounds") < 10 || r.number(t, "collections") < 5 {
			t.Errorf("too little happened: %s", r.console)
		}
	}
}

// TestNarrowVectorState boots on a processor without XSAVE.
func TestNarrowVectorState(t *testing.T) {
	t.Parallel()
	run(t, "plain", machine{cpus: 2, cpu: "qemu64"}, "mutex").want(t, 0, "count=32000 handed=2000\n")
}
