// Package trace writes a control record for each system call, where the image's command line asks for it (trace=calls,
// trace=missing). mkimage links it in for run --trace-calls and --missing-calls; without it nothing can be traced, and
// a call pays a load and a branch.
//
// Calls that package runtime's bottom half serves by itself (the runtime's own mmap, futex ...) are not traced.
package trace

import (
	"strconv"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
)

func init() {
	if bits := posix.TraceBits(); bits != 0 {
		posix.Tracer = func(nr uintptr, a [6]uintptr, r uintptr, e syscall.Errno) {
			if bits&posix.TraceCalls != 0 {
				posix.Control(call(nr, a, r, e))
			}
			if bits&posix.TraceMissing != 0 && e == syscall.ENOSYS {
				posix.Control("missing " + name(nr))
			}
		}
	}
}

// call is the record of a call. Arguments that are 0 at the end are left out: nothing says how many a call has.
func call(nr uintptr, a [6]uintptr, r uintptr, e syscall.Errno) string {
	b := make([]byte, 0, 96)
	b = append(b, "call "...)
	b = append(b, name(nr)...)
	last := len(a)
	for last > 0 && a[last-1] == 0 {
		last--
	}
	for _, v := range a[:max(last, 1)] {
		b = number(append(b, ' '), v)
	}
	b = append(b, " = "...)
	if e != 0 {
		return string(append(append(b, "errno "...), strconv.Itoa(int(e))...))
	}
	return string(number(b, r))
}

// number writes small numbers, of either sign, in decimal and the rest, which are addresses and flags, in hexadecimal.
func number(b []byte, v uintptr) []byte {
	if int(v) > -4096 && int(v) < 1<<16 {
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendUint(append(b, "0x"...), uint64(v), 16)
}

// name is that of a call.
func name(nr uintptr) string {
	names := callNames
	for i := uintptr(0); len(names) > 0; i++ {
		end := 0
		for names[end] != ' ' {
			end++
		}
		if i == nr && end > 0 {
			return names[:end]
		}
		names = names[end+1:]
		if i == lastOldCall {
			i = firstNewCall - 1
		}
	}
	return "syscall_" + strconv.Itoa(int(nr))
}
