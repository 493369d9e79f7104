//go:build !hardtack

package image

import (
	"regexp"
	"strconv"
	"testing"
)

func TestCleanups(t *testing.T) {
	t.Parallel()
	run(t, "plain", machine{cpus: 2}, "cleanups").want(t, 0, "finalizer=100 cleanup=100 gone=100\n")
}

// TestCollector makes 60 MiB of garbage, of which 1 MiB is in use at a time.
func TestCollector(t *testing.T) {
	t.Parallel()
	normal := run(t, "plain", machine{}, "collector").number(t, "collections")
	if normal < 5 {
		t.Errorf("%d collections, want at least 5", normal)
	}
	if n := run(t, "plain", machine{env: []string{"GOGC=off"}}, "collector").number(t, "collections"); n != 0 {
		t.Errorf("GOGC=off: %d collections", n)
	}
	if n := run(t, "plain", machine{env: []string{"GOGC=1000"}}, "collector").number(t, "collections"); n >= normal {
		t.Errorf("GOGC=1000: %d collections, by default %d", n, normal)
	}
	r := run(t, "plain", machine{env: []string{"GOGC=off", "GOMEMLIMIT=20MiB"}}, "collector")
	if n, most := r.number(t, "collections"), r.number(t, "most_mib"); n == 0 || most > 24 {
		t.Errorf("GOMEMLIMIT=20MiB: %d collections, at most %d MiB", n, most)
	}
}

// TestMemoryLimit: a program that says nothing of its memory lives within the machine's, by collecting where it would run out.
func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	off := []string{"GOGC=10000"} // the heap may grow a hundredfold before it is collected
	run(t, "plain", machine{memory: "96M", env: off}, "limited").want(t, 0, "limit_mib=8", "done\n")
	run(t, "plain", machine{memory: "96M", env: append(off, "GOMEMLIMIT=off")}, "limited").want(t, 2, "limit_mib=8796093022207\n", "out of memory")
	run(t, "plain", machine{memory: "96M", env: append(off, "GOMEMLIMIT=40MiB")}, "limited").want(t, 0, "limit_mib=40\n", "done\n")
}

// TestFreedMemory shows that memory which the runtime gives back is the machine's again.
func TestFreedMemory(t *testing.T) {
	t.Parallel()
	r := run(t, "plain", machine{memory: "96M", cpus: 2}, "freed")
	r.want(t, 0)
	for _, name := range []string{"taken_mib", "returned_mib", "again_mib"} {
		if n := r.number(t, name); n < 37 {
			t.Errorf("%s=%d of 40", name, n)
		}
	}
}

func TestOutOfMemory(t *testing.T) {
	for name, args := range map[string][]string{
		"small pieces":      {"fill", "1000"},
		"pages":             {"fill", "8192"},
		"large pieces":      {"fill", "3000000"},
		"one":               {"one", "100"},
		"one far too large": {"one", "100000"},
		"one beyond reason": {"one", "100000000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, "plain", machine{memory: "64M"}, args...).want(t, 2, "fatal error: ", "out of memory", "goroutine 1 ", "main.main()")
			run(t, "plain", machine{memory: "64M", cpus: 2}, args...).want(t, 2, "fatal error: ", "out of memory")
		})
	}
}

// TestOutOfThreads starts threads until there is no memory for one more: whoever finds that out, it is Go that reports it.
func TestOutOfThreads(t *testing.T) {
	t.Parallel()
	for _, cpus := range []int{1, 2} {
		run(t, "plain", machine{cpus: cpus, memory: "16M"}, "threads", "9000").want(t, 2, "fatal error: ")
	}
}

// TestTooLittleMemory boots on machines that cannot hold the program, and follows their advice until it runs.
func TestTooLittleMemory(t *testing.T) {
	t.Parallel()
	told := regexp.MustCompile(`^hardtack: this machine has (\d+) KiB of memory; the image needs (?:at least|more than) (\d+) KiB\n$`)
	kib := 3 << 10
	for tries := range 6 {
		r := run(t, "plain", machine{memory: strconv.Itoa(kib) + "K"}, "exit", "0")
		if tries > 0 && r.code == 0 {
			return
		}
		m := told.FindStringSubmatch(r.console)
		if r.code == 0 || m == nil {
			t.Fatalf("%d KiB: exit code %d, console %q", kib, r.code, r.console)
		}
		have, _ := strconv.Atoi(m[1])
		need, _ := strconv.Atoi(m[2])
		if have > kib || have < kib-512 || need <= have || need > 12<<10 {
			t.Fatalf("%d KiB: has %d KiB, needs %d KiB", kib, have, need)
		}
		kib += need - have + 64
	}
	t.Error("it does not run with what it asks for")
}
