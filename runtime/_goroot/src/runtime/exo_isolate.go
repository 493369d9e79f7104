package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
	"unsafe"
)

// A CPU for one context alone (exo.CPU.Isolate): exoCPU.only names it. It is woken nowhere else, nobody else is put there or steals from there, and it steals from
// nobody. So the CPU has no turns to end and nobody's timers but those of the context. What remains is what concerns it: its own deadlines and
// signals, shootdowns of pages, and vectors that somebody sends there.
//
// The boot CPU stays for all.

// Results of exoOpIsolate.
const (
	exoIsolateNo   = iota // another context has the CPU, or this one has it no longer
	exoIsolateYes         // it runs there
	exoIsolateAway        // it goes there when it is next woken
)

// exoOpIsolate gives CPU n to the calling context, which is the M m, or goes on with that where m is 0.
func exoOpIsolate(n, m, _ uintptr) uintptr {
	c, me := exo.cpus[n], exoSelf()
	t := me.cur
	if m != 0 {
		c.lock.lock()
		if c.only == nil {
			c.only = t
			atomic.Storeuintptr(&c.onlyM, m)
		}
		c.lock.unlock()
	}
	if c.only != t {
		return exoIsolateNo
	}
	if me != c {
		atomic.Store(&t.cpu, c.id)
		return exoIsolateAway
	}
	for {
		o := c.dequeue(c)
		if o == nil {
			break
		}
		exoReady(o, false)
	}
	// Who sleeps here has a timer here: it wakes for nothing, elsewhere, and goes on waiting there.
	for s := c.sleepers; s != nil; s = c.sleepers {
		exoWake(s, exoErr(exoEINTR), false)
		exoTLBPoll(c)
	}
	return exoIsolateYes
}

// exoOpShare makes CPU n everybody's again; with mine, only if the calling context has it.
func exoOpShare(n, mine, _ uintptr) uintptr {
	c := exo.cpus[n]
	c.lock.lock()
	ends := mine == 0 || c.only == exoSelf().cur
	if ends {
		c.only = nil
		atomic.Storeuintptr(&c.onlyM, 0)
	}
	c.lock.unlock()
	if ends {
		exoIPI(c) // if it is idle, it looks whether there is something to steal
	}
	return 0
}

// exoOpEvict sends elsewhere who is ready on CPU n and does not have it: who saw it free a moment before was late to put somebody there.
func exoOpEvict(n, _, _ uintptr) uintptr {
	c := exo.cpus[n]
	for k := atomic.Load(&c.nready); k != 0; k-- {
		if t := c.dequeue(c); t != nil {
			exoReady(t, false) // who has it comes back
		}
	}
	return 0
}

// exoKeepCPU lets the goroutine that has the CPU go on, whoever wants its P: there is nothing else that could run here. Only to stop the world it gives way, and
// is the first that the P runs afterwards. Where gp is to be preempted like others it is gopreempt_m. On g0.
func exoKeepCPU(gp *g) {
	t, mp := exoCurrent(), getg().m
	if exo.cpus[atomic.Load(&t.cpu)].only != t || mp.lockedg.ptr() != gp {
		gopreempt_m(gp)
	}
	pp := mp.p.ptr()
	if pp.runSafePointFn != 0 {
		runSafePointFn()
	}
	pp.timers.check(0, nil)
	exoShed(pp)
	if !sched.gcwaiting.Load() {
		// As execute has it. Who asked meanwhile asks again, or has exoLookAlone ask.
		gp.syncSafePoint = false
		gp.preempt = false
		pp.preempt = false
		exoNoTurns(pp)
		gp.stackguard0 = gp.stack.lo + stackGuard
		if hz := sched.profilehz; mp.profilehz != hz {
			setThreadCPUProfiler(hz)
		}
		gogo(&gp.sched)
	}
	if traceEnabled() || traceShuttingDown() {
		gopreempt_m(gp)
	}
	casgstatus(gp, _Grunning, _Grunnable)
	dropg()
	runqput(pp, gp, true)
	if sched.gcwaiting.Load() {
		// The P stops here, as in gcstopm: stoplockedm would hand it, with gp, to another M, for whose turn all would wait.
		releasep()
		lock(&sched.lock)
		pp.status = _Pgcstop
		pp.gcStopTime = nanotime()
		sched.stopwait--
		if sched.stopwait == 0 {
			notewakeup(&sched.stopnote)
		}
		unlock(&sched.lock)
	}
	schedule()
}

// exoShowStack is preemptPark for the goroutine that has the CPU: the collector looks at the stack while its owner waits where it is. Parked, it would be made ready on the
// collector's P, and go on when that has done its turn. On g0; as preemptPark, it does not return.
func exoShowStack(gp *g) {
	t, mp := exoCurrent(), getg().m
	if exo.cpus[atomic.Load(&t.cpu)].only != t || mp.lockedg.ptr() != gp {
		preemptPark(gp)
	}
	casGToWaitingForSuspendG(gp, _Grunning, waitReasonGarbageCollectionScan)
	for gp.preemptStop { // suspendG takes it back when it has the stack
		procyield(10)
	}
	casgstatus(gp, _Gwaiting, _Grunning) // and this waits until it has let go of it
	exoKeepCPU(gp)
}

// exoShed lets others have what is ready on a P that is kept: it would wait for the P's next turn of scheduling. On g0.
func exoShed(pp *p) {
	if runqempty(pp) {
		return
	}
	lock(&sched.lock)
	for gp, _ := runqget(pp); gp != nil; gp, _ = runqget(pp) {
		globrunqput(gp)
	}
	unlock(&sched.lock)
	wakep()
}

// exoNever is when sysmon has seen a goroutine begin that it shall not preempt.
const exoNever = 1 << 62

// exoNoTurns has sysmon not preempt what runs on pp: its 10 ms begin at the end of time, until exoLookAlone finds another M there.
func exoNoTurns(pp *p) {
	pp.sysmontick.schedtick = pp.schedtick
	pp.sysmontick.schedwhen = exoNever
}

// exoHandBack is startTheWorldWithSema's procresize, with sched.lock held: it returns the Ps that have something to run, each with the M that shall do it. Where what comes next is
// a goroutine with a CPU, the P goes to that one's M: the other M would do no more, but in its next turn on another CPU. To stoplockedm it is as if startlockedm had done it.
func exoHandBack(n int32) *p {
	list := procresize(n)
	for pp := list; pp != nil; pp = pp.link.ptr() {
		gp := pp.runnext.ptr()
		if gp == nil {
			continue
		}
		mp := gp.lockedm.ptr()
		if mp == nil || mp.nextp != 0 || !exoIsAlone(mp) {
			continue
		}
		if other := pp.m.ptr(); other != nil {
			mput(other)
		}
		pp.runnext = 0
		sched.nmidlelocked--
		pp.m.set(mp)
	}
	return list
}

// exoAlone is the M that has CPU i, nil if none has.
func exoAlone(i uint32) *m { return muintptr(atomic.Loaduintptr(&exo.cpus[i].onlyM)).ptr() }

// exoAloneMs keeps from the collector what exoAlone gives: an M may exit with its CPU.
var exoAloneMs [exoMaxCPU]*m

// exoLookAlone is sysmon's look at those that have a CPU. It preempts who has something ready on its P, which goes to others, who does not know yet that a CPU profile
// has begun or ended, and who was asked to stop and runs on: exoKeepCPU may have taken the question of one, who does not send a second signal, for that of
// another. Whoever has such a P without a CPU, after Share or because it was handed over, has turns again: a goroutine that inherits its turn does not
// change schedtick.
func exoLookAlone() {
	for i := range exo.ncpu {
		mp := exoAlone(i)
		if mp == nil {
			continue
		}
		if mp.gsignal == nil {
			exoHwShare(int(i), false) // its thread has ended: mexit
			continue
		}
		if atomic.Load(&exo.cpus[i].nready) != 0 {
			exoKernel(abi.FuncPCABIInternal(exoOpEvict), uintptr(i), 0, 0)
		}
		if pp, gp := mp.p.ptr(), mp.curg; pp != nil && gp != nil && gp == mp.lockedg.ptr() {
			exoNoTurns(pp)
			if !runqempty(pp) || gp.preempt || mp.profilehz != sched.profilehz {
				preemptone(pp)
			}
		}
	}
	lock(&allpLock)
	for _, pp := range allp {
		if pp != nil && pp.sysmontick.schedwhen == exoNever && !exoIsAlone(pp.m.ptr()) {
			pp.sysmontick.schedwhen = nanotime()
		}
	}
	unlock(&allpLock)
}

func exoIsAlone(mp *m) bool {
	for i := range exo.ncpu {
		if mp != nil && exoAlone(i) == mp {
			return true
		}
	}
	return false
}

// exoHwIsolate gives CPU n to the M of the calling goroutine, and returns when that runs there. locked is false, and nothing done, where the goroutine is not locked
// to its M; had is false where another has the CPU.
//
//go:linkname exoHwIsolate github.com/hardtack-os/hardtack/exo.hwIsolate
func exoHwIsolate(n int) (locked, had bool) {
	if getg().lockedm == 0 {
		return false, false
	}
	exoGopreempt, exoSysmonLook, exoProcresize, exoPreemptPark = exoKeepCPU, exoLookAlone, exoHandBack, exoShowStack
	r := exoKernel(abi.FuncPCABIInternal(exoOpIsolate), uintptr(n), uintptr(unsafe.Pointer(getg().m)), 0)
	for r == exoIsolateAway {
		usleep(1)
		r = exoKernel(abi.FuncPCABIInternal(exoOpIsolate), uintptr(n), 0, 0)
	}
	if r == exoIsolateYes {
		exoAloneMs[n] = getg().m
	}
	return true, r == exoIsolateYes
}

//go:linkname exoHwShare github.com/hardtack-os/hardtack/exo.hwShare
func exoHwShare(n int, mine bool) {
	m := uintptr(0)
	if mine {
		m = 1
	}
	exoKernel(abi.FuncPCABIInternal(exoOpShare), uintptr(n), m, 0)
}

// exoHwRest halts the CPU until the word is 1 or the deadline passes; it sets the word to 0 and reports whether it was 1. The goroutine keeps its P, and answers who wants
// to stop it: what it sleeps on is the M's count of preemption signals, so that one which came since it looked lets it not sleep.
//
//go:linkname exoHwRest github.com/hardtack-os/hardtack/exo.hwRest
func exoHwRest(word *uint32, deadline int64) bool {
	gp := getg()
	gen := &gp.m.preemptGen
	for {
		seen := gen.Load()
		if atomic.Cas(word, 1, 0) {
			return true
		}
		systemstack(func() {
			pp := getg().m.p.ptr()
			exoShed(pp)
			exoNoTurns(pp)
		})
		ns := int64(-1)
		if deadline != 0 {
			if ns = deadline - nanotime(); ns <= 0 {
				return false
			}
		}
		if !gp.preempt {
			systemstack(func() {
				// As who stops the world has it: the collector looks at the stack without waking its owner.
				casGToWaitingForSuspendG(gp, _Grunning, waitReasonGarbageCollectionScan)
				futexsleep((*uint32)(unsafe.Pointer(gen)), seen, ns)
				casgstatus(gp, _Gwaiting, _Grunning)
			})
		}
		exoSafePoint(int(seen))
	}
}

// exoSafePoint has a stack frame too large for the assembler to leave out the look at the stack's bound, and so at whether the goroutine shall stop.
//
//go:noinline
func exoSafePoint(n int) byte {
	var b [256]byte
	b[n&255] = 1
	return b[(n+1)&255]
}

// exoHwRouse ends the rest on CPU n, or the next one.
//
//go:linkname exoHwRouse github.com/hardtack-os/hardtack/exo.hwRouse
func exoHwRouse(word *uint32, n int) {
	if !atomic.Cas(word, 0, 1) {
		return
	}
	// After the word: who has the CPU looks at that after it has it.
	if mp := exoAlone(uint32(n)); mp != nil {
		mp.preemptGen.Add(1)
		futexwakeup((*uint32)(unsafe.Pointer(&mp.preemptGen)), 1)
	}
}

// exoHwTaken is how many interrupts CPU n has taken, modulo 2^32.
//
//go:linkname exoHwTaken github.com/hardtack-os/hardtack/exo.hwTaken
func exoHwTaken(n int) uint32 { return atomic.Load(&exo.cpus[n].taken) }

// exoStranger reports whether CPU n is one context's alone, and another one runs there. For tests.
func exoStranger(n int) bool {
	c := exo.cpus[n]
	cur := c.cur
	return c.only != nil && cur != nil && cur != c.only
}
