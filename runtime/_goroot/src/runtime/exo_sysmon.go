package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
)

// Timers beside busy goroutines. Stock sysmon looks around every 20 us to 10 ms and asks for preemption after 10 ms, so that a timer that
// expires while all Ps run loops waits for up to 20 ms. Here sysmon sleeps until the earliest timer, if that is sooner, and preempts the
// P whose timer it is: the sleep is exact and there are no more wake-ups than timers.

var exoSysmon struct {
	word   uint32       // futex: 1 ends the sleep
	until  atomic.Int64 // when the sleep ends by itself; 0: sysmon is awake
	second int64        // when to look after what the last preemption came to; 0: nothing to look after
	armed  bool         // the power button is
	soon   bool         // pidleget ended sysmon's long sleep; guarded by sched.lock
}

// exoSysmonLook is exoLookAlone where something links it.
var exoSysmonLook func()

// What startTheWorldWithSema calls for procresize, and newstack and asyncPreempt2 for gopreempt_m and preemptPark: exoHandBack, exoKeepCPU and exoShowStack where something
// links those.
var (
	exoProcresize  = procresize
	exoGopreempt   = gopreempt_m
	exoPreemptPark = preemptPark
)

// exoArmAfter is when sysmon arms the power button at the latest, on the monotonic clock; an idle CPU does it before.
const exoArmAfter = 5_000_000

// exoSecondLook is how long after a preemption for a timer sysmon looks again. One scheduling round in 61 takes from the global queue first,
// where the preempted loop has just been put, and leaves the goroutine that the timer made ready behind it.
const exoSecondLook = 1_000_000

// exoNap is how long sysmon sleeps at least, in us: little beside the 10 ms that a goroutine may run before it is preempted. Stock sysmon begins with 20 us, for Ps that a thread holds
// in a system call; here none is: who waits parks.
const exoNap = 2_000

// pidleget gives an idle P to who has work. Stock sysmon, which sleeps for up to a minute while all Ps are idle, relies on the next system call to be
// woken: here most calls are none, and a loop that an interrupt woke would keep its P to itself. It need not look at once, though: the nap lets a program
// that idles again at once pay for one look in 2 ms.
//
//go:nowritebarrierrec
func pidleget(now int64) (*p, int64) {
	pp, now := exoGoPidleget(now)
	if pp != nil && sched.sysmonwait.Load() {
		exoSysmon.soon = true
		sched.sysmonwait.Store(false)
		notewakeup(&sched.sysmonnote)
	}
	return pp, now
}

// exoSysmonSleep is sysmon's usleep.
func exoSysmonSleep(usec uint32) {
	if exoSysmon.soon {
		exoSysmon.soon = false
		usec = exoNap
	}
	now := nanotime()
	if exoSysmonLook != nil {
		exoSysmonLook() // and soon again: what became ready beside who has a CPU waits for it
	} else {
		usec = max(usec, exoNap)
	}
	if !exoSysmon.armed && now > exoArmAfter {
		exoSysmon.armed = true
		exoKernel(abi.FuncPCABIInternal(exoOpArmPower), 0, 0, 0)
	}
	until := now + int64(usec)*1000
	exoSysmon.until.Store(until)
	next := timeSleepUntil()
	if next <= now {
		exoPreemptLate(now)
	}
	if s := exoSysmon.second; s != 0 && (next <= now || s < next) {
		next = s
	}
	if next > now && next < until {
		until = next
		exoSysmon.until.Store(until)
	}
	futexsleep(&exoSysmon.word, 0, until-now)
	exoSysmon.until.Store(0)
	atomic.Store(&exoSysmon.word, 0)
	if now = nanotime(); now >= until {
		exoPreemptLate(now)
	}
}

// exoPreemptLate preempts the running Ps that have a timer to serve, and, at the second look, those that left somebody waiting.
func exoPreemptLate(now int64) {
	second := exoSysmon.second != 0 && exoSysmon.second <= now
	if second {
		exoSysmon.second = 0
	}
	lock(&allpLock)
	for _, pp := range allp {
		if pp == nil || atomic.Load(&pp.status) != _Prunning {
			continue
		}
		w := pp.timers.wakeTime()
		if w != 0 && w <= now {
			preemptone(pp)
			exoSysmon.second = now + exoSecondLook
		} else if second && !runqempty(pp) {
			preemptone(pp)
		}
	}
	unlock(&allpLock)
}

// wakeNetPoller makes sure that somebody is awake when the timer that was just set, the earliest of its P, expires.
func wakeNetPoller(when int64) {
	if u := exoSysmon.until.Load(); u != 0 && when < u && atomic.Cas(&exoSysmon.word, 0, 1) {
		futexwakeup(&exoSysmon.word, 1)
	}
	exoWakeNetPoller(when)
}
