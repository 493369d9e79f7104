package files

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os/signal"
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

// TestSpliceBetweenPipes: splice moves from one pipe to another what is there and has room, with names or without, as the host does.
func TestSpliceBetweenPipes(t *testing.T) {
	type side struct {
		call func(nr uintptr, a ...uintptr) (uintptr, syscall.Errno)
		dir  string
	}
	host := side{func(nr uintptr, a ...uintptr) (uintptr, syscall.Errno) {
		var x [6]uintptr
		copy(x[:], a)
		r, _, e := syscall.RawSyscall6(nr, x[0], x[1], x[2], x[3], x[4], x[5])
		return r, e
	}, t.TempDir()}
	ours := side{func(nr uintptr, a ...uintptr) (uintptr, syscall.Errno) {
		var x [6]uintptr
		copy(x[:], a)
		return posix.Serve(nr, x)
	}, "/tmp"}
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	run := func(s side, named bool) (log []string) {
		do := func(what string, nr uintptr, a ...uintptr) uintptr {
			r, e := s.call(nr, a...)
			if e != 0 {
				r = 0
			}
			log = append(log, fmt.Sprint(what, ": ", r, " ", e))
			return r
		}
		pipe := func(name string) (r, w uintptr) {
			if !named {
				var fds [2]int32
				s.call(syscall.SYS_PIPE2, address(&fds), syscall.O_NONBLOCK)
				return uintptr(fds[0]), uintptr(fds[1])
			}
			path := append([]byte(s.dir+"/"+name), 0)
			s.call(syscall.SYS_MKNODAT, cwdArg, address(&path[0]), syscall.S_IFIFO|0o600, 0)
			r, _ = s.call(syscall.SYS_OPENAT, cwdArg, address(&path[0]), syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
			w, e := s.call(syscall.SYS_OPENAT, cwdArg, address(&path[0]), syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
			s.call(syscall.SYS_UNLINKAT, cwdArg, address(&path[0]), 0)
			if e != 0 {
				t.Fatal(e)
			}
			return r, w
		}
		a, aw := pipe("a")
		b, bw := pipe("b")
		buf, off := bytes.Repeat([]byte("0123456789abcdef"), 8192), int64(0)
		splice := func(what string, in, out uintptr, n, flags uintptr) {
			do(what, syscall.SYS_SPLICE, in, 0, out, 0, n, flags)
		}
		read := func(fd uintptr) {
			clear(buf)
			n := do("read", syscall.SYS_READ, fd, address(&buf[0]), uintptr(len(buf)))
			log = append(log, fmt.Sprint(crc32.ChecksumIEEE(buf[:n])))
			copy(buf, bytes.Repeat([]byte("0123456789abcdef"), 8192))
		}
		splice("of nothing", a, bw, 10, 0)
		splice("into itself", a, aw, 10, 0)
		splice("of what is written", aw, bw, 10, 0)
		splice("to what is read", a, b, 10, 0)
		splice("no bytes", a, bw, 0, 0)
		splice("unknown flags", a, bw, 10, 16)
		do("at an offset", syscall.SYS_SPLICE, a, address(&off), bw, 0, 10, 0)
		do("to an offset", syscall.SYS_SPLICE, a, 0, bw, address(&off), 10, 0)
		do("write", syscall.SYS_WRITE, aw, address(&buf[0]), 10_001)
		splice("a part", a, bw, 5000, 0)
		read(b)
		splice("the rest", a, bw, 1<<20, 0)
		do("fill", syscall.SYS_WRITE, aw, address(&buf[0]), 64<<10)
		do("fill", syscall.SYS_WRITE, bw, address(&buf[0]), 64<<10)
		splice("into a full one", a, bw, 10, 0)
		read(b)
		splice("all", a, bw, 1<<20, 0)
		splice("nothing is left", a, bw, 1<<20, 0)
		read(b)
		do("write", syscall.SYS_WRITE, aw, address(&buf[0]), 100)
		do("close", syscall.SYS_CLOSE, aw)
		splice("the last", a, bw, 1<<20, 0)
		splice("at the end", a, bw, 1<<20, 0)
		read(b)
		do("close", syscall.SYS_CLOSE, b)
		splice("at the end, where nobody reads", a, bw, 1, 0)
		do("close", syscall.SYS_CLOSE, bw)
		do("close", syscall.SYS_CLOSE, a)
		return log
	}
	for _, named := range []bool{false, true} {
		want, got := run(host, named), run(ours, named)
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("named %v, step %d: %s, want %s", named, i, got[i], want[i])
			}
		}
	}
	// Who waits for bytes, and for room, gets them.
	var a, b [2]int32
	posix.Pipe2(&a, 0)
	posix.Pipe2(&b, 0)
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i >> 7 * 31)
	}
	go func() {
		posix.Write(int(a[1]), data)
		posix.Close(int(a[1]))
	}()
	go func() {
		for {
			if n, e := posix.Serve(syscall.SYS_SPLICE, [6]uintptr{uintptr(a[0]), 0, uintptr(b[1]), 0, 100_000}); n == 0 || e != 0 {
				break
			}
		}
		posix.Close(int(a[0]))
		posix.Close(int(b[1]))
	}()
	var got []byte
	for piece := make([]byte, 30_000); ; {
		n, _ := posix.Read(int(b[0]), piece)
		if n <= 0 {
			break
		}
		got = append(got, piece[:n]...)
	}
	posix.Close(int(b[0]))
	if !bytes.Equal(got, data) {
		t.Errorf("%d bytes came, of %d, or others", len(got), len(data))
	}
}
