package files

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/posix"
	_ "github.com/hardtack-os/hardtack/libos/posix/linux" // for the calls that make them
)

// TestAnonymousNames: what has no path is called in /proc/self/fd as the host calls it.
func TestAnonymousNames(t *testing.T) {
	for _, c := range []struct {
		name string
		nr   uintptr
		args [6]uintptr
	}{
		{"eventfd", syscall.SYS_EVENTFD2, [6]uintptr{}}, {"timerfd", syscall.SYS_TIMERFD_CREATE, [6]uintptr{1}}, {"epoll", syscall.SYS_EPOLL_CREATE1, [6]uintptr{}},
		{"inotify", syscall.SYS_INOTIFY_INIT1, [6]uintptr{}},
	} {
		host, _, e := syscall.Syscall(c.nr, c.args[0], c.args[1], c.args[2])
		if e != 0 {
			t.Fatal(c.name, e)
		}
		b := make([]byte, 100)
		k, err := syscall.Readlink(fmt.Sprint("/proc/self/fd/", host), b)
		syscall.Close(int(host))
		if err != nil {
			t.Fatal(err)
		}
		fd, e := posix.Serve(c.nr, c.args)
		if e != 0 {
			t.Fatal(c.name, e)
		}
		if got := describe(int(fd)); got != string(b[:k]) {
			t.Errorf("%s: %q, on the host %q", c.name, got, b[:k])
		}
		posix.Close(int(fd))
	}
}
