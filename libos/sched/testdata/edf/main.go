// Command edf has a class with 5 ms in every 20 ms that uses all of it, beside loops on every CPU and goroutines that allocate all they can.
// It prints in how many periods the slice had not been given by the end, and how late the latest was.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/hardtack-os/hardtack/libos/sched"
)

var sink [8][]byte

const (
	ms     = time.Millisecond
	slice  = 5 * ms
	period = 20 * ms
	rest   = 100 * time.Microsecond // of a slice, for looking at it
)

func main() {
	periods := 250
	if len(os.Args) > 1 {
		periods, _ = strconv.Atoi(os.Args[1])
	}
	c, err := sched.NewClass(sched.Contract{Name: "video", Slice: slice, Period: period})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if _, err := sched.NewClass(sched.Contract{Name: "greedy", Slice: 19 * ms, Period: period}); err != nil {
		fmt.Println("refused:", err)
	}
	for i := range runtime.GOMAXPROCS(0) {
		go func() {
			for {
			}
		}()
		go func() {
			for n := 0; ; n++ {
				sink[i] = make([]byte, 1000+n%10000)
			}
		}()
	}
	done := make(chan bool)
	sched.Go(c, func() {
		// It always wants more, so that by the end of each period the slices of all periods so far must have been there.
		var worst time.Duration
		late := 0
		for now, last := time.Now(), time.Now(); now.Sub(last) < period/4; now = time.Now() { // a slice is over and the next one has just begun
			last = now
		}
		start, used := time.Now(), c.Used()
		for i := 1; i <= periods; i++ {
			for c.Used()-used < time.Duration(i)*slice-rest {
				for range 10000 {
				}
			}
			if d := time.Since(start) - time.Duration(i)*period; d > 0 {
				late++
				worst = max(worst, d)
			}
		}
		fmt.Printf("RESULT late %d slices\nRESULT worst %.3f ms\n", late, float64(worst)/float64(ms))
		done <- true
	})
	<-done
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("RESULT collections %d times\n", m.NumGC)
}
