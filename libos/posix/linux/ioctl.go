package linux

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// Requests of ioctl and fcntl that package syscall does not name.
const (
	fionread     = 0x541b
	fionbio      = 0x5421
	tiocgsid     = 0x5429
	fionclex     = 0x5450
	fioclex      = 0x5451
	fSetPipeSize = 1031
	fGetPipeSize = 1032
)

func ioctl(a [6]uintptr) (uintptr, syscall.Errno) {
	fd := posix.FD(a[0])
	f := posix.Get(fd)
	if f == nil {
		return 0, syscall.EBADF
	}
	defer f.Put()
	request := uintptr(uint32(a[1]))
	switch request {
	case fioclex, fionclex:
		posix.SetCloexec(fd, request == fioclex)
		return 0, 0
	case fionbio:
		var on int32
		e := user.Take(&on, a[2])
		if e == 0 && on != 0 {
			f.SetStatus(syscall.O_NONBLOCK, syscall.O_NONBLOCK)
		} else if e == 0 {
			f.SetStatus(syscall.O_NONBLOCK, 0)
		}
		return 0, e
	}
	switch o := f.Object().(type) {
	case *posix.Console:
		return 0, terminal(o, request, a[2])
	case *posix.PipeEnd:
		if request == fionread {
			return 0, putInt(a[2], o.Buffered())
		}
	case posix.Caller:
		if r, e, ok := o.Call(f, syscall.SYS_IOCTL, a); ok {
			return r, e
		}
	}
	return 0, syscall.ENOTTY
}

func putInt(p uintptr, v int) syscall.Errno {
	i := int32(v)
	return user.Put(p, &i)
}

// fcntl serves the commands that libos/posix leaves open.
func fcntl(a [6]uintptr) (uintptr, syscall.Errno) {
	switch a[1] {
	case syscall.F_GETOWN, syscall.F_SETOWN:
		return 0, 0
	case fGetPipeSize, fSetPipeSize:
		f := posix.Get(posix.FD(a[0]))
		if f == nil {
			return 0, syscall.EBADF
		}
		defer f.Put()
		o, ok := f.Object().(*posix.PipeEnd)
		switch {
		case !ok:
			return 0, syscall.EBADF
		case a[1] == fGetPipeSize:
			return uintptr(o.Size()), 0
		}
		n, e := o.Resize(uint(uint32(a[2])))
		return uintptr(n), e
	}
	return 0, syscall.EINVAL
}

// A termios is the kernel's struct termios: shorter than syscall.Termios.
type termios struct {
	iflag, oflag, cflag, lflag uint32
	line                       uint8
	cc                         [19]uint8
}

type winsize struct{ rows, cols, x, y uint16 }

// tty is the console's state, as far as it is only remembered. Of the flags, ICRNL, OPOST and ONLCR have an effect.
var tty = struct {
	mu      park.Mutex
	size    winsize
	termios termios
}{
	size: winsize{rows: 24, cols: 80},
	termios: termios{
		iflag: syscall.ICRNL,
		cflag: syscall.B115200 | syscall.CS8 | syscall.CREAD | syscall.CLOCAL,
		cc: [19]uint8{
			syscall.VINTR: 3, syscall.VQUIT: 28, syscall.VERASE: 127, syscall.VKILL: 21, syscall.VEOF: 4, syscall.VMIN: 1,
			syscall.VSTART: 17, syscall.VSTOP: 19, syscall.VSUSP: 26, syscall.VREPRINT: 18, syscall.VDISCARD: 15,
			syscall.VWERASE: 23, syscall.VLNEXT: 22,
		},
	},
}

// terminal serves ioctl_tty(2).
func terminal(c *posix.Console, request, arg uintptr) (e syscall.Errno) {
	tty.mu.Lock()
	defer tty.mu.Unlock()
	switch request {
	case syscall.TCGETS:
		return user.Put(arg, &tty.termios)
	case syscall.TCSETS, syscall.TCSETS + 1, syscall.TCSETS + 2: // now; drained; flushed: output does not linger
		e := user.Take(&tty.termios, arg)
		const post = syscall.OPOST | syscall.ONLCR
		c.Translate(tty.termios.iflag&syscall.ICRNL != 0, tty.termios.oflag&post == post)
		return e
	case syscall.TIOCGWINSZ:
		return user.Put(arg, &tty.size)
	case syscall.TIOCSWINSZ:
		return user.Take(&tty.size, arg)
	case syscall.TIOCGPGRP, tiocgsid:
		return putInt(arg, posix.PID)
	case syscall.TIOCSPGRP, syscall.TIOCSCTTY:
		return 0
	case fionread:
		return putInt(arg, c.Buffered())
	}
	return syscall.ENOTTY
}
