package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
)

// The end of a turn, exact. The policy says until when a task may run. That time stands in the context of the M that runs it and takes part
// in what the CPU's timer is set for; when it has come, the context gets SIGURG, whose handler is Go's own preemption. Code that cannot
// be preempted where it stands is asked again a little later.

// exoSchedAgain is how long after a request that found no safe point the next one comes, in ns.
const exoSchedAgain = 50_000

// exoSchedDeadline ends what M mp runs next at a time, 0 never. mp is the M that calls.
func exoSchedDeadline(mp *m, at int64) {
	t := exoByTid(uint32(mp.procid))
	if t == nil {
		return
	}
	atomic.Storeint64(&t.schedAt, at)
	// A timer that is set for sooner looks at schedAt when it fires, as does a CPU that this M moves to.
	if c := exoSelf(); at != 0 && (c.armed == 0 || c.armed > at) {
		exoKernel(abi.FuncPCABIInternal(exoOpSchedArm), 0, 0, 0)
	}
}

func exoOpSchedArm(_, _, _ uintptr) uintptr {
	exoArm(exoSelf())
	return 0
}

// exoSchedCut ends the turn on a CPU now; sched.lock is held.
func exoSchedCut(cpu int32) {
	if s := &exoSched.p[cpu]; s.until != exoTurnCut && (s.task != nil || s.mark) {
		s.until = 1 // long ago: the handler asks again until it is heard
		if pp := allp[cpu]; pp.m.ptr() == getg().m {
			exoSchedDeadline(getg().m, 1)
		} else {
			preemptone(pp)
		}
	}
}

// exoArm sets this CPU's timer for the soonest of what it waits for, the end of a turn included.
func exoArm(c *exoCPU) {
	sample := c.profAt
	if t := c.cur; t != nil {
		c.profAt = exoSooner(sample, atomic.Loadint64(&t.schedAt)) // as if it were the time of a sample, while the timer is set
	}
	exoPlainArm(c)
	c.profAt = sample
}

// exoTick is the timer's interrupt.
func exoTick(c *exoCPU) {
	if t := c.cur; t != nil {
		if at := atomic.Loadint64(&t.schedAt); at != 0 && at <= exoNow() {
			atomic.Storeint64(&t.schedAt, 0)
			exoPost(t, _SIGURG)
		}
	}
	exoPlainTick(c)
}

// doSigPreempt runs on the signal stack. If the turn is over, whatever runs is marked as one that should give way, by any of the ways in
// which it can be.
func doSigPreempt(gp *g, ctxt *sigctxt) {
	mp := gp.m
	if pp := mp.p.ptr(); pp != nil {
		now := nanotime()
		if at := exoSched.p[pp.id].until; at > 0 && at <= now {
			pp.preempt = true
			if curg := mp.curg; curg != nil {
				curg.preempt = true
				curg.stackguard0 = stackPreempt
			}
			exoSchedDeadline(mp, now+exoSchedAgain)
		}
	}
	exoGoSigPreempt(gp, ctxt)
}

// stoplockedm waits until the goroutine that this M is locked to shall run; its turn was given by another M.
func stoplockedm() {
	exoGoStopLockedM()
	mp := getg().m
	if at := exoSched.p[mp.p.ptr().id].until; at > 0 {
		exoSchedDeadline(mp, at)
	}
}
