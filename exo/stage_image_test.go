//go:build linux && !hardtack

package exo_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/child"
)

// mostLate bounds how late the highest stage is, in instructions: the bottom half clears 2 MiB without letting go of its CPU.
const mostLate = 150_000

// TestStages boots testdata/stages: on one CPU, where it sends itself interrupts, on two, and on a machine whose clock counts instructions, where a timer's interrupts are
// timed by that timer.
func TestStages(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and boots images")
	}
	dir := t.TempDir()
	image := filepath.Join(dir, "image.elf")
	tool := filepath.Join(dir, "mkimage")
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{
		{"go", "-C", "../cmd/mkimage", "build", "-o", tool, "."},
		{tool, "build", "-C", filepath.Join(here, "testdata/stages"), "-o", image, "."},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", c, err, out)
		}
	}
	const want = "both true 0\nhigh true\nheld 1 true\nlow true 1\npassed 1 3\nthreaded 1 3\nended true\nreleased true\n"
	for name, args := range map[string]string{
		"one CPU":  "-M microvm,pit=off,pic=off,rtc=on",
		"two CPUs": "-M microvm,pit=off,pic=off,rtc=on -smp 2",
		"timed":    "-M q35 -icount shift=0,sleep=off",
	} {
		t.Run(name, func(t *testing.T) {
			words := "debugexit=0xf4"
			if name == "timed" {
				words += " arg=latency"
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "qemu-system-x86_64", append(strings.Fields(args), "-accel", "tcg", "-cpu", "max", "-m", "128M", "-nodefaults", "-no-user-config",
				"-display", "none", "-no-reboot", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", image, "-append", words)...)
			out, err := child.CombinedOutput(cmd)
			rest, ok := strings.CutPrefix(string(out), want)
			if !ok || cmd.ProcessState.ExitCode()>>1 != 0 {
				t.Fatalf("%v: it printed\n%s", err, out)
			}
			if name != "timed" {
				return
			}
			var median, p99, worst, missing, periods, collections int
			if _, err := fmt.Sscanf(rest, "RESULT median %d ns\nRESULT p99 %d ns\nRESULT worst %d ns\nRESULT missing %d of %d\nRESULT collections %d times\n",
				&median, &p99, &worst, &missing, &periods, &collections); err != nil {
				t.Fatalf("%v: %s", err, rest)
			}
			t.Logf("%d periods: late by %d instructions, p99 %d, worst %d, %d missing, beside %d collections", periods, median, p99, worst, missing, collections)
			if missing != 0 || worst > mostLate || collections < 3 || periods < 400 {
				t.Errorf("want at most %d, and none missing", mostLate)
			}
		})
	}
}
