package socket

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// A script is run against the host's kernel and against this package, and has to leave the same log in both. It runs on the loopback network only.
type script func(*recorder)

// A recorder makes calls in one of the two worlds and logs what they say.
type recorder struct {
	world
	log  []string
	said []string       // what Linux's log is, which went before; nil for Linux
	left int            // how often a question is still asked again
	mask func(b []byte) // makes equal what need not be equal in bytes that were received; nil: nothing
}

// compare runs a script in a network namespace of its own, whose loopback interface is up, and here.
func compare(t *testing.T, s script) {
	t.Helper()
	linux := &recorder{world: world{kernel: host}}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		err := loopbackOnly()
		if err == nil {
			s(linux)
			linux.closeAll(func(fd int) { syscall.Close(fd) })
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal("a network namespace with the host's kernel:", err)
	}
	ours := &recorder{world: world{kernel: posix.Call}, said: linux.log, left: 6000} // half a minute
	s(ours)
	ours.closeAll(func(fd int) { posix.Close(fd) })
	for i := range max(len(linux.log), len(ours.log)) {
		var a, b string
		if i < len(linux.log) {
			a = linux.log[i]
		}
		if i < len(ours.log) {
			b = ours.log[i]
		}
		if a != b {
			t.Errorf("step %d:\n Linux %s\n ours  %s", i, a, b)
		}
	}
	noBlocksLeft(t)
}

// loopbackOnly puts the thread into a new network namespace.
func loopbackOnly() error {
	if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	var ifreq [40]byte
	copy(ifreq[:], "lo")
	binary.NativeEndian.PutUint16(ifreq[16:], syscall.IFF_UP|syscall.IFF_RUNNING)
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&ifreq))); e != 0 {
		return e
	}
	return os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 2147483647"), 0)
}

// again tells whether a question is to be asked again, after a while: Linux had another answer to it, and what leads to that may take its time on a busy host.
func (r *recorder) again(line string) bool {
	if i := len(r.log); r.left == 0 || i >= len(r.said) || line == r.said[i] {
		return false
	}
	r.left--
	time.Sleep(5 * time.Millisecond)
	return true
}

func (r *recorder) closeAll(one func(int)) {
	for _, fd := range r.fds {
		one(fd)
	}
}

func (r *recorder) note(format string, a ...any) { r.log = append(r.log, fmt.Sprintf(format, a...)) }

// socket opens one and returns its index.
func (r *recorder) socket(family, kind, protocol int) int {
	fd, e := r.call(syscall.SYS_SOCKET, family, kind|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, protocol)
	if e != 0 {
		r.note("socket(%d, %d, %d): %v", family, kind, protocol, e)
		return 1 << 20
	}
	r.fds = append(r.fds, fd)
	return len(r.fds) - 1
}

func (r *recorder) bind(s int, to string) {
	a := inetAddr(to)
	_, e := r.call(syscall.SYS_BIND, r.fd(s), a, len(a))
	r.note("bind %d to %s: %v", s, to, e)
}

func (r *recorder) connect(s int, to string) {
	a := inetAddr(to)
	_, e := r.call(syscall.SYS_CONNECT, r.fd(s), a, len(a))
	r.note("connect %d to %s: %v", s, to, e)
}

// names logs both addresses; port: with their ports.
func (r *recorder) names(s int, port bool) {
	for _, nr := range []uintptr{syscall.SYS_GETSOCKNAME, syscall.SYS_GETPEERNAME} {
		b, n := buffer(28), buffer(4)
		n[0] = 28
		if _, e := r.call(nr, r.fd(s), b, n); e != 0 {
			r.note("name of %d: %v", s, e)
			continue
		}
		if b = b[:n[0]]; !port {
			b[2], b[3] = 0, 0
		}
		r.note("name of %d: %x", s, b)
	}
}

// send sends by sendmsg; to and control may be empty.
func (r *recorder) send(s int, to string, p, control []byte) {
	var h syscall.Msghdr
	var keep [][]byte
	if to != "" {
		a := inetAddr(to)
		h.Name, h.Namelen = &a[0], uint32(len(a))
		keep = append(keep, a)
	}
	iov := syscall.Iovec{Base: unsafe.SliceData(p), Len: uint64(len(p))}
	h.Iov, h.Iovlen = &iov, 1
	if len(control) > 0 {
		h.Control, h.Controllen = &control[0], uint64(len(control))
	}
	heap = append(heap, &h, &iov, keep, p, control)
	n, e := r.call(syscall.SYS_SENDMSG, r.fd(s), unsafe.Slice((*byte)(unsafe.Pointer(&h)), unsafe.Sizeof(h)), 0)
	r.note("send %d bytes by %d to %q: %d %v", len(p), s, to, max(n, 0), e)
}

// recv receives by recvmsg, after a while if there is nothing yet, and logs all there is.
func (r *recorder) recv(s, size, flags int) []byte {
	p, name, control := buffer(size), buffer(28), buffer(512)
	iov := &syscall.Iovec{Base: unsafe.SliceData(p), Len: uint64(len(p))}
	h := &syscall.Msghdr{Name: &name[0], Namelen: 28, Iov: iov, Iovlen: 1, Control: &control[0], Controllen: 512}
	heap = append(heap, h, iov)
	n, e := -1, syscall.EAGAIN
	for try := 0; ; try++ { // who delivers may be a timer, on a busy host
		n, e = r.call(syscall.SYS_RECVMSG, r.fd(s), unsafe.Slice((*byte)(unsafe.Pointer(h)), unsafe.Sizeof(*h)), flags|syscall.MSG_DONTWAIT)
		if e != syscall.EAGAIN || try >= 10 && !r.again(fmt.Sprintf("recv by %d: %v", s, e)) {
			break
		}
		if try < 10 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	if e != 0 {
		r.note("recv by %d: %v", s, e)
		return nil
	}
	got := append([]byte(nil), p[:min(n, size)]...)
	if r.mask != nil {
		r.mask(got)
	}
	from := name[:h.Namelen]
	if len(from) >= 4 && r.mask != nil {
		from[2], from[3] = 0, 0
	}
	r.note("recv by %d: %d bytes, flags %#x, from %x, %x, control %s", s, n, h.Flags, from, got, controls(control[:h.Controllen]))
	return p[:min(n, size)]
}

// controls says control messages.
func controls(b []byte) string {
	var s strings.Builder
	for len(b) >= syscall.SizeofCmsghdr {
		n := int(binary.NativeEndian.Uint64(b))
		if n < syscall.SizeofCmsghdr || n > len(b) {
			return fmt.Sprintf("%s broken %x", s.String(), b)
		}
		fmt.Fprintf(&s, "[%d %d %x]", binary.NativeEndian.Uint32(b[8:]), binary.NativeEndian.Uint32(b[12:]), b[syscall.SizeofCmsghdr:n])
		b = b[min((n+7)&^7, len(b)):]
	}
	return s.String()
}

// control makes a control message.
func control(level, typ int, data ...byte) []byte {
	b := binary.NativeEndian.AppendUint64(nil, uint64(syscall.SizeofCmsghdr+len(data)))
	b = binary.NativeEndian.AppendUint32(b, uint32(level))
	b = binary.NativeEndian.AppendUint32(b, uint32(typ))
	b = append(b, data...)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

// word is an int in memory.
func word(n int) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(n)) }

func (r *recorder) set(s, level, name int, v []byte) {
	b := buffer(len(v))
	copy(b, v)
	_, e := r.call(syscall.SYS_SETSOCKOPT, r.fd(s), level, name, b, len(v))
	r.note("set %d/%d of %d to %x: %v", level, name, s, v, e)
}

func (r *recorder) get(s, level, name, size int) {
	for {
		b, n := buffer(size), buffer(4)
		n[0] = byte(size)
		_, e := r.call(syscall.SYS_GETSOCKOPT, r.fd(s), level, name, b, n)
		line := fmt.Sprintf("get %d/%d of %d: %x", level, name, s, b[:n[0]])
		if e != 0 {
			line = fmt.Sprintf("get %d/%d of %d: %v", level, name, s, e)
		}
		if !r.again(line) {
			r.log = append(r.log, line)
			return
		}
	}
}

// ask is get for an option whose value holds a question.
func (r *recorder) ask(s, level, name int, question []byte) {
	b, n := buffer(len(question)), buffer(4)
	copy(b, question)
	binary.NativeEndian.PutUint32(n, uint32(len(question)))
	_, e := r.call(syscall.SYS_GETSOCKOPT, r.fd(s), level, name, b, n)
	if e != 0 {
		r.note("ask %d/%d of %d for %x: %v", level, name, s, question, e)
		return
	}
	r.note("ask %d/%d of %d for %x: %x", level, name, s, question, b[:min(len(b), int(binary.NativeEndian.Uint32(n)))])
}

func (r *recorder) shutdown(s, how int) {
	_, e := r.call(syscall.SYS_SHUTDOWN, r.fd(s), how)
	r.note("shutdown %d: %v", s, e)
}
