//go:build !hardtack

package image

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestKernelSide reads a linked program's machine code: what can be reached from the ways into the kernel side must call no ABI0
// function (its wrapper would take the interrupted thread's g), touch no vector register wider than XMM (only those are saved)
// and have no write barrier.
func TestKernelSide(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"samples/hello", "exo/testdata/image", "ci/image/guest/ranges"} { // the least that is linked, and most of what can be
		t.Run(program, func(t *testing.T) { kernelSide(t, program) })
	}
}

func kernelSide(t *testing.T, program string) {
	cache, name := t.TempDir(), filepath.Base(program)
	build := exec.Command(tool, "build", "-o", filepath.Join(cache, name), "./"+program)
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "HARDTACK_CACHE="+cache)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	linked, err := filepath.Glob(filepath.Join(cache, "program", "*", name))
	if err != nil || len(linked) != 1 {
		t.Fatalf("linked programs below %s: %v %v", cache, linked, err)
	}
	listing, err := exec.Command("objdump", "-d", "--no-show-raw-insn", linked[0]).Output()
	if err != nil {
		t.Fatalf("objdump: %v (binutils is needed; ci/install installs it)", err)
	}
	code := parseListing(string(listing))

	ways := []string{"exoBoot", "exoAPInit", "exoSyscall", "exoFault", "exoException", "exoInterrupt", "exoReschedule"}
	from := map[string]string{} // a reached function, and which called it
	var open []string
	for _, w := range ways {
		w = "runtime." + w
		if code[w] == nil {
			t.Fatalf("%s is not in the program", w)
		}
		from[w] = ""
		open = append(open, w)
	}
	for f := range code {
		if strings.HasPrefix(f, "runtime.exoOp") { // what exoKernel runs
			from[f] = ""
			open = append(open, f)
		}
	}
	for len(open) > 0 {
		f := open[0]
		open = open[1:]
		if f != "runtime.exoZeroPage" && code[f].wide != "" { // it keeps the register itself
			t.Errorf("%s: %s", way(from, f), code[f].wide)
		}
		if code[f].barrier {
			t.Errorf("%s has a write barrier", way(from, f))
		}
		for _, callee := range code[f].calls {
			if _, seen := from[callee]; seen || code[callee] == nil || leaves(callee) {
				continue
			}
			from[callee] = f
			open = append(open, callee)
			if strings.HasSuffix(callee, ".abi0") {
				t.Errorf("%s is called through an ABI0 wrapper", way(from, callee))
			}
		}
	}
	if len(from) < 100 {
		t.Errorf("only %d functions reached; the listing was not understood", len(from))
	}
}

// leaves reports whether a call ends in the report of a bug of the kernel side, not in more of it.
func leaves(f string) bool {
	return strings.HasPrefix(f, "runtime.morestack") || strings.HasPrefix(f, "runtime.panic")
}

func way(from map[string]string, f string) string {
	s := f
	for f = from[f]; f != ""; f = from[f] {
		s += " <- " + f
	}
	return s
}

// routine is what matters of one function's code.
type routine struct {
	calls   []string
	wide    string // the first instruction with a register wider than XMM
	barrier bool
}

var (
	listingHead   = regexp.MustCompile(`^[0-9a-f]+ <(.*)>:$`)
	listingTarget = regexp.MustCompile(`\s(?:call|jmp|j[a-z]+)\s+[0-9a-f]+ <([^>+]*)(\+0x[0-9a-f]+)?>`)
)

func parseListing(text string) map[string]*routine {
	all := map[string]*routine{}
	var r *routine
	name := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := listingHead.FindStringSubmatch(line); m != nil {
			name, r = m[1], &routine{}
			all[name] = r
			continue
		}
		if r == nil {
			continue
		}
		if m := listingTarget.FindStringSubmatch(line); m != nil && m[1] != name {
			r.calls = append(r.calls, m[1])
			r.barrier = r.barrier || strings.HasPrefix(m[1], "runtime.gcWriteBarrier") || m[1] == "gcWriteBarrier"
		}
		if r.wide == "" && (strings.Contains(line, "%ymm") || strings.Contains(line, "%zmm")) {
			r.wide = strings.TrimSpace(line)
		}
	}
	return all
}
