package linux

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// The host's Linux kernel is the judge: both it and this package get the same calls, and must say the same.

// A kernel is someone who serves system calls.
type kernel func(nr, a1, a2, a3, a4, a5, a6 uintptr) (r, errno uintptr)

// host asks again after EINTR: no operation waits here, but Linux's select looks for signals even so, and the Go
// runtime preempts by them.
func host(nr, a1, a2, a3, a4, a5, a6 uintptr) (r, errno uintptr) {
	for {
		r, _, e := syscall.Syscall6(nr, a1, a2, a3, a4, a5, a6)
		if e != syscall.EINTR {
			return r, uintptr(e)
		}
	}
}

// A world is a kernel with the descriptors that a sequence of operations has opened. Their numbers differ from kernel
// to kernel, so operations name them by index.
type world struct {
	kernel kernel
	fds    []int
}

func worlds() [2]*world { return [2]*world{{kernel: posix.Call}, {kernel: host}} }

// call makes a call and says what came of it.
func (w *world) call(nr uintptr, a ...any) (int, syscall.Errno) {
	var v [6]uintptr
	for i, x := range a {
		switch x := x.(type) {
		case int:
			v[i] = uintptr(x)
		case uintptr:
			v[i] = x
		case unsafe.Pointer:
			v[i] = uintptr(x)
		case []byte:
			v[i] = uintptr(unsafe.Pointer(unsafe.SliceData(x)))
		default:
			panic(fmt.Sprintf("argument %T", x))
		}
	}
	r, e := w.kernel(nr, v[0], v[1], v[2], v[3], v[4], v[5])
	runtime.KeepAlive(a) // and what is in it
	return int(r), syscall.Errno(e)
}

// fd is a descriptor by index; beyond what is open it is one that nobody has.
func (w *world) fd(i int) int {
	if i < len(w.fds) {
		return w.fds[i]
	}
	return 900
}

func (w *world) index(fd int) int { return slices.Index(w.fds, fd) }

// isEventFD tells by what no other descriptor does here: being writable and not knowing a pipe's size.
func (w *world) isEventFD(fd int) bool {
	p := buffer(8)
	binary.NativeEndian.PutUint32(p, uint32(fd))
	binary.NativeEndian.PutUint16(p[4:], 4)
	n, _ := w.call(syscall.SYS_POLL, p, 1, 0)
	_, e := w.call(syscall.SYS_FCNTL, fd, fGetPipeSize)
	return n == 1 && p[6] == 4 && e == syscall.EBADF
}

// open remembers a new descriptor.
func (w *world) open(fd int, e syscall.Errno) string {
	if e != 0 {
		return e.Error()
	}
	if i := w.index(fd); i >= 0 {
		return fmt.Sprint("again ", i)
	}
	w.fds = append(w.fds, fd)
	return "opened"
}

func (w *world) close() {
	for _, fd := range w.fds {
		w.call(syscall.SYS_CLOSE, fd)
	}
	w.fds = nil
}

// result says what a call gave.
func result(n int, e syscall.Errno) string {
	if e != 0 {
		return e.Error()
	}
	return fmt.Sprint(n)
}

// An op is one operation: drawn once, done in both worlds.
type op struct {
	name string
	do   func(w *world) string
}

// A dice is where an op draws its numbers from: a fuzzer's bytes or a generator's.
type dice func(n int) int

const (
	maxOpen = 10 // descriptors in a world
	kinds   = 24 // of operations
)

// heap keeps what calls point to where it is.
var heap []byte

// buffer is n bytes in the heap.
func buffer(n int) []byte {
	heap = make([]byte, max(n, 1))
	return heap[:n]
}

func draw(d dice) op {
	sizes := []int{0, 1, 4, 7, 8, 9, 100, 4095, 4096, 4097, 8192, 10000, 65536, 70000}
	a, b := d(maxOpen), d(maxOpen)
	ep := []int{3, 4, 3, 3, a}[d(5)] // where the trial opens them
	switch d(kinds) {
	case 0:
		flags := syscall.O_NONBLOCK | d(2)*syscall.O_CLOEXEC
		return op{"pipe2", func(w *world) string {
			if len(w.fds) > maxOpen-2 {
				return "full"
			}
			p := buffer(8)
			_, e := w.call(syscall.SYS_PIPE2, p, flags)
			if e != 0 {
				return e.Error()
			}
			for i := range 2 {
				w.open(int(binary.NativeEndian.Uint32(p[4*i:])), 0)
			}
			return "opened"
		}}
	case 1:
		initial, flags := d(3), syscall.O_NONBLOCK|d(2)
		return op{fmt.Sprint("eventfd2 ", initial, flags), func(w *world) string {
			if len(w.fds) >= maxOpen {
				return "full"
			}
			return w.open(w.call(syscall.SYS_EVENTFD2, initial, flags))
		}}
	case 2:
		return op{"epoll_create1", func(w *world) string {
			if len(w.fds) >= maxOpen {
				return "full"
			}
			return w.open(w.call(syscall.SYS_EPOLL_CREATE1, 0))
		}}
	case 3:
		return op{fmt.Sprint("dup ", a), func(w *world) string {
			if len(w.fds) >= maxOpen {
				return "full"
			}
			return w.open(w.call(syscall.SYS_DUP, w.fd(a)))
		}}
	case 4:
		flags := d(2) * syscall.O_CLOEXEC
		return op{fmt.Sprint("dup3 ", a, b), func(w *world) string {
			if b >= len(w.fds) {
				return "nothing"
			}
			fd, e := w.call(syscall.SYS_DUP3, w.fd(a), w.fd(b), flags)
			return fmt.Sprint(w.index(fd), e)
		}}
	case 5:
		if d(3) > 0 {
			return draw(d)
		}
		return op{fmt.Sprint("close ", a), func(w *world) string {
			fd := w.fd(a)
			if i := w.index(fd); i >= 0 {
				w.fds = slices.Delete(w.fds, i, i+1)
			}
			return result(w.call(syscall.SYS_CLOSE, fd))
		}}
	case 6, 7, 8:
		n := sizes[d(len(sizes))]
		return op{fmt.Sprint("read ", a, n), func(w *world) string {
			p := buffer(n)
			c, e := w.call(syscall.SYS_READ, w.fd(a), p, n)
			return result(c, e) + sum(p[:max(c, 0)])
		}}
	case 9, 10, 11:
		n, seed := sizes[d(len(sizes))], d(250)
		return op{fmt.Sprint("write ", a, n), func(w *world) string {
			if n > 8 && w.isEventFD(w.fd(a)) {
				return "kernels differ in whether more than 8 bytes are an error"
			}
			p := buffer(n)
			for i := range p {
				p[i] = byte(seed + i*i)
			}
			if n == 8 { // so that eventfds keep small numbers
				binary.NativeEndian.PutUint64(p, uint64(seed%3))
			}
			return result(w.call(syscall.SYS_WRITE, w.fd(a), p, n))
		}}
	case 12:
		cmd := []int{syscall.F_GETFD, syscall.F_SETFD, syscall.F_GETFL, fGetPipeSize, syscall.F_SETFL}[d(5)]
		arg := d(2)
		if cmd == syscall.F_SETFL {
			arg = syscall.O_NONBLOCK | d(2)*syscall.O_APPEND
		}
		return op{fmt.Sprint("fcntl ", a, cmd), func(w *world) string {
			return result(w.call(syscall.SYS_FCNTL, w.fd(a), cmd, arg))
		}}
	case 13:
		size := []int{0, 1, 4096, 4097, 8192, 65536, 1 << 17, -1}[d(8)]
		return op{fmt.Sprint("F_SETPIPE_SZ ", a, size), func(w *world) string {
			return result(w.call(syscall.SYS_FCNTL, w.fd(a), fSetPipeSize, size))
		}}
	case 14, 15, 16:
		action := []int{1, 1, 1, 2, 3, 3, 4}[d(7)]
		events := []uint32{1, 4, 5, 0, 1 | 1<<31, 4 | 1<<31, 5 | 1<<31, 1 | 1<<30, 5 | 1<<30, 5 | 1<<30 | 1<<31, 1 | 1<<28, 4 | 1<<28 | 1<<31, 0x2001, 0x141}[d(14)]
		data := uint64(d(100))
		return op{fmt.Sprintf("epoll_ctl %d %d %d %x", ep, action, b, events), func(w *world) string {
			p := buffer(epollEventSize)
			binary.NativeEndian.PutUint32(p, events)
			binary.NativeEndian.PutUint64(p[epollDataOffset:], data)
			return result(w.call(syscall.SYS_EPOLL_CTL, w.fd(ep), action, w.fd(b), p))
		}}
	case 17, 18, 19:
		count := []int{1, 2, 10}[d(3)]
		return op{fmt.Sprint("epoll_wait ", ep, count), func(w *world) string {
			p := buffer(count * epollEventSize)
			n, e := w.call(syscall.SYS_EPOLL_WAIT, w.fd(ep), p, count, 0)
			s := result(n, e)
			for i := range max(n, 0) {
				ev, data := epollEvent(p[i*epollEventSize:])
				s += fmt.Sprintf(" %x:%d", ev, data)
			}
			return s
		}}
	case 20:
		events := []int16{1, 4, 5, 0, 2, 0x2000, 0x145}[d(7)]
		return op{fmt.Sprintf("poll %x", events), func(w *world) string {
			p := buffer(8 * (len(w.fds) + 2))
			for i := range len(w.fds) + 2 {
				fd := -1
				if i > 0 {
					fd = w.fd(i - 1)
				}
				binary.NativeEndian.PutUint32(p[8*i:], uint32(fd))
				binary.NativeEndian.PutUint16(p[8*i+4:], uint16(events))
			}
			s := result(w.call(syscall.SYS_POLL, p, len(p)/8, 0))
			for i := range len(p) / 8 {
				s += fmt.Sprintf(" %x", binary.NativeEndian.Uint16(p[8*i+6:]))
			}
			return s
		}}
	case 21:
		which := d(8)
		return op{fmt.Sprint("select ", which), func(w *world) string { return w.sel(which) }}
	case 22:
		return op{fmt.Sprint("FIONREAD ", a), func(w *world) string {
			p := buffer(4)
			_, e := w.call(syscall.SYS_IOCTL, w.fd(a), fionread, p)
			if e == syscall.EINVAL {
				e = syscall.ENOTTY // what epoll says since Linux 6.9
			}
			return fmt.Sprint(e, p)
		}}
	default:
		sizes := []int{d(3) * 3, d(9), d(3) * 4096}
		nr := []uintptr{syscall.SYS_READV, syscall.SYS_WRITEV}[d(2)]
		return op{fmt.Sprint("vector ", nr, a, sizes), func(w *world) string {
			if w.isEventFD(w.fd(a)) {
				return "likewise"
			}
			p, iov := w.vector(sizes)
			c, e := w.call(nr, w.fd(a), unsafe.Pointer(&iov[0]), len(iov))
			if nr == syscall.SYS_READV {
				return result(c, e) + sum(p[:max(c, 0)])
			}
			return result(c, e)
		}}
	}
}

// vector makes iovecs over one buffer.
func (w *world) vector(sizes []int) ([]byte, []syscall.Iovec) {
	total := 0
	for _, n := range sizes {
		total += n
	}
	p := buffer(total)
	iov := make([]syscall.Iovec, len(sizes))
	rest := p
	for i, n := range sizes {
		iov[i].SetLen(n)
		if n > 0 {
			iov[i].Base = &rest[0]
		}
		rest = rest[n:]
	}
	return p, iov
}

// sel asks select about all descriptors, in those of the three sets that which has bits for.
func (w *world) sel(which int) string {
	var sets [3][]byte
	var args [3]uintptr
	top := 0
	for k := range sets {
		if which>>k&1 != 0 {
			heap = make([]byte, 128) // an allocation of its own, referred to by sets
			sets[k] = heap
			args[k] = uintptr(unsafe.Pointer(&sets[k][0]))
		}
		for _, fd := range w.fds {
			top = max(top, fd+1)
			if sets[k] != nil {
				sets[k][fd/8] |= 1 << (fd % 8)
			}
		}
	}
	timeout := new(syscall.Timeval)
	s := result(w.call(syscall.SYS_SELECT, top, args[0], args[1], args[2], unsafe.Pointer(timeout)))
	for _, set := range sets {
		for _, fd := range w.fds {
			if set != nil && set[fd/8]>>(fd%8)&1 != 0 {
				s += fmt.Sprint(" ", w.index(fd))
			}
		}
		s += ";"
	}
	return s
}

// sum tells buffers apart without printing them.
func sum(p []byte) string {
	h := uint32(1)
	for _, b := range p {
		h = h*31 + uint32(b)
	}
	return fmt.Sprintf(" #%x", h)
}

// script draws a sequence of operations that begins with opening a pipe, an eventfd and two epolls.
func script(d dice, length int) (ops []op) {
	for i := range length {
		ops = append(ops, draw(func(n int) int {
			if n == kinds && i < 4 {
				return []int{0, 1, 2, 2}[i]
			}
			return d(n)
		}))
	}
	return ops
}

// judge does ops in both worlds, up to the first where they differ, and says how; "" if none does.
func judge(ops []op) (log string, done int) {
	w := worlds()
	defer w[0].close()
	defer w[1].close()
	for i, o := range ops {
		ours, theirs := o.do(w[0]), o.do(w[1])
		log += fmt.Sprintf("\n%s: %s", o.name, theirs)
		if ours != theirs {
			return log + "\nwe say " + ours, i + 1
		}
	}
	return "", len(ops)
}

// trial judges ops, and reports the shortest part of them that shows a difference.
func trial(t *testing.T, ops []op) {
	t.Helper()
	log, n := judge(ops)
	if log == "" {
		return
	}
	ops = ops[:n]
	for i := len(ops) - 2; i >= 0; i-- {
		less := slices.Delete(slices.Clone(ops), i, i+1)
		if l, _ := judge(less); l != "" {
			ops, log = less, l
		}
	}
	t.Fatal(log)
}

// TestJudge does random sequences, the same each time.
func TestJudge(t *testing.T) {
	trials := 3000
	if testing.Short() {
		trials = 300
	}
	for i := range trials {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		trial(t, script(r.IntN, 60))
	}
}

// FuzzJudge lets the fuzzer choose.
func FuzzJudge(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 9, 5, 7, 0, 0, 6, 5})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 400 {
			t.Skip("long enough")
		}
		at := 0
		d := func(n int) int {
			if at >= len(data) {
				return 0
			}
			at++
			return int(data[at-1]) % n
		}
		trial(t, script(d, len(data)/4))
	})
}
