//go:build linux

// Command ranges is a program that maps its own pages (exo.Pages): each subcommand builds something on them and prints what it saw.
package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/vm"
)

var commands = map[string]func(){
	"demand": demand, "bits": bits, "errors": batchErrors, "cow": copyOnWrite, "barrier": writeBarrier,
	"nested": nested, "handler-faults": handlerFaults, "too-deep": tooDeep, "decline": decline, "decline-panic": declinePanic,
	"pager": pager, "pager-declines": pagerDeclines, "pager-nosplit": pagerNosplit, "vector": vectorState, "profile": profiled,
	"munmap": unmapped, "released": afterRelease, "revoked": revoked, "named": named, "pin": pin, "foreign": foreign, "std": std, "wide": wide, "reserve": reserveMuch,
	"large": large, "large-two": largeTwo, "assembly": assembly, "held": held, "declined-assembly": declinedAssembly, "crowd": crowd, "modes": modesStay,
}

func main() { commands[os.Args[1]]() }

func check[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func take(pages, frames int) (*exo.Pages, *exo.Frames) {
	return check(exo.TakePages("ranges", pages)), check(exo.TakeFrames("ranges", frames, 0))
}

// do is one operation that must work.
func do(r *exo.Pages, op exo.PageOp) exo.PageOp {
	ops := [1]exo.PageOp{op}
	if failed, err := r.Apply(ops[:]); failed != 0 || err != nil {
		panic(fmt.Sprint(failed, err, ops[0].Err()))
	}
	return ops[0]
}

const pageSize = exo.PageSize

// demand maps pages as they are touched, two pages to each frame.
func demand() {
	r, f := take(16, 8)
	faults, writes := 0, 0
	r.Handle(func(ft exo.Fault) exo.Verdict {
		faults++
		if ft.Write {
			writes++
		}
		do(r, exo.Map(ft.Page, f, ft.Page%8, exo.ProtWrite))
		return exo.Retry
	})
	b := r.Bytes()
	for i := range 8 {
		b[i*pageSize+i] = byte(i + 1)
	}
	sum := 0
	for i := range 8 {
		sum += int(b[(i+8)*pageSize+i])
	}
	fmt.Println("faults", faults, "writes", writes, "sum", sum)
	do(r, exo.Unmap(3))
	fmt.Println("again", b[3*pageSize+3], faults)
}

// bits reads what the processor noted of accesses.
func bits() {
	r, f := take(200, 200)
	ops := make([]exo.PageOp, 200)
	for i := range ops {
		ops[i] = exo.Map(i, f, i, exo.ProtWrite)
	}
	fmt.Println(check(r.Apply(ops)), "failed")
	b := r.Bytes()
	b[7*pageSize] = 1
	_ = b[9*pageSize : 9*pageSize+2][1]
	b[199*pageSize]++
	fmt.Println("read", b[9*pageSize])
	for _, p := range []int{7, 8, 9} {
		q := do(r, exo.Query(p))
		fmt.Println("page", p, q.Accessed(), q.Written(), q.Prot(), q.Frame() == f.Base()+exo.Phys(p*pageSize))
	}
	words := make([]uint64, 4)
	fmt.Println("dirty", r.Dirty(0, 200, words), words)
	fmt.Println("dirty", r.Dirty(0, 200, words), words)
	b[8*pageSize] = 2
	fmt.Println("dirty", r.Dirty(5, 10, words), words[0])
	q := do(r, exo.Clean(9))
	q2 := do(r, exo.Query(9))
	fmt.Println("cleaned", q.Accessed(), q2.Accessed())
}

// batchErrors gives each operation its own result.
func batchErrors() {
	r, f := take(4, 2)
	ops := []exo.PageOp{
		exo.Map(0, f, 0, exo.ProtRead), exo.Map(4, f, 0, exo.ProtRead), exo.Map(1, f, 2, exo.ProtRead), exo.Map(1, f, -1, exo.ProtRead),
		exo.Unmap(2), exo.Protect(3, exo.ProtRead), exo.Query(-1), exo.Map(2, f, 1, exo.ProtNone), exo.Query(2), exo.Unmap(2), exo.Query(2),
	}
	failed, err := r.Apply(ops)
	fmt.Println(failed, err)
	for i := range ops {
		fmt.Println(i, ops[i].Err())
	}
}

// copyOnWrite lets a second range share the first one's frames until one of them writes.
func copyOnWrite() {
	const pages = 8
	a, f := take(pages, pages)
	b, spare := take(pages, pages)
	used := 0
	for i := range pages {
		do(a, exo.Map(i, f, i, exo.ProtWrite))
	}
	for i := range a.Bytes() {
		a.Bytes()[i] = byte(i / pageSize)
	}
	share := func(r *exo.Pages) func(exo.Fault) exo.Verdict {
		return func(ft exo.Fault) exo.Verdict {
			if !ft.Write {
				return exo.Decline
			}
			page := spare.Bytes()[used*pageSize:][:pageSize]
			copy(page, r.Bytes()[ft.Page*pageSize:])
			do(r, exo.Map(ft.Page, spare, used, exo.ProtWrite))
			used++
			return exo.Retry
		}
	}
	for i := range pages {
		do(a, exo.Protect(i, exo.ProtRead))
		do(b, exo.Map(i, f, i, exo.ProtRead))
	}
	a.Handle(share(a))
	b.Handle(share(b))
	b.Bytes()[2*pageSize+5] = 100
	b.Bytes()[2*pageSize+6] = 101
	a.Bytes()[5*pageSize] = 102
	fmt.Println("copies", used)
	fmt.Println("a", a.Bytes()[2*pageSize+5], a.Bytes()[5*pageSize], a.Bytes()[5*pageSize+1])
	fmt.Println("b", b.Bytes()[2*pageSize+5], b.Bytes()[2*pageSize+6], b.Bytes()[2*pageSize+7], b.Bytes()[5*pageSize])
}

// writeBarrier is a collector's card table: pages are read-only until the first write to each, which is noted.
func writeBarrier() {
	const pages = 64
	r, f := take(pages, pages)
	ops := make([]exo.PageOp, pages)
	for i := range ops {
		ops[i] = exo.Map(i, f, i, exo.ProtRead)
	}
	check(r.Apply(ops))
	var cards [pages]bool
	faults := 0
	r.Handle(func(ft exo.Fault) exo.Verdict {
		faults++
		cards[ft.Page] = true
		do(r, exo.Protect(ft.Page, exo.ProtWrite))
		return exo.Retry
	})
	want := 0
	for i := range 1000 {
		p := i * i % pages
		r.Bytes()[p*pageSize+i] = 1
	}
	marked := 0
	for _, c := range cards {
		if c {
			marked++
		}
	}
	var squares [pages]bool
	for i := range 1000 {
		if s := &squares[i*i%pages]; !*s {
			*s = true
			want++
		}
	}
	fmt.Println("cards", marked, "faults", faults, "right", cards == squares, want == marked)
}

// nested has a handler touch another range, whose handler touches a third.
func nested() {
	rs := make([]*exo.Pages, 5)
	fs := make([]*exo.Frames, 5)
	for i := range rs {
		rs[i], fs[i] = take(1, 1)
	}
	order := make([]int, 0, 10)
	for i := range rs {
		rs[i].Handle(func(ft exo.Fault) exo.Verdict {
			if i+1 < len(rs) {
				rs[i+1].Bytes()[0]++
			}
			order = append(order, i)
			do(rs[i], exo.Map(0, fs[i], 0, exo.ProtWrite))
			return exo.Retry
		})
	}
	rs[0].Bytes()[0]++
	fmt.Println("order", order, rs[0].Bytes()[0], rs[4].Bytes()[0])
}

var nowhere *int

func handlerFaults() {
	r, _ := take(1, 1)
	r.Handle(func(exo.Fault) exo.Verdict {
		*nowhere = 1
		return exo.Retry
	})
	r.Bytes()[0] = 1
	fmt.Println("went on")
}

func tooDeep() {
	r, _ := take(1, 1)
	r.Handle(func(exo.Fault) exo.Verdict {
		r.Bytes()[0] = 1
		return exo.Retry
	})
	r.Bytes()[0] = 1
	fmt.Println("went on")
}

func decline() {
	r, _ := take(1, 1)
	r.Handle(func(exo.Fault) exo.Verdict { return exo.Decline })
	r.Bytes()[8] = 1
	fmt.Println("went on")
}

// declinePanic recovers from the fault that a handler lets stand.
func declinePanic() {
	r, f := take(2, 1)
	calls := 0
	r.Handle(func(exo.Fault) exo.Verdict {
		calls++
		return exo.Decline
	})
	do(r, exo.Map(0, f, 0, exo.ProtRead))
	for _, at := range []int{8, pageSize + 16} {
		func() {
			debug.SetPanicOnFault(true)
			defer func() {
				e := recover()
				if a, ok := e.(interface{ Addr() uintptr }); ok {
					fmt.Println("recovered at", int(a.Addr())-int(addr(r)), calls)
				} else {
					fmt.Println("recovered", e)
				}
			}()
			r.Bytes()[at] = 1
		}()
	}
}

func unmapped() {
	r, f := take(4, 4)
	for i := range 4 {
		do(r, exo.Map(i, f, i, exo.ProtWrite))
	}
	munmap(addr(r), 4*pageSize)
	ops := []exo.PageOp{exo.Query(0)}
	_, err := r.Apply(ops)
	fmt.Println("apply:", err)
	f.Bytes()[0] = 5
	fmt.Println("frame", f.Bytes()[0])
	fmt.Println("release:", r.Release())
	fmt.Println("frames:", f.Release())
}

func afterRelease() {
	r, f := take(4, 4)
	r.Handle(func(exo.Fault) exo.Verdict { return exo.Retry })
	do(r, exo.Map(0, f, 0, exo.ProtWrite))
	fmt.Println("release:", r.Release())
	_, err := r.Apply([]exo.PageOp{exo.Query(0)})
	fmt.Println("apply:", err)
	fmt.Println("again:", r.Release())
}

// revoked maps frames that are taken back: the next access faults, and the old holder cannot map them again.
func revoked() {
	all, lo := some(4)
	base := exo.Phys(lo * pageSize)
	part := check(all.Derive("part", lo, lo+3, exo.All))
	_, err := exo.TakeFramesAt("rival", base+pageSize, 1)
	fmt.Println("rival:", err != nil)

	r := check(exo.TakePages("part", 8))
	f := check(exo.BindFrames(part, "part", base, 4))
	old := exo.Map(6, f, 1, exo.ProtWrite)
	for i := range 4 {
		do(r, exo.Map(i, f, i, exo.ProtWrite))
		r.Bytes()[i*pageSize] = byte(i + 1)
	}
	faults := 0
	r.Handle(func(ft exo.Fault) exo.Verdict {
		faults++
		return exo.Decline
	})
	debug.SetPanicOnFault(true)
	touch := func(i int) (v byte) {
		defer func() { recover() }()
		return r.Bytes()[i*pageSize]
	}
	fmt.Println("before", touch(0), touch(3), faults)
	check(0, all.RevokeRange(lo, lo+1))
	fmt.Println("after", touch(0), touch(1), touch(2), touch(3), faults, len(f.Bytes()))
	ops := []exo.PageOp{exo.Map(5, f, 1, exo.ProtWrite), old}
	fmt.Println(check(r.Apply(ops)), ops[0].Err() != nil, ops[1].Err() != nil)
	g := check(exo.BindFrames(all, "next", base, 1))
	g.Bytes()[0] = 9
	fmt.Println("next", touch(0), g.Bytes()[0], faults)
}

// some takes n frames by their numbers: those that the machine had free a moment ago, if nobody was faster.
func some(n int) (c exo.Cap, lo uint64) {
	all := exo.Root().Caps(exo.FrameSpace)[0]
	for range 100 {
		f := check(exo.TakeFrames("scout", n, 0))
		lo = uint64(f.Base()) / pageSize
		check(0, f.Release())
		c, err := all.Derive("some", lo, lo+uint64(n)-1, exo.All)
		if err == nil {
			return c, lo
		}
	}
	panic("frames that were just free never are")
}

// named takes frames and vectors by their names.
func named() {
	c, lo := some(1)
	_, err := exo.TakeFramesAt("second", exo.Phys(lo*pageSize), 1)
	fmt.Println("held:", err != nil)
	_, err = exo.TakeFramesAt("third", exo.Phys((lo-1)*pageSize), 3)
	fmt.Println("held:", err != nil, c.Err() == nil)
	seen := map[exo.Phys]bool{exo.Phys(lo * pageSize): true}
	for range 2000 {
		h := check(exo.TakeFrames("many", 1, 0))
		if seen[h.Base()] {
			fmt.Println("twice")
		}
		seen[h.Base()] = true
	}
	v := check(exo.TakeVectorAt("first", 200))
	_, err = exo.TakeVectorAt("second", 200)
	fmt.Println("held:", err != nil, v.Number())
	go v.Release()
	_, err = v.Wait(0)
	fmt.Println("woken:", err != nil)
	fmt.Println(check(exo.TakeVectorAt("second", 200)).Number())
}

// pin looks at memory of the heap, and of a region, by its physical addresses.
func pin() {
	for _, n := range []int{1, 5000, 1 << 20, 6 << 20} {
		b := make([]byte, n)
		p := check(vm.Pin(b))
		for i := range b {
			b[i] = byte(i * 7)
		}
		i := 0
		for _, run := range p.Runs() {
			for o := range run.Len {
				if physical(run.Base+exo.Phys(o)) != byte(i*7) {
					panic("another byte is there")
				}
				i++
			}
		}
		fmt.Println(n, i == n, len(p.Runs()) <= 1+n/pageSize, n < 6<<20 || len(p.Runs()) < n/pageSize/4)
		runtime.KeepAlive(p)
	}
	r := check(exo.TakePages("pin", 2))
	_, err := vm.Pin(r.Bytes())
	fmt.Println(err)
	f := check(exo.TakeFrames("pin", 1, 0))
	do(r, exo.Map(1, f, 0, exo.ProtWrite))
	fmt.Println(check(vm.Pin(r.Bytes()[pageSize+10:])).Runs()[0].Base == f.Base()+10)
}

// foreign does to a range by its addresses what only its holder may do.
func foreign() {
	r, f := take(4, 4)
	for i := range 4 {
		do(r, exo.Map(i, f, i, exo.ProtRead))
	}
	protect, huge, drop := meddle(addr(r), 4*pageSize)
	q := do(r, exo.Query(1))
	fmt.Println(protect, huge, drop, q.Prot() == exo.ProtRead, q.Frame() == f.Base()+pageSize)
	ops := make([]exo.PageOp, 2) // made by nobody
	fmt.Println(check(r.Apply(ops)), ops[0].Err())
}

// std lets std write from pages, and fill some, that come as they are touched.
func std() {
	r, f := take(3, 3)
	r.Handle(func(ft exo.Fault) exo.Verdict {
		copy(f.Bytes()[ft.Page*pageSize:], "written from a page\n")
		do(r, exo.Map(ft.Page, f, ft.Page, exo.ProtWrite))
		return exo.Retry
	})
	os.Stdout.Write(r.Bytes()[:20])
	check(rand.Read(r.Bytes()[pageSize : 2*pageSize]))
	exo.MixEntropy(r.Bytes()[2*pageSize:])
	fmt.Println(string(r.Bytes()[pageSize:pageSize+7]) != "written")
}

// reserveMuch takes and releases more ranges than there would be frames for their page tables.
func reserveMuch() {
	f := check(exo.TakeFrames("reserve", 1, 0))
	for range 40000 {
		r := check(exo.TakePages("reserve", 512))
		do(r, exo.Map(0, f, 0, exo.ProtWrite))
		check(0, r.Release())
	}
	fmt.Println("done")
}
