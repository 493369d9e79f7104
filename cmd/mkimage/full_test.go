package main

import (
	"strings"
	"testing"
)

// TestFullMemory fills /tmp beside a heap that leaves it less than its limit: ENOSPC, the program lives, and what is removed is room again. A heap dump, whose call returns no
// error, says that it had no room, and takes no memory that the heap needs.
func TestFullMemory(t *testing.T) {
	t.Parallel()
	dir := app(t, program("errors fmt os runtime runtime/debug syscall", `
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	debug.WriteHeapDump(full.Fd())
	var heap [][]byte
	for range 60 {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		heap = append(heap, b)
	}
	b := make([]byte, 64<<10)
	for round := range 3 {
		f, err := os.Create("/tmp/f")
		n := 0
		for err == nil {
			var k int
			k, err = f.Write(b)
			n += k
		}
		s, _ := f.Stat()
		fmt.Println("round", round, "full:", errors.Is(err, syscall.ENOSPC), "of its size:", s.Size() == int64(n), "enough:", n > 8<<20, "less than half:", n < 44<<20)
		f.Close()
		os.Remove("/tmp/f")
	}
	runtime.KeepAlive(heap)`))
	var c call
	c.mkimage(t, "run", "--memory", "96M", dir)
	if c.want(t, 0, "heap dump is not whole: write to descriptor "); strings.Count(c.stdout, "not whole") != 1 || !strings.Contains(c.stdout, " failed with errno 28\n") {
		t.Errorf("a heap dump to a full device is told as:\n%s", c.stdout)
	}
	for _, round := range []string{"0", "1", "2"} {
		c.want(t, 0, "round "+round+" full: true of its size: true enough: true less than half: true")
	}
}
