//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// preempt keeps every processor busy with loops that call nothing; only a signal ends their turns.
func preempt([]string) {
	n := runtime.NumCPU() + 1
	var counts = make([]int, n)
	for i := range n {
		go func() {
			for {
				counts[i]++
			}
		}()
	}
	worst := time.Duration(0)
	for range 20 {
		t := time.Now()
		time.Sleep(5 * time.Millisecond)
		runtime.GC()
		worst = max(worst, time.Since(t))
	}
	ran := 0
	for _, c := range counts {
		if c != 0 {
			ran++
		}
	}
	fmt.Printf("ran=%d worst_ms=%d\n", ran, worst.Milliseconds())
}

func cpus([]string) {
	fmt.Printf("cpus=%d procs=%d\n", runtime.NumCPU(), runtime.GOMAXPROCS(0))
	// All of them work: as many goroutines meet, each on a thread and processor of its own, without giving way.
	n := runtime.NumCPU()
	var here atomic.Int32
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			here.Add(1)
			for here.Load() < int32(n) {
			}
		})
	}
	wg.Wait()
	fmt.Printf("met=%d\n", here.Load())
}

// lockedExits ends threads by ending goroutines that hold them.
func lockedExits(args []string) {
	n, _ := strconv.Atoi(args[0])
	highest := 0
	ids := make(chan int)
	for range n {
		go func() {
			runtime.LockOSThread()
			ids <- syscall.Gettid()
		}()
		highest = max(highest, <-ids)
	}
	fmt.Printf("highest=%d\n", highest)
}

// threads has n threads asleep at a time.
func threads(args []string) {
	n, _ := strconv.Atoi(args[0])
	ids := make(map[int]bool)
	var mu sync.Mutex
	var ready, wg sync.WaitGroup
	ready.Add(n)
	wake := make(chan bool)
	for range n {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			mu.Lock()
			ids[syscall.Gettid()] = true
			mu.Unlock()
			ready.Done()
			<-wake
			time.Sleep(10 * time.Millisecond)
		})
	}
	ready.Wait()
	close(wake)
	wg.Wait()
	fmt.Printf("threads=%d\n", len(ids))
}

// contention fights for one lock with threads that must sleep and wake for it.
func contention([]string) {
	const workers, rounds = 16, 2000
	var mu sync.Mutex
	var wg sync.WaitGroup
	count := 0
	for i := range workers {
		wg.Go(func() {
			if i%2 == 0 {
				runtime.LockOSThread() // then each hand-over is a futex's
				defer runtime.UnlockOSThread()
			}
			for k := range rounds {
				mu.Lock()
				count++
				if k%64 == 0 {
					runtime.Gosched()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	turn, other := make(chan int), make(chan int)
	wg.Go(func() {
		runtime.LockOSThread()
		for v := range turn {
			other <- v + 1
		}
	})
	runtime.LockOSThread()
	v := 0
	for range 2000 {
		turn <- v
		v = <-other
	}
	close(turn)
	wg.Wait()
	fmt.Printf("count=%d handed=%d\n", count, v)
}

// pipes blocks n goroutines in reads, then writes to each.
func pipes(args []string) {
	n, _ := strconv.Atoi(args[0])
	var wg sync.WaitGroup
	var good atomic.Int32
	writers := make([]*os.File, n)
	for i := range n {
		r, w, err := os.Pipe()
		if err != nil {
			fmt.Println(i, err)
			os.Exit(1)
		}
		writers[i] = w
		wg.Go(func() {
			defer r.Close()
			var b [8]byte
			if k, err := r.Read(b[:]); err == nil && string(b[:k]) == strconv.Itoa(i) {
				good.Add(1)
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	fmt.Printf("goroutines=%d\n", runtime.NumGoroutine())
	for i, w := range writers {
		fmt.Fprint(w, i)
		w.Close()
	}
	wg.Wait()
	fmt.Printf("read=%d\n", good.Load())
}
