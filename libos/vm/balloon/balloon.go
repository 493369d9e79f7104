// Package balloon is the libOS module that gives memory to the host when the host asks for it, by a virtio balloon (VIRTIO 1.2, 5.5),
// and takes it back when it may.
//
// Link it with mkimage's --module libos/vm/balloon. When the host asks for more:
//
//  1. The Go memory limit falls by as much, unless the program set a lower one. So the collector keeps away from memory that will be gone.
//  2. If fewer frames are free, revocable caches are asked for the rest (vm.Reclaim): visible revocation, with a deadline.
//  3. If that does not suffice, the heap is collected and what is free in it given back.
//  4. Free frames go to the host, in the longest runs there are.
//
// Never goes what the program needs to live on: the heap that the last collection found in use and a quarter more, what else the runtime has, and a
// sixteenth of the machine. What the host does not get for that reason it gets as soon as it can be had: the module tries again, after pauses that double up to
// half a minute. When the host wants less, frames come back, caches regrow, and the limit rises.
//
// One goroutine does all this. It sleeps while the host does not change its mind. It counts in runtime.NumGoroutine, and while it waits Go's
// detector of deadlocks sees a goroutine that may go on.
//
// Rejected: free page reporting alone (5.5.6.5), which gives only what nobody uses and leaves the collector thinking that there is plenty; taking frames
// first and asking caches when the program runs short, when it is too late to ask anybody.
package balloon

import (
	"errors"
	"sync/atomic"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/virtio/balloon"
)

// ended is why nobody serves the balloon any more.
var ended atomic.Pointer[error]

// Err is why the host's wishes are not heard, nil while they are. A machine without a balloon is no error of the program's.
func Err() error {
	if p := ended.Load(); p != nil {
		return *p
	}
	return nil
}

// Pages is how many pages of 4 KiB the host has now.
func Pages() int { return int(pages.Load()) }

var pages atomic.Int64

func run() {
	err := serve()
	ended.Store(&err)
	if none := (*balloon.NoDeviceError)(nil); !errors.As(err, &none) {
		println("libos/vm/balloon:", err.Error())
	}
}

// serve returns when the device is gone or broke the rules.
func serve() (err error) {
	dev, err := balloon.Open()
	if err != nil {
		return err
	}
	m := newManager(dev, program{})
	defer m.end()
	defer func() {
		e := recover()
		if taken, ok := e.(*exo.RevokedError); ok {
			err = taken // the device was unplugged
		} else if e != nil {
			panic(e)
		}
	}()
	return m.serve()
}
