package main

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/virtio"
	"github.com/hardtack-os/hardtack/exo/virtio/rng"
)

// device waits for what the entropy device does to its ring: its interrupt has the scheduler look.
func device(f *exo.Frames) {
	d, err := virtio.Open("predicates", virtio.Find(rng.DeviceID)[0], 0)
	if err != nil {
		fmt.Println("device:", err)
		return
	}
	defer d.Close()
	q, err := d.Queue("predicates", 0, 8)
	if err != nil {
		fmt.Println("queue:", err)
		return
	}
	p, err := exo.NewPredicate([]exo.Term{q.Filled()})
	if err != nil {
		fmt.Println("predicate:", err)
		return
	}
	d.Start()
	n := 0
	for range 50 {
		q.Add(0, virtio.Buffer{Addr: f.Base(), Len: 16, Write: true})
		q.Kick()
		if which, err := p.Wait(exo.Now() + 20e9); which != 0 || err != nil {
			fmt.Println("ring:", which, err)
			return
		}
		if _, _, ok := q.Next(); ok {
			n++
		}
		p.Set(0, q.Seen())
	}
	fmt.Println("filled rings seen:", n)
}

// predicates waits for what a word of frames, or of the program's own, says.
func predicates() {
	f, err := exo.TakeFrames("predicates", 1, 0)
	if err != nil {
		fmt.Println("frames:", err)
		return
	}
	var own atomic.Uint32
	p, err := exo.NewPredicate([]exo.Term{{Frames: f, Off: 64, Value: 7}}, []exo.Term{{Word: &own, Op: exo.AtLeast, Value: 1}})
	if err != nil {
		fmt.Println("predicate:", err)
		return
	}
	type end struct {
		which int
		err   error
	}
	ends := make(chan end)
	wait := func(deadline int64) {
		go func() {
			i, err := p.Wait(deadline)
			ends <- end{i, err}
		}()
	}
	const trips = 1000
	wait(0)
	for range trips {
		own.Store(1)
		exo.Poke()
		<-ends
		own.Store(0)
		wait(0)
	}
	own.Store(1)
	exo.Poke()
	fmt.Println("poked:", <-ends == end{1, nil})
	own.Store(0)

	// A wait that nothing ends uses no CPU: a second of it less than half of that, on whatever host.
	used := func() time.Duration {
		var ru syscall.Rusage
		syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
		return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	before := used()
	wait(exo.Now() + 1e9)
	fmt.Println("the deadline:", <-ends == end{-1, nil}, "without a CPU:", used()-before < 500*time.Millisecond)

	device(f)
	wait(0)
	time.Sleep(10 * time.Millisecond)
	f.Release()
	var gone *exo.ReleasedError
	fmt.Println("a freed page wakes:", errors.As((<-ends).err, &gone))
}
