//go:build !hardtack

package sched

import (
	"runtime"
	"time"
)

type alone struct{ woken chan struct{} }

func isolate(_ int, f func(*Alone)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f(&Alone{alone{make(chan struct{}, 1)}})
	return nil
}

func (a alone) rest(d time.Duration) bool {
	var over <-chan time.Time
	if d > 0 {
		over = time.After(d)
	}
	select {
	case <-a.woken:
		return true
	case <-over:
		return false
	}
}

func (a alone) interrupts() uint32 { return 0 }

func (a alone) wake() {
	select {
	case a.woken <- struct{}{}:
	default:
	}
}
