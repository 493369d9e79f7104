// Command binding reads memory in a loop: of the Go heap, of frames that are bound once, and of pages that the program maps itself. What the
// binding adds to a use is the difference.
package main

import (
	"fmt"
	"time"

	"github.com/hardtack-os/hardtack/exo"
)

const (
	size   = 8 * exo.PageSize
	rounds = 20
)

func check[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// sum uses each byte once.
//
//go:noinline
func sum(b []byte) (s byte) {
	for i := range b {
		s += b[i]
		b[i] = s
	}
	return s
}

func main() {
	frames := check(exo.TakeFrames("binding", size/exo.PageSize, 0))
	pages := check(exo.TakePages("binding", size/exo.PageSize))
	for i := range size / exo.PageSize {
		check(pages.Apply([]exo.PageOp{exo.Map(i, frames, i, exo.ProtWrite)}))
	}
	for _, m := range []struct {
		name string
		mem  []byte
	}{{"heap", make([]byte, size)}, {"frames", frames.Bytes()}, {"pages", pages.Bytes()}} {
		sum(m.mem)
		best := time.Duration(1 << 62)
		for range rounds {
			start := time.Now()
			sum(m.mem)
			best = min(best, time.Since(start))
		}
		fmt.Printf("RESULT %s %d ns\n", m.name, best.Nanoseconds())
	}
}
