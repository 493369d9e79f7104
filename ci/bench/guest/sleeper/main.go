// Command sleeper measures how late a sleep of 10 ms ends while another goroutine runs a loop without calls, which
// only asynchronous preemption can interrupt. It is meant for one CPU.
package main

import (
	"fmt"
	"slices"
	"time"
)

const (
	sleeps = 200
	length = 10 * time.Millisecond
)

func main() {
	go func() {
		for n := 0; ; n++ {
		}
	}()
	took := make([]time.Duration, sleeps)
	for i := range took {
		began := time.Now()
		time.Sleep(length)
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	report := func(name string, d time.Duration) {
		fmt.Printf("RESULT %s %.3f ms\n", name, float64(d)/float64(time.Millisecond))
	}
	report("median", took[sleeps/2])
	report("p99", took[sleeps*99/100])
	report("worst", took[sleeps-1])
}
