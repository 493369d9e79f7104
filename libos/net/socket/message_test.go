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
		any  syscall.RawSockaddrAny
		room uint32
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
		"sendto and recvfrom by package syscall's door": func() {
			if n, e := posix.Sendto(u, m.data[:], 0, unsafe.Pointer(&sa[0]), uint32(len(sa))); n != len(m.data) || e != 0 {
				t.Fatal(n, e)
			}
			m.room = uint32(unsafe.Sizeof(m.any))
			n, e := posix.Recvfrom(v, m.data[:], 0, &m.any, &m.room)
			if n != len(m.data) || e != 0 || m.room != uint32(len(sa)) || m.any.Addr.Family != syscall.AF_INET {
				t.Fatal(n, e, m.room, m.any.Addr.Family)
			}
			binary.NativeEndian.PutUint16(m.from[:], m.any.Addr.Family)
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

// TestDoorOfMessages: what package syscall's wrappers of recvfrom and sendto reach tells errors as Linux does.
func TestDoorOfMessages(t *testing.T) {
	w := &world{kernel: posix.Call}
	u, e := w.call(syscall.SYS_SOCKET, syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK, 0)
	if e != 0 {
		t.Fatal(e)
	}
	defer posix.Close(u)
	p := make([]byte, 8)
	var rsa syscall.RawSockaddrAny
	to := unsafe.Pointer(&rsa)
	size := uint32(unsafe.Sizeof(rsa))
	if n, e := posix.Recvfrom(u, p, 0, &rsa, &size); n != -1 || e != syscall.EAGAIN {
		t.Error(n, e)
	}
	if n, e := posix.Recvfrom(u, p, syscall.MSG_DONTWAIT, nil, nil); n != -1 || e != syscall.EAGAIN {
		t.Error("without an address:", n, e)
	}
	if n, e := posix.Sendto(u, p, 0, to, 129); n != -1 || e != syscall.EINVAL {
		t.Error("an address too long:", n, e)
	}
	if n, e := posix.Sendto(u, p, 0, to, 2); n != -1 || e != syscall.EINVAL {
		t.Error("an address too short:", n, e)
	}
	if n, e := posix.Sendto(u, p, 0, nil, 0); n != -1 || e != syscall.EDESTADDRREQ {
		t.Error("no address:", n, e)
	}
	if n, e := posix.Sendto(1<<20, p, 0, nil, 0); n != -1 || e != syscall.EBADF {
		t.Error("no descriptor:", n, e)
	}
	if n, e := posix.Recvfrom(1, p, 0, nil, nil); n != -1 || e != syscall.ENOTSOCK {
		t.Error("no socket:", n, e)
	}
}
