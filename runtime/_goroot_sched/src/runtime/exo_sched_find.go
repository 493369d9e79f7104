package runtime

import _ "unsafe" // for linkname

// Finding something to run, and waking who shall: what findRunnable and wakep are without a policy. All that is ready is in one place,
// under sched.lock, where a P that finds nothing becomes idle before it lets go of the lock: whoever makes something ready
// afterwards sees it idle and wakes it. So no M spins, and nothing is looked for twice.

// findRunnable returns a goroutine to run and blocks until there is one. tryWakeP: another P may find work, too. Write barriers are
// allowed where it has a P: all but the second half of exoSchedPark.
//
//go:yeswritebarrierrec
func findRunnable() (gp *g, inheritTime, tryWakeP bool) {
	mp := getg().m
	if mp.spinning { // handoffp says so of those that it starts
		mp.spinning = false
		sched.nmspinning.Add(-1)
	}
	lock(&sched.lock)
	exoSchedTurn(mp.p.ptr(), nanotime())
	unlock(&sched.lock)
	collect := true
	for {
		mp.clearAllpSnapshot()
		if sched.gcwaiting.Load() {
			gcstopm()
			continue
		}
		pp := mp.p.ptr()
		if pp.runSafePointFn != 0 {
			runSafePointFn()
		}
		now, next, _ := pp.timers.check(0, nil)
		if traceEnabled() || traceShuttingDown() {
			if gp := traceReader(); gp != nil {
				exoUnpark(gp)
				return gp, false, true
			}
		}
		exoSchedHelpers()
		if netpollinited() && netpollAnyWaiters() {
			if list, delta := netpoll(0); !list.empty() {
				injectglist(&list)
				netpollAdjustWaiters(delta)
			}
		}
		if now == 0 {
			now = nanotime()
		}

		lock(&sched.lock)
		if collect {
			exoSchedWantGC(pp, now)
		}
		t, until := exoSchedTake(pp, now)
		more := sched.runq.size != 0
		unlock(&sched.lock)
		if t != nil && t.isGC() {
			if gp := exoSchedCollector(pp, now); gp != nil {
				exoSchedDeadline(mp, until)
				return gp, false, true
			}
			collect = false
			continue
		}
		if t != nil {
			exoSchedDeadline(mp, until)
			return t.g(), false, more
		}
		next = exoSooner(next, until)

		// Timers of others, whose Ps may be idle or busy.
		ran := false
		for _, p2 := range allp {
			if p2 == pp || !timerpMask.read(uint32(p2.id)) {
				continue
			}
			_, w, r := p2.timers.check(now, nil)
			ran = ran || r
			next = exoSooner(next, w)
		}
		if ran {
			continue
		}
		if gp := exoSchedIdleCollector(pp); gp != nil {
			return gp, false, false
		}
		if t, until := exoSchedPark(pp, now, next); t != nil {
			exoSchedDeadline(mp, until)
			return t.g(), false, false
		}
		collect = true
	}
}

// exoSooner returns the sooner of two times, of which 0 is none.
func exoSooner(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// exoUnpark makes a waiting goroutine ready that runs at once.
func exoUnpark(gp *g) {
	trace := traceAcquire()
	casgstatus(gp, _Gwaiting, _Grunnable)
	if trace.ok() {
		trace.GoUnpark(gp, 0)
		traceRelease(trace)
	}
}

// exoSchedHelpers readies the goroutines of the runtime that wait for work of their own.
func exoSchedHelpers() {
	if fingStatus.Load()&(fingWait|fingWake) == fingWait|fingWake {
		if gp := wakefing(); gp != nil {
			ready(gp, 0, true)
		}
	}
	if gcCleanups.needsWake() {
		gcCleanups.wake()
	}
}

// exoSchedPark gives the P away and waits for another one. A task that became ready at the last moment is returned instead. One of the
// idle Ms waits in netpoll, until next; the others until they are called.
func exoSchedPark(pp *p, now, next int64) (*exoTask, int64) {
	mp := getg().m
	all, masks := mp.snapshotAllp(), timerpMask
	lock(&sched.lock)
	if sched.gcwaiting.Load() || pp.runSafePointFn != 0 {
		unlock(&sched.lock)
		return nil, 0
	}
	t, until := exoSchedTake(pp, now)
	if t != nil && !t.isGC() {
		unlock(&sched.lock)
		return t, until
	}
	if t != nil {
		exoSchedStop(pp.id, now)
		unlock(&sched.lock)
		return nil, 0
	}
	next = exoSooner(next, until)
	releasep()
	pidleput(pp, now)
	unlock(&sched.lock)

	next = checkTimersNoP(all, masks, next)
	switch {
	case !netpollinited():
	case (next != 0 || netpollAnyWaiters()) && sched.lastpoll.Swap(0) != 0:
		if exoSchedPoll(next) {
			return nil, 0
		}
	case next != 0:
		if at := sched.pollUntil.Load(); at == 0 || at > next {
			netpollBreak()
		}
	}
	stopm()
	return nil, 0
}

// exoSchedPoll waits in netpoll and reports whether it has come back with a P.
func exoSchedPoll(next int64) bool {
	sched.pollUntil.Store(next)
	wait := int64(-1)
	if next != 0 {
		wait = max(next-nanotime(), 0)
	}
	list, delta := netpoll(wait)
	now := nanotime()
	sched.pollUntil.Store(0)
	sched.lastpoll.Store(now)
	lock(&sched.lock)
	pp, _ := pidleget(now)
	unlock(&sched.lock)
	if pp != nil {
		acquirep(pp)
	}
	injectglist(&list)
	netpollAdjustWaiters(delta)
	return pp != nil
}

// wakep has an idle P look for work.
func wakep() {
	if sched.npidle.Load() == 0 {
		return
	}
	mp := acquirem() // until startm has handed the P over
	lock(&sched.lock)
	if pp, _ := pidleget(0); pp != nil {
		startm(pp, false, true)
	}
	unlock(&sched.lock)
	releasem(mp)
}

// runqput hands a ready goroutine to the policy; the caller calls wakep.
//
//go:yeswritebarrierrec
func runqput(pp *p, gp *g, next bool) {
	lock(&sched.lock)
	if !exoSched.on {
		globrunqput(gp)
		unlock(&sched.lock)
		return
	}
	now := nanotime()
	exoSchedDrain(pp, now)
	// Who was stopped for its stack to be scanned did not wait for anything.
	ran := gp.exoTask.cpu == pp.id || gp.waitreason == waitReasonPreempted
	exoSchedMakeWay(exoSchedGive(pp, gp.task(), ran, now))
	unlock(&sched.lock)
}

// runqputbatch is runqput for many. Like it, it is called with a P.
//
//go:yeswritebarrierrec
func runqputbatch(pp *p, q *gQueue) {
	lock(&sched.lock)
	globrunqputbatch(q)
	if exoSched.on {
		now := nanotime()
		for !sched.runq.empty() {
			gp := sched.runq.pop()
			exoSchedMakeWay(exoSchedGive(pp, gp.task(), false, now))
		}
	}
	unlock(&sched.lock)
}

// exoSchedMakeWay preempts what runs on a CPU, or, for -1, an idle collector, if there is no idle P to do what is to be done.
func exoSchedMakeWay(cpu int32) {
	if sched.npidle.Load() != 0 {
		return
	}
	for i := int32(0); cpu < 0 && i < min(gomaxprocs, exoSchedMaxP); i++ {
		if exoSched.p[i].mark {
			cpu = i
		}
	}
	if cpu >= 0 {
		exoSchedCut(cpu)
	}
}

// injectglist makes the goroutines of a list ready. It is called without a P, too, and then no policy is asked: if no P is idle, one that
// runs somebody is made to ask.
//
//go:nowritebarrierrec
func injectglist(list *gList) {
	if list.empty() {
		return
	}
	exoGoInject(list)
	if getg().m.p == 0 && sched.npidle.Load() == 0 {
		for i := int32(0); i < gomaxprocs; i++ {
			if exoSched.p[i].task != nil {
				preemptone(allp[i])
				return
			}
		}
	}
}
