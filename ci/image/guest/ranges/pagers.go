//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hardtack-os/hardtack/exo"
)

// slow gives r a pager that takes its time, allocates, collects garbage, and fills pages with their number.
func slow(r *exo.Pages, f *exo.Frames) *atomic.Int32 {
	var served atomic.Int32
	var mu sync.Mutex
	mapped := make([]bool, r.Pages())
	r.Pager(func(ft exo.Fault) bool {
		time.Sleep(time.Millisecond)
		if served.Add(1)%8 == 0 {
			runtime.GC()
		}
		mu.Lock()
		defer mu.Unlock()
		if !mapped[ft.Page] {
			mapped[ft.Page] = true
			page := f.Bytes()[ft.Page*pageSize:][:pageSize]
			copy(page, bytes.Repeat([]byte{byte(ft.Page)}, pageSize))
			do(r, exo.Map(ft.Page, f, ft.Page, exo.ProtWrite))
		}
		return true
	})
	return &served
}

// pager has goroutines fault in loops, in calls deep in the stack, and in what moves, compares and searches memory.
func pager() {
	const pages = 96
	r, f := take(pages, pages)
	slow(r, f)
	b := r.Bytes()
	var wg sync.WaitGroup
	var wrong atomic.Int32
	expect := func(ok bool) {
		if !ok {
			wrong.Add(1)
		}
	}
	page := func(i int) []byte { return b[i*pageSize:][:pageSize] }
	for i := 0; i < pages; i += 6 {
		for k, touch := range []func(p []byte, n byte){
			func(p []byte, n byte) { expect(p[100] == n) },
			func(p []byte, n byte) { expect(deep(200, p) == n) },
			func(p []byte, n byte) {
				q := make([]byte, 3000)
				copy(q, p[50:])
				expect(q[0] == n && q[2999] == n)
			},
			func(p []byte, n byte) { expect(bytes.Equal(p, bytes.Repeat([]byte{n}, pageSize))) },
			func(p []byte, n byte) { expect(bytes.IndexByte(p, n+1) < 0 && bytes.IndexByte(p, n) == 0) },
			func(p []byte, n byte) {
				clear(p[:1000])
				expect(p[999] == 0 && p[1000] == n)
			},
		} {
			wg.Go(func() { touch(page(i+k), byte(i+k)) })
		}
	}
	wg.Wait()
	fmt.Println("wrong", wrong.Load())
}

// deep touches p at the bottom of a stack that has to grow, and holds pointers all the way.
//
//go:noinline
func deep(n int, p []byte) byte {
	keep := new(int)
	*keep = n
	if n == 0 {
		return p[10]
	}
	v := deep(n-1, p)
	if *keep != n {
		panic("lost")
	}
	return v
}

func pagerDeclines() {
	r, _ := take(1, 1)
	calls := 0
	r.Pager(func(exo.Fault) bool {
		calls++
		return false
	})
	debug.SetPanicOnFault(true)
	defer func() { fmt.Println("recovered", recover() != nil, calls) }()
	r.Bytes()[8] = 1
	fmt.Println("went on")
}

//go:nosplit
//go:noinline
func touchNosplit(p []byte) { p[1] = 1 }

// pagerNosplit faults where no goroutine can wait.
func pagerNosplit() {
	r, _ := take(1, 1)
	calls := 0
	r.Pager(func(exo.Fault) bool {
		calls++
		return false
	})
	debug.SetPanicOnFault(true)
	defer func() { fmt.Println("recovered", recover() != nil, calls) }()
	touchNosplit(r.Bytes())
	fmt.Println("went on")
}

// vectorState hashes pages that come one by one, in code that keeps its state in vector registers all the time; handlers and pagers use
// vector registers too.
func vectorState() {
	const pages = 64
	want := sha256.New()
	for i := range pages {
		want.Write(bytes.Repeat([]byte{byte(i)}, pageSize))
	}
	for _, kind := range []string{"handler", "pager"} {
		r, f := take(pages, pages)
		switch kind {
		case "handler":
			var scratch [pageSize]byte
			r.Handle(func(ft exo.Fault) exo.Verdict {
				for i := range scratch {
					scratch[i] = byte(ft.Page)
				}
				copy(f.Bytes()[ft.Page*pageSize:], scratch[:])
				do(r, exo.Map(ft.Page, f, ft.Page, exo.ProtRead))
				return exo.Retry
			})
		case "pager":
			slow(r, f)
		}
		got := sha256.New()
		for i := range pages {
			got.Write(r.Bytes()[i*pageSize:][:pageSize])
		}
		fmt.Println(kind, bytes.Equal(got.Sum(nil), want.Sum(nil)))
	}
}

// profiled faults all the time while the profiler ticks and the collector preempts.
func profiled() {
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		panic(err)
	}
	var wg sync.WaitGroup
	stop := time.Now().Add(2 * time.Second)
	var total atomic.Int64
	for range 4 {
		r, f := take(1, 1)
		n := byte(0)
		r.Handle(func(ft exo.Fault) exo.Verdict {
			do(r, exo.Map(0, f, 0, exo.ProtWrite))
			return exo.Retry
		})
		wg.Go(func() {
			for time.Now().Before(stop) {
				r.Bytes()[0]++
				n++
				if r.Bytes()[0] != n {
					panic("lost a write")
				}
				do(r, exo.Unmap(0))
				total.Add(1)
			}
		})
	}
	wg.Go(func() {
		for time.Now().Before(stop) {
			runtime.GC()
		}
	})
	wg.Wait()
	pprof.StopCPUProfile()
	fmt.Println("faults", total.Load() > 20, total.Load())
}

// wide has goroutines wait for pages amid memory moves that keep their state in wide registers, which the pager uses as well.
func wide() {
	const pages = 16
	wrong := 0
	for round := range 20 {
		r, f := take(pages, pages)
		noise := bytes.Repeat([]byte{0xee}, 1<<14)
		r.Pager(func(ft exo.Fault) bool {
			copy(noise, bytes.Repeat([]byte{byte(ft.Page)}, 1<<14)) // the pager's own state in those registers
			page := f.Bytes()[ft.Page*pageSize:][:pageSize]
			for i := range page {
				page[i] = 7
			}
			do(r, exo.Map(ft.Page, f, ft.Page, exo.ProtWrite))
			return true
		})
		heap := make([]byte, pages*pageSize)
		for i := range heap {
			heap[i] = byte(i*31 + i>>8)
		}
		b := r.Bytes()
		switch round % 5 {
		case 0:
			copy(b, heap)
			if !bytes.Equal(b, heap) {
				wrong++
			}
		case 1:
			if bytes.Count(b, []byte{7}) != len(b) {
				wrong++
			}
		case 2:
			if bytes.IndexByte(b, 8) >= 0 {
				wrong++
			}
		case 3:
			if !bytes.Equal(bytes.Repeat([]byte{7}, len(b)), b) {
				wrong++
			}
		case 4: // backwards
			copy(b[pageSize+1:], b[:len(b)-pageSize-1])
			if bytes.Count(b, []byte{7}) != len(b) {
				wrong++
			}
		}
		r.Release()
		f.Release()
	}
	fmt.Println("wrong", wrong)
}
