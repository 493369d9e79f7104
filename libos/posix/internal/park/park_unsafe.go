// Package park puts goroutines to sleep and wakes them.
//
// It is built on the runtime's semaphores rather than on channels or sync.Cond: a goroutine in a testing/synctest
// bubble must be able to wait for one outside, which those two forbid. And it is small, because every image has it.
package park

import (
	"sync"
	_ "unsafe" // for linkname
)

//go:linkname semacquire sync.runtime_Semacquire
func semacquire(addr *uint32)

//go:linkname semrelease sync.runtime_Semrelease
func semrelease(addr *uint32, handoff bool, skipframes int)

// A Mutex is a sync.Mutex whose fast path is not copied into every caller, and which has no ==, whose code would be linked for all that hold one.
type Mutex struct {
	_  [0]func()
	mu sync.Mutex
}

// Lock locks m.
//
//go:noinline
func (m *Mutex) Lock() { m.mu.Lock() }

// Unlock unlocks m.
//
//go:noinline
func (m *Mutex) Unlock() { m.mu.Unlock() }

// A Queue is where callers sleep until an object changes. The object's mutex guards it and is held for every method.
//
// All that wait in one Queue wait for the same condition. For a wake-up may be taken by a caller that came later: so
// waiters check again; and who leaves the object in a state that another waiter could use wakes the next one (the
// baton). The sleepers are always exactly n plus the wake-ups under way, so none is forgotten. Who waits for something
// of its own uses a [Parker].
type Queue struct {
	n    int
	sema uint32
}

// Wait sleeps until woken, with mu released meanwhile.
func (q *Queue) Wait(mu *Mutex) {
	q.n++
	mu.Unlock()
	semacquire(&q.sema)
	mu.Lock()
}

// Wake wakes one sleeper, if there is one.
func (q *Queue) Wake() {
	if q.n > 0 {
		q.n--
		semrelease(&q.sema, false, 0)
	}
}

// WakeAll wakes all sleepers.
func (q *Queue) WakeAll() {
	for q.n > 0 {
		q.Wake()
	}
}
