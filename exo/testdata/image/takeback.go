package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/hardtack-os/hardtack/exo"
)

// nobody is where no device of these machines answers; loads give ones.
const nobody = 0xfed80000

// takeBack uses device registers and ports on several goroutines while they are taken back, and says whether use ended as it should.
func takeBack() {
	d, err := exo.Root().Sub("driver",
		exo.Grant{Space: exo.MMIOSpace, Lo: nobody, Hi: nobody + 0xfff, Rights: exo.All},
		exo.Grant{Space: exo.PortSpace, Lo: 0x80, Hi: 0x83, Rights: exo.Read | exo.Bind})
	if err != nil {
		fmt.Println("sub:", err)
		return
	}
	m, err1 := d.TakeMMIO("driver", nobody, 0x1000)
	p, err2 := d.TakePorts("driver", 0x80, 4)
	if err1 != nil || err2 != nil {
		fmt.Println("take:", err1, err2)
		return
	}
	var (
		re  *exo.RangeError
		rt  *exo.RightsError
		rev *exo.RevokedError
	)
	refused := errors.As(use(func() { m.Load32(0x1000) }), &re) && errors.As(use(func() { m.Store16(1, 1) }), &re) &&
		errors.As(use(func() { p.In16(3) }), &re) && errors.As(use(func() { p.Out8(0, 1) }), &rt) &&
		use(func() { m.Store64(8, m.Load64(0xff8)); p.In32(0) }) == nil
	fmt.Println("refused before:", refused)

	const users = 4
	var loads atomic.Int64
	ends := make(chan error)
	for range users {
		go func() {
			ends <- use(func() {
				for {
					m.Load32(0x10)
					p.In8(1)
					loads.Add(1)
				}
			})
		}()
	}
	for loads.Load() < 1000 {
		runtime.Gosched()
	}
	if err := exo.Root().Revoke(d); err != nil {
		fmt.Println("revoke:", err)
	}
	for range users {
		if err := <-ends; !errors.As(err, &rev) {
			fmt.Println("use ended with", err)
			return
		}
	}
	fmt.Println("taken back from:", users, "by", rev.By)
}

// names takes this frame and this vector, and has a vector taken back from under a goroutine that waits for it.
func names() {
	// The runtime takes frames on every CPU: one that was given back may be its before we ask again.
	var held *exo.HeldError
	for {
		f, err := exo.TakeFrames("finder", 1, 0)
		if err != nil {
			fmt.Println("frames:", err)
			return
		}
		at := f.Base()
		f.Bytes()[5] = 42
		_, err1 := exo.TakeFramesAt("second", at, 1)
		f.Release()
		g, err2 := exo.TakeFramesAt("second", at, 1)
		if errors.As(err2, &held) && held.Holder == "the runtime" {
			continue
		}
		if !errors.As(err1, &held) || held.Holder != "finder" || err2 != nil || g.Base() != at || g.Bytes()[5] != 42 {
			fmt.Println("this frame:", err1, err2)
			return
		}
		break
	}
	_, err := exo.TakeFramesAt("third", 0x401000, 1) // the program's text lies there
	fmt.Println("this frame, and not the runtime's:", errors.As(err, &held) && held.Holder == "the runtime")

	d, err := exo.Root().Sub("waiter", exo.Grant{Space: exo.VectorSpace, Lo: 200, Hi: 201, Rights: exo.All})
	if err != nil {
		fmt.Println("vectors:", err)
		return
	}
	v, err := d.TakeVectorAt("waiter", 201)
	if err != nil {
		fmt.Println("vector:", err)
		return
	}
	end := make(chan error)
	go func() {
		_, err := v.Wait(0)
		for busy(err) { // the other goroutine is looking
			_, err = v.Wait(0)
		}
		end <- err
	}()
	for _, err := v.Wait(-1); !busy(err); _, err = v.Wait(-1) {
		runtime.Gosched()
	}
	exo.Root().Revoke(d)
	var rev *exo.RevokedError
	fmt.Println("waiter woken:", errors.As(<-end, &rev))
	w, err := exo.TakeVectorAt("next", 201)
	if err != nil {
		fmt.Println("next:", err)
		return
	}
	n, err := w.Wait(-1)
	fmt.Println("the next holder's count:", n, err)
}

// busy says whether somebody else waits.
func busy(err error) bool {
	var e *exo.BusyError
	return errors.As(err, &e)
}

// use says what f panics with.
func use(f func()) (err error) {
	defer func() {
		if e, ok := recover().(error); ok {
			err = e
		}
	}()
	f()
	return nil
}
