package runtime

import "unsafe"

// Classes: to which one a goroutine belongs is libos/sched's to say, and inherited. A goroutine of the runtime or of a library operating
// system has none of its own; libos/sched takes that for the system's.

// newproc1 makes a goroutine, of the class that its parent has or has said.
func newproc1(fn *funcval, callergp *g, callerpc uintptr, parked bool, waitreason waitReason) *g {
	newg := exoGoNewproc1(fn, callergp, callerpc, parked, waitreason)
	if callergp.m != nil && callergp == callergp.m.g0 {
		callergp = callergp.m.curg // a server's first call, or a timer's function
	}
	var class unsafe.Pointer
	system := isSystemGoroutine(newg, false) || exoSchedOurs(newg.startpc)
	if callergp != nil && !system {
		if class = callergp.exoTask.born; class == nil {
			class = callergp.exoTask.class
		}
		callergp.exoTask.born = nil
	}
	if newg.exoTask.cpu >= 0 && newg.exoTask.self != 0 {
		// Who had this g before has just ended, and its CPU has not come to say so.
		lock(&sched.lock)
		if cpu := newg.exoTask.cpu; cpu >= 0 {
			exoSchedStop(cpu, nanotime())
		}
		unlock(&sched.lock)
	}
	newg.exoTask.init(class, system)
	return newg
}

// exoSchedOurs reports whether a goroutine's function belongs to exo or to a library operating system.
func exoSchedOurs(pc uintptr) bool {
	const module = "github.com/hardtack-os/hardtack/"
	name := funcname(findfunc(pc))
	if len(name) < len(module)+4 || name[:len(module)] != module {
		return false
	}
	name = name[len(module):]
	return name[:4] == "exo." || name[:4] == "exo/" || len(name) > 6 && name[:6] == "libos/"
}

// exoSwitch has goroutine to serve a call of from's, in from's class.
func exoSwitch(from, to *g) {
	to.exoTask.class, to.exoTask.system = from.exoTask.class, from.exoTask.system
	exoPlainSwitch(from, to)
}

// exoSchedSet makes class the calling goroutine's own, and returns what it was. What it has run so far is charged to the old one.
//
//go:linkname exoSchedSet github.com/hardtack-os/hardtack/libos/sched.setClass
func exoSchedSet(class unsafe.Pointer) (old unsafe.Pointer, system bool) {
	gp := getg()
	systemstack(func() {
		lock(&sched.lock)
		t := gp.task()
		if cpu := t.cpu; cpu >= 0 {
			now := nanotime()
			s := &exoSched.p[cpu]
			until := s.until
			exoSchedStop(cpu, now)
			t.state, t.cpu = exoTaskRunning, cpu
			s.task, s.since, s.until = t, now, until
		}
		old, system = t.class, t.system
		t.class, t.system = class, false
		unlock(&sched.lock)
	})
	return old, system
}

// exoSchedBorn makes class that of the goroutine that the caller starts next.
//
//go:linkname exoSchedBorn github.com/hardtack-os/hardtack/libos/sched.machineBorn
func exoSchedBorn(class unsafe.Pointer) { getg().exoTask.born = class }

// exoSchedClass returns the caller's class; nil and true stand for the system's, nil and false for everybody's.
//
//go:linkname exoSchedClass github.com/hardtack-os/hardtack/libos/sched.getClass
func exoSchedClass() (class unsafe.Pointer, system bool) {
	t := getg().task()
	return t.class, t.system
}

// exoSchedUsed returns what used holds, and what the turns of its class have added that are not over yet. Tasks without a class belong to
// it with none: those of the system, or those that are not.
//
//go:linkname exoSchedUsed github.com/hardtack-os/hardtack/libos/sched.usedBy
func exoSchedUsed(class unsafe.Pointer, none, system bool, used *int64) (ns int64) {
	systemstack(func() {
		lock(&sched.lock)
		now := nanotime()
		ns = *used
		for i := range exoSched.p {
			s := &exoSched.p[i]
			if t := s.task; t == nil || t.class != class && !(none && t.class == nil && t.system == system) {
				continue
			}
			if s.until == exoTurnCut {
				ns -= s.since
			} else {
				ns += max(now-s.since, 0)
			}
		}
		unlock(&sched.lock)
	})
	return ns
}

// exoSchedLocked calls f as the policy is called: on g0, with the lock held.
//
//go:linkname exoSchedLocked github.com/hardtack-os/hardtack/libos/sched.machineLocked
func exoSchedLocked(f func()) {
	systemstack(func() {
		lock(&sched.lock)
		mp := getg().m
		was := exoPolicyEnter(mp)
		f()
		exoPolicyLeave(mp, was, "Admit")
		unlock(&sched.lock)
	})
}

// exoSchedStart puts the policy to work.
//
//go:linkname exoSchedStart github.com/hardtack-os/hardtack/libos/sched.machineStart
func exoSchedStart() {
	if netpollInited.Load() == 0 {
		netpollGenericInit() // an idle M sleeps there until the time that the policy names
	}
	exoSchedLocked(func() {
		if gomaxprocs > exoSchedMaxP {
			exoPolicyBroke("there are more than 256 Ps:", int64(gomaxprocs), "by GOMAXPROCS")
		}
		exoSched.on = true
	})
}

//go:linkname exoSchedProcs github.com/hardtack-os/hardtack/libos/sched.machineProcs
func exoSchedProcs() int32 { return gomaxprocs }
