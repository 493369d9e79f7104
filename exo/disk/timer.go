package disk

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Timer wakes a driver when a transfer may have taken too long. It never runs behind its driver: what it calls may use the device.
type Timer struct {
	armed atomic.Bool // it is running
	timer *time.Timer

	mu    sync.Mutex // held while f runs
	ended bool       // mu
}

// NewTimer gives one that is not armed. f must not wait, and must not end the timer.
func NewTimer(f func()) *Timer {
	t := new(Timer)
	t.timer = time.AfterFunc(1<<62, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.ended {
			t.armed.Store(false)
			f()
		}
	})
	return t
}

// Arm has f called after d, unless a call is awaited already.
func (t *Timer) Arm(d time.Duration) {
	if t.armed.CompareAndSwap(false, true) {
		t.timer.Reset(d)
	}
}

// Armed says whether a call is awaited.
func (t *Timer) Armed() bool { return t.armed.Load() }

// End waits for a call that is under way, and lets none begin any more.
func (t *Timer) End() {
	t.timer.Stop()
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
}
