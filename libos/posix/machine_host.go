//go:build !hardtack

package posix

import (
	"crypto/rand"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// The hosted twin of machine_hardtack.go: the machine is the host, as far as tests need it. The hooks stand for
// devices.
var host struct {
	console struct {
		in  chan []byte // closed at the end of input
		out func([]byte)
	}
	pollReady func(pd uintptr, mode int)
	waiters   func(pd uintptr) (reader, writer uint64)
	signal    func(sig int)
	control   func(line string)
}

func hwConsoleWrite(p []byte) {
	if host.console.out != nil {
		host.console.out(p)
	}
}

func hwConsoleRead(p []byte) int {
	b := <-host.console.in
	return copy(p, b) // tests send no more than fits
}

func hwPollReady(pd uintptr, mode int) {
	if host.pollReady != nil {
		host.pollReady(pd, mode)
	}
}

func hwSignal(sig int) {
	if host.signal != nil {
		host.signal(sig)
	}
}

func hwPollWaiters(pd uintptr) (reader, writer uint64) {
	if host.waiters != nil {
		return host.waiters(pd)
	}
	return 0, 0
}

func hwControl(line string) {
	if host.control != nil {
		host.control(line)
	}
}

var start = time.Now()

func hwUptime() int64         { return int64(time.Since(start)) + 1e9 }
func hwCPUTime() int64        { return hwUptime() }
func hwStepClock(ns int64)    {} // tests do not set the host's
func hwExit(code int)         { os.Exit(code) }
func hwRandom(p []byte)       { rand.Read(p) }
func hwTrace() uint32         { return atomic.LoadUint32(&hostTrace) }
func hwMemory() (a, b uint64) { return 64 << 20, 32 << 20 }

func hwImage() (text, etext, data, end uintptr) { return 0x1000, 0x2000, 0x3000, 0x4000 }

// hwWork says what the host counts of the test's process, as if CPU 0 had done it all.
func hwWork(cpu int) (busy int64, switches, forced uint64, interrupts uint32) {
	if cpu != 0 {
		return 0, 0, 0, 0
	}
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return r.Utime.Nano() + r.Stime.Nano(), uint64(r.Nvcsw + r.Nivcsw), uint64(r.Nivcsw), uint32(r.Nvcsw)
}

func hwFaults() uint64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return uint64(r.Minflt)
}

func hwVector(v int) (uint32, bool) { return 7, v == 48 }

// hwThread has a thread for each CPU but the second, which has ended.
func hwThread(tid int) (cpu int, waits, live bool) {
	return tid - 1, tid > 2, tid != 2 && tid <= hwThreads()
}

func hwThreads() int { return runtime.NumCPU() + 1 }

var hostTrace uint32

func hwRawCall(nr, a1, a2, a3, a4, a5, a6 uintptr) (uintptr, syscall.Errno) {
	r, _, e := syscall.RawSyscall6(nr, a1, a2, a3, a4, a5, a6)
	if e != 0 {
		r = 0
	}
	return r, e
}
