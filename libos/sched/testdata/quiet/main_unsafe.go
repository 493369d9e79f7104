// Command quiet has one goroutine run on CPU 1 alone, and counts what interrupts it: beside loops, goroutines that start and end, channels and timers; and beside
// collections. Somebody else looks all the time whether anybody else is on that CPU. With an argument it does the same without a CPU of its own.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	_ "unsafe" // go:linkname

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/sched"
)

// stranger reports whether the CPU is one thread's alone, and another one is on it.
//
//go:linkname stranger runtime.exoStranger
func stranger(cpu int) bool

var (
	loops   atomic.Int64  // of the storm
	watched atomic.Int64  // looks at CPU 1
	strange atomic.Int64  // with somebody else there
	cycles  atomic.Uint32 // collections that were asked for
	collect atomic.Bool
)

// storm keeps the scheduler busy.
func storm() {
	c := make(chan int)
	go func() {
		for n := range c {
			c <- n
		}
	}()
	for {
		var all sync.WaitGroup
		for range 8 {
			all.Go(runtime.Gosched)
		}
		all.Wait()
		c <- 1
		<-c
		if loops.Add(1)%16 == 0 {
			time.Sleep(50 * time.Microsecond)
		}
	}
}

func main() {
	debug.SetGCPercent(-1) // only when it is asked for
	for range 2 {
		go storm()
	}
	go func() {
		for {
		}
	}()
	go func() {
		for ; ; runtime.Gosched() {
			for range 1000 {
				if stranger(1) {
					strange.Add(1)
				}
				watched.Add(1)
			}
		}
	}()
	go func() {
		for ; ; time.Sleep(time.Millisecond) {
			if collect.Load() {
				runtime.GC()
				cycles.Add(1)
			}
		}
	}()
	if len(os.Args) > 1 {
		c, err := exo.TakeCPU("quiet", 1)
		if err != nil {
			panic(err)
		}
		runtime.LockOSThread()
		measure(c.Interrupts)
		return
	}
	if err := sched.Isolate(1, func(a *sched.Alone) { measure(a.Interrupts) }); err != nil {
		panic(err)
	}
}

// measure runs without a call into the scheduler until the others have done much, twice.
func measure(interrupts func() uint32) {
	run := func(enough func() bool) uint32 {
		began := interrupts()
		for !enough() {
		}
		return interrupts() - began
	}
	storm := func() uint32 {
		start, did, saw := time.Now(), loops.Load(), watched.Load()
		return run(func() bool {
			return time.Since(start) > 200*time.Millisecond && loops.Load()-did > 200 && watched.Load()-saw > 10000
		})
	}
	storm() // What was under way ends, and what was begun for the way here: a timer of before on this P is served once. A busy host may keep the other CPUs from it for long.
	strange.Store(0)
	n := storm()
	fmt.Println("interrupts beside a storm", n)

	collect.Store(true)
	before := cycles.Load()
	n = run(func() bool { return cycles.Load()-before >= 20 })
	fmt.Printf("RESULT interrupts %d of %d collections\n", n, cycles.Load()-before)
	collect.Store(false)
	fmt.Println("strangers", strange.Load())
}
