package pages

import "sync/atomic"

// An Order is what is known of how a file is read: who reads it in order will want what is behind.
type Order struct {
	next atomic.Uint64 // the page behind those that were looked at last
	read atomic.Uint64 // the page up to which was read ahead; 0: nothing
}

// AtOnce is how many pages are read in one go at most, for who waits for them.
const AtOnce = 128

// Look is told that n pages of a file of size pages are looked at, from page i on, and whether one is missing. Where that is in order, and one was missing ever since, it says which are to be read
// before anybody asks: those from one on, to not included. Where it is not in order, only those that are looked at are, if they are more than AtOnce. 0, 0: none.
func (o *Order) Look(store *Store, i, n, size uint64, missing bool) (from, to uint64) {
	next := o.next.Swap(i + n)
	if i+n == next {
		return 0, 0 // the same once more
	}
	far := min(4*AtOnce, uint64(store.Most())/4) // that are there or on their way behind the last
	if i == 0 || i != next && i+1 != next {      // the first page alone says nothing
		o.read.Store(0)
		if far = 0; n <= AtOnce {
			return 0, 0
		}
	}
	done := o.read.Load()
	if done == 0 && !missing {
		return 0, 0 // all may be in memory
	}
	from, to = max(done, i), min(i+n+far, size)
	if done > i+n+far/2 || from >= to || !o.read.CompareAndSwap(done, to) {
		return 0, 0
	}
	return from, to
}

// Seen says that the pages before one were looked at.
func (o *Order) Seen(page uint64) { o.next.Store(page) }

// Asked is the page up to which was read ahead; 0: nothing was.
func (o *Order) Asked() uint64 { return o.read.Load() }
