// Command urgent has two threads sleep, as the runtime's own do, until the same moments, beside loops, on more Ps than there are CPUs, and says how late either was at worst. Each
// works for 3 ms when it wakes, which the other shall not wait for.
//
// It is meant for GODEBUG=asyncpreemptoff=1: nothing but deadlines shall wake a thread.
package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
	_ "unsafe" // go:linkname
)

const (
	rounds = 10
	every  = 40_000_000 // ns
	work   = 3_000_000
)

//go:linkname nanotime runtime.nanotime
func nanotime() int64

// usleep puts the thread to sleep.
//
//go:linkname usleep runtime.usleep
func usleep(usec uint32)

// sleeper is nosplit so that Go's scheduler does not take its thread away: no call in it looks whether it shall give way.
//
//go:nosplit
func sleeper(start int64, worst *int64) {
	for n := range int64(rounds) {
		at := start + (n+1)*every
		for left := at - nanotime(); left > 0; left = at - nanotime() {
			usleep(uint32(left/1000) + 1)
		}
		woke := nanotime()
		*worst = max(*worst, woke-at)
		for nanotime()-woke < work {
		}
	}
}

func main() {
	runtime.GOMAXPROCS(5)
	for range 2 {
		go func() {
			for {
			}
		}()
	}
	time.Sleep(50 * time.Millisecond)
	start := nanotime()
	var all sync.WaitGroup
	var worst [2]int64
	for i := range worst {
		all.Go(func() { sleeper(start, &worst[i]) })
	}
	all.Wait()
	fmt.Printf("worst_us=%d\n", max(worst[0], worst[1])/1000)
}
