//go:build hardtack

package posix

import "syscall"

// What this package needs of the machine. Package runtime's added files define these functions and push them here by
// linkname. All but the first two return at once; all may be called on any goroutine with locks held.

// hwConsoleWrite writes all of p to the console; it may park.
//
//go:noescape
func hwConsoleWrite(p []byte)

// hwConsoleRead parks until there is console input and moves at least one byte and at most len(p), which is not 0,
// into p. 0 means that no more will come.
//
//go:noescape
func hwConsoleRead(p []byte) int

// hwPollReady tells the netpoller that pd became readable ('r'), writable ('w') or both ('r'+'w').
func hwPollReady(pd uintptr, mode int)

// hwPollWaiters gives the numbers of the goroutines that wait for pd, 0 for none.
func hwPollWaiters(pd uintptr) (reader, writer uint64)

// hwExit ends the program and does not return.
func hwExit(code int)

// hwRandom fills p with random bytes.
//
//go:noescape
func hwRandom(p []byte)

// hwMemory gives the bytes of memory in all and unused.
func hwMemory() (total, free uint64)

// hwUptime is Go's monotonic clock.
func hwUptime() int64

// hwStepClock moves the wall clock by ns.
func hwStepClock(ns int64)

// hwCPUTime is for how long CPUs have had something to run, all together.
func hwCPUTime() int64

// hwWork is what a CPU has done: nanoseconds in which there was something to run, threads that were given it, threads that had to give it up, interrupts modulo 2^32.
func hwWork(cpu int) (busy int64, switches, forced uint64, interrupts uint32)

// hwFaults counts the page faults that brought memory.
func hwFaults() uint64

// hwVector is how often an interrupt vector, below 256, has fired, modulo 2^32, and whether somebody has it.
func hwVector(v int) (fired uint32, used bool)

// hwThread tells of a thread: where it ran last, and whether it waits.
func hwThread(tid int) (cpu int, waits, live bool)

// hwThreads is the highest number that a thread has had.
func hwThreads() int

// hwImage is where the program's code and its variables lie.
func hwImage() (text, etext, data, end uintptr)

// hwSignal sends a signal to the program.
func hwSignal(sig int)

// hwRawCall serves a call that belongs to the runtime's bottom half: threads, memory, signals.
func hwRawCall(nr, a1, a2, a3, a4, a5, a6 uintptr) (r1 uintptr, errno syscall.Errno)

// hwTrace gives the bits of tracing that the command line asked for.
func hwTrace() uint32

// hwControl writes a control record, which ends with a newline.
func hwControl(line string)
