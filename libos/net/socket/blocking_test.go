package socket

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/posix"
)

func open(t *testing.T, kind int) int {
	t.Helper()
	w := &world{kernel: posix.Call}
	fd, e := w.call(syscall.SYS_SOCKET, syscall.AF_UNIX, kind, 0)
	if e != 0 {
		t.Fatal(e)
	}
	t.Cleanup(func() { posix.Close(fd) })
	return fd
}

func must(t *testing.T, what string, n int, e syscall.Errno) int {
	t.Helper()
	if e != 0 {
		t.Errorf("%s: %v", what, e)
	}
	return n
}

// TestBlocking runs clients against one server with descriptors that block: connect waits for the backlog, accept for a connection, write for
// room, read for bytes.
func TestBlocking(t *testing.T) {
	w := &world{kernel: posix.Call, prefix: t.Name()}
	sa := w.sockaddr(1)
	l := open(t, syscall.SOCK_STREAM)
	_, e := w.call(syscall.SYS_BIND, l, sa, len(sa))
	must(t, "bind", 0, e)
	_, e = w.call(syscall.SYS_LISTEN, l, 0)
	must(t, "listen", 0, e)
	const clients, size = 8, 1 << 20
	sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	done := make(chan string)
	for range clients {
		go func() {
			c, _ := posix.Call(syscall.SYS_SOCKET, syscall.AF_UNIX, syscall.SOCK_STREAM, 0, 0, 0, 0)
			defer posix.Close(int(c))
			if _, e := w.call(syscall.SYS_CONNECT, int(c), sa, len(sa)); e != 0 {
				done <- "connect: " + e.Error()
				return
			}
			n, e := posix.Write(int(c), sent)
			if n != size || e != 0 {
				done <- fmt.Sprint("write: ", n, e)
				return
			}
			w.call(syscall.SYS_SHUTDOWN, int(c), syscall.SHUT_WR)
			var b [1]byte
			n, e = posix.Read(int(c), b[:])
			done <- fmt.Sprint(n, e, b)
		}()
	}
	for range clients {
		c, e := w.call(syscall.SYS_ACCEPT4, l, 0, 0, 0)
		must(t, "accept", 0, e)
		go func() {
			defer posix.Close(c)
			var got []byte
			b := make([]byte, 10000)
			for {
				n, e := posix.Read(c, b)
				if n <= 0 || e != 0 {
					break
				}
				got = append(got, b[:n]...)
			}
			if bytes.Equal(got, sent) {
				posix.Write(c, []byte{'y'})
			}
		}()
	}
	for range clients {
		if s := <-done; s != fmt.Sprint(1, syscall.Errno(0), [1]byte{'y'}) {
			t.Error(s)
		}
	}
}

// TestTimeouts: SO_RCVTIMEO ends a wait, MSG_WAITALL goes on after a part.
func TestTimeouts(t *testing.T) {
	w := &world{kernel: posix.Call}
	p := buffer(8)
	_, e := w.call(syscall.SYS_SOCKETPAIR, syscall.AF_UNIX, syscall.SOCK_STREAM, 0, p)
	must(t, "socketpair", 0, e)
	a, b := int(binary.NativeEndian.Uint32(p)), int(binary.NativeEndian.Uint32(p[4:]))
	defer posix.Close(a)
	defer posix.Close(b)
	tv := buffer(16)
	binary.NativeEndian.PutUint64(tv[8:], 20_000)
	_, e = w.call(syscall.SYS_SETSOCKOPT, a, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, tv, 16)
	must(t, "SO_RCVTIMEO", 0, e)
	begin := time.Now()
	if _, e := posix.Read(a, make([]byte, 1)); e != syscall.EAGAIN || time.Since(begin) < 20*time.Millisecond {
		t.Errorf("read: %v after %v", e, time.Since(begin))
	}
	binary.NativeEndian.PutUint64(tv[8:], 0)
	_, e = w.call(syscall.SYS_SETSOCKOPT, a, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, tv, 16)
	must(t, "SO_RCVTIMEO", 0, e)
	go func() {
		for _, s := range []string{"ab", "cd", "ef"} {
			time.Sleep(time.Millisecond)
			posix.Write(b, []byte(s))
		}
	}()
	got := buffer(5)
	n, e := w.call(syscall.SYS_RECVFROM, a, got, 5, syscall.MSG_WAITALL, 0, 0)
	if n != 5 || e != 0 || string(got) != "abcde" {
		t.Errorf("MSG_WAITALL: %d %v %q", n, e, got)
	}
}

// TestNothingAllocated: a round trip through a pair allocates nothing.
func TestNothingAllocated(t *testing.T) {
	w := &world{kernel: posix.Call}
	p := buffer(8)
	w.call(syscall.SYS_SOCKETPAIR, syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0, p)
	a, b := int(binary.NativeEndian.Uint32(p)), int(binary.NativeEndian.Uint32(p[4:]))
	defer posix.Close(a)
	defer posix.Close(b)
	buf := make([]byte, 512)
	if n := testing.AllocsPerRun(100, func() {
		posix.Write(a, buf)
		posix.Read(b, buf)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkPair is a round trip; net.Pipe, beside it, is what it is compared with.
func BenchmarkPair(b *testing.B) {
	w := &world{kernel: posix.Call}
	p := buffer(8)
	w.call(syscall.SYS_SOCKETPAIR, syscall.AF_UNIX, syscall.SOCK_STREAM, 0, p)
	x, y := int(binary.NativeEndian.Uint32(p)), int(binary.NativeEndian.Uint32(p[4:]))
	go func() {
		defer posix.Close(y)
		buf := make([]byte, 512)
		for {
			n, e := posix.Read(y, buf)
			if n <= 0 || e != 0 {
				return
			}
			posix.Write(y, buf[:n])
		}
	}()
	defer posix.Close(x)
	buf := make([]byte, 512)
	for b.Loop() {
		posix.Write(x, buf)
		posix.Read(x, buf)
	}
}
