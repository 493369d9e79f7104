//go:build !hardtack

package image

import (
	"regexp"
	"strconv"
	"testing"
)

// TestPageProtection tries what must fault: writes to code and constants, execution of anything else, the zero page,
// guard pages, by every address there is. Each must be Go's own fault, and recoverable.
func TestPageProtection(t *testing.T) {
	t.Parallel()
	r := run(t, "protect", machine{}, "all")
	r.want(t, 0, "executable memory: invalid argument", "controls pass", "survived")
	tries := regexp.MustCompile(`(?m)^((?:write|read|execute) .*) \((0x[0-9a-f]+)\): (.*)$`).FindAllStringSubmatch(r.console, -1)
	if len(tries) < 50 {
		t.Errorf("%d attempts, want at least 50", len(tries))
	}
	for _, m := range tries {
		addr, err := strconv.ParseUint(m[2], 0, 64)
		if err != nil {
			t.Error(err)
		}
		want := "runtime error: invalid memory address or nil pointer dereference"
		switch {
		case addr < 4096: // Go's nil dereference, which has no address
		case addr+1<<47 >= 1<<48: // not canonical: the processor does not tell
			want += " at 0x0"
		default:
			want += " at " + m[2]
		}
		if m[3] != want {
			t.Errorf("%s: %s, want %s", m[1], m[3], want)
		}
	}
	if t.Failed() {
		t.Logf("%s", r.console)
	}
}

// TestFaultReport looks at the report of a fault that is not recovered.
func TestFaultReport(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"write text", "execute heap", "read guard 0x5000", "read 0x8000000000000000"} {
		run(t, "protect", machine{}, "one", name).want(t, 2,
			"unexpected fault address 0x", "fatal error: fault", "[signal SIGSEGV: segmentation violation code=", "goroutine 1 ", "[running]:", "main.main()")
	}
	run(t, "protect", machine{}, "one", "read 0x8").want(t, 2,
		"panic: runtime error: invalid memory address or nil pointer dereference", "[signal SIGSEGV: segmentation violation code=0x1 addr=0x8")
}

// TestWildPointers makes system calls with pointers to nowhere: each is refused, at once.
func TestWildPointers(t *testing.T) {
	t.Parallel()
	r := run(t, "protect", machine{}, "calls")
	r.want(t, 0, "survived\n")
	lines := regexp.MustCompile(`(?m)^([a-z].*): (.*)$`).FindAllStringSubmatch(r.console, -1)
	if len(lines) != 17 {
		t.Errorf("%d calls of 17:\n%s", len(lines), r.console)
	}
	for _, m := range lines {
		if m[2] != "bad address" {
			t.Errorf("%s: %s", m[1], m[2])
		}
	}
}

var machineReport = regexp.MustCompile(`(?s)\nhardtack: ([^\n]*vector \d+ error code \d+)\naddress (0x)?[0-9a-f]+\nr15 .*\brip (0x)?[0-9a-f]+.*\brsp (0x)?[0-9a-f]+.*\nstack:`)

// TestMachineReport breaks the stack or the processor's tables: registers, stack and address on the console, exit 3.
func TestMachineReport(t *testing.T) {
	for name, why := range map[string]string{
		"fault on a stack nowhere":    "",
		"push on a stack nowhere":     "",
		"push on no address":          "",
		"fault on a kernel stack":     "exception on the kernel side",
		"run over a kernel stack":     "exception on the kernel side",
		"fault without a fault stack": "exception: vector 8 ",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, "protect", machine{}, "break", name)
			r.want(t, 3, "hardtack: "+why)
			if !machineReport.MatchString(r.console) {
				t.Errorf("no registers, address or stack in\n%s", r.console)
			}
		})
	}
}
