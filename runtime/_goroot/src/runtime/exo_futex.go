package runtime

import (
	"internal/runtime/atomic"
	"internal/runtime/sys"
)

// Futexes (futex(2)): wait while a word has a value, wake who waits on it.

const exoFutexBuckets = 64

type exoBucket struct {
	_          sys.NotInHeap
	lock       exoLock
	head, tail *exoContext
}

type exoFutexes struct {
	buckets uintptr // array of exoBucket in a frame
}

const exoBucketSize = 24

func exoFutexBucket(addr uintptr) *exoBucket {
	h := (addr >> 2) * 0x9e3779b97f4a7c15 >> 58
	return (*exoBucket)(exoPtr(exo.futex.buckets + h*exoBucketSize))
}

func (b *exoBucket) add(t *exoContext) {
	t.next = nil
	t.prev = b.tail
	if b.tail == nil {
		b.head = t
	} else {
		b.tail.next = t
	}
	b.tail = t
}

//go:noinline
func (b *exoBucket) drop(t *exoContext) {
	if t.prev == nil {
		b.head = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		b.tail = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.next, t.prev = nil, nil
}

// exoFutexWait blocks t until woken, or until the deadline, if the word still has the value; the result is in t's registers.
func exoFutexWait(c *exoCPU, t *exoContext, addr uintptr, val uint32, deadline int64) {
	b := exoFutexBucket(addr)
	b.lock.lock()
	if exoMMIOLoad(addr) != val {
		b.lock.unlock()
		t.regs.rax = exoErr(exoEAGAIN)
		return
	}
	t.key = addr
	t.bucket = b
	b.add(t)
	exoWait(c, t, deadline, exoErr(exoETIMEDOUT), b)
}

// exoFutexWake wakes up to n of those who wait on addr and returns how many.
func exoFutexWake(addr uintptr, n uintptr, urgent bool) uintptr {
	b := exoFutexBucket(addr)
	woken := uintptr(0)
	for woken < n {
		b.lock.lock()
		t := b.head
		for t != nil && (t.key != addr || !atomic.Cas(&t.state, exoCtxWaiting, exoCtxReady)) {
			t = t.next
		}
		if t != nil {
			b.drop(t)
			t.bucket = nil
		}
		b.lock.unlock()
		if t == nil {
			break
		}
		exoEndWait(t, 0, urgent)
		woken++
	}
	return woken
}
