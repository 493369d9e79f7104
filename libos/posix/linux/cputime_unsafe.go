package linux

import (
	"syscall"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// cpuTime is the CPU time that the program has used, in nanoseconds: uptime where the machine does not count it.
func cpuTime() int64 {
	ts := new(syscall.Timespec) // in the heap, so that it stays where it is
	if _, e := posix.RawCall(syscall.SYS_CLOCK_GETTIME, [6]uintptr{clockProcess, uintptr(unsafe.Pointer(ts))}); e != 0 {
		return posix.Uptime()
	}
	return ts.Nano()
}
