package linuxguest

import (
	"strings"
	"testing"

	"github.com/hardtack-os/hardtack/ci/bench/qemu"
)

func TestExitCode(t *testing.T) {
	const last = "[    1.2] Kernel panic - not syncing: Attempted to kill init! exitcode=0x"
	for _, c := range []struct {
		line string
		code int
		ok   bool
	}{
		{last + "00000000", 0, true},
		{last + "00000200", 2, true},
		{last + "0000000b", 0, false}, // SIGSEGV
		{"[    1.2] Kernel panic - not syncing: System is deadlocked on memory", 0, false},
	} {
		code, err := ExitCode([]qemu.Line{{Text: "hello"}, {Text: c.line}, {Text: "[    1.2] Call Trace:"}})
		if code != c.code || (err == nil) != c.ok {
			t.Errorf("%s: got %d, %v", c.line, code, err)
		}
	}
	if _, err := ExitCode(nil); err == nil {
		t.Error("an empty console passes")
	}
}

func TestCommandLineTellsTheClock(t *testing.T) {
	line, err := CommandLine(qemu.ExactClock)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(line, "tsc_early_khz=1000000 ") {
		t.Errorf("with a clock that counts instructions the TSC runs at 1 GHz, but the kernel is told %q", line)
	}
}

func TestKernelAmong(t *testing.T) {
	for depends, want := range map[string]string{
		"linux-image-6.1.0-9-cloud-amd64 (= 6.1.5-1)\n": "linux-image-6.1.0-9-cloud-amd64",
		"kmod, linux-image-7-amd64":                     "linux-image-7-amd64",
		"kmod, ":                                        "",
	} {
		if got := kernelAmong(depends); got != want {
			t.Errorf("among %q: %q, want %q", depends, got, want)
		}
	}
}
