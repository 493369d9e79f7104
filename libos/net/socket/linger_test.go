package socket

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// pair makes a connection of TCP over the loopback network. receive is the size of the receiver's buffer, 0 for the usual one; of a
// small one what it does not read stays with the sender.
func (w *world) pair(t *testing.T, receive int) (sender, receiver int) {
	t.Helper()
	ok := func(what string, n int, e syscall.Errno) int {
		if e != 0 {
			t.Fatalf("%s: %v", what, e)
		}
		return n
	}
	n, e := w.call(syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_STREAM, 0)
	l := ok("socket", n, e)
	if receive > 0 {
		size := buffer(4)
		binary.NativeEndian.PutUint32(size, uint32(receive))
		n, e = w.call(syscall.SYS_SETSOCKOPT, l, syscall.SOL_SOCKET, syscall.SO_RCVBUF, size, 4)
		ok("SO_RCVBUF", n, e)
	}
	sa := inetAddr("127.0.0.1:0")
	n, e = w.call(syscall.SYS_BIND, l, sa, len(sa))
	ok("bind", n, e)
	n, e = w.call(syscall.SYS_LISTEN, l, 1)
	ok("listen", n, e)
	n, e = w.call(syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_STREAM, 0)
	sender = ok("socket", n, e)
	to := inetAddr(fmt.Sprint("127.0.0.1:", portOf(w, l)))
	n, e = w.call(syscall.SYS_CONNECT, sender, to, len(to))
	ok("connect", n, e)
	n, e = w.call(syscall.SYS_ACCEPT4, l, 0, 0, 0)
	receiver = ok("accept", n, e)
	n, e = w.call(syscall.SYS_CLOSE, l)
	ok("close", n, e)
	return sender, receiver
}

func (w *world) linger(t *testing.T, fd, seconds int) {
	t.Helper()
	v := buffer(8)
	binary.NativeEndian.PutUint32(v, 1)
	binary.NativeEndian.PutUint32(v[4:], uint32(seconds))
	if _, e := w.call(syscall.SYS_SETSOCKOPT, fd, syscall.SOL_SOCKET, syscall.SO_LINGER, v, 8); e != 0 {
		t.Errorf("SO_LINGER: %v", e)
	}
}

// fill writes until there is no room.
func (w *world) fill(fd int) (sent int) {
	p := buffer(1 << 16)
	for {
		n, e := w.call(syscall.SYS_SENDTO, fd, p, len(p), syscall.MSG_DONTWAIT, 0, 0)
		if e != 0 {
			return sent
		}
		sent += n
	}
}

// drain reads to the end.
func (w *world) drain(fd int) (got int, e syscall.Errno) {
	p := make([]byte, 1<<16)
	for {
		n, e := w.call(syscall.SYS_READ, fd, p, len(p))
		if e != 0 || n == 0 {
			return got, e
		}
		got += n
	}
}

// TestLinger: what close(2) does with SO_LINGER, here and by the host's kernel.
func TestLinger(t *testing.T) {
	for name, kernel := range map[string]func(nr, a1, a2, a3, a4, a5, a6 uintptr) (r, errno uintptr){"here": posix.Call, "Linux": host} {
		t.Run(name, func(t *testing.T) {
			w := &world{kernel: kernel}
			closing := func(fd int) {
				if _, e := w.call(syscall.SYS_CLOSE, fd); e != 0 {
					t.Errorf("close: %v", e)
				}
			}

			// Nobody reads: it waits for as long as was said, and what is left goes out later.
			s, r := w.pair(t, 8192)
			sent := w.fill(s)
			w.linger(t, s, 1)
			began := time.Now()
			closing(s)
			if d := time.Since(began); d < time.Second {
				t.Errorf("close returned after %v, before the second was over", d)
			}
			if got, e := w.drain(r); got != sent || e != 0 {
				t.Errorf("after that %d of %d bytes came, %v", got, sent, e)
			}
			closing(r)

			// Somebody begins to read: it waits until all has arrived.
			s, r = w.pair(t, 8192)
			sent = w.fill(s)
			w.linger(t, s, 1000)
			var reads atomic.Bool
			done := make(chan struct{})
			go func() {
				defer close(done)
				time.Sleep(100 * time.Millisecond)
				reads.Store(true)
				if got, e := w.drain(r); got != sent || e != 0 {
					t.Errorf("%d of %d bytes came, %v", got, sent, e)
				}
			}()
			closing(s)
			if !reads.Load() {
				t.Error("close returned before anything was read")
			}
			<-done
			closing(r)

			// There is nothing to wait for.
			s, r = w.pair(t, 8192)
			w.linger(t, s, 1000)
			closing(s)
			closing(r)

			// No time: a reset.
			s, r = w.pair(t, 8192)
			w.fill(s)
			w.linger(t, s, 0)
			closing(s)
			if _, e := w.drain(r); e != syscall.ECONNRESET {
				t.Errorf("after a close with no time: %v", e)
			}
			closing(r)
		})
	}
	noBlocksLeft(t)
}

// TestNoFastOpen: TCP Fast Open is refused as Linux refuses it where it is off, or does not know it.
func TestNoFastOpen(t *testing.T) {
	const fastOpen, fastOpenConnect = 23, 30
	w := &world{kernel: posix.Call}
	s, r := w.pair(t, 8192)
	defer posix.Close(s)
	defer posix.Close(r)
	c, _ := w.call(syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_STREAM, 0)
	defer posix.Close(c)
	to, one := inetAddr("127.0.0.1:9"), buffer(4)
	binary.NativeEndian.PutUint32(one, 1)
	if _, e := w.call(syscall.SYS_SENDTO, c, buffer(5), 5, msgFastOpen, to, len(to)); e != syscall.EOPNOTSUPP {
		t.Errorf("sendto with MSG_FASTOPEN: %v", e)
	}
	for _, o := range []int{fastOpen, fastOpenConnect} {
		if _, e := w.call(syscall.SYS_SETSOCKOPT, c, syscall.IPPROTO_TCP, o, one, 4); e != syscall.ENOPROTOOPT {
			t.Errorf("option %d: %v", o, e)
		}
	}
}
