// Command isolate gives CPU 1 to one goroutine, beside loops, an allocation storm and the collector, and prints who was seen on which CPU: the
// processor says so itself (CPUID).
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/sched"
)

// apicID is the number of the CPU that the caller runs on.
func apicID() uint32

var (
	sink  []byte
	seen  atomic.Int64 // times that a hog was on CPU 1 since it was asked
	where [4]atomic.Int64
	turns atomic.Int64  // odd: CPU 1 is isolated
	home  atomic.Uint32 // its APIC ID: CPUs are numbered as they arrive
)

// hog notes where it runs, and allocates.
func hog(allocate bool) {
	for n := 0; ; n++ {
		turn := turns.Load()
		id := apicID()
		if turn%2 == 1 && id == home.Load() && turns.Load() == turn {
			seen.Add(1)
		}
		where[id].Add(1)
		if allocate && n%16 == 0 {
			sink = make([]byte, 4096)
		}
		if n%1000 == 0 {
			runtime.Gosched()
		}
	}
}

// alive has other goroutines do something for the caller.
func alive() bool {
	c := make(chan int)
	go func() { c <- 1 }()
	return <-c == 1
}

func gcs() uint32 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NumGC
}

func main() {
	var re *exo.RangeError
	var held *exo.HeldError
	for _, n := range []int{-1, 0, runtime.NumCPU(), 1 << 40} {
		err := sched.Isolate(n, func(*sched.Alone) { panic("it ran") })
		fmt.Println("refused", errors.As(err, &re))
	}
	if runtime.NumCPU() == 1 {
		return
	}
	for i := range 6 {
		go hog(i%2 == 0)
	}
	for range 3 {
		ran := false
		err := sched.Isolate(1, func(a *sched.Alone) {
			ran = true
			var wrong [7]int
			began, k := gcs(), 0
			home.Store(apicID())
			turns.Add(1) // after home
			seen.Store(0)
			for start := time.Now(); time.Since(start) < 200*time.Millisecond || gcs()-began < 2; k++ {
				for range 2000 {
					if apicID() != home.Load() {
						wrong[6]++
					}
				}
				switch k % 6 {
				case 1:
					time.Sleep(time.Millisecond)
				case 2:
					done := make(chan bool)
					go func() { done <- apicID() == home.Load() }()
					if <-done {
						wrong[2]++
					}
				case 0:
					var ran atomic.Bool
					go ran.Store(true)
					for start := time.Now(); !ran.Load(); {
						if time.Since(start) > 10*time.Second {
							wrong[0]++
							break
						}
					}
				case 4:
					if a.Rest(100 * time.Microsecond) {
						wrong[4]++
					}
				case 5:
					go a.Wake()
					if !a.Rest(10*time.Second) || !alive() {
						wrong[5]++
					}
				case 3:
					if err := sched.Isolate(1, func(*sched.Alone) { wrong[3]++ }); !errors.As(err, &held) {
						wrong[3]++
					}
				}
			}
			turns.Add(1)
			fmt.Println("wrong", wrong, "seen", seen.Load(), "collections", gcs()-began >= 2)
		})
		fmt.Println("ran", ran, err)
		before := where[home.Load()].Load()
		for start := time.Now(); where[home.Load()].Load() == before; {
			if time.Since(start) > 10*time.Second {
				fmt.Println("nobody uses CPU 1 afterwards")
				os.Exit(1)
			}
			time.Sleep(time.Millisecond)
		}
	}
	// It is given back however f ends.
	done := make(chan bool)
	go func() {
		defer close(done)
		sched.Isolate(1, func(*sched.Alone) { runtime.Goexit() })
	}()
	<-done
	func() {
		defer func() { recover() }()
		sched.Isolate(1, func(*sched.Alone) { panic("gone") })
	}()
	fmt.Println("last", sched.Isolate(1, func(*sched.Alone) {}))
	// Whoever had a CPU has turns again, like everybody.
	procs := runtime.GOMAXPROCS(1)
	sched.Isolate(1, func(a *sched.Alone) { a.Rest(100 * time.Microsecond) })
	var ran atomic.Bool
	go ran.Store(true)
	for start := time.Now(); !ran.Load(); {
		if time.Since(start) > 10*time.Second {
			fmt.Println("who had a CPU is not preempted")
			os.Exit(1)
		}
	}
	runtime.GOMAXPROCS(procs)
	// Who is revoked goes on, and the CPU is everybody's.
	fmt.Println("revoked", sched.Isolate(1, func(a *sched.Alone) {
		exo.Root().Caps(exo.CPUSpace)[0].RevokeRange(1, 1)
		before := where[home.Load()].Load()
		for where[home.Load()].Load() == before {
			time.Sleep(time.Millisecond)
		}
		if a.Rest(0) {
			fmt.Println("it rests on what it does not have")
		}
	}))
}
