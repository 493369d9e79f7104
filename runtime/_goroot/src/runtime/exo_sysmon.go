package runtime

import "internal/runtime/atomic"

// Timers beside busy goroutines. Stock sysmon looks around every 20 us to 10 ms and asks for preemption after 10 ms, so that a timer that
// expires while all Ps run loops waits for up to 20 ms. Here sysmon sleeps until the earliest timer, if that is sooner, and preempts the
// P whose timer it is: the sleep is exact and there are no more wake-ups than timers.

var exoSysmon struct {
	word  uint32       // futex: 1 ends the sleep
	until atomic.Int64 // when the sleep ends by itself; 0: sysmon is awake
}

// exoSysmonSleep is sysmon's usleep.
func exoSysmonSleep(usec uint32) {
	now := nanotime()
	until := now + int64(usec)*1000
	exoSysmon.until.Store(until)
	// A timer that has expired already was seen by the last look: its P is on the way, and needs the CPU more than sysmon does.
	if next := timeSleepUntil(); next > now && next < until {
		until = next
		exoSysmon.until.Store(until)
	}
	futexsleep(&exoSysmon.word, 0, until-now)
	exoSysmon.until.Store(0)
	atomic.Store(&exoSysmon.word, 0)

	now = nanotime()
	lock(&allpLock)
	for _, pp := range allp {
		if pp == nil || atomic.Load(&pp.status) != _Prunning {
			continue
		}
		if w := pp.timers.wakeTime(); w != 0 && w <= now {
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
