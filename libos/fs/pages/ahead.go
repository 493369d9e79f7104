package pages

import "sync/atomic"

// An Order is what is known of how a file is read: who reads it in order will want what is behind.
type Order struct {
	next atomic.Uint64 // the page behind those that were looked at last
	read atomic.Uint64 // the page up to which was read ahead; 0: nothing
	want atomic.Uint64 // the page up to which will be, as it is looked at
}

// AtOnce is how many pages are read in one go at most.
const AtOnce = 128

// window is how many pages from where somebody looks may be on their way.
func window(store *Store) uint64 { return min(4*AtOnce, uint64(store.Most())/4) }

// Look is told that n pages of a file of size pages are looked at, from page i on, and whether one is missing. Where that is in order, and one was missing ever since, it says which are to be read
// before anybody asks: those from one on, to not included. Where it is not in order, only those that are looked at are, if they are more than AtOnce. 0, 0: none. There are no more of them than can be
// on their way at a time: who looks at many calls Further as he goes on.
func (o *Order) Look(store *Store, i, n, size uint64, missing bool) (from, to uint64) {
	next := o.next.Swap(i + n)
	if i+n == next {
		return 0, 0 // the same once more
	}
	far := window(store)                    // that are there or on their way behind the last
	if i == 0 || i != next && i+1 != next { // the first page alone says nothing
		o.read.Store(0)
		if far = 0; n <= AtOnce {
			return 0, 0
		}
	}
	done := o.read.Load()
	if done == 0 && !missing {
		return 0, 0 // all may be in memory
	}
	if done > i+n+far/2 {
		return 0, 0
	}
	want := min(i+n+far, size)
	o.want.Store(want)
	return o.upTo(done, i, min(want, i+window(store)))
}

// Further is told by who looks at many pages that he came to page i of them, and says which are to be read now, as Look does.
func (o *Order) Further(store *Store, i uint64) (from, to uint64) {
	done, n := o.read.Load(), window(store)
	if done == 0 || done > i+n/2 {
		return 0, 0
	}
	return o.upTo(done, i, min(o.want.Load(), i+n))
}

// upTo has what is not asked for yet, from page i on, be asked for.
func (o *Order) upTo(done, i, to uint64) (uint64, uint64) {
	from := max(done, i)
	if from >= to || !o.read.CompareAndSwap(done, to) {
		return 0, 0
	}
	return from, to
}

// Stop says that of what Look or Further said only what lies before one page is read now.
func (o *Order) Stop(page uint64) { o.read.Store(page) }

// Seen says that the pages before one were looked at.
func (o *Order) Seen(page uint64) { o.next.Store(page) }

// Asked is the page up to which was read ahead; 0: nothing was.
func (o *Order) Asked() uint64 { return o.read.Load() }
