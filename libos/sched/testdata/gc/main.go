// Command gc has loops of classes with 300 and 100 tickets on every CPU beside goroutines that allocate all they can, and prints
// how the loops shared, how many collections there were, and what the system had.
package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/hardtack-os/hardtack/libos/sched"
)

type node struct {
	next *node
	_    [100]byte
}

func main() {
	class := func(name string, tickets int) *sched.Class {
		c, err := sched.NewClass(sched.Contract{Name: name, Tickets: tickets})
		if err != nil {
			panic(err)
		}
		return c
	}
	much, little, storm := class("much", 300), class("little", 100), class("storm", 100)
	for range runtime.GOMAXPROCS(0) {
		for _, c := range []*sched.Class{much, little} {
			sched.Go(c, func() {
				for {
				}
			})
		}
	}
	sched.Go(storm, func() {
		for {
			var list *node
			for range 20000 {
				list = &node{next: list}
			}
		}
	})
	time.Sleep(100 * time.Millisecond)
	classes := []*sched.Class{much, little, storm, sched.System}
	var from [4]time.Duration
	for i, c := range classes {
		from[i] = c.Used()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	time.Sleep(2 * time.Second)
	runtime.ReadMemStats(&after)
	for i, c := range classes {
		fmt.Printf("RESULT %s %d ms\n", c.Contract().Name, (c.Used() - from[i]).Milliseconds())
	}
	fmt.Printf("RESULT collections %d times\n", after.NumGC-before.NumGC)
}
