package socket

import (
	"encoding/binary"
	"runtime"
	"syscall"
	"testing"
	"time"
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

// TestDoorOfConnections: what package syscall's wrappers of accept4, getsockname and setsockopt reach says what the calls by number say, which the host's kernel judges elsewhere.
func TestDoorOfConnections(t *testing.T) {
	w := &world{kernel: posix.Call}
	socket := func(kind int) int {
		fd, e := w.call(syscall.SYS_SOCKET, syscall.AF_INET, kind|syscall.SOCK_NONBLOCK, 0)
		if e != 0 {
			t.Fatal(e)
		}
		t.Cleanup(func() { posix.Close(fd) })
		return fd
	}
	l, c := socket(syscall.SOCK_STREAM), socket(syscall.SOCK_STREAM)
	sa := inetAddr("127.0.0.1:0")
	w.call(syscall.SYS_BIND, l, sa, len(sa))
	w.call(syscall.SYS_LISTEN, l, 4)
	binary.BigEndian.PutUint16(sa[2:], portOf(w, l))
	var rsa syscall.RawSockaddrAny
	raw := (*[unsafe.Sizeof(rsa)]byte)(unsafe.Pointer(&rsa))
	size := uint32(len(raw))
	if fd, e := posix.Accept4(l, &rsa, &size, 0); fd != -1 || e != syscall.EAGAIN || size != uint32(len(raw)) {
		t.Error("nobody there:", fd, e, size)
	}
	if _, e := w.call(syscall.SYS_CONNECT, c, sa, len(sa)); e != 0 && e != syscall.EINPROGRESS {
		t.Fatal(e)
	}
	fd, e := posix.Accept4(l, &rsa, &size, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
	for ; e == syscall.EAGAIN; fd, e = posix.Accept4(l, &rsa, &size, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC) {
		time.Sleep(time.Millisecond) // who delivers may be the timer of an earlier test's connection
	}
	if e != 0 {
		t.Fatal(e)
	}
	defer posix.Close(fd)
	if port := binary.BigEndian.Uint16(raw[2:]); rsa.Addr.Family != syscall.AF_INET || size != uint32(len(sa)) || port != portOf(w, c) {
		t.Error("the peer:", rsa.Addr.Family, size, port, portOf(w, c))
	}
	if flags, e := posix.Fcntl(fd, syscall.F_GETFL, 0); e != 0 || flags&syscall.O_NONBLOCK == 0 {
		t.Error("it waits:", flags, e)
	}
	size = 4 // less than there is: the true length is told
	raw[4] = 99
	if e := posix.Getsockname(fd, &rsa, &size); e != 0 || size != uint32(len(sa)) || binary.BigEndian.Uint16(raw[2:]) != portOf(w, l) || raw[4] != 99 {
		t.Error("a name in too little room:", e, size, raw[:8])
	}
	on := int32(1)
	if e := posix.Setsockopt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, unsafe.Pointer(&on), 4); e != 0 {
		t.Error(e)
	}
	got, n := make([]byte, 4), make([]byte, 4)
	binary.NativeEndian.PutUint32(n, 4)
	if _, e := w.call(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, got, n); e != 0 || got[0] != 1 {
		t.Error("what was set is not:", e, got)
	}

	full := uint32(len(raw))
	negative := ^uint32(0)
	for name, x := range map[string]struct{ got, want syscall.Errno }{
		"accept4, flags":         {second(posix.Accept4(l, nil, nil, 1)), syscall.EINVAL},
		"accept4, length":        {second(posix.Accept4(l, &rsa, &negative, 0)), syscall.EINVAL},
		"accept4, closed":        {second(posix.Accept4(1<<20, nil, nil, 0)), syscall.EBADF},
		"accept4, no socket":     {second(posix.Accept4(1, nil, nil, 0)), syscall.ENOTSOCK},
		"accept4, not listening": {second(posix.Accept4(c, nil, nil, 0)), syscall.EINVAL},
		"getsockname, nowhere":   {posix.Getsockname(fd, nil, nil), syscall.EFAULT},
		"getsockname, length":    {posix.Getsockname(fd, &rsa, &negative), syscall.EINVAL},
		"getsockname, closed":    {posix.Getsockname(1<<20, &rsa, &full), syscall.EBADF},
		"getsockname, no socket": {posix.Getsockname(1, &rsa, &full), syscall.ENOTSOCK},
		"setsockopt, short":      {posix.Setsockopt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, unsafe.Pointer(&on), 3), syscall.EINVAL},
		"setsockopt, length":     {posix.Setsockopt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, unsafe.Pointer(&on), ^uintptr(0)), syscall.EINVAL},
		"setsockopt, nothing":    {posix.Setsockopt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, nil, 4), syscall.EFAULT},
		"setsockopt, unknown":    {posix.Setsockopt(fd, syscall.IPPROTO_TCP, 9999, unsafe.Pointer(&on), 4), syscall.ENOPROTOOPT},
		"setsockopt, closed":     {posix.Setsockopt(1<<20, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, unsafe.Pointer(&on), 4), syscall.EBADF},
		"setsockopt, no socket":  {posix.Setsockopt(1, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, unsafe.Pointer(&on), 4), syscall.ENOTSOCK},
	} {
		if x.got != x.want {
			t.Errorf("%s: %v, want %v", name, x.got, x.want)
		}
	}
}

// second is the error of a call.
func second(_ int, e syscall.Errno) syscall.Errno { return e }
