//go:build linux

package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"time"
)

// show prints a file for the test to take from the console.
func show(name string, b []byte) {
	fmt.Printf("file %s %s\n", name, base64.StdEncoding.EncodeToString(b))
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

//go:noinline
func busyLoop(d time.Duration) (n int) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		for i := range 100_000 {
			n += i
		}
	}
	return n
}

func cpuProfile([]string) {
	var b bytes.Buffer
	check(pprof.StartCPUProfile(&b))
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() { busyLoop(time.Second) })
	}
	wg.Wait()
	time.Sleep(500 * time.Millisecond) // idle time is not CPU time
	pprof.StopCPUProfile()
	show("cpu", b.Bytes())
}

//go:noinline
func allocator() {
	for range 100 {
		kept = append(kept, make([]byte, 10_000))
	}
}

//go:noinline
func holder(mu *sync.Mutex, wg *sync.WaitGroup) {
	for range 5 {
		mu.Lock()
		time.Sleep(5 * time.Millisecond)
		mu.Unlock()
	}
	wg.Done()
}

func otherProfiles([]string) {
	runtime.MemProfileRate = 1
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	allocator()
	var mu sync.Mutex
	var wg sync.WaitGroup
	wg.Add(2)
	go holder(&mu, &wg)
	go holder(&mu, &wg)
	wg.Wait()
	runtime.GC()
	for _, name := range []string{"heap", "block", "mutex", "goroutine"} {
		var b bytes.Buffer
		check(pprof.Lookup(name).WriteTo(&b, 0))
		show(name, b.Bytes())
	}
}

func traceScheduler([]string) {
	var b bytes.Buffer
	check(trace.Start(&b))
	var mu sync.Mutex
	var wg sync.WaitGroup
	wg.Add(2)
	go holder(&mu, &wg)
	go holder(&mu, &wg)
	busyLoop(time.Second) // is in the trace when it is preempted, which a busy host has happen later than after 10 to 20 ms
	runtime.GC()
	wg.Wait()
	trace.Stop()
	show("trace", b.Bytes())
}
