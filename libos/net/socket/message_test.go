package socket

import (
	"encoding/binary"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// TestMessagesAllocateNothing: a datagram that is sent and received, by sendmsg and recvmsg and by sendto and recvfrom, with its addresses; and a socket's own.
func TestMessagesAllocateNothing(t *testing.T) {
	if race {
		t.Skip("the race detector has sync.Pool forget things on purpose")
	}
	w := &world{kernel: posix.Call}
	socket := func() int {
		fd, e := w.call(syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK, 0)
		if e != 0 {
			t.Fatal(e)
		}
		t.Cleanup(func() { posix.Close(fd) })
		return fd
	}
	u, v := socket(), socket()
	sa := inetAddr("127.0.0.1:0")
	w.call(syscall.SYS_BIND, v, sa, len(sa))
	binary.BigEndian.PutUint16(sa[2:], portOf(w, v))
	// A call is of the memory that a program has, none of it made here.
	type message struct {
		hdr  syscall.Msghdr
		iov  syscall.Iovec
		data [1000]byte
		from [28]byte
		size int32
	}
	m := new(message)
	m.iov = syscall.Iovec{Base: &m.data[0], Len: uint64(len(m.data))}
	call := func(nr uintptr, a ...uintptr) {
		var b [6]uintptr
		copy(b[:], a)
		if r, e := posix.Call(nr, b[0], b[1], b[2], b[3], b[4], b[5]); e != 0 || int(r) != len(m.data) {
			t.Fatal(nr, int(r), syscall.Errno(e))
		}
	}
	hdr, data, from := uintptr(unsafe.Pointer(&m.hdr)), uintptr(unsafe.Pointer(&m.data)), uintptr(unsafe.Pointer(&m.from))
	for name, f := range map[string]func(){
		"sendmsg and recvmsg": func() {
			m.hdr = syscall.Msghdr{Name: &sa[0], Namelen: uint32(len(sa)), Iov: &m.iov, Iovlen: 1}
			call(syscall.SYS_SENDMSG, uintptr(u), hdr)
			m.hdr.Name, m.hdr.Namelen = &m.from[0], uint32(len(m.from))
			call(syscall.SYS_RECVMSG, uintptr(v), hdr)
		},
		"sendto and recvfrom": func() {
			call(syscall.SYS_SENDTO, uintptr(u), data, uintptr(len(m.data)), 0, uintptr(unsafe.Pointer(&sa[0])), uintptr(len(sa)))
			m.size = int32(len(m.from))
			call(syscall.SYS_RECVFROM, uintptr(v), data, uintptr(len(m.data)), 0, from, uintptr(unsafe.Pointer(&m.size)))
		},
		"getsockname": func() {
			m.size = int32(len(m.from))
			if _, e := posix.Call(syscall.SYS_GETSOCKNAME, uintptr(v), from, uintptr(unsafe.Pointer(&m.size)), 0, 0, 0); e != 0 {
				t.Fatal(syscall.Errno(e))
			}
		},
	} {
		for range 100 {
			f()
		}
		if n := testing.AllocsPerRun(1000, f); n > 0.1 {
			t.Errorf("%s: %v allocations", name, n)
		}
		if binary.NativeEndian.Uint16(m.from[:]) != syscall.AF_INET {
			t.Errorf("%s: no address came", name)
		}
	}
	runtime.KeepAlive(m)
}
