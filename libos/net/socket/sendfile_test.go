package socket

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// A lender is a file in memory that lends what it has in pieces of a size, and counts.
type lender struct {
	posix.Object
	data       []byte
	piece      int
	off        int64
	lent, back atomic.Int64
	stubborn   bool // it does not lend
}

func (l *lender) Seek(_ *posix.File, off int64, whence int) (int64, syscall.Errno) {
	if whence == io.SeekCurrent {
		off += l.off
	}
	l.off = off
	return off, 0
}
func (l *lender) Pread(*posix.File, []byte, int64) (int, syscall.Errno)  { panic("read") }
func (l *lender) Pwrite(*posix.File, []byte, int64) (int, syscall.Errno) { panic("written") }
func (l *lender) Watchers() *posix.Watchers                              { return nil }
func (l *lender) Release()                                               {}

func (l *lender) Lend(_ *posix.File, off int64, n int) (posix.Loan, syscall.Errno) {
	if l.stubborn {
		return posix.Loan{}, syscall.EINVAL
	}
	if off >= int64(len(l.data)) {
		return posix.Loan{}, 0
	}
	n = min(n, len(l.data)-int(off), l.piece-int(off)%l.piece)
	l.lent.Add(int64(n))
	return posix.Loan{Bytes: l.data[off:][:n:n], Of: l}, 0
}

func (l *lender) Return(p []byte) { l.back.Add(int64(len(p))) }

// TestSendfile sends files that lie in pieces over TCP, with descriptors that block and that do not, from the file's own offset and from another. Nothing is copied on the way out, and
// every piece comes back.
func TestSendfile(t *testing.T) {
	data := make([]byte, 3<<20+12345)
	for i := range data {
		data[i] = byte(i*7 + i>>9)
	}
	for _, x := range []struct {
		name     string
		piece    int
		nonblock bool
		own      bool
	}{{"pages", 4096, false, true}, {"odd pieces, nonblocking", 5000, true, true}, {"one piece", 8 << 20, false, false}, {"one piece, nonblocking", 8 << 20, true, false}} {
		t.Run(x.name, func(t *testing.T) {
			w := &world{kernel: posix.Call}
			c, s := w.pair(t, 0)
			defer posix.Close(s)
			if x.nonblock {
				posix.Fcntl(c, syscall.F_SETFL, syscall.O_NONBLOCK)
			}
			src := &lender{data: data, piece: x.piece}
			in, e := posix.Install(src, syscall.O_RDONLY)
			if e != 0 {
				t.Fatal(e)
			}
			defer posix.Close(in)
			const first = 1000
			off := buffer(8)
			binary.NativeEndian.PutUint64(off, first)
			src.off = first
			var got []byte
			var all sync.WaitGroup
			all.Go(func() {
				b := make([]byte, 1<<16)
				for {
					n, e := posix.Read(s, b)
					if e != 0 || n == 0 {
						return
					}
					got = append(got, b[:n]...)
				}
			})
			sent, again, calls := 0, 0, int64(0)
			for ; ; calls++ {
				var n int
				if x.own {
					n, e = w.call(syscall.SYS_SENDFILE, c, in, 0, 1<<30)
				} else {
					n, e = w.call(syscall.SYS_SENDFILE, c, in, off, 1<<30)
				}
				if e == syscall.EAGAIN && x.nonblock {
					again++
					time.Sleep(100 * time.Microsecond)
					continue
				}
				if e != 0 {
					t.Fatal(e)
				}
				if n == 0 {
					break
				}
				sent += n
			}
			most := calls * (64 << 10)
			if !x.nonblock {
				most += int64(sent) // one of each wait
			}
			if vain := src.lent.Load() - int64(sent); vain > most {
				t.Errorf("%d bytes were lent in vain, in %d calls", vain, calls)
			}
			if x.nonblock && again == 0 {
				t.Log("there was always room")
			}
			if end := int64(len(data)); x.own && src.off != end || !x.own && (src.off != first || int64(binary.NativeEndian.Uint64(off)) != end) {
				t.Errorf("offsets afterwards: %d, %d", src.off, binary.NativeEndian.Uint64(off))
			}
			port, found := portOf(w, c), false
			for _, k := range stack().Conns() {
				if k.Local().Port() == port && k.Remote().Port() == portOf(w, s) {
					found = true
					if i := k.Info(); i.Stats.CopiedOut != 0 || i.Stats.BytesOut == 0 {
						t.Errorf("%d of %d bytes were copied", i.Stats.CopiedOut, i.Stats.BytesOut)
					}
				}
			}
			if !found {
				t.Error("the connection is not listed")
			}
			posix.Close(c)
			all.Wait()
			if sent != len(data)-first || !bytes.Equal(got, data[first:]) {
				t.Errorf("%d bytes were sent, %d came, or others", sent, len(got))
			}
			for range 4000 {
				if src.lent.Load() == src.back.Load() {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			if a, b := src.lent.Load(), src.back.Load(); a != b {
				t.Errorf("%d bytes were lent, %d came back", a, b)
			}
		})
	}
}

// TestSendfileParked: who waits in sendfile for a peer that reads nothing has lent what is on its way, and no more; then all arrives.
func TestSendfileParked(t *testing.T) {
	w := &world{kernel: posix.Call}
	c, s := w.pair(t, 0)
	src := &lender{data: make([]byte, 16<<20), piece: 4096}
	in, e := posix.Install(src, syscall.O_RDONLY)
	if e != 0 {
		t.Fatal(e)
	}
	defer posix.Close(in)
	port := portOf(w, c)
	var all sync.WaitGroup
	all.Go(func() {
		defer posix.Close(c)
		w := &world{kernel: posix.Call}
		for left := len(src.data); left > 0; {
			n, e := w.call(syscall.SYS_SENDFILE, c, in, 0, 1<<30)
			if e != 0 || n == 0 {
				t.Errorf("%d, %v", n, e)
				return
			}
			left -= n
		}
	})
	queue := func() (n int64) { // at both ends: what has come lies where it lay
		for _, k := range stack().Conns() {
			if k.Local().Port() == port || k.Remote().Port() == port {
				i := k.Info()
				n += int64(i.SendQueue + i.RecvQueue)
			}
		}
		return n
	}
	parked := 0
	for began := time.Now(); parked < 20 && time.Since(began) < time.Minute; time.Sleep(5 * time.Millisecond) {
		if n := queue(); n > 64<<10 && src.lent.Load()-src.back.Load() <= n+2*4096 { // of two pieces a part is on its way
			parked++
		} else {
			parked = 0
		}
	}
	if parked < 20 {
		t.Errorf("%d bytes are lent, and %d are on their way", src.lent.Load()-src.back.Load(), queue())
	}
	got, b := 0, make([]byte, 1<<16)
	for {
		n, e := posix.Read(s, b)
		if e != 0 || n == 0 {
			break
		}
		got += n
	}
	posix.Close(s)
	all.Wait()
	if got != len(src.data) {
		t.Errorf("%d bytes came", got)
	}
}

// TestNoSendfile: what is not there is refused by an errno that std takes as a request to copy (internal/poll), and nothing is lost by it.
func TestNoSendfile(t *testing.T) {
	w := &world{kernel: posix.Call}
	c, _ := w.call(syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_STREAM, 0)
	defer posix.Close(c)
	u, _ := w.call(syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	defer posix.Close(u)
	in, e := posix.Install(&lender{data: []byte("x"), piece: 1, stubborn: true}, syscall.O_RDONLY)
	if e != 0 {
		t.Fatal(e)
	}
	defer posix.Close(in)
	wo, e := posix.Install(&lender{data: []byte("x"), piece: 1}, syscall.O_WRONLY)
	if e != 0 {
		t.Fatal(e)
	}
	defer posix.Close(wo)
	p := buffer(8)
	w.call(syscall.SYS_PIPE2, p, 0)
	r, pw := int(binary.NativeEndian.Uint32(p)), int(binary.NativeEndian.Uint32(p[4:]))
	defer posix.Close(r)
	defer posix.Close(pw)
	for _, x := range []struct {
		what string
		nr   uintptr
		a    []any
		want syscall.Errno
	}{
		{"a file that does not lend", syscall.SYS_SENDFILE, []any{c, in, 0, 1}, syscall.EINVAL},
		{"a file that is not read", syscall.SYS_SENDFILE, []any{c, wo, 0, 1}, syscall.EBADF},
		{"no file", syscall.SYS_SENDFILE, []any{c, 999, 0, 1}, syscall.EBADF},
		{"from a pipe", syscall.SYS_SENDFILE, []any{c, r, 0, 1}, syscall.EINVAL},
		{"to a datagram socket", syscall.SYS_SENDFILE, []any{u, in, 0, 1}, syscall.EINVAL},
		{"to a pipe", syscall.SYS_SENDFILE, []any{pw, in, 0, 1}, syscall.EINVAL},
		{"to nothing", syscall.SYS_SENDFILE, []any{999, in, 0, 1}, syscall.EBADF},
		{"splice from a socket", syscall.SYS_SPLICE, []any{c, 0, pw, 0, 1, 2}, syscall.EINVAL},
		{"splice from a pipe", syscall.SYS_SPLICE, []any{r, 0, c, 0, 1, 2}, syscall.EINVAL},
	} {
		if _, e := w.call(x.nr, x.a...); e != x.want {
			t.Errorf("%s: %v, want %v", x.what, e, x.want)
		}
	}
}
