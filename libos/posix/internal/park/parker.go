package park

import (
	"sync/atomic"
	"time"
)

// A Parker lets one goroutine sleep until somebody wakes it or a time is over. A wake-up that comes before Park makes
// it return at once; several count as one.
type Parker struct {
	woken uint32
	sema  uint32
}

// Wake ends the present or the next Park.
func (p *Parker) Wake() {
	if atomic.CompareAndSwapUint32(&p.woken, 0, 1) {
		semrelease(&p.sema, false, 0)
	}
}

// Park sleeps until Wake, or at most for ns nanoseconds where that is not negative.
func (p *Parker) Park(ns int64) {
	if ns >= 0 {
		defer time.AfterFunc(time.Duration(ns), p.Wake).Stop()
	}
	semacquire(&p.sema)
	atomic.StoreUint32(&p.woken, 0)
}
