package posix

import "syscall"

// What other libOS packages may ask of the machine.

// Uptime is Go's monotonic clock, in nanoseconds.
func Uptime() int64 { return hwUptime() }

// CPUTime is for how long CPUs have had something to run, all together, in nanoseconds.
func CPUTime() int64 { return hwCPUTime() }

// A Work is what a CPU has done since the machine was started.
type Work struct {
	Busy       int64  // nanoseconds in which there was something to run
	Switches   uint64 // threads that were given it
	Forced     uint64 // threads that had to give it up to others
	Interrupts uint32 // modulo 2^32
}

// WorkOf is what CPU n, of those that Go uses, has done.
func WorkOf(n int) (w Work) {
	w.Busy, w.Switches, w.Forced, w.Interrupts = hwWork(n)
	return w
}

// Faults counts the page faults that brought memory of no file.
func Faults() uint64 { return hwFaults() }

// Vectors is how many interrupt vectors there are.
const Vectors = 256

// Vector is how often interrupt vector v has fired, modulo 2^32, and whether somebody has it.
func Vector(v int) (fired uint32, used bool) { return hwVector(v) }

// A Thread is one that the runtime has started and that has not ended.
type Thread struct {
	ID    int  // as gettid(2) says in it; the first is PID
	CPU   int  // where it ran last
	Waits bool // for something, and has no CPU
}

// Threads are those that there are, by their numbers. It allocates.
func Threads() (list []Thread) {
	for id := 1; id <= hwThreads(); id++ {
		if cpu, waits, live := hwThread(id); live {
			list = append(list, Thread{id, cpu, waits})
		}
	}
	return list
}

// MostThreads is how many threads there have been at once at most, which is the highest number that one has had.
func MostThreads() int { return hwThreads() }

// Image is where the program's code and its variables lie: addresses of their first bytes, and of those behind their last.
func Image() (text, etext, data, end uintptr) { return hwImage() }

// Privileges are those of capabilities(7), and whether PR_SET_NO_NEW_PRIVS was set.
type Privileges struct {
	Inheritable, Permitted, Effective, Bounding uint64
	NoNew                                       bool
}

// ToldPrivileges is what the program has made of its privileges; nil where it makes no system calls itself, and so has all.
var ToldPrivileges func() Privileges

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
