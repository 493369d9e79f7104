// Command wakeup measures how late a goroutine that has CPU 1 for itself notices that a deadline has passed, by polling, in Rest, and in time.Sleep, beside a loop, an allocation
// storm and the collector on CPU 0. Without a second CPU it shares the first with them.
//
// With the argument quiet nobody runs beside it.
//
// With a number N it first has the machine's interval timer (8254) run down every N of its ticks, of 838 ns, and count for nobody. Where QEMU emulates several CPUs in turns (-icount) a turn
// lasts until the next timer of the machine: so the turns are short.
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/sched"
)

const deadlines = 300

var sink []byte

func main() {
	quiet := false
	for _, a := range os.Args[1:] {
		if a == "quiet" {
			quiet = true
		} else if err := turns(a); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	if !quiet {
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

// turns sets the interval timer (Intel 8254 data sheet: control word 0x34 is counter 0, both bytes, mode 2, a rate generator). Its line stays masked.
func turns(ticks string) error {
	n, err := strconv.ParseUint(ticks, 0, 16)
	if err != nil {
		return err
	}
	p, err := exo.TakePorts("wakeup", 0x40, 4)
	if err != nil {
		return err
	}
	p.Out8(3, 0x34)
	p.Out8(0, uint8(n))
	p.Out8(0, uint8(n>>8))
	return nil
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
