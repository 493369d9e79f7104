package qemu

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/ci/bench/floor"
)

const limit = 20 * time.Second

// floorMachine returns a machine that boots the floor payload.
func floorMachine(t *testing.T) Machine {
	t.Helper()
	if _, err := exec.LookPath(Binary); err != nil {
		t.Fatalf("needs %s (Debian: qemu-system-x86)", Binary)
	}
	kernel := filepath.Join(t.TempDir(), "floor.elf")
	if err := floor.Write(kernel); err != nil {
		t.Fatal(err)
	}
	return Machine{MemoryKiB: 8 << 10, Kernel: kernel}
}

func start(t *testing.T, m Machine, limit time.Duration) *Process {
	t.Helper()
	p, err := Start(context.Background(), m, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestBoot(t *testing.T) {
	p := start(t, floorMachine(t), limit)
	if l, err := p.WaitLine(floor.Line); err != nil || l.At <= 0 {
		t.Fatalf("line %+v, error %v", l, err)
	}
	if code, err := p.Wait(); err != nil || code != 1 {
		t.Errorf("exit status %d, error %v; want 1", code, err)
	}
}

// TestInstructions counts the payload's instructions from its entry to the OUT that ends QEMU.
func TestInstructions(t *testing.T) {
	m := floorMachine(t)
	m.Clock, m.Monitor, m.Debugger = ExactClock, true, true
	p := start(t, m, limit)
	monitor, err := p.Monitor()
	if err != nil {
		t.Fatal(err)
	}
	defer monitor.Close()
	debugger, err := p.Debugger()
	if err != nil {
		t.Fatal(err)
	}
	defer debugger.Close()
	const out = floor.Entry + 0x19 // of the OUT, as objdump shows it
	var at [2]int64
	for i, addr := range []uint64{floor.Entry, out} {
		if err := debugger.RunTo(addr, limit); err != nil {
			t.Fatal(err)
		}
		if at[i], err = monitor.Instructions(); err != nil {
			t.Fatal(err)
		}
	}
	straight := []string{"cld", "mov", "mov", "mov", "xor", "mov"}
	// Under icount QEMU counts each iteration of a REP and once more its finding that the counter is zero.
	want := int64(len(straight)) + int64(len(floor.Line+"\r\n")) + 1
	if got := at[1] - at[0]; got != want {
		t.Errorf("%d instructions, want %d", got, want)
	}
}

func TestFailuresSayWhy(t *testing.T) {
	m := floorMachine(t)
	p := start(t, m, limit)
	if _, err := p.WaitLine("never printed"); err == nil || !strings.Contains(err.Error(), floor.Line) {
		t.Errorf("error %v does not name the last line", err)
	}

	stopped := m
	stopped.Clock, stopped.Debugger = ExactClock, true // starts stopped, and nobody lets it run
	p = start(t, stopped, 300*time.Millisecond)
	if _, err := p.Wait(); err == nil || !strings.Contains(err.Error(), "within 300ms") {
		t.Errorf("error %v does not name the limit", err)
	}

	m.Kernel = "/nonexistent"
	p = start(t, m, limit)
	if _, err := p.WaitLine(floor.Line); err == nil || !strings.Contains(err.Error(), "nonexistent") {
		t.Errorf("error %v does not pass on what QEMU says", err)
	}

	m.Monitor = true
	if _, err := Start(context.Background(), m, limit); err == nil {
		t.Error("counting instructions on the host's clock is not refused")
	}
}
