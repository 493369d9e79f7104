//go:build hardtack

package sched

import (
	"runtime"
	"time"

	"github.com/hardtack-os/hardtack/exo"
)

type alone struct{ c *exo.CPU }

func isolate(cpu int, f func(*Alone)) error {
	c, err := exo.TakeCPU("sched.Isolate", cpu)
	if err != nil {
		return err
	}
	defer c.Release()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := c.Isolate(); err != nil {
		return err
	}
	f(&Alone{alone{c}})
	return nil
}

func (a alone) rest(d time.Duration) bool {
	deadline := int64(0)
	if d > 0 {
		deadline = exo.Now() + int64(d)
	}
	woken, err := a.c.Rest(deadline)
	return woken && err == nil
}

func (a alone) interrupts() uint32 { return a.c.Interrupts() }
func (a alone) wake()              { a.c.Wake() }
