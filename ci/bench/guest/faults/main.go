// Command faults measures what Appel and Li asked of virtual memory ("Virtual memory primitives for user programs", ASPLOS 1991), on pages
// that it maps itself. linux/faults.c does the same with mprotect and SIGSEGV.
package main

import (
	"fmt"
	"time"

	"github.com/hardtack-os/hardtack/exo"
)

const (
	pages  = 100
	rounds = 50
)

func check[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	r := check(exo.TakePages("faults", pages))
	f := check(exo.TakeFrames("faults", pages, 0))
	batch := make([]exo.PageOp, pages)
	all := func(op func(page int) exo.PageOp) {
		for i := range batch {
			batch[i] = op(i)
		}
		if failed := check(r.Apply(batch)); failed != 0 {
			panic(failed)
		}
	}
	protect := func(i int) exo.PageOp { return exo.Protect(i, exo.ProtRead) }
	unprotect := func(i int) exo.PageOp { return exo.Protect(i, exo.ProtWrite) }
	all(func(i int) exo.PageOp { return exo.Map(i, f, i, exo.ProtWrite) })
	mem := r.Bytes()
	for i := range pages {
		mem[i*exo.PageSize] = 1
	}
	report := func(name string, n int, do func()) {
		do() // once for the caches
		start := time.Now()
		do()
		fmt.Printf("RESULT %s %d ns\n", name, time.Since(start).Nanoseconds()/int64(n))
	}

	two := make([]exo.PageOp, 2)
	report("prot+unprot", pages*rounds, func() {
		for range rounds {
			for i := range pages {
				two[0] = protect(i)
				r.Apply(two[:1])
				two[0] = unprotect(i)
				r.Apply(two[:1])
			}
		}
	})

	// A fault, and in its handler one page is protected and that of the fault unprotected.
	all(protect)
	r.Handle(func(ft exo.Fault) exo.Verdict {
		two[0], two[1] = unprotect(ft.Page), protect((ft.Page+37)%pages)
		r.Apply(two)
		return exo.Retry
	})
	report("prot1+trap+unprot", pages*rounds, func() {
		for range rounds {
			for i := range pages {
				mem[i*61%pages*exo.PageSize]++
			}
		}
	})

	// All pages are protected at once, then each faults.
	r.Handle(func(ft exo.Fault) exo.Verdict {
		two[0] = unprotect(ft.Page)
		r.Apply(two[:1])
		return exo.Retry
	})
	report("prot100+trap+unprot", pages*rounds, func() {
		for range rounds {
			all(protect)
			for i := range pages {
				mem[i*61%pages*exo.PageSize]++
			}
		}
	})

	all(unprotect)
	bits := make([]uint64, 2)
	dirty := 0
	report("dirty", pages*rounds, func() {
		for range rounds {
			for i := range pages {
				dirty += r.Dirty(i, 1, bits)
			}
		}
	})
	if dirty != pages {
		panic(fmt.Sprint("dirty pages: ", dirty))
	}
}
