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
