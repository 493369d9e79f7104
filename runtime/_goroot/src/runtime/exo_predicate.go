package runtime

import (
	"internal/runtime/atomic"
	_ "unsafe" // linkname
)

// Wakeup predicates (exo/predicate.go): goroutines that wait until memory says something. They are looked at by who polls the
// network: an M before it sleeps in netpoll and after what woke it, a P without work while no M does, sysmon while all are busy; and when somebody says that memory has
// changed (exoHwPoke). An idle M in netpoll that nobody wakes hides what others do from all: hence exoHwPoke.

type exoPredicate struct {
	look func() bool // loads and compares: it runs on a system stack, perhaps without a P, under exoPredicates.lock
	gp   guintptr    // who waits; 0: nobody, or it is ready
	next *exoPredicate
}

var exoPredicates struct {
	lock  mutex
	first *exoPredicate // changed by goroutines only: who looks may not have a P, and changes no pointer
	n     uint32        // atomic: how many are listed
}

//go:linkname exoHwPredicate github.com/hardtack-os/hardtack/exo.hwPredicate
func exoHwPredicate(look func() bool) (wait func(deadline int64)) {
	exoLook = exoPredicateReady
	return (&exoPredicate{look: look}).wait
}

// wait parks the goroutine until look says true or the deadline passes (0: none).
func (p *exoPredicate) wait(deadline int64) {
	l := &exoPredicates
	if netpollInited.Load() == 0 {
		netpollGenericInit() // an idle M waits in netpoll only from then on
	}
	var t *timer
	if deadline != 0 {
		t = new(timer)
		t.init(func(arg any, _ uintptr, _ int64) {
			if gp := exoPredicateTake(arg.(*exoPredicate)); gp != nil {
				netpollAdjustWaiters(-1) // netpoll takes it off for those that look makes ready
				goready(gp, 0)
			}
		}, p)
	}
	lock(&l.lock)
	p.next, l.first = l.first, p
	atomic.Xadd(&l.n, 1)
	if p.look() { // what changed before it was listed nobody has looked at
		unlock(&l.lock)
	} else {
		netpollAdjustWaiters(1)
		p.gp.set(getg())
		if t != nil {
			t.modify(deadline, 0, nil, nil, 0)
		}
		goparkunlock(&l.lock, waitReasonIOWait, traceBlockNet, 2)
		if t != nil {
			t.stop()
		}
	}
	lock(&l.lock)
	at := &l.first
	for *at != p {
		at = &(*at).next
	}
	*at, p.next = p.next, nil
	atomic.Xadd(&l.n, -1)
	unlock(&l.lock)
}

// exoPredicateTake ends the wait for p and gives who waited.
func exoPredicateTake(p *exoPredicate) *g {
	l := &exoPredicates
	lock(&l.lock)
	gp := p.gp.ptr()
	p.gp = 0
	unlock(&l.lock)
	return gp
}

// exoPredicateReady gives a goroutine whose predicate is true, 0 if there is none.
func exoPredicateReady() (gp guintptr) {
	l := &exoPredicates
	if atomic.Load(&l.n) == 0 {
		return 0
	}
	lock(&l.lock)
	for p := l.first; p != nil && gp == 0; p = p.next {
		if p.gp != 0 && p.look() {
			gp, p.gp = p.gp, 0
		}
	}
	unlock(&l.lock)
	return gp
}

// exoHwPoke looks at all predicates now.
//
//go:linkname exoHwPoke github.com/hardtack-os/hardtack/exo.hwPoke
func exoHwPoke() {
	for gp := exoPredicateReady(); gp != 0; gp = exoPredicateReady() {
		netpollAdjustWaiters(-1)
		goready(gp.ptr(), 0)
	}
}
