//go:build linux

package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
	"weak"
)

var kept [][]byte

// cleanups lets objects die and counts who was told.
func cleanups([]string) {
	const n = 100
	told := make(chan string, 3*n)
	var weaks []weak.Pointer[[64]byte]
	func() {
		for range n {
			a, b, c := new([64]byte), new([64]byte), new([64]byte)
			runtime.SetFinalizer(a, func(*[64]byte) { told <- "finalizer" })
			runtime.AddCleanup(b, func(s string) { told <- s }, "cleanup")
			weaks = append(weaks, weak.Make(c))
		}
	}()
	seen := map[string]int{}
	for end := time.Now().Add(10 * time.Second); seen["finalizer"]+seen["cleanup"] < 2*n && time.Now().Before(end); {
		runtime.GC()
		for wait := time.After(20 * time.Millisecond); ; {
			select {
			case s := <-told:
				seen[s]++
				continue
			case <-wait:
			}
			break
		}
	}
	gone := 0
	for _, w := range weaks {
		if w.Value() == nil {
			gone++
		}
	}
	fmt.Printf("finalizer=%d cleanup=%d gone=%d\n", seen["finalizer"], seen["cleanup"], gone)
}

// garbage makes n MiB of it and returns the largest heap seen.
func garbage(n int) (most uint64) {
	var m runtime.MemStats
	for i := range n {
		kept = append(kept[:0], make([]byte, 1<<20))
		if i%8 == 0 {
			runtime.ReadMemStats(&m)
			most = max(most, m.Sys-m.HeapReleased)
		}
	}
	return most
}

func collector([]string) {
	most := garbage(60)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("collections=%d most_mib=%d\n", m.NumGC-m.NumForcedGC, most>>20)
}

// free returns how much memory the machine has free.
func free() uint64 {
	var s syscall.Sysinfo_t
	if err := syscall.Sysinfo(&s); err != nil {
		panic(err)
	}
	return uint64(s.Freeram) * uint64(max(s.Unit, 1))
}

func freed([]string) {
	before := free()
	block := make([]byte, 40<<20)
	for i := 0; i < len(block); i += 4096 {
		block[i] = 1
	}
	used := free()
	runtime.KeepAlive(block)
	block = nil
	debug.FreeOSMemory()
	after := free()
	fmt.Printf("taken_mib=%d returned_mib=%d\n", (before-used)>>20, (after-used)>>20)
	// What comes back is zero, and there is enough of it.
	for range 5 {
		block = make([]byte, 40<<20)
		for i := 0; i < len(block); i += 512 {
			if block[i] != 0 {
				fmt.Println("not zero at", i)
				return
			}
			block[i] = 1
		}
		block = nil
		debug.FreeOSMemory()
	}
	fmt.Printf("again_mib=%d\n", (free()-used)>>20)
}

// fill takes memory in pieces until there is none.
func fill(args []string) {
	size, _ := strconv.Atoi(args[0])
	for {
		b := make([]byte, size)
		for i := 0; i < len(b); i += 512 {
			b[i] = 1
		}
		kept = append(kept, b)
	}
}

// oneBig asks for more at once than there is.
func oneBig(args []string) {
	n, _ := strconv.Atoi(args[0])
	b := make([]byte, n<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	fmt.Println("there was room for", len(b))
}

// limited keeps 20 MiB and makes 400 MiB of garbage beside it.
func limited([]string) {
	fmt.Printf("limit_mib=%d\n", debug.SetMemoryLimit(-1)>>20)
	keep := make([][]byte, 20)
	for i := range keep {
		keep[i] = make([]byte, 1<<20)
		keep[i][i] = 1
	}
	for range 400 * 256 {
		kept = append(kept[:0], make([]byte, 1<<12))
		kept[0][1] = 1
	}
	runtime.KeepAlive(keep)
	fmt.Println("done")
}
