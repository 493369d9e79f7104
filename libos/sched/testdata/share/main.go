// Command share gives CPU 1 to a goroutine with a deep stack and takes it back, again and again, while the collector looks at that stack, at first without
// and then with the tracer on.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/trace"
	"sync/atomic"
	"time"

	"github.com/hardtack-os/hardtack/exo"
)

var (
	alone atomic.Bool  // the goroutine has the CPU
	took  atomic.Int64 // times that it has had it
)

// deep calls f below n frames.
func deep(n int, f func()) int {
	var pad [64]byte
	pad[n%64] = 1
	if n == 0 {
		f()
		return int(pad[0])
	}
	return deep(n-1, f) + int(pad[1])
}

func main() {
	c, err := exo.TakeCPU("share", 1)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		runtime.LockOSThread()
		deep(20000, func() {
			for {
				var busy *exo.BusyError
				switch err := c.Isolate(); {
				case err == nil:
					took.Add(1)
					for alone.Store(true); alone.Load(); {
					}
				case !errors.As(err, &busy):
					fmt.Println(err)
					os.Exit(1)
				}
			}
		})
	}()
	go func() {
		for {
			runtime.GC()
		}
	}()
	go func() {
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			time.Sleep(time.Millisecond)
		}
	}()
	for _, traced := range []bool{false, true} {
		if traced {
			if err := trace.Start(io.Discard); err != nil {
				fmt.Println(err)
			}
		}
		before := took.Load()
		for n := 0; took.Load()-before < 40; n++ {
			for !alone.Load() {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Duration(n%8*5) * time.Millisecond) // anywhere in a collection
			c.Share()
			alone.Store(false)
		}
		fmt.Println("traced", traced)
	}
	trace.Stop()
}
