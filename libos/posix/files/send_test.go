package files

import (
	"bytes"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs"
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

// TestSpliceLosesNothing: what a file does not take of a pipe stays in the pipe, and comes out of it in order; what it takes is in the file, and the offset behind it. The device full takes nothing, and a file in memory
// not more than there is room for.
func TestSpliceLosesNothing(t *testing.T) {
	dir := fresh(t)
	fd := openPath(t, dir+"/f", syscall.O_RDWR|syscall.O_CREAT)
	defer posix.Close(fd)
	data := bytes.Repeat([]byte("0123456789abcdef"), 40<<10/16)
	copy(data[10_000:], "elsewhere")
	var fds [2]int32
	posix.Pipe2(&fds, 0)
	r, w := int(fds[0]), int(fds[1])
	posix.Write(w, data)
	splice := func(off *int64, n int) (uintptr, syscall.Errno) {
		return posix.Serve(syscall.SYS_SPLICE, [6]uintptr{uintptr(r), 0, uintptr(fd), address(off), uintptr(n), spliceNonblock})
	}
	if n, e := splice(nil, 5000); n != 5000 || e != 0 {
		t.Errorf("%d, %v of 5000", n, e)
	}
	enough := fs.MaxSize - int64(7000)
	if n, e := splice(&enough, 20_000); e == 0 && (n > 7000 || enough != fs.MaxSize-7000+int64(n)) {
		t.Errorf("%d behind the largest file, the offset at %d", n, enough)
	} else if got := int(n); e == 0 {
		data = append(data[:5000:5000], data[5000+got:]...) // these are far behind
	}
	far := int64(fs.MaxSize)
	if n, e := splice(&far, 1); e == 0 || far != fs.MaxSize {
		t.Errorf("at the largest size: %d, %v, the offset at %d", n, e, far)
	}
	if n, e := splice(nil, len(data)); n != uintptr(len(data)-5000) || e != 0 {
		t.Errorf("%d, %v for the rest of %d", n, e, len(data))
	}
	if _, e := splice(nil, 1); e != syscall.EAGAIN {
		t.Errorf("of nothing: %v", e)
	}
	got := make([]byte, len(data))
	if n, _ := posix.Pread(fd, got, 0); n != len(data) || !bytes.Equal(got, data) {
		t.Errorf("%d bytes are in the file, or others", n)
	}
	posix.Close(w)
	if n, e := splice(nil, 1); n != 0 || e != 0 {
		t.Errorf("at the end: %d, %v", n, e)
	}
	posix.Close(r)
}

// TestTee: tee copies from one pipe to another what is there and has room, and leaves it there.
func TestTee(t *testing.T) {
	var a, b [2]int32
	posix.Pipe2(&a, 0)
	posix.Pipe2(&b, 0)
	tee := func(from, to int32, n int, flags uintptr) (uintptr, syscall.Errno) {
		return posix.Serve(syscall.SYS_TEE, [6]uintptr{uintptr(from), uintptr(to), uintptr(n), flags})
	}
	if _, e := tee(a[0], b[1], 10, spliceNonblock); e != syscall.EAGAIN {
		t.Errorf("of nothing: %v", e)
	}
	if _, e := tee(a[0], a[1], 10, 0); e != syscall.EINVAL {
		t.Errorf("into itself: %v", e)
	}
	data := bytes.Repeat([]byte("tee "), 5000/4)
	later := make(chan uintptr)
	go func() {
		n, _ := tee(a[0], b[1], 1<<20, 0) // which waits
		later <- n
	}()
	posix.Write(int(a[1]), data)
	if n := <-later; n == 0 || n > uintptr(len(data)) {
		t.Errorf("%d bytes of %d", n, len(data))
	} else if got := make([]byte, 2*len(data)); true {
		if k, _ := posix.Read(int(b[0]), got); uintptr(k) != n || !bytes.Equal(got[:k], data[:k]) {
			t.Errorf("%d bytes came, of %d, or others", k, n)
		}
		if k, _ := posix.Read(int(a[0]), got); k != len(data) || !bytes.Equal(got[:k], data) {
			t.Errorf("%d bytes are left of %d, or others", k, len(data))
		}
	}
	posix.Write(int(a[1]), data)
	posix.Write(int(b[1]), make([]byte, 64<<10))
	if _, e := tee(a[0], b[1], 10, spliceNonblock); e != syscall.EAGAIN {
		t.Errorf("into a full one: %v", e)
	}
	posix.Close(int(b[0]))
	if _, e := tee(a[0], b[1], 10, 0); e != syscall.EPIPE {
		t.Errorf("where nobody reads: %v", e)
	}
	posix.Close(int(a[1]))
	for _, fd := range []int32{a[0], b[1]} {
		posix.Close(int(fd))
	}
}
