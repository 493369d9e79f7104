//go:build !hardtack

package image

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// processTime reads how much CPU time a process has used (proc(5), stat: fields 14 and 15, in 1/100 s).
func processTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:]) // from field 3 on
	user, _ := strconv.Atoi(string(fields[11]))
	system, _ := strconv.Atoi(string(fields[12]))
	return time.Duration(user+system) * 10 * time.Millisecond
}

// TestIdle watches a machine with nothing to do: its processors are halted.
func TestIdle(t *testing.T) {
	for _, cpus := range []int{1, 4} {
		b := start(t, "plain", machine{cpus: cpus}, "idle")
		if s := b.line(t); s != "ready" {
			t.Fatalf("first line %q", s)
		}
		time.Sleep(300 * time.Millisecond)
		const watch = 3 * time.Second
		used := watch
		for try := 0; try < 10 && used > watch/20; try++ { // on a busy host its beginning takes longer
			before := processTime(t, b.cmd.Process.Pid)
			time.Sleep(watch)
			used = processTime(t, b.cmd.Process.Pid) - before
		}
		if used > watch/20 {
			t.Errorf("%d CPUs: %v of CPU time in %v, and no less before", cpus, used, watch)
		}
		b.cmd.Process.Kill()
		b.wait(t)
	}
}
