package posix

import (
	"sync/atomic"
	"syscall"
)

// PID is the number of the one process. Nobody started it, and user 0 runs it.
const PID = 1

var mask uint32 = 0o022

// Umask sets the file mode creation mask and returns the one before.
//
//go:nosplit // for callInPlace
func Umask(m uint32) uint32 { return atomic.SwapUint32(&mask, m&0o777) }

// Mask is the file mode creation mask.
func Mask() uint32 { return atomic.LoadUint32(&mask) }

// named is the image's name if it has another one than at first.
var named atomic.Pointer[[65]byte]

// namings counts the calls of SetHostName.
var namings atomic.Int64

// HostName is what the image calls itself.
func HostName() string {
	var u Utsname
	Uname(&u)
	n := 0
	for u[1][n] != 0 {
		n++
	}
	return string(u[1][:n])
}

// SetHostName changes that, to 64 bytes of name at most.
func SetHostName(name string) {
	var b [65]byte
	copy(b[:64], name)
	named.Store(&b)
	namings.Add(1)
}

// HostNames is how often SetHostName has been called: who keeps the name sees by it that there may be another.
func HostNames() int64 { return namings.Load() }

// Utsname is struct utsname.
type Utsname [6][65]byte

// Uname is uname(2). It says Linux, because a program built with GOOS=linux may ask; the release tells the truth.
func Uname(u *Utsname) {
	const fields = "Linux\x00hardtack\x006.1.0-hardtack\x00#1 SMP PREEMPT Hardtack\x00" + machine + "\x00(none)"
	*u = Utsname{}
	i, n := 0, 0
	for _, c := range []byte(fields) {
		if u[i][n], n = c, n+1; c == 0 {
			i, n = i+1, 0
		}
	}
	if p := named.Load(); p != nil {
		u[1] = *p
	}
}

// Kill is kill(2): the program signals itself, there being no other.
func Kill(pid, sig int) syscall.Errno {
	switch {
	case pid != PID && pid != 0 && pid != -1 && pid != -PID:
		return syscall.ESRCH
	case uint(sig) > 64:
		return syscall.EINVAL
	case sig != 0:
		hwSignal(sig)
	}
	return 0
}

// Getrandom is getrandom(2); flags only choose between sources, and there is one.
func Getrandom(p []byte, flags uint) (int, syscall.Errno) {
	const random, insecure = 2, 4
	if flags > 7 || flags&(random|insecure) == random|insecure {
		return -1, syscall.EINVAL
	}
	hwRandom(p)
	return len(p), 0
}
