package posix

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// A Messenger is an Object that sends and receives messages with addresses: a socket. What it is given may lie on the caller's stack: see Object. An address is struct
// sockaddr's bytes.
type Messenger interface {
	Object

	// RecvFrom is recvfrom(2). It stores the sender's address in from, as much as there is room for, and returns its true length.
	RecvFrom(f *File, p []byte, flags int, from []byte) (n, size int, e syscall.Errno)

	// SendTo is sendto(2). An empty address: to the peer.
	SendTo(f *File, p []byte, flags int, to []byte) (n int, e syscall.Errno)
}

// recvFrom is recvfrom(2) with memory for the address; size is the address's length.
func recvFrom(fd int, p []byte, flags int, from []byte) (n, size int, e syscall.Errno) {
	n, size, e = -1, -1, syscall.EBADF
	if f := Get(fd); f != nil {
		e = syscall.ENOTSOCK
		if m, ok := f.obj.(Messenger); ok {
			n, size, e = m.RecvFrom(f, p, flags, from)
		}
		f.Put()
	}
	if Tracer != nil {
		traced(syscall.SYS_RECVFROM, n, e, uintptr(fd), user.Address(p), uintptr(len(p)))
	}
	return n, size, e
}

// sendTo is sendto(2).
func sendTo(fd int, p []byte, flags int, to []byte) (n int, e syscall.Errno) {
	n, e = -1, syscall.EBADF
	if f := Get(fd); f != nil {
		e = syscall.ENOTSOCK
		if m, ok := f.obj.(Messenger); ok {
			n, e = m.SendTo(f, p, flags, to)
		}
		f.Put()
	}
	if Tracer != nil {
		traced(syscall.SYS_SENDTO, n, e, uintptr(fd), user.Address(p), uintptr(len(p)))
	}
	return n, e
}
