package posix

import (
	"syscall"
	"unsafe"
)

// maxAddr is the size of struct sockaddr_storage.
const maxAddr = 128

// room is the memory for an address that a wrapper has: sa and its length are nil together.
func room(sa *syscall.RawSockaddrAny, length *uint32) ([]byte, syscall.Errno) {
	if sa == nil {
		return nil, 0
	}
	if int32(*length) < 0 {
		return nil, syscall.EINVAL
	}
	return (*[unsafe.Sizeof(*sa)]byte)(unsafe.Pointer(sa))[:min(int(*length), int(unsafe.Sizeof(*sa)))], 0
}

// Recvfrom is recvfrom(2), with the pointers that package syscall's wrapper has.
func Recvfrom(fd int, p []byte, flags int, from *syscall.RawSockaddrAny, fromlen *uint32) (n int, e syscall.Errno) {
	r, e := room(from, fromlen)
	if e != 0 {
		return -1, e
	}
	n, size, e := recvFrom(fd, p, flags, r)
	if e == 0 && from != nil {
		*fromlen = uint32(size)
	}
	return n, e
}

// Sendto is sendto(2) likewise, with an address of addrlen bytes.
func Sendto(fd int, p []byte, flags int, to unsafe.Pointer, addrlen uint32) (n int, e syscall.Errno) {
	var addr []byte
	if to != nil {
		if addrlen > maxAddr { // a negative length is a large one
			return -1, syscall.EINVAL
		}
		addr = unsafe.Slice((*byte)(to), int(addrlen))
	}
	return sendTo(fd, p, flags, addr)
}

// Accept4 is accept4(2) likewise.
func Accept4(fd int, from *syscall.RawSockaddrAny, fromlen *uint32, flags int) (conn int, e syscall.Errno) {
	r, e := room(from, fromlen)
	if e != 0 {
		return -1, e
	}
	conn, size, e := accept4(fd, flags, r)
	if e == 0 && from != nil {
		*fromlen = uint32(size)
	}
	return conn, e
}

// Getsockname is getsockname(2) likewise.
func Getsockname(fd int, name *syscall.RawSockaddrAny, length *uint32) syscall.Errno {
	if name == nil {
		return syscall.EFAULT
	}
	r, e := room(name, length)
	if e != 0 {
		return e
	}
	size, e := sockName(fd, r)
	if e == 0 {
		*length = uint32(size)
	}
	return e
}

// Setsockopt is setsockopt(2) likewise.
func Setsockopt(fd, level, name int, val unsafe.Pointer, vallen uintptr) syscall.Errno {
	n := int32(vallen) // what of it there is to a kernel
	if n < 0 {
		return syscall.EINVAL
	}
	if val == nil && n > 0 {
		return syscall.EFAULT
	}
	return setSockOpt(fd, level, name, unsafe.Slice((*byte)(val), n))
}
