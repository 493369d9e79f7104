package runtime

import (
	"internal/runtime/atomic"
	"internal/runtime/sys"
	"unsafe"
)

// The network poller: where an idle M sleeps. It replaces epoll's: descriptors are libos/posix's, which reports readiness from
// goroutines (exoPollReady), and device interrupts come as bits that the handler set (exo_vector.go). The sleep is a futex on one word,
// exact to the nanosecond.

type exoVectorWaiter struct {
	_    [0]func() // it is in an interface once: without ==, whose code would be linked
	lock mutex
	gp   guintptr
	seen uint32 // count that the last wait returned at
}

var exoWaiters [256]exoVectorWaiter

// exoLook gives one more goroutine that is ready, 0 if there is none; nil where there are no predicates (exo_predicate.go).
var exoLook func() guintptr

func netpollinit() {}

func netpollIsPollDescriptor(fd uintptr) bool { return false }

// exoPollOpen and exoPollClose are libos/posix's: they tie a descriptor to a tagged poll descriptor and return an errno.
func exoPollOpen(fd, pd uintptr) int32
func exoPollClose(fd uintptr) int32

func netpollopen(fd uintptr, pd *pollDesc) uintptr {
	tp := taggedPointerPack(unsafe.Pointer(pd), pd.fdseq.Load())
	return uintptr(exoPollOpen(fd, uintptr(tp)))
}

func netpollclose(fd uintptr) uintptr { return uintptr(exoPollClose(fd)) }

func netpollarm(pd *pollDesc, mode int) { throw("runtime: unused") }

// netpollBreak wakes the M that sleeps in netpoll.
func netpollBreak() {
	if atomic.Cas(&exo.irq.word, 0, 1) {
		futexwakeup(&exo.irq.word, 1)
	}
}

// netpoll returns the goroutines that interrupts made ready; delay as in netpoll.go: < 0 waits, 0 does not, > 0 waits at most so many ns.
func netpoll(delay int64) (gList, int32) {
	var ready gList
	n := exoCollect(&ready)
	if n != 0 || delay == 0 {
		return ready, -n
	}
	word := &exo.irq.word
	if atomic.Load(word) == 0 {
		if delay < 0 {
			delay = -1
		}
		futexsleep(word, 0, delay)
	}
	atomic.Store(word, 0)
	n = exoCollect(&ready)
	return ready, -n
}

// exoCollect takes the vectors that fired and lists the goroutines that wait for them.
func exoCollect(ready *gList) int32 {
	n := int32(0)
	if exoLook != nil {
		for gp := exoLook(); gp != 0; gp = exoLook() {
			ready.push(gp.ptr())
			n++
		}
	}
	for i := range exo.cold.fired {
		if atomic.Load64(&exo.cold.fired[i]) == 0 {
			continue
		}
		for b := atomic.Xchg64(&exo.cold.fired[i], 0); b != 0; b &= b - 1 {
			w := &exoWaiters[i*64+sys.TrailingZeros64(b)]
			lock(&w.lock)
			if gp := w.gp.ptr(); gp != nil {
				w.gp = 0
				ready.push(gp)
				n++
			}
			unlock(&w.lock)
		}
	}
	return n
}

// exoVectorWait parks the goroutine until vector v has fired since the last wait on it returned, and returns how many times it has.
// deadline is monotonic ns: 0 none, < 0 does not wait. One goroutine a vector.
func exoVectorWait(v int, deadline int64) uint64 {
	w := &exoWaiters[v]
	if netpollInited.Load() == 0 {
		netpollGenericInit() // an idle M waits for interrupts only from then on
	}
	for {
		lock(&w.lock)
		if c := atomic.Load(&exo.cold.count[v]); c != w.seen {
			n := c - w.seen
			w.seen = c
			unlock(&w.lock)
			return uint64(n)
		}
		if deadline < 0 || deadline != 0 && nanotime() >= deadline {
			unlock(&w.lock)
			return 0
		}
		if w.gp != 0 {
			unlock(&w.lock)
			throw("exo: two wait for one vector")
		}
		netpollAdjustWaiters(1)
		if deadline != 0 {
			exoVectorTimer(w, deadline)
			continue
		}
		w.gp.set(getg())
		goparkunlock(&w.lock, waitReasonIOWait, traceBlockNet, 2)
	}
}

// exoVectorTimer parks like exoVectorWait, but no longer than the deadline. w.lock is held and released.
func exoVectorTimer(w *exoVectorWaiter, deadline int64) {
	w.gp.set(getg())
	t := new(timer)
	t.init(func(arg any, _ uintptr, _ int64) {
		w := arg.(*exoVectorWaiter)
		lock(&w.lock)
		gp := w.gp.ptr()
		w.gp = 0
		unlock(&w.lock)
		if gp != nil {
			netpollAdjustWaiters(-1) // netpoll takes it off for those that the vector wakes
			goready(gp, 0)
		}
	}, w)
	t.modify(deadline, 0, nil, nil, 0)
	goparkunlock(&w.lock, waitReasonIOWait, traceBlockNet, 2)
	t.stop()
}

// exoPollReady tells the goroutines that wait on a tagged poll descriptor that it is ready for mode ('r', 'w' or their sum).
func exoPollReady(tagged uintptr, mode int) {
	tp := taggedPointer(tagged)
	pd := (*pollDesc)(tp.pointer())
	if tp.tag() != pd.fdseq.Load()&(1<<tagBits-1) {
		return // the descriptor was closed and another took its place
	}
	systemstack(func() {
		var ready gList
		d := netpollready(&ready, pd, int32(mode))
		netpollAdjustWaiters(d)
		injectglist(&ready)
	})
}

// exoPollWaiters gives the goroutines that wait for a tagged poll descriptor, 0 for nobody. It is for who looks at a running program: they may have gone on.
func exoPollWaiters(tagged uintptr) (reader, writer uint64) {
	tp := taggedPointer(tagged)
	pd := (*pollDesc)(tp.pointer())
	if tp.tag() != pd.fdseq.Load()&(1<<tagBits-1) {
		return 0, 0
	}
	number := func(v uintptr) uint64 {
		if v == pdNil || v == pdReady || v == pdWait {
			return 0
		}
		return (*g)(unsafe.Pointer(v)).goid // never freed, only used again
	}
	return number(pd.rg.Load()), number(pd.wg.Load())
}
