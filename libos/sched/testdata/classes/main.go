// Command classes prints in which class goroutines are: those that a program starts, and those of the libOS.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/sched"
	"github.com/hardtack-os/hardtack/libos/vm"
)

func name() string { return sched.Current().Contract().Name }

// in says in which class f's goroutine was.
func in(start func(f func())) string {
	c := make(chan string)
	start(func() { c <- name() })
	return <-c
}

func class(n string) *sched.Class {
	c, err := sched.NewClass(sched.Contract{Name: n})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return c
}

// pager notes who calls it.
type pager struct{ seen chan string }

func (p pager) Fault(*vm.Region, int, bool) error {
	p.seen <- name()
	return vm.ErrNoFrame
}
func (pager) Drop(*vm.Region, int) {}

func main() {
	a, b := class("a"), class("b")
	plain := func(f func()) { go f() }
	fmt.Println("main", name(), in(plain))
	fmt.Println("started", in(func(f func()) { sched.Go(a, f) }))
	fmt.Println("the next one", in(plain))
	fmt.Println("child and grandchild", in(func(f func()) { sched.Go(a, func() { go func() { go f() }() }) }))
	fmt.Println("set", in(func(f func()) {
		sched.Go(a, func() {
			sched.Set(b)
			go f()
		})
	}))
	fmt.Println("child of before", in(func(f func()) {
		sched.Go(a, func() {
			began := make(chan bool)
			go func() {
				<-began
				f()
			}()
			sched.Set(b)
			began <- true
		})
	}))
	fmt.Println("timer", in(func(f func()) { sched.Go(a, func() { time.AfterFunc(time.Millisecond, f) }) }))
	p := pager{make(chan string, 1)}
	r, err := vm.Reserve("r", exo.PageSize, p)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	done := make(chan error)
	sched.Go(a, func() { done <- r.Populate(0, 1, false) })
	fmt.Println("pager, by a call", <-p.seen, <-done)
	sched.Go(a, func() {
		defer func() { done <- fmt.Errorf("%v", recover() != nil) }()
		debug.SetPanicOnFault(true)
		fmt.Println("it is there", r.Bytes()[0])
	})
	fmt.Println("pager, by a fault", <-p.seen, <-done)
	space, all, err := exo.NewSpace("things", "classes", 0, 9)
	_ = space
	if err == nil {
		var part exo.Cap
		if part, err = all.Derive("part", 0, 4, exo.Bind); err == nil {
			part.Handle(func(*exo.Request) { p.seen <- name() })
			_, err = all.Reclaim(part, exo.Demand{Names: 1, Why: "test", Deadline: exo.Now() + int64(time.Minute)})
		}
	}
	fmt.Println("handler of a demand", <-p.seen, err)
}
