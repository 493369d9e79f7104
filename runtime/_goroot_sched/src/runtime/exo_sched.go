package runtime

import "unsafe"

// To the policy and back: handing over what is ready, taking what runs next, charging for what ran. sched.lock is held wherever
// nothing else is said.

// What libos/sched pushes here. Each is one dynamic dispatch away from the policy.

// exoPolicyEnqueue returns the CPU whose goroutine should give way, or -1.
func exoPolicyEnqueue(cpu int32, t *exoTask, why int32, now int64) int32

// exoPolicyPick returns what runs next on cpu and until when; nil: nothing before then. 0 is no time at all.
func exoPolicyPick(cpu int32, now int64) (t *exoTask, until int64)

func exoPolicyCharge(cpu int32, t *exoTask, ran int64)

// exoSchedGive hands a ready task to the policy and returns the P to preempt, or -1.
func exoSchedGive(pp *p, t *exoTask, ran bool, now int64) int32 {
	why := int32(exoWhyWoken)
	switch {
	case t.state == exoTaskReady:
		throw("sched: a ready goroutine is made ready")
	case t.cpu >= 0:
		exoSchedStop(t.cpu, now)
	case t.state == exoTaskNew:
		why, ran = exoWhyNew, false
	}
	if ran {
		why = exoWhyRan
	}
	t.state = exoTaskReady
	sched.runq.size++
	mp := getg().m
	was := exoPolicyEnter(mp)
	cpu := exoPolicyEnqueue(pp.id, t, why, now)
	exoPolicyLeave(mp, was, "Enqueue")
	if cpu >= gomaxprocs || cpu >= 0 && exoSched.p[cpu].task == nil {
		cpu = -1 // it has given way already
	}
	return cpu
}

// exoSchedDrain empties the inbox. Whoever is in it and still counts as running has been preempted or has given way.
func exoSchedDrain(pp *p, now int64) {
	for exoSched.on && !sched.runq.empty() {
		gp := sched.runq.pop()
		exoSchedGive(pp, gp.task(), gp.exoTask.cpu >= 0, now)
	}
}

// exoSchedTurn ends the turn of what pp ran. The inbox comes first, so that the policy hears that it could go on.
func exoSchedTurn(pp *p, now int64) {
	exoSchedDrain(pp, now)
	exoSchedStop(pp.id, now)
}

// exoSchedTake asks the policy what runs next on pp. Whom pp ran before is charged first.
func exoSchedTake(pp *p, now int64) (t *exoTask, until int64) {
	exoSchedTurn(pp, now)
	if !exoSched.on {
		if gp := sched.runq.pop(); gp != nil {
			return gp.task(), 0
		}
		return nil, 0
	}
	mp := getg().m
	was := exoPolicyEnter(mp)
	t, until = exoPolicyPick(pp.id, now)
	exoPolicyLeave(mp, was, "Pick")
	if t == nil {
		if until == 0 && sched.runq.size != 0 {
			exoPolicyBroke("Pick returned neither a task nor a time, though", int64(sched.runq.size), "goroutines are ready")
		}
		if until != 0 && until <= now {
			until = now + 1
		}
		return nil, until
	}
	switch {
	case t.self != uintptr(unsafe.Pointer(t)):
		exoPolicyBroke("Pick returned a task that Enqueue did not give it: CPU", int64(pp.id), "asked")
	case t.state == exoTaskRunning:
		exoPolicyBroke("Pick returned a task twice: goroutine", t.goid(), "runs already")
	case t.state != exoTaskReady:
		exoPolicyBroke("Pick returned a task that it had returned before: goroutine", t.goid(), "is not ready")
	}
	sched.runq.size--
	s := &exoSched.p[pp.id]
	s.task, s.since, s.until = t, now, until
	t.state, t.cpu = exoTaskRunning, pp.id
	return t, until
}

// exoSchedStop ends the turn of what a CPU runs, if it runs something, and charges for it.
func exoSchedStop(cpu int32, now int64) {
	s := &exoSched.p[cpu]
	t := s.task
	s.mark = false
	if t == nil {
		return
	}
	ran := max(now-s.since, 0)
	if s.until == exoTurnCut {
		ran = -s.since
	}
	s.task, s.until = nil, 0
	t.state, t.cpu = exoTaskIdle, -1
	mp := getg().m
	was := exoPolicyEnter(mp)
	exoPolicyCharge(cpu, t, ran)
	exoPolicyLeave(mp, was, "Charge")
}

// exoSchedEmpty stands for runqempty where the question is whether pp could run something.
func exoSchedEmpty(pp *p) bool { return sched.runq.size == 0 }

// exoSchedIdle stands for runqempty where a P is put away: nobody is charged for what follows. It may have no P, so the policy hears
// of it later: the turn is cut here and charged when the P or the task is looked at next.
//
//go:nowritebarrierrec
func exoSchedIdle(pp *p) bool {
	s := &exoSched.p[pp.id]
	if s.task != nil && s.until != exoTurnCut {
		s.since -= nanotime() // what it ran, negative
		s.until = exoTurnCut
	}
	return true
}

// exoTurnCut in until: since holds, negative, how long the turn was.
const exoTurnCut = -1

// exoPolicyEnter marks the M as allocating, which every allocation unmarks when it is done: so exoPolicyLeave knows.
func exoPolicyEnter(mp *m) int32 {
	was := mp.mallocing
	mp.mallocing = was + 1
	return was
}

func exoPolicyLeave(mp *m, was int32, call string) {
	if mp.mallocing != was+1 {
		mp.mallocing = was
		print("sched: the policy allocated memory in ", call, ": it may not, because it runs in the middle of the scheduler\n")
		exoPolicyEnd()
	}
	mp.mallocing = was
}

// exoPolicyBroke reports what the policy did and ends the program.
func exoPolicyBroke(did string, n int64, then string) {
	print("sched: ", did, " ", n, " ", then, "\n")
	exoPolicyEnd()
}

func exoPolicyEnd() {
	exoSched.on = false // whatever still runs does without
	unlock(&sched.lock)
	throw("a scheduling policy broke a rule")
}

// goid is for reports.
func (t *exoTask) goid() int64 {
	if t.isGC() {
		return 0
	}
	return int64(t.g().goid)
}
