// Command twocpus measures what a second CPU is worth: the same work by two goroutines, each on a CPU of its own,
// against one goroutine that does it alone. The shortest time of several rounds counts on each side, since whatever
// else the host does can only lengthen one.
package main

import (
	"fmt"
	"sync"
	"time"
)

const (
	rounds = 12
	pace   = 100 * time.Millisecond // about how long one goroutine's share of a round takes
)

// sink keeps the compiler from dropping the work.
var sink [2]uint64

// work computes without touching memory or calling anything.
func work(slot int, n int) {
	x := uint64(n)
	for range n {
		x = x*6364136223846793005 + 1442695040888963407
		x ^= x >> 29
	}
	sink[slot] = x
}

// timed runs work in this many goroutines at once.
func timed(goroutines, n int) time.Duration {
	var all sync.WaitGroup
	began := time.Now()
	for slot := range goroutines {
		all.Go(func() { work(slot, n) })
	}
	all.Wait()
	return time.Since(began)
}

func main() {
	n := 1 << 16
	for timed(1, n) < pace {
		n *= 2
	}
	timed(2, n) // starts the second CPU's thread
	one, two := timed(1, n), timed(2, n)
	for range rounds - 1 {
		one, two = min(one, timed(1, n)), min(two, timed(2, n))
	}
	fmt.Printf("RESULT speedup %.3f times\n", 2*float64(one)/float64(two))
}
