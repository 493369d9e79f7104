//go:build !hardtack

package image

import (
	"strings"
	"testing"
)

// TestRanges: what programs build on their own page tables behaves as the tables say.
func TestRanges(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]string{
		"demand": "faults 16 writes 8 sum 36\nagain 4 17\n",
		"bits": "0 failed\nread 0\npage 7 true true 3 true\npage 8 false false 3 true\npage 9 true false 3 true\n" +
			"dirty 2 [128 0 0 128]\ndirty 0 [0 0 0 0]\ndirty 1 8\ncleaned true false\n",
		"errors": "7 <nil>\n0 <nil>\n1 exo: page 4 of the range: the range is shorter\n" +
			"2 exo: page 1 of the range: the frames do not have that one, or are released\n" +
			"3 exo: page 1 of the range: the frames do not have that one, or are released\n" +
			"4 exo: page 2 of the range: no frame is mapped there: Map comes first\n" +
			"5 exo: page 3 of the range: no frame is mapped there: Map comes first\n" +
			"6 exo: page 268435456 of the range: the range is shorter\n7 <nil>\n8 <nil>\n9 <nil>\n" +
			"10 exo: page 2 of the range: no frame is mapped there: Map comes first\n",
		"cow":           "copies 2\na 2 102 5\nb 100 101 2 5\n",
		"barrier":       "cards 12 faults 12 right true true\n",
		"nested":        "order [4 3 2 1 0] 1 1\n",
		"decline-panic": "recovered at 8 1\nrecovered at 4112 2\n",
		"munmap": "apply: exo: range capability used after Release: take the resource again\nframe 5\n" +
			"release: exo: range: the program unmapped or replaced it by munmap or mmap: leave those addresses to their holder\nframes: <nil>\n",
		"released": "release: <nil>\napply: exo: range capability used after Release: take the resource again\n" +
			"again: exo: range capability used after Release: take the resource again\n",
		"revoked": "rival: true\nbefore 1 4 0\nafter 0 0 0 0 4 0\n2 true true\nnext 0 9 5\n",
		"pin": "1 true true true\n5000 true true true\n1048576 true true true\n6291456 true true true\n" +
			"exo: page 0 of the range: it is mapped nowhere, or not for writing: populate it\ntrue\n",
		"foreign": "cannot allocate memory errno 0 errno 0 true true\n2 exo: page 0 of the range: the operation is none: make it by Map, MapLarge, Unmap, Protect, Query or Clean\n",
		"reserve": "done\n",
		"large": "mapped true true\ndirty 1 true\nnone 1 kept 3 true\nread 3 write faults 2\nmixed true true true\nsmall 9 9\nagain 3 9\n" +
			"taken 3 true\nfresh 4 true\nmunmap true 5 true\nregion true 11 true\n",
		"std":   "written from a page\ntrue\n",
		"named": "held: true\nheld: true true\nheld: true 200\nwoken: true\n200\n",
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			b := run(t, "ranges", machine{}, command)
			b.want(t, 0)
			if b.console != want {
				t.Errorf("it printed\n%s\nwant\n%s", b.console, want)
			}
		})
	}
}

// TestLargeOnTwoCPUs: what one CPU forbids of a large page, another that writes there all the time does no more.
func TestLargeOnTwoCPUs(t *testing.T) {
	run(t, "ranges", machine{cpus: 2}, "large-two").want(t, 0, "wrong 0\n")
}

// TestFaultOfAHandler: each way in which a handler can fail has its report.
func TestFaultOfAHandler(t *testing.T) {
	t.Parallel()
	for command, want := range map[string]struct {
		code int
		text string
	}{
		"handler-faults": {3, "fault in a fault handler"},
		"too-deep":       {3, "fault in a"},
		"decline":        {2, "unexpected fault address"},
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			b := run(t, "ranges", machine{}, command)
			b.want(t, want.code, want.text)
			if strings.Contains(b.console, "went on") {
				t.Error("the access came through")
			}
		})
	}
}

// TestPagers: goroutines wait for pages wherever they fault, on one CPU and on several, while the collector looks at them.
func TestPagers(t *testing.T) {
	for _, cpus := range []int{1, 2, 4} {
		b := run(t, "ranges", machine{cpus: cpus}, "pager")
		b.want(t, 0, "wrong 0\n")
	}
	run(t, "ranges", machine{}, "pager-declines").want(t, 0, "recovered true 1\n")
	run(t, "ranges", machine{}, "pager-nosplit").want(t, 0, "recovered true 0\n")
}

// TestAssemblyAwaits: what is written in assembly waits for pages, too, while pages are put out all the time and the collector, goroutine dumps, traces and profiles look on.
func TestAssemblyAwaits(t *testing.T) {
	for name, c := range map[string]struct {
		m    machine
		args []string
		code int
		want string
	}{
		"one CPU":     {machine{}, []string{"assembly"}, 0, "wrong 0\n"},
		"two CPUs":    {machine{cpus: 2, cpu: "max"}, []string{"assembly"}, 0, "wrong 0\n"},
		"one P":       {machine{cpus: 2, cpu: "max", env: []string{"GOMAXPROCS=1"}}, []string{"assembly"}, 0, "wrong 0\n"},
		"no features": {machine{cpus: 2, cpu: "max,-xsave", env: []string{"GODEBUG=cpu.all=off"}}, []string{"assembly"}, 0, "wrong 0\n"},
		"own CPU":     {machine{cpus: 3}, []string{"assembly", "alone"}, 0, "wrong 0\n"},
		"held":        {machine{env: []string{"GODEBUG=clobberfree=1"}}, []string{"held"}, 0, "wrong 0\n"},
		"held by AVX": {machine{cpu: "max", env: []string{"GODEBUG=clobberfree=1"}}, []string{"held"}, 0, "wrong 0\n"},
		"declined":    {machine{}, []string{"declined-assembly"}, 0, "recovered true 1\nrecovered true 2\nbus true\nbus false\n"},
		"aligned":     {machine{}, []string{"declined-assembly", "aligned"}, 2, "unexpected SPWRITE function main.aligned"},
		"crowd":       {machine{cpus: 2}, []string{"crowd"}, 0, "wrong 0 few threads true\n"},
		"modes":       {machine{}, []string{"modes"}, 0, "wrong 0\n"},
		"AVX's modes": {machine{cpus: 2, cpu: "max"}, []string{"modes"}, 0, "wrong 0\n"},
		"old modes":   {machine{cpu: "max,-xsave"}, []string{"modes"}, 0, "wrong 0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, "ranges", c.m, c.args...).want(t, c.code, c.want)
		})
	}
}

// TestScanSample: a program that chooses what to put out beats what any kernel chooses, by the factor of theory.
func TestScanSample(t *testing.T) {
	t.Parallel()
	run(t, "samples/libos/scan", machine{}).want(t, 0, "pages brought in a pass: LRU 256.0, MRU 65.0: 3.94 times fewer (theory: 4.00)\n")
}

// TestUpcallState: an upcall leaves nothing behind in the code that faulted: vector registers, profile ticks, preemption.
func TestUpcallState(t *testing.T) {
	for _, cpu := range []string{"", "max,-avx,-avx2,-f16c,-fma", "max,-avx,-avx2,-f16c,-fma,-xsave"} {
		run(t, "ranges", machine{cpu: cpu, cpus: 2}, "wide").want(t, 0, "wrong 0\n")
		run(t, "ranges", machine{cpu: cpu}, "vector").want(t, 0, "handler true\npager true\n")
	}
	for _, cpus := range []int{1, 4} {
		run(t, "ranges", machine{cpus: cpus}, "profile").want(t, 0, "faults true")
	}
}
