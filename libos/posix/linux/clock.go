package linux

import (
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// Clocks, as clock_gettime(2) numbers them. Uptime is Go's monotonic clock, and every monotonic clock is uptime.
const (
	clockRealtime      = 0
	clockMonotonic     = 1
	clockProcess       = 2
	clockThread        = 3
	clockMonotonicRaw  = 4
	clockRealtimeC     = 5 // coarse
	clockMonotonicC    = 6 // coarse
	clockBoottime      = 7
	clockRealtimeAlarm = 8
	clockBoottimeAlarm = 9
	clockTAI           = 11
)

// clockNow reads a clock in nanoseconds.
func clockNow(clock int) (int64, syscall.Errno) {
	switch clock {
	case clockRealtime, clockRealtimeC, clockRealtimeAlarm, clockTAI:
		return time.Now().UnixNano(), 0
	case clockMonotonic, clockMonotonicRaw, clockMonotonicC, clockBoottime, clockBoottimeAlarm:
		return posix.Uptime(), 0
	case clockProcess, clockThread:
		return posix.CPUTime(), 0
	}
	return 0, syscall.EINVAL
}

// setClock sets a clock to a time since 1970: the wall clock only, as clock_settime(2) has it.
func setClock(clock int, ts *syscall.Timespec) syscall.Errno {
	ns, ok := nanoseconds(ts)
	switch {
	case clock == clockProcess || clock == clockThread:
		return syscall.EPERM
	case clock != clockRealtime || !ok || ns == forever:
		return syscall.EINVAL
	}
	posix.StepClock(ns - time.Now().UnixNano())
	return 0
}

// nanoseconds converts a timespec, saturating; ok is false where it is not one.
func nanoseconds(ts *syscall.Timespec) (ns int64, ok bool) {
	if ts.Sec < 0 || uint64(ts.Nsec) >= 1e9 {
		return 0, false
	}
	if ts.Sec >= forever/1_000_000_000 {
		return forever, true
	}
	return ts.Sec*1e9 + ts.Nsec, true
}

// clockNanosleep sleeps on a clock, for a time or until one.
func clockNanosleep(clock, flags int, ts *syscall.Timespec) syscall.Errno {
	const absolute = 1
	ns, ok := nanoseconds(ts)
	base, e := clockNow(clock)
	switch {
	case e != 0 || !ok:
		return syscall.EINVAL
	case clock == clockProcess || clock == clockThread:
		return syscall.EOPNOTSUPP
	case flags&absolute != 0:
		ns -= base
	}
	sleepUntil(after(ns))
	return 0
}
