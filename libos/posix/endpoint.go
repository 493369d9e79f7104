package posix

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// An Endpoint is an Object that is a socket, with what package syscall's wrappers ask of one by typed doors. What it is given may lie on the caller's stack: see Object. An address is
// struct sockaddr's bytes.
type Endpoint interface {
	Object

	// RecvFrom is recvfrom(2). It stores the sender's address in from, as much as there is room for, and returns its true length.
	RecvFrom(f *File, p []byte, flags int, from []byte) (n, size int, e syscall.Errno)

	// SendTo is sendto(2). An empty address: to the peer.
	SendTo(f *File, p []byte, flags int, to []byte) (n int, e syscall.Errno)

	// Accept4 is accept4(2). It stores the peer's address in from, as RecvFrom does; nil: nobody wants it.
	Accept4(f *File, flags int, from []byte) (fd, size int, e syscall.Errno)

	// SockName is getsockname(2), likewise.
	SockName(name []byte) (size int, e syscall.Errno)

	// SetSockOpt is setsockopt(2).
	SetSockOpt(level, name int, v []byte) syscall.Errno
}

// recvFrom is recvfrom(2) with memory for the address; size is the address's length.
func recvFrom(fd int, p []byte, flags int, from []byte) (n, size int, e syscall.Errno) {
	n, size, e = -1, -1, syscall.EBADF
	if f := Get(fd); f != nil {
		e = syscall.ENOTSOCK
		if m, ok := f.obj.(Endpoint); ok {
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
		if m, ok := f.obj.(Endpoint); ok {
			n, e = m.SendTo(f, p, flags, to)
		}
		f.Put()
	}
	if Tracer != nil {
		traced(syscall.SYS_SENDTO, n, e, uintptr(fd), user.Address(p), uintptr(len(p)))
	}
	return n, e
}

// accept4 is accept4(2) with memory for the address.
func accept4(fd, flags int, from []byte) (conn, size int, e syscall.Errno) {
	conn, size, e = -1, -1, syscall.EBADF
	if f := Get(fd); f != nil {
		e = syscall.ENOTSOCK
		if m, ok := f.obj.(Endpoint); ok {
			conn, size, e = m.Accept4(f, flags, from)
		}
		f.Put()
	}
	if Tracer != nil {
		traced(syscall.SYS_ACCEPT4, conn, e, uintptr(fd), 0, 0)
	}
	return conn, size, e
}

// sockName is getsockname(2) with memory for the address.
func sockName(fd int, name []byte) (size int, e syscall.Errno) {
	size, e = -1, syscall.EBADF
	if f := Get(fd); f != nil {
		e = syscall.ENOTSOCK
		if m, ok := f.obj.(Endpoint); ok {
			size, e = m.SockName(name)
		}
		f.Put()
	}
	if Tracer != nil {
		traced(syscall.SYS_GETSOCKNAME, 0, e, uintptr(fd), 0, 0)
	}
	return size, e
}

// setSockOpt is setsockopt(2).
func setSockOpt(fd, level, name int, v []byte) syscall.Errno {
	e := syscall.EBADF
	if f := Get(fd); f != nil {
		e = syscall.ENOTSOCK
		if m, ok := f.obj.(Endpoint); ok {
			e = m.SetSockOpt(level, name, v)
		}
		f.Put()
	}
	if Tracer != nil {
		traced(syscall.SYS_SETSOCKOPT, 0, e, uintptr(fd), uintptr(level), uintptr(name))
	}
	return e
}
