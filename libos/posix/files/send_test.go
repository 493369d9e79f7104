package files

import (
	"bytes"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// TestSendToPipe: sendfile and splice fill a pipe with what there is room for, as Linux does, and wait only where there is none. What they moved is not moved again.
func TestSendToPipe(t *testing.T) {
	dir := fresh(t)
	fd := openPath(t, dir+"/f", syscall.O_RDWR|syscall.O_CREAT)
	defer posix.Close(fd)
	data := bytes.Repeat([]byte("0123456789abcdef"), 80<<10/16)
	posix.Write(fd, data)
	for _, nr := range []uintptr{syscall.SYS_SENDFILE, syscall.SYS_SPLICE} {
		posix.Lseek(fd, 0, 0)
		var fds [2]int32
		posix.Pipe2(&fds, 0)
		r, w := int(fds[0]), int(fds[1])
		send := func(n int, flags uintptr) (uintptr, syscall.Errno) {
			if nr == syscall.SYS_SENDFILE {
				return posix.Serve(nr, [6]uintptr{uintptr(w), uintptr(fd), 0, uintptr(n)})
			}
			return posix.Serve(nr, [6]uintptr{uintptr(fd), 0, uintptr(w), 0, uintptr(n), flags})
		}
		if n, e := send(len(data), 0); n != 64<<10 || e != 0 {
			t.Errorf("call %d: %d, %v into an empty pipe", nr, n, e)
		}
		if nr == syscall.SYS_SPLICE {
			if _, e := send(1, spliceNonblock); e != syscall.EAGAIN {
				t.Errorf("into a full one: %v", e)
			}
		}
		buf := make([]byte, len(data))
		got, _ := posix.Read(r, buf)
		n, e := send(len(data), 0)
		more, _ := posix.Read(r, buf[got:])
		if n != 16<<10 || e != 0 || !bytes.Equal(buf[:got+more], data) {
			t.Errorf("call %d: %d, %v for the rest; %d and %d bytes came", nr, n, e, got, more)
		}
		if n, e := send(1, 0); n != 0 || e != 0 {
			t.Errorf("call %d: %d, %v at the end", nr, n, e)
		}
		posix.Close(r)
		args := [6]uintptr{uintptr(w), uintptr(w), 0, 1}
		if nr == syscall.SYS_SPLICE {
			args = [6]uintptr{uintptr(w), 0, uintptr(w), 0, 1, 0}
		}
		if _, e := posix.Serve(nr, args); e != syscall.EBADF {
			t.Errorf("call %d from what is not read: %v", nr, e)
		}
		posix.Close(w)
	}
}
