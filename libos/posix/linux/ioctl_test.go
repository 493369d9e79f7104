package linux

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// TestTerminal asks what isatty, term.GetSize and term.MakeRaw ask.
func TestTerminal(t *testing.T) {
	var old, tio termios
	ioctl := func(request uintptr, p unsafe.Pointer) syscall.Errno {
		_, e := call(syscall.SYS_IOCTL, 1, request, address((*byte)(p)))
		return e
	}
	must(t, 0, ioctl(syscall.TCGETS, unsafe.Pointer(&old)))
	if old.iflag&syscall.ICRNL == 0 || old.lflag&(syscall.ECHO|syscall.ICANON) != 0 || old.cc[syscall.VMIN] != 1 {
		t.Errorf("%+v", old)
	}
	raw := old
	raw.iflag &^= syscall.ICRNL
	must(t, 0, ioctl(syscall.TCSETS, unsafe.Pointer(&raw)))
	must(t, 0, ioctl(syscall.TCGETS, unsafe.Pointer(&tio)))
	if tio != raw {
		t.Errorf("%+v, set %+v", tio, raw)
	}
	must(t, 0, ioctl(syscall.TCSETS, unsafe.Pointer(&old)))
	var ws winsize
	must(t, 0, ioctl(syscall.TIOCGWINSZ, unsafe.Pointer(&ws)))
	if ws != (winsize{rows: 24, cols: 80}) {
		t.Errorf("%+v", ws)
	}
	var group int32
	must(t, 0, ioctl(syscall.TIOCGPGRP, unsafe.Pointer(&group)))
	if group != posix.PID {
		t.Error(group)
	}
	if e := ioctl(0x9999, nil); e != syscall.ENOTTY {
		t.Error(e)
	}
	if unsafe.Sizeof(tio) != 36 {
		t.Error("struct termios has", unsafe.Sizeof(tio), "bytes")
	}
}

// TestProcess reads what monitoring programs read.
func TestProcess(t *testing.T) {
	var si syscall.Sysinfo_t
	must(t, 0, second(call(syscall.SYS_SYSINFO, address(&si))))
	if si.Totalram == 0 || si.Freeram >= si.Totalram || si.Unit != 1 || si.Procs != 1 {
		t.Errorf("%+v", si)
	}
	var ru syscall.Rusage
	must(t, 0, second(call(syscall.SYS_GETRUSAGE, 0, address(&ru))))
	if ru.Utime.Nano() <= 0 || ru.Maxrss <= 0 {
		t.Errorf("%+v", ru)
	}
	var u posix.Utsname
	must(t, 0, second(call(syscall.SYS_UNAME, address(&u))))
	if string(u[0][:6]) != "Linux\x00" || string(u[1][:9]) != "hardtack\x00" {
		t.Errorf("%q", u)
	}
	name := []byte("worker with a long name\x00")
	must(t, 0, second(call(syscall.SYS_PRCTL, syscall.PR_SET_NAME, address(&name[0]))))
	var got [16]byte
	must(t, 0, second(call(syscall.SYS_PRCTL, syscall.PR_GET_NAME, address(&got))))
	if string(got[:]) != "worker with a l\x00" {
		t.Errorf("%q", got)
	}
	var a, b syscall.Timespec
	must(t, 0, second(call(syscall.SYS_CLOCK_GETTIME, clockMonotonic, address(&a))))
	must(t, 0, second(call(syscall.SYS_CLOCK_GETTIME, clockBoottime, address(&b))))
	if a.Nano() > b.Nano() {
		t.Error(a, b)
	}
}

// TestCloseRange sets and closes.
func TestCloseRange(t *testing.T) {
	r, _ := pipe(t, 0)
	for fd := 700; fd < 705; fd++ {
		must(t, fd, second(posix.Dup3(r, fd, 0)))
	}
	must(t, 0, second(call(sysCloseRange, 701, 702, 4)))
	for fd, want := range map[int]int{700: 0, 701: 1, 702: 1, 703: 0} {
		if n, e := posix.Fcntl(fd, syscall.F_GETFD, 0); n != want || e != 0 {
			t.Error(fd, n, e)
		}
	}
	must(t, 0, second(call(sysCloseRange, 700, 1<<32-1, 0)))
	for fd := 700; fd < 705; fd++ {
		if e := posix.Close(fd); e != syscall.EBADF {
			t.Error(fd, e)
		}
	}
}
