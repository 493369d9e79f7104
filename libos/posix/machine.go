package posix

import "syscall"

// What other libOS packages may ask of the machine.

// Uptime is Go's monotonic clock, in nanoseconds.
func Uptime() int64 { return hwUptime() }

// CPUTime is for how long CPUs have had something to run, all together, in nanoseconds.
func CPUTime() int64 { return hwCPUTime() }

// StepClock moves the wall clock by so many nanoseconds. The monotonic clock stays.
func StepClock(ns int64) { hwStepClock(ns) }

// Memory gives the bytes of memory in all and unused.
func Memory() (total, free uint64) { return hwMemory() }

// RawCall serves a call that belongs to the runtime's bottom half: threads, memory, signals.
func RawCall(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
	return hwRawCall(nr, a[0], a[1], a[2], a[3], a[4], a[5])
}

// TraceBits says what the command line asked to trace: TraceCalls, TraceMissing.
func TraceBits() uint32 { return hwTrace() }

// Bits of TraceBits.
const (
	TraceCalls   = 1
	TraceMissing = 2
)

// Control writes a control record (ARCHITECTURE.md): a line, given without its end.
func Control(line string) { hwControl(line + "\n") }

// bringIn has the frames of anonymous memory put there now (MAP_POPULATE), as long as there are any. It goes in steps: the bottom half takes no interrupt in one.
func bringIn(at, n uintptr) {
	const (
		step          = 1 << 20
		dontNeed      = 4
		populateWrite = 23
	)
	for n > 0 {
		some := min(n, step)
		if _, e := hwRawCall(syscall.SYS_MADVISE, at, some, populateWrite, 0, 0, 0); e != 0 {
			hwRawCall(syscall.SYS_MADVISE, at, some, dontNeed, 0, 0, 0) // others need some
			return
		}
		at, n = at+some, n-some
	}
}
