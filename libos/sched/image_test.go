//go:build linux && !hardtack

package sched_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
	"github.com/hardtack-os/hardtack/libos/sched"
)

// These tests boot the programs of testdata under the policies. Shares and deadlines are looked at where the guest's clock counts
// instructions (icount), on one CPU, because the machine that tests run on may be busy; on two CPUs with more patience.

// tool builds mkimage.
var tool = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs(filepath.Join("..", "..", "cmd", "mkimage"))
	if err != nil {
		return "", err
	}
	out := filepath.Join(toolDir, "mkimage")
	if text, err := exec.Command("go", "-C", dir, "build", "-o", out, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return out, nil
})

// image builds a program of testdata, with a module if there is a name.
func image(t *testing.T, program, module string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and boots images")
	}
	mkimage, err := tool()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "image.elf")
	args := []string{"build", "-o", out, "./testdata/" + program}
	if module != "" {
		args = append(args, "--module", module)
	}
	if text, err := exec.Command(mkimage, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

// boot runs an image and returns what it printed and its exit code.
func boot(t *testing.T, image string, cpus int, icount bool, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	line := "debugexit=0xf4"
	for _, a := range args {
		line += " arg=" + a
	}
	q := []string{"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel", "tcg", "-cpu", "max",
		"-M", "microvm,acpi=on,pit=off,pic=off,rtc=on,isa-serial=on", "-m", "256M", "-smp", strconv.Itoa(cpus),
		"-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", image, "-append", line}
	if icount {
		q = append(q, "-icount", "shift=0,sleep=off")
	}
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", q...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := child.Run(cmd)
	if cmd.ProcessState == nil {
		t.Fatal("apt-get install qemu-system-x86: ", err)
	}
	if ctx.Err() != nil {
		t.Fatalf("it did not end:\n%s", out.Bytes())
	}
	return out.String(), cmd.ProcessState.ExitCode() >> 1
}

// number returns what a line "RESULT name number unit" of the output says.
func number(t *testing.T, out, name string) float64 {
	t.Helper()
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, "RESULT "+name+" "); ok {
			word, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			if n, err := strconv.ParseFloat(word, 64); err == nil {
				return n
			}
		}
	}
	t.Fatalf("no %q in\n%s", name, out)
	return 0
}

func TestStrideShares(t *testing.T) {
	img := image(t, "shares", "libos/sched/stride")
	if err := shares(t, img, 1, true, 1); err != nil {
		t.Error(err)
	}
	// Two CPUs run side by side on a host that may take them away for longer than a turn, which the guest takes for its program's
	// doing. It need not happen every time, and without tickets all three had a third.
	var err error
	for range 10 {
		if err = shares(t, img, 2, false, 6); err == nil {
			return
		}
	}
	t.Error(err)
}

// shares compares what the classes had, in percent.
func shares(t *testing.T, img string, cpus int, icount bool, within float64) error {
	t.Helper()
	out, code := boot(t, img, cpus, icount, "2000")
	if code != 0 {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	for i, want := range []float64{50, 33.33, 16.67} {
		if got := number(t, out, fmt.Sprint("share", i)); math.Abs(got-want) > within {
			return fmt.Errorf("on %d CPUs class %d has %v %%, want %v:\n%s", cpus, i, got, want, out)
		}
	}
	return nil
}

// TestClasses: a goroutine's class is the one that it was started in or has set, and its children's; the libOS has the caller's where it serves a call or a fault, and else the system's.
func TestClasses(t *testing.T) {
	out, code := boot(t, image(t, "classes", "libos/sched/stride"), 1, false)
	const want = "main default default\nstarted a\nthe next one default\nchild and grandchild a\nset b\nchild of before a\ntimer default\n" +
		"pager, by a call a vm: the pool has no frame left: drop pages of a region, or make the pool larger\npager, by a fault a true\nhandler of a demand system <nil>\n"
	if code != 0 || out != want {
		t.Errorf("exit %d\n%s\nwant\n%s", code, out, want)
	}
}

// TestCollector has loops of two classes, one that allocates all it can, and the collector.
func TestCollector(t *testing.T) {
	out, code := boot(t, image(t, "gc", "libos/sched/stride"), 1, true)
	if code != 0 {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	much, little, storm := number(t, out, "much"), number(t, out, "little"), number(t, out, "storm")
	if math.Abs(much/little-3) > 0.15 || storm > little*1.1 {
		t.Errorf("300 and 100 tickets had %v and %v ms, and who allocates, with 100 too, %v", much, little, storm)
	}
	if n := number(t, out, "collections"); n < 3 {
		t.Errorf("%v collections beside loops", n)
	}
	if system := number(t, out, "system"); system > 600 {
		t.Errorf("the system had %v of 2000 ms", system)
	}
}

// TestEDF looks at each period's slice beside a loop, an allocation storm and the collector.
func TestEDF(t *testing.T) {
	out, code := boot(t, image(t, "edf", "libos/sched/edf"), 1, true, "50")
	if code != 0 {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	if late := number(t, out, "late"); late != 0 {
		t.Errorf("%v slices came late:\n%s", late, out)
	}
	if want := "refused: sched: class greedy, 19ms in 20ms: edf: "; !strings.Contains(out, want) {
		t.Errorf("no %q in\n%s", want, out)
	}
}

func TestBrokenRules(t *testing.T) {
	img := image(t, "bad", "libos/sched")
	for how, want := range map[string]string{
		"well":      "well behaved",
		"invents":   "sched: Pick returned a task that Enqueue did not give it",
		"copies":    "sched: Pick returned a task that Enqueue did not give it",
		"repeats":   "sched: Pick returned a task that it had returned before",
		"keeps":     "sched: Pick returned neither a task nor a time",
		"allocates": "sched: the policy allocated memory in Pick",
		"indexes":   "fatal error: index out of range",
		"blocks":    "main.(*policy).Pick",
	} {
		out, code := boot(t, img, 1, false, how)
		if !strings.Contains(out, want) || code == 0 != (how == "well") {
			t.Errorf("%s: exit %d, no %q in\n%.2000s", how, code, want, out)
		}
	}
	if out, code := boot(t, img, 2, false, "doubles"); !strings.Contains(out, "sched: Pick returned a task twice") || code == 0 {
		t.Errorf("doubles: exit %d\n%.2000s", code, out)
	}
}

// TestIsolate has one goroutine alone on CPU 1, under Go's own scheduler and under a policy: the processor itself says who ran where.
func TestIsolate(t *testing.T) {
	refused := strings.Repeat("refused true\n", 4)
	alone := strings.Repeat("wrong [0 0 0 0 0 0 0] seen 0 collections true\nran true <nil>\n", 3)
	for _, module := range []string{"", "libos/sched/stride"} {
		img := image(t, "isolate", module)
		if out, code := boot(t, img, 1, false); code != 0 || out != refused {
			t.Errorf("%q, one CPU: exit %d\n%s", module, code, out)
		}
		for _, cpus := range []int{2, 4} {
			if out, code := boot(t, img, cpus, false); code != 0 || out != refused+alone+"last <nil>\nrevoked <nil>\n" {
				t.Errorf("%q, %d CPUs: exit %d\n%s", module, cpus, code, out)
			}
		}
	}
}

// TestShare: a CPU may be shared while the collector looks at the stack of who has it, with and without the tracer.
func TestShare(t *testing.T) {
	if out, code := boot(t, image(t, "share", ""), 4, false); code != 0 || out != "traced false\ntraced true\n" {
		t.Errorf("exit %d\n%.2000s", code, out)
	}
}

// TestQuiet: nothing interrupts who has a CPU, no tick and no preemption, beside a storm of goroutines; and nobody else is on it beside that, collections and their workers.
// The same goroutine without it is interrupted.
func TestQuiet(t *testing.T) {
	img := image(t, "quiet", "")
	for _, cpus := range []int{2, 4} {
		out, code := boot(t, img, cpus, false)
		if code != 0 || !strings.HasPrefix(out, "interrupts beside a storm 0\n") || !strings.HasSuffix(out, "\nstrangers 0\n") {
			t.Errorf("%d CPUs: exit %d\n%s", cpus, code, out)
		}
		t.Log(out)
	}
	if out, code := boot(t, img, 2, false, "shared"); code != 0 || strings.HasPrefix(out, "interrupts beside a storm 0\n") {
		t.Errorf("without a CPU of its own: exit %d\n%s", code, out)
	}
}

// TestIsolateOnTheHost: there it is a thread, and the same calls.
func TestIsolateOnTheHost(t *testing.T) {
	ran := false
	err := sched.Isolate(1, func(a *sched.Alone) {
		go a.Wake()
		ran = a.Rest(0) && !a.Rest(time.Millisecond) && a.Interrupts() == 0
	})
	if err != nil || !ran {
		t.Error(err, ran)
	}
}

// TestQuantum: who holds slices of a CPU has so many hundredths of it, to one, and who is given some has those as well.
func TestQuantum(t *testing.T) {
	out, code := boot(t, image(t, "quantum", "libos/sched/quantum"), 1, true)
	if code != 0 {
		t.Fatalf("exit %d:\n%s", code, out)
	}
	if want := "refused: exo: CPU slice 0x28 overlaps 0x0-0x31 held by c0: that holder must release it first\n"; !strings.Contains(out, want) {
		t.Errorf("no %q in\n%s", want, out)
	}
	for what, want := range map[string][]float64{
		"held": {50, 30, 10, 10}, "donated": {5, 30, 60, 5}, "back": {50, 30, 10, 10}, "revoked": {50, 20, 10, 20},
		"yielded": {1, 20, 50, 10}, // two rows of ten, of which 0.5 ms each are the giver's
	} {
		for i, want := range want {
			if got := number(t, out, fmt.Sprint(what, i)); math.Abs(got-want) > 1 {
				t.Errorf("%s: class %d has %v %%, want %v", what, i, got, want)
			}
		}
	}
	t.Log(out)
}
