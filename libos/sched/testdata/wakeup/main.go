// Command wakeup measures how late a goroutine that has CPU 1 for itself notices that a deadline has passed, by polling, in Rest, and in time.Sleep, beside a loop, an allocation
// storm and the collector on CPU 0. Without a second CPU it shares the first with them.
//
// With the argument quiet nobody runs beside it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/hardtack-os/hardtack/libos/sched"
)

const deadlines = 300

var sink []byte

func main() {
	if !slices.Contains(os.Args[1:], "quiet") {
		go func() {
			for {
			}
		}()
		go func() {
			for {
				sink = make([]byte, 16<<10)
			}
		}()
	}
	if runtime.NumCPU() == 1 {
		all(nil)
		return
	}
	if err := sched.Isolate(1, all); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func all(a *sched.Alone) {
	measure("polled", func(at time.Time) {
		for time.Now().Before(at) {
		}
	})
	if a != nil {
		measure("rested", func(at time.Time) { a.Rest(max(time.Until(at), 1)) })
	}
	measure("slept", func(at time.Time) { time.Sleep(time.Until(at)) })
}

func measure(name string, wait func(time.Time)) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	late := make([]time.Duration, deadlines)
	at := time.Now()
	for i := range late {
		if at = at.Add(time.Millisecond); time.Now().After(at) {
			at = time.Now().Add(time.Millisecond)
		}
		wait(at)
		late[i] = time.Since(at)
	}
	runtime.ReadMemStats(&after)
	slices.Sort(late)
	us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	fmt.Printf("RESULT %s-median %.1f us\n", name, us(late[deadlines/2]))
	fmt.Printf("RESULT %s-p99 %.1f us\n", name, us(late[deadlines*99/100]))
	fmt.Printf("RESULT %s-worst %.1f us\n", name, us(late[deadlines-1]))
	fmt.Printf("RESULT %s-collections %d times\n", name, after.NumGC-before.NumGC)
}
