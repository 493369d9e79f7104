//go:build !hardtack

package image

import (
	"strings"
	"testing"
)

// Go's own promises about faults, panics and exits.

func TestRecover(t *testing.T) {
	t.Parallel()
	r := run(t, "plain", machine{cpus: 2}, "recover")
	const null = "runtime error: invalid memory address or nil pointer dereference\n"
	r.want(t, 0, "read: "+null, "write: "+null, "far: "+null, "method: "+null, "call: "+null, "divide: runtime error: integer divide by zero\n",
		"modulo: runtime error: integer divide by zero\n", "bounds: runtime error: index out of range [7] with length 1\n")
	if strings.Contains(r.console, "no panic") {
		t.Error("a fault did not panic")
	}
}

func TestStackOverflow(t *testing.T) {
	t.Parallel()
	run(t, "plain", machine{}, "overflow").want(t, 2, "runtime: goroutine stack exceeds 33554432-byte limit",
		"fatal error: stack overflow", "main.forever(", "main.overflow({", " frames elided...")
}

// TestStackWithoutMemory lets a stack grow beyond the memory there is, which is less than Go's limit.
func TestStackWithoutMemory(t *testing.T) {
	t.Parallel()
	run(t, "plain", machine{memory: "64M"}, "overflow-default").want(t, 2, "fatal error: ", "out of memory")
}

func TestPanicShowsAllGoroutines(t *testing.T) {
	t.Parallel()
	r := run(t, "plain", machine{env: []string{"GOTRACEBACK=all"}}, "panic")
	r.want(t, 2, "panic: boom", "goroutine 1 [running]:", "main.panicBesideOthers(", "[select (no cases)]:", "[chan receive]:", "main.sleepingInRange(")
	if n := strings.Count(r.console, "main.waiting("); n != 3 {
		t.Errorf("%d of 3 waiting goroutines shown", n)
	}
	r = run(t, "plain", machine{env: []string{"GOTRACEBACK=none"}}, "panic")
	r.want(t, 2, "panic: boom")
	if strings.Contains(r.console, "goroutine") {
		t.Errorf("GOTRACEBACK=none shows goroutines:\n%s", r.console)
	}
}

func TestDeadlock(t *testing.T) {
	t.Parallel()
	run(t, "plain", machine{cpus: 2}, "deadlock").want(t, 2, "fatal error: all goroutines are asleep - deadlock!", "goroutine 1 [sync.Mutex.Lock]:", "main.deadlock(")
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for code, arg := range map[int]string{0: "0", 1: "1", 3: "3", 127: "127", 128: "128", 255: "255"} {
		if r := run(t, "plain", machine{}, "exit", arg); r.code != code || r.console != "" {
			t.Errorf("os.Exit(%s): exit code %d, console %q", arg, r.code, r.console)
		}
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	r := run(t, "plain", machine{}, "signals")
	r.want(t, 0)
	if want := strings.Repeat("got user defined signal 1\n", 3); r.console != want {
		t.Errorf("console %q, want %q", r.console, want)
	}
	if r := run(t, "plain", machine{}, "interrupt"); r.code != 130 || r.console != "" {
		t.Errorf("SIGINT that nobody handles: exit code %d, console %q", r.code, r.console)
	}
}

// TestStdin gives lines one by one, each when the last is answered.
func TestStdin(t *testing.T) {
	t.Parallel()
	b := start(t, "plain", machine{}, "echo")
	if s := b.line(t); s != "ready" {
		t.Fatalf("first line %q", s)
	}
	for _, s := range []string{"one", "", "two words", strings.Repeat("long ", 100)} {
		if _, err := b.stdin.Write([]byte(s + "\n")); err != nil {
			t.Fatal(err)
		}
		if got := b.line(t); got != "<"+s+">" {
			t.Fatalf("answer to %q: %q", s, got)
		}
	}
	b.stdin.Write([]byte{4}) // ASCII EOT ends the input
	b.wait(t).want(t, 0, "end of input\n")
}
