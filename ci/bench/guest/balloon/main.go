// Command balloon allocates and drops without end, keeps some of it, and lets the heap grow to the memory limit before it is collected: it uses all memory
// that it may. Now and then it says that it lives, and what it kept is as it was.
package main

import (
	"fmt"
	"runtime/debug"
	"time"

	_ "github.com/hardtack-os/hardtack/libos/vm/balloon"
)

const (
	block = 64 << 10
	keep  = 8 << 20 / block
)

func main() {
	debug.SetGCPercent(-1)
	var kept [keep][]byte
	began, last := debug.SetMemoryLimit(-1), time.Now()
	for n := 0; ; n++ {
		b := make([]byte, block)
		for i := 0; i < block; i += 4096 {
			b[i] = byte(n)
		}
		if old := kept[n%keep]; old != nil && (old[0] != byte(n-keep) || old[block-4096] != byte(n-keep)) {
			panic("memory that was kept has changed")
		}
		kept[n%keep] = b
		if int64(n) == began*3/2/block {
			fmt.Println("RESULT ready") // everything was touched
		}
		if time.Since(last) > time.Second {
			last = time.Now()
			fmt.Println("RESULT alive", n, "blocks")
		}
	}
}
