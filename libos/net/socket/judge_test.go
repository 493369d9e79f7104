package socket

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/posix"
	_ "github.com/hardtack-os/hardtack/libos/posix/linux" // read, write, poll by number
)

// The host's kernel is the judge: both it and this package get the same calls on unix sockets, and must say the same.

// A world is a kernel with the descriptors that a sequence of operations has opened. Their numbers differ, so operations name them by index.
type world struct {
	kernel func(nr, a1, a2, a3, a4, a5, a6 uintptr) (r, errno uintptr)
	prefix string // of names
	pipe   int    // what is sent around; sockets that hold each other Linux collects and we do not
	fds    []int
}

func host(nr, a1, a2, a3, a4, a5, a6 uintptr) (r, errno uintptr) {
	r, _, e := syscall.Syscall6(nr, a1, a2, a3, a4, a5, a6)
	return r, uintptr(e)
}

func (w *world) call(nr uintptr, a ...any) (int, syscall.Errno) {
	var v [6]uintptr
	for i, x := range a {
		switch x := x.(type) {
		case int:
			v[i] = uintptr(x)
		case []byte:
			v[i] = uintptr(unsafe.Pointer(unsafe.SliceData(x)))
		default:
			panic(fmt.Sprintf("argument %T", x))
		}
	}
	r, e := w.kernel(nr, v[0], v[1], v[2], v[3], v[4], v[5])
	runtime.KeepAlive(a)
	return int(r), syscall.Errno(e)
}

func (w *world) fd(i int) int {
	if i < len(w.fds) {
		return w.fds[i]
	}
	return 900
}

func (w *world) open(fd int, e syscall.Errno) string {
	if e != 0 {
		return e.Error()
	}
	w.fds = append(w.fds, fd)
	return "opened"
}

func result(n int, e syscall.Errno) string {
	if e != 0 {
		return e.Error()
	}
	return fmt.Sprint(n)
}

// heap keeps what calls point to where it is.
var heap []any

func buffer(n int) []byte {
	b := make([]byte, max(n, 1))
	heap = append(heap[:min(len(heap), 64)], b)
	return b[:n]
}

// sockaddr is the address of name i; the first is none at all.
func (w *world) sockaddr(i int) []byte {
	name := ""
	if i > 0 {
		name = fmt.Sprintf("\x00%s%d", w.prefix, i)
	}
	b := buffer(2 + len(name))
	binary.NativeEndian.PutUint16(b, syscall.AF_UNIX)
	copy(b[2:], name)
	return b
}

// said is an address as both worlds would say it.
func (w *world) said(b []byte) string {
	if len(b) < 2 {
		return fmt.Sprintf("%d bytes", len(b))
	}
	name := string(b[2:])
	if rest, ok := strings.CutPrefix(name, "\x00"+w.prefix); ok {
		return fmt.Sprintf("family %d name %q", binary.NativeEndian.Uint16(b), rest)
	}
	if len(name) == 6 {
		name = "auto"
	}
	return fmt.Sprintf("family %d %q", binary.NativeEndian.Uint16(b), name)
}

type op struct {
	name string
	do   func(w *world) string
}

const (
	maxOpen  = 12
	opKinds  = 22
	nonblock = syscall.SOCK_NONBLOCK
)

// draw draws an operation. sends counts those that send: few enough for no kernel's buffers to matter.
func draw(d func(n int) int, sends *int) op {
	a := d(8)
	name, size := d(4), []int{0, 1, 5, 100, 1000}[d(5)]
	kind := []int{syscall.SOCK_STREAM, syscall.SOCK_SEQPACKET, syscall.SOCK_DGRAM}[d(3)]
	k := d(opKinds)
	if k >= 11 && k <= 15 {
		if *sends++; *sends > 8 {
			k = 16
		}
	}
	switch k {
	case 0:
		return op{fmt.Sprint("socket ", kind), func(w *world) string {
			if len(w.fds) >= maxOpen {
				return "full"
			}
			return w.open(w.call(syscall.SYS_SOCKET, syscall.AF_UNIX, kind|nonblock, 0))
		}}
	case 1:
		return op{fmt.Sprint("socketpair ", kind), func(w *world) string {
			if len(w.fds) >= maxOpen-1 {
				return "full"
			}
			p := buffer(8)
			_, e := w.call(syscall.SYS_SOCKETPAIR, syscall.AF_UNIX, kind|nonblock, 0, p)
			if e == 0 {
				w.fds = append(w.fds, int(binary.NativeEndian.Uint32(p)), int(binary.NativeEndian.Uint32(p[4:])))
			}
			return result(0, e)
		}}
	case 2, 3:
		return op{fmt.Sprint("bind ", a, " ", name), func(w *world) string {
			sa := w.sockaddr(name)
			return result(w.call(syscall.SYS_BIND, w.fd(a), sa, len(sa)))
		}}
	case 4:
		backlog := d(3)
		return op{fmt.Sprint("listen ", a, " ", backlog), func(w *world) string { return result(w.call(syscall.SYS_LISTEN, w.fd(a), backlog)) }}
	case 5, 6:
		return op{fmt.Sprint("connect ", a, " ", name), func(w *world) string {
			sa := w.sockaddr(name)
			return result(w.call(syscall.SYS_CONNECT, w.fd(a), sa, len(sa)))
		}}
	case 7, 8:
		return op{fmt.Sprint("accept4 ", a), func(w *world) string {
			if len(w.fds) >= maxOpen {
				return "full"
			}
			sa, n := buffer(110), buffer(4)
			binary.NativeEndian.PutUint32(n, 110)
			fd, e := w.call(syscall.SYS_ACCEPT4, w.fd(a), sa, n, nonblock)
			if s := w.open(fd, e); e != 0 {
				return s
			}
			return w.said(sa[:binary.NativeEndian.Uint32(n)])
		}}
	case 9:
		return op{fmt.Sprint("getsockname ", a), func(w *world) string { return w.name(syscall.SYS_GETSOCKNAME, a) }}
	case 10:
		return op{fmt.Sprint("getpeername ", a), func(w *world) string { return w.name(syscall.SYS_GETPEERNAME, a) }}
	case 11:
		return op{fmt.Sprint("write ", a, " ", size), func(w *world) string { return result(w.call(syscall.SYS_WRITE, w.fd(a), pattern(size), size)) }}
	case 12:
		return op{fmt.Sprint("sendto ", a, " ", size, " name ", name), func(w *world) string {
			sa := w.sockaddr(name)
			return result(w.call(syscall.SYS_SENDTO, w.fd(a), pattern(size), size, syscall.MSG_NOSIGNAL, sa, len(sa)))
		}}
	case 13, 14, 15:
		pieces := d(3)
		return op{fmt.Sprint("sendmsg ", a, " ", size, " in ", pieces), func(w *world) string { return w.sendmsg(a, size, pieces) }}
	case 16:
		return op{fmt.Sprint("read ", a, " ", size), func(w *world) string {
			p := buffer(size)
			n, e := w.call(syscall.SYS_READ, w.fd(a), p, size)
			return result(n, e) + string(p)
		}}
	case 17, 18:
		flags := []int{0, 0, syscall.MSG_PEEK, syscall.MSG_TRUNC, syscall.MSG_CMSG_CLOEXEC}[d(5)]
		control := []int{0, 16, 18, 24, 32, 64, 100}[d(7)]
		size = max(size, 1) // for no byte Linux gives away which pieces of memory it keeps a stream in
		return op{fmt.Sprintf("recvmsg %d %d control %d flags %#x", a, size, control, flags), func(w *world) string { return w.recvmsg(a, size, control, flags) }}
	case 19:
		how := d(4)
		return op{fmt.Sprint("shutdown ", a, " ", how), func(w *world) string { return result(w.call(syscall.SYS_SHUTDOWN, w.fd(a), how)) }}
	case 20:
		return op{fmt.Sprint("close ", a), func(w *world) string {
			if a >= len(w.fds) {
				return "none"
			}
			fd := w.fds[a]
			w.fds = slices.Delete(w.fds, a, a+1)
			return result(w.call(syscall.SYS_CLOSE, fd))
		}}
	default:
		o := []int{syscall.SO_ERROR, syscall.SO_TYPE, syscall.SO_DOMAIN, syscall.SO_ACCEPTCONN, syscall.SO_PASSCRED, syscall.SO_REUSEADDR, syscall.SO_PROTOCOL}[d(7)]
		set := d(2)
		return op{fmt.Sprint("option ", o, " of ", a, " set ", set), func(w *world) string {
			if set == 1 {
				one := buffer(4)
				one[0] = 1
				return result(w.call(syscall.SYS_SETSOCKOPT, w.fd(a), syscall.SOL_SOCKET, o, one, 4))
			}
			v, n := buffer(8), buffer(4)
			n[0] = 8
			_, e := w.call(syscall.SYS_GETSOCKOPT, w.fd(a), syscall.SOL_SOCKET, o, v, n)
			return fmt.Sprint(e, v, n)
		}}
	}
}

func pattern(n int) []byte {
	p := buffer(n)
	for i := range p {
		p[i] = 'a' + byte(i%26)
	}
	return p
}

func (w *world) name(nr uintptr, a int) string {
	sa, n := buffer(110), buffer(4)
	binary.NativeEndian.PutUint32(n, 110)
	if _, e := w.call(nr, w.fd(a), sa, n); e != 0 {
		return e.Error()
	}
	return w.said(sa[:binary.NativeEndian.Uint32(n)])
}

// message makes a msghdr of pieces and a control buffer.
func message(pieces [][]byte, name, control []byte) (h []byte) {
	iov := buffer(16 * len(pieces))
	for i, p := range pieces {
		binary.NativeEndian.PutUint64(iov[16*i:], address(p))
		binary.NativeEndian.PutUint64(iov[16*i+8:], uint64(len(p)))
	}
	h = buffer(56)
	if name != nil {
		binary.NativeEndian.PutUint64(h, address(name))
		binary.NativeEndian.PutUint32(h[8:], uint32(len(name)))
	}
	binary.NativeEndian.PutUint64(h[16:], address(iov))
	binary.NativeEndian.PutUint64(h[24:], uint64(len(pieces)))
	if len(control) > 0 {
		binary.NativeEndian.PutUint64(h[32:], address(control))
		binary.NativeEndian.PutUint64(h[40:], uint64(len(control)))
	}
	return h
}

func address(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// sendmsg sends in two pieces, or one, a descriptor with it if pieces is not 0.
func (w *world) sendmsg(a, size, pieces int) string {
	p := pattern(size)
	parts := [][]byte{p}
	if pieces == 2 {
		parts = [][]byte{p[:size/2], p[size/2:]}
	}
	var control []byte
	if pieces > 0 {
		control = buffer(24)
		binary.NativeEndian.PutUint64(control, 20)
		binary.NativeEndian.PutUint32(control[8:], syscall.SOL_SOCKET)
		binary.NativeEndian.PutUint32(control[12:], syscall.SCM_RIGHTS)
		binary.NativeEndian.PutUint32(control[16:], uint32(w.pipe))
	}
	return result(w.call(syscall.SYS_SENDMSG, w.fd(a), message(parts, nil, control), syscall.MSG_NOSIGNAL))
}

// recvmsg receives and says everything; the descriptors that came are closed.
func (w *world) recvmsg(a, size, room, flags int) string {
	v, vn := buffer(4), buffer(4)
	vn[0] = 4
	if w.call(syscall.SYS_GETSOCKOPT, w.fd(a), syscall.SOL_SOCKET, syscall.SO_TYPE, v, vn); v[0] == syscall.SOCK_STREAM {
		flags &^= syscall.MSG_PEEK // Linux looks at what goes with the bytes behind, too
	}
	p, name, control := buffer(size), buffer(110), buffer(room)
	h := message([][]byte{p[:size/3], p[size/3:]}, name, control)
	n, e := w.call(syscall.SYS_RECVMSG, w.fd(a), h, flags)
	if e != 0 {
		return e.Error()
	}
	left := int(binary.NativeEndian.Uint64(h[40:]))
	s := fmt.Sprintf("%d %q from %s flags %#x control %d", n, p, w.said(name[:binary.NativeEndian.Uint32(h[8:])]), binary.NativeEndian.Uint32(h[48:]), left)
	for b := control[:min(left, len(control))]; len(b) >= 16; {
		size := int(binary.NativeEndian.Uint64(b))
		typ := binary.NativeEndian.Uint32(b[12:])
		s += fmt.Sprintf(" [%d %d]", size, typ)
		if typ == syscall.SCM_RIGHTS {
			for off := 16; off+4 <= size && off+4 <= len(b); off += 4 {
				_, e := w.call(syscall.SYS_CLOSE, int(binary.NativeEndian.Uint32(b[off:])))
				s += fmt.Sprintf(" close %v", e)
			}
		}
		b = b[min((size+7)&^7, len(b)):]
	}
	return s
}

// ready is what poll says of each descriptor.
func (w *world) ready() string {
	var s strings.Builder
	for i, fd := range w.fds {
		p := buffer(8)
		binary.NativeEndian.PutUint32(p, uint32(fd))
		const ask = posix.In | posix.Out | posix.RdHup
		binary.NativeEndian.PutUint16(p[4:], uint16(ask))
		w.call(syscall.SYS_POLL, p, 1, 0)
		got := binary.NativeEndian.Uint16(p[6:])
		fmt.Fprintf(&s, " %d:%#x", i, got)
	}
	return s.String()
}

// trial runs a sequence in both worlds.
func trial(t *testing.T, seed int, ops int, d func(int) int) {
	ours := &world{kernel: posix.Call, prefix: fmt.Sprintf("h%d-%d-", os.Getpid(), seed)}
	theirs := &world{kernel: host, prefix: fmt.Sprintf("l%d-%d-", os.Getpid(), seed)}
	var log []string
	sends := 0
	for _, w := range []*world{ours, theirs} { // something to begin with
		p := buffer(8)
		w.call(syscall.SYS_PIPE2, p, 0)
		w.pipe = int(binary.NativeEndian.Uint32(p))
		w.call(syscall.SYS_CLOSE, int(binary.NativeEndian.Uint32(p[4:])))
		for i := range 5 {
			w.open(w.call(syscall.SYS_SOCKET, syscall.AF_UNIX, []int{1, 1, 5, 5, 2}[i]|nonblock, 0))
		}
	}
	for range ops {
		o := draw(d, &sends)
		got, want := o.do(ours), o.do(theirs)
		log = append(log, o.name+": "+want)
		if got == want {
			got, want = ours.ready(), theirs.ready()
		}
		if got != want {
			t.Errorf("seed %d:\n%s\nhere:  %s\nLinux: %s", seed, strings.Join(log, "\n"), got, want)
			break
		}
	}
	for _, w := range []*world{ours, theirs} {
		for _, fd := range w.fds {
			w.call(syscall.SYS_CLOSE, fd)
		}
		w.call(syscall.SYS_CLOSE, w.pipe)
	}
	names.mu.Lock()
	if n := len(names.of); n != 0 {

		t.Errorf("seed %d: %d names are left", seed, n)
		clear(names.of)
	}
	names.mu.Unlock()
}

func TestAgainstLinux(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 300
	}
	for seed := range n {
		rnd := rand.New(rand.NewPCG(uint64(seed), 7))
		trial(t, seed, 60, rnd.IntN)
		if t.Failed() {
			break
		}
	}
}

func FuzzAgainstLinux(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"))
	f.Fuzz(func(t *testing.T, data []byte) {
		trial(t, 0, min(len(data)/6, 60), func(n int) int {
			if len(data) == 0 {
				return 0
			}
			v := int(data[0]) % n
			data = data[1:]
			return v
		})
	})
}
