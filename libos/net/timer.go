package inet

import (
	"sync"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// timers wakes endpoints at their deadlines. An endpoint's deadline moves with nearly every segment, mostly to later; so an endpoint is in the heap
// with a time that is not later than its deadline, and only when that comes is the deadline asked for anew. Arming costs a comparison as a rule.
//
// Lock order: an endpoint's mutex, then timers.mu.
type timers struct {
	mu   sync.Mutex
	heap []*timer            // by at
	host func(now tick.Time) // fires the timer that is no connection's
	kick chan struct{}
	end  bool
}

// A timer is an endpoint's place in the heap.
type timer struct {
	at   tick.Time // when it will be looked at; 0: not in the heap. timers.mu
	pos  int       // in the heap
	conn *Conn     // whose it is; nil: the host's
}

func newTimers() *timers { return &timers{kick: make(chan struct{}, 1)} }

// arm makes sure that t fires at d or before. d of 0 asks for nothing: a timer that is in the heap stays there and fires for nothing.
func (ts *timers) arm(t *timer, d tick.Time) {
	if d == 0 {
		return
	}
	ts.mu.Lock()
	switch {
	case t.at == 0:
		t.at, t.pos = d, len(ts.heap)
		ts.heap = append(ts.heap, t)
		ts.up(t.pos)
	case d < t.at:
		t.at = d
		ts.up(t.pos)
	}
	first := ts.heap[0] == t && t.at == d
	ts.mu.Unlock()
	if first {
		ts.wake()
	}
}

// stop takes t out.
func (ts *timers) stop(t *timer) {
	ts.mu.Lock()
	if t.at != 0 {
		ts.remove(t.pos)
	}
	ts.mu.Unlock()
}

func (ts *timers) wake() {
	select {
	case ts.kick <- struct{}{}:
	default:
	}
}

func (ts *timers) close() {
	ts.mu.Lock()
	ts.end = true
	ts.mu.Unlock()
	ts.wake()
}

// run fires timers until close. It is one goroutine's.
func (ts *timers) run(clock func() tick.Time) {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		next, end := ts.expire(clock)
		if end {
			return
		}
		if next == 0 {
			<-ts.kick
			continue
		}
		alarm.Reset(max(next.Sub(clock()), 0))
		select {
		case <-alarm.C:
		case <-ts.kick:
		}
	}
}

// expire fires what is due and returns when to come again.
func (ts *timers) expire(clock func() tick.Time) (next tick.Time, end bool) {
	for {
		now := clock()
		ts.mu.Lock()
		if ts.end || len(ts.heap) == 0 {
			end = ts.end
			ts.mu.Unlock()
			return 0, end
		}
		t := ts.heap[0]
		if !t.at.Due(now) {
			next = t.at
			ts.mu.Unlock()
			return next, false
		}
		ts.remove(0)
		ts.mu.Unlock()
		if t.conn != nil {
			t.conn.tick(now) // which arms again
		} else {
			ts.host(now)
		}
	}
}

// remove takes out the timer at i; mu is held.
func (ts *timers) remove(i int) {
	h := ts.heap
	h[i].at = 0
	last := len(h) - 1
	moved := h[last]
	h[last] = nil
	ts.heap = h[:last]
	if i < last {
		ts.heap[i], moved.pos = moved, i
		ts.down(i)
		ts.up(i)
	}
}

func (ts *timers) up(i int) {
	h := ts.heap
	for i > 0 && h[i].at < h[(i-1)/2].at {
		ts.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (ts *timers) down(i int) {
	h := ts.heap
	for {
		c := 2*i + 1
		if c+1 < len(h) && h[c+1].at < h[c].at {
			c++
		}
		if c >= len(h) || h[i].at <= h[c].at {
			return
		}
		ts.swap(i, c)
		i = c
	}
}

func (ts *timers) swap(i, j int) {
	h := ts.heap
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}
