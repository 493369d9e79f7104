//go:build linux && amd64

// Vector keeps patterns in all sixteen YMM registers while contexts are switched, signals arrive and the collector runs.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// hasAVX2 reports whether the processor has AVX2 and the machine's owner has enabled it.
func hasAVX2() bool

// hold fills the YMM registers with seed, seed+1 ..., looks at some of them n times and then at all and returns how many words had changed.
func hold(seed, n uint64) (bad uint64)

func main() {
	if !hasAVX2() {
		fmt.Println("no AVX2")
		return
	}
	runtime.GOMAXPROCS(4)
	if err := pprof.StartCPUProfile(io.Discard); err != nil { // a signal each 10 ms
		fmt.Println(err)
		os.Exit(1)
	}
	var bad, rounds, collections atomic.Uint64
	// Two seconds, and on a busy host as many more as it takes for something to happen.
	begin := time.Now()
	running := func() bool {
		ran := time.Since(begin)
		return ran < 2*time.Second || ran < 20*time.Second && (rounds.Load() < 20 || collections.Load() < 10)
	}
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			runtime.LockOSThread()
			for seed := uint64(i) << 32; running(); seed += 16 {
				bad.Add(hold(seed, 200_000)) // longer than a time slice
				rounds.Add(1)
			}
		})
	}
	wg.Go(func() {
		var sink []byte
		for running() {
			runtime.GC() // asks the others to stop by signals; its own code uses wide registers
			sink = append(sink[:0], make([]byte, 64<<10)...)
			syscall.Kill(syscall.Getpid(), syscall.SIGURG)
			collections.Add(1)
			time.Sleep(time.Millisecond)
		}
	})
	wg.Wait()
	pprof.StopCPUProfile()
	fmt.Printf("bad=%d rounds=%d collections=%d\n", bad.Load(), rounds.Load(), collections.Load())
}
