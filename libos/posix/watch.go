package posix

import (
	"sync/atomic"

	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// Watchers is the list of those who want to know when an object becomes ready: epoll registrations, callers of poll
// and select, and the runtime's netpoll. The zero value is empty. An object with two ends has one for each.
//
// An object first changes its state, then calls Notify; a watcher first adds itself, then asks Ready. So either
// Notify finds the watcher or the watcher finds the new state.
//
// Lock order: the object's own mutex, Watchers.mu, then the watcher's own.
type Watchers struct {
	mu    park.Mutex
	head  *Watch // newest first, the exclusive ones last and in their order; mu
	count int32  // atomic
}

// A Watch is a link in a Watchers list.
type Watch struct {
	next      *Watch
	To        Watcher
	Exclusive bool // EPOLLEXCLUSIVE: one of these is enough

	_ [0]func() // not comparable: no code for that
}

// A Watcher is who is told.
type Watcher interface {
	// Notify tells that ev may have become true; it reports whether somebody was waiting for just that. It runs
	// under the object's locks, so it may wake but not look or wait.
	Notify(ev Events) bool
}

// Notify tells the watchers that the conditions ev may have become true. Calls come with every new occurrence (more
// bytes, more room), not only with a change of Ready: edge-triggered watchers count on it.
func (w *Watchers) Notify(ev Events) {
	if atomic.LoadInt32(&w.count) == 0 {
		return
	}
	w.mu.Lock()
	taken := false
	for l := w.head; l != nil; l = l.next {
		if !l.Exclusive {
			l.To.Notify(ev)
		} else if !taken {
			taken = l.To.Notify(ev)
		}
	}
	w.mu.Unlock()
}

// Add puts l, which is in no list, into this one.
func (w *Watchers) Add(l *Watch) {
	w.mu.Lock()
	p := &w.head
	for l.Exclusive && *p != nil {
		p = &(*p).next
	}
	l.next, *p = *p, l
	atomic.AddInt32(&w.count, 1)
	w.mu.Unlock()
}

// Remove takes l out. Lists are short: one watcher, as a rule.
func (w *Watchers) Remove(l *Watch) {
	w.mu.Lock()
	for p := &w.head; *p != nil; p = &(*p).next {
		if *p == l {
			*p, l.next = l.next, nil
			atomic.AddInt32(&w.count, -1)
			break
		}
	}
	w.mu.Unlock()
}
