package disk

import (
	"sync"
	"sync/atomic"
)

// A Doubt is why what was written to a disk and not flushed may be lost. Once there is one each flush fails, whoever's, until the disk is opened again: what could not be written may have left the device's
// cache, as it leaves the page cache of a host, and then the next flush finds nothing to write, and the device says that all is well. The zero value is none. It is for drivers.
type Doubt struct{ why atomic.Pointer[string] }

// Mistrust says why; the first reason counts. It does not block.
func (d *Doubt) Mistrust(why string) { d.why.CompareAndSwap(nil, &why) }

// FailedFlush is the reason of a disk of which a flush failed.
const FailedFlush = "an earlier flush failed: what was written before it may be lost"

// Judge is how a flush ended of which the device says err: with an *IOError if there is doubt. It does not block.
func (d *Doubt) Judge(name string, err error) error {
	if why := d.why.Load(); why != nil && err == nil {
		return &IOError{Disk: name, Op: Flush, Why: *why}
	}
	return err
}

// Flushes decides how the flushes of one disk end, for drivers whose devices say no more of a flush than that it failed. The zero value is ready.
//
// What a flush of which the device says that it went well is worth depends on those that failed before it. A device may tell of two that were under way together in any order, by any of its queues, and a host has one error for
// both: whoever comes first gets it. So a flush ends well when all flushes have ended that the device had when it told of it, and none of them failed.
type Flushes struct {
	doubt Doubt

	mu     sync.Mutex // guards all below
	next   uint64
	flying []flight // what the device has, by number
	held   []flight // what it says went well; the number is that of the first flush that is not waited for
}

type flight struct {
	r *Request
	n uint64
}

// Began says that the device gets a flush. It does not park; the driver may hold its queue's lock.
func (f *Flushes) Began(r *Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flying = append(f.flying, flight{r, f.next})
	f.next++
}

// Ended is Finish for a flush that began, on the disk called name. No lock is held, and it is not called twice at a time: the disk's goroutine does.
func (f *Flushes) Ended(name string, r *Request, err error) {
	if err != nil {
		f.doubt.Mistrust(FailedFlush)
	}
	f.mu.Lock()
	for i := range f.flying {
		if f.flying[i].r == r {
			f.flying = append(f.flying[:i], f.flying[i+1:]...)
			break
		}
	}
	if err == nil {
		f.held = append(f.held, flight{r, f.next})
	}
	first := f.next
	if len(f.flying) > 0 {
		first = f.flying[0].n
	}
	n := 0
	for n < len(f.held) && f.held[n].n <= first {
		n++
	}
	var room [4]*Request
	done := room[:0]
	for _, h := range f.held[:n] {
		done = append(done, h.r)
	}
	f.held = append(f.held[:0], f.held[n:]...)
	f.mu.Unlock()
	if err != nil {
		r.Finish(err)
	}
	for _, r := range done {
		r.Finish(f.doubt.Judge(name, nil))
	}
}
