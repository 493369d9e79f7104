// Command goroutines measures what the scheduler is asked for most: starting goroutines, passing a value to and fro, a mutex that several
// want, timers. It is meant for one CPU whose clock counts instructions.
package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

func main() {
	measure("create", 20_000, create)
	measure("pingpong", 20_000, pingPong)
	measure("mutex", 20_000, mutex)
	measure("timer", 1_000, timer)
}

// measure reports the time that each of n operations takes: the shortest of three rounds, after one that warms up.
func measure(name string, n int, f func(n int)) {
	f(n)
	best := time.Duration(1 << 62)
	for range 3 {
		runtime.GC()
		began := time.Now()
		f(n)
		best = min(best, time.Since(began))
	}
	fmt.Printf("RESULT %s %.1f ns\n", name, float64(best)/float64(n))
}

// create starts goroutines that end at once, a hundred at a time.
func create(n int) {
	for range n / 100 {
		var all sync.WaitGroup
		for range 100 {
			all.Add(1)
			go all.Done()
		}
		all.Wait()
	}
}

// pingPong passes a value over one channel and back over another.
func pingPong(n int) {
	to, fro := make(chan int), make(chan int)
	go func() {
		for v := range to {
			fro <- v
		}
	}()
	for i := range n {
		to <- i
		<-fro
	}
	close(to)
}

// mutex has four goroutines want one, and give way while they hold it.
func mutex(n int) {
	var (
		mu  sync.Mutex
		all sync.WaitGroup
	)
	for range 4 {
		all.Go(func() {
			for range n / 4 {
				mu.Lock()
				runtime.Gosched()
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

// timer sleeps for a microsecond: what it takes beyond that is the cost. An idle clock that counts instructions jumps.
func timer(n int) {
	for range n {
		time.Sleep(time.Microsecond)
	}
}
