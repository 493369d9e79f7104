package runtime

// The collector among the others. Its workers do not go through run queues: a P that looks for work asks the controller whether it should
// mark for a while. Here a turn of marking is a task of the system's class, one for each P, which is ready while there is something to
// mark. So the policy decides when, and how much of the CPUs it is; the controller keeps it to a quarter of each P.

// exoSchedWantGC hands in pp's turn of marking if there is something to mark; sched.lock is held.
func exoSchedWantGC(pp *p, now int64) {
	if gcBlackenEnabled == 0 || !exoSched.on {
		return
	}
	t := &exoSched.gc[pp.id]
	if t.self == 0 {
		t.init(nil, true)
	}
	if (t.state == exoTaskIdle || t.state == exoTaskNew) && gcShouldScheduleWorker(pp) {
		exoSchedGive(pp, t, false, now)
	}
}

// exoSchedCollector returns a worker for the turn that pp was given, or nil and ends the turn.
func exoSchedCollector(pp *p, now int64) *g {
	if gcBlackenEnabled != 0 {
		if gp, _ := gcController.findRunnableGCWorker(pp, now); gp != nil {
			return gp
		}
	}
	lock(&sched.lock)
	exoSchedStop(pp.id, now)
	unlock(&sched.lock)
	return nil
}

// exoSchedIdleCollector returns a worker for a P that has nothing else to do. Nobody is charged for it, and it gives way to anybody.
func exoSchedIdleCollector(pp *p) *g {
	if gcBlackenEnabled == 0 || !gcShouldScheduleWorker(pp) || !gcController.addIdleMarkWorker() {
		return nil
	}
	node := (*gcBgMarkWorkerNode)(gcBgMarkWorkerPool.pop())
	if node == nil {
		gcController.removeIdleMarkWorker()
		return nil
	}
	pp.gcMarkWorkerMode = gcMarkWorkerIdleMode
	gp := node.gp.ptr()
	exoUnpark(gp)
	exoSched.p[pp.id].mark = true
	return gp
}

// startCycle lets no worker keep a P until marking is done: a policy could not preempt it. The quarter that dedicated workers
// would do on some Ps is done by turns on all.
func (c *gcControllerState) startCycle(markStartTime int64, procs int, trigger gcTrigger) {
	c.exoGoStartCycle(markStartTime, procs, trigger)
	if debug.gcstoptheworld == 0 && c.dedicatedMarkWorkersNeeded.Load() > 0 {
		c.dedicatedMarkWorkersNeeded.Store(0)
		c.fractionalUtilizationGoal = gcBackgroundUtilization
	}
}
