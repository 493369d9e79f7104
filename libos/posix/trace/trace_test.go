package trace

import (
	"syscall"
	"testing"
)

func TestName(t *testing.T) {
	for nr, want := range map[uintptr]string{
		syscall.SYS_READ: "read", syscall.SYS_PRLIMIT64: "prlimit64", 334: "rseq", 335: "syscall_335", 423: "syscall_423",
		424: "pidfd_send_signal", 435: "clone3", 452: "fchmodat2", 462: "mseal", 463: "syscall_463", ^uintptr(0): "syscall_-1",
	} {
		if got := name(nr); got != want {
			t.Errorf("name(%d) = %q, want %q", nr, got, want)
		}
	}
}

func TestCall(t *testing.T) {
	for _, c := range []struct {
		nr   uintptr
		a    [6]uintptr
		r    uintptr
		e    syscall.Errno
		want string
	}{
		{syscall.SYS_READ, [6]uintptr{3, 0xc000123000, 4096}, 17, 0, "call read 3 0xc000123000 4096 = 17"},
		{syscall.SYS_OPENAT, [6]uintptr{^uintptr(99), 0xc000123000}, ^uintptr(0), syscall.ENOENT, "call openat -100 0xc000123000 = errno 2"},
		{syscall.SYS_CLOSE, [6]uintptr{}, 0, 0, "call close 0 = 0"},
	} {
		if got := call(c.nr, c.a, c.r, c.e); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}
