//go:build linux

package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/vm"
)

const n = exo.LargePages

// fails says that an operation is refused.
func fails(r *exo.Pages, op exo.PageOp) bool {
	ops := []exo.PageOp{op}
	return check(r.Apply(ops)) == 1 && ops[0].Err() != nil
}

// large maps 2 MiB at a time.
func large() {
	faults := 0
	watched := func() *exo.Pages {
		r := check(exo.TakePages("large", 2*n+8))
		r.Handle(func(exo.Fault) exo.Verdict {
			faults++
			return exo.Decline
		})
		return r
	}
	debug.SetPanicOnFault(true)
	access := func(r *exo.Pages, page int, write bool) (v byte) {
		defer func() { recover() }()
		p := &r.Bytes()[page*pageSize]
		if write {
			*p = 99
		}
		return *p
	}
	r := watched()
	f := check(exo.TakeFrames("large", 2*n, n*pageSize))
	do(r, exo.MapLarge(0, f, n, exo.ProtWrite))
	do(r, exo.MapLarge(n, f, 0, exo.ProtWrite))
	b := r.Bytes()
	b[5*pageSize], b[(2*n-1)*pageSize] = 3, 9
	q := do(r, exo.Query(5))
	fmt.Println("mapped", q.Large() && q.Written() && q.Frame() == f.Base()+(n+5)*pageSize, f.Bytes()[(n+5)*pageSize] == 3 && f.Bytes()[(n-1)*pageSize] == 9)

	words := make([]uint64, 17)
	r.Dirty(0, 2*n, words)
	b[n*pageSize+1] = 1
	fmt.Println("dirty", r.Dirty(3, 2*n-3, words), words[(n-3)/64] == 1<<((n-3)%64))

	do(r, exo.Protect(0, exo.ProtNone))
	access(r, 5, false)
	q = do(r, exo.Query(7))
	fmt.Println("none", faults, "kept", f.Bytes()[(n+5)*pageSize], q.Prot() == exo.ProtNone && q.Large())
	do(r, exo.Protect(0, exo.ProtRead))
	v := access(r, 5, false)
	access(r, 6, true)
	fmt.Println("read", v, "write faults", faults)

	fmt.Println("mixed", fails(r, exo.Map(9, f, 0, exo.ProtRead)), fails(r, exo.Unmap(9)), fails(r, exo.Clean(n+1)))
	do(r, exo.Unmap(0))
	do(r, exo.Map(9, f, n-1, exo.ProtRead))
	fmt.Println("small", access(r, 9, false), b[(2*n-1)*pageSize])
	if !fails(r, exo.MapLarge(0, f, n, exo.ProtRead)) {
		panic("a small page was lost")
	}
	do(r, exo.Unmap(9))
	do(r, exo.MapLarge(0, f, n, exo.ProtRead)) // the table is not needed any more
	fmt.Println("again", access(r, 5, false), access(r, 2*n-1, false))

	// One frame of those is taken back: all of the large page is gone, the other page, of the same binding, too.
	all := exo.Root().Caps(exo.FrameSpace)[0]
	last := uint64(f.Base())/pageSize + 2*n - 1
	do(r, exo.Protect(n, exo.ProtNone))
	check(0, all.RevokeRange(last, last))
	access(r, 5, false)
	fmt.Println("taken", faults, fails(r, exo.Query(0)) && fails(r, exo.Query(n)))

	// What was mapped without rights does not come back with the addresses.
	f = check(exo.TakeFrames("large", 2*n, n*pageSize))
	do(r, exo.MapLarge(0, f, 0, exo.ProtNone))
	do(r, exo.MapLarge(n, f, n, exo.ProtWrite))
	check(0, r.Release())
	r = watched()
	access(r, 0, false)
	fmt.Println("fresh", faults, fails(r, exo.Query(0)) && fails(r, exo.Query(n)))

	// The program unmaps it behind the holder's back: the frames stay the holder's.
	do(r, exo.MapLarge(0, f, 0, exo.ProtWrite))
	do(r, exo.MapLarge(n, f, n, exo.ProtNone))
	f.Bytes()[0] = 5
	free, _ := exo.CountFrames()
	munmap(addr(r), (2*n+8)*pageSize)
	now, _ := exo.CountFrames()
	fmt.Println("munmap", now < free+n, f.Bytes()[0], r.Release() != nil)
	check(0, f.Release())

	l := check(vm.NewLarge("large", 2))
	g := check(vm.Reserve("large", 2*vm.LargeSize, l))
	for i := range 11 {
		g.Bytes()[i*300_000]++
	}
	sum := 0
	for _, v := range g.Bytes() {
		sum += int(v)
	}
	pin := check(vm.Pin(g.Bytes()[pageSize:][:vm.LargeSize/2]))
	fmt.Println("region", len(pin.Runs()) == 1, sum, g.Close() == nil && l.Close() == nil)
}

// largeTwo protects a large page again and again while another CPU writes to it: while it is protected nothing changes.
func largeTwo() {
	r := check(exo.TakePages("large", n))
	f := check(exo.TakeFrames("large", n, n*pageSize))
	do(r, exo.MapLarge(0, f, 0, exo.ProtWrite))
	r.Handle(func(exo.Fault) exo.Verdict { return exo.Retry })
	var stop, writes atomic.Bool
	go func() {
		for i := 0; !stop.Load(); i++ {
			r.Bytes()[i*pageSize%(n*pageSize)]++
			writes.Store(true)
		}
	}()
	wrong := 0
	for range 200 {
		for writes.Store(false); !writes.Load(); {
			runtime.Gosched()
		}
		do(r, exo.Protect(0, exo.ProtRead))
		sum := func() (s int) {
			for i := range n {
				s += int(f.Bytes()[i*pageSize])
			}
			return s
		}
		before := sum()
		for range 3 {
			if sum() != before {
				wrong++
			}
		}
		do(r, exo.Clean(0))
		do(r, exo.Protect(0, exo.ProtWrite))
	}
	stop.Store(true)
	fmt.Println("wrong", wrong)
}
