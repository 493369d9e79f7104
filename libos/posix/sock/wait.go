package sock

import (
	"sync/atomic"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// A waiter is a goroutine in a blocking call. It watches the socket while it tries again and again, so that nothing that happens between two
// tries is missed.
type waiter struct {
	watch    posix.Watch
	list     *posix.Watchers
	want     posix.Events
	parker   park.Parker
	deadline int64 // uptime; 0: none
}

// wait begins to watch for want; timeout is what SO_RCVTIMEO or SO_SNDTIMEO said.
func (o *object) wait(want posix.Events, timeout *atomic.Int64) *waiter {
	w := &waiter{list: o.Watchers(), want: want}
	w.watch.To = w
	if ns := timeout.Load(); ns != 0 {
		w.deadline = posix.Uptime() + ns
	}
	w.list.Add(&w.watch)
	return w
}

// Notify implements posix.Watcher.
func (w *waiter) Notify(ev posix.Events) bool {
	if ev&w.want == 0 {
		return false
	}
	w.parker.Wake()
	return true
}

// park sleeps until something was told since the last park, and says false when the time is over.
func (w *waiter) park() bool {
	if w.deadline == 0 {
		w.parker.Park(-1)
		return true
	}
	left := w.deadline - posix.Uptime()
	if left <= 0 {
		return false
	}
	w.parker.Park(left)
	return true
}

func (w *waiter) end() { w.list.Remove(&w.watch) }
