package posix

import (
	"syscall"
	"unsafe"
)

// maxAddr is the size of struct sockaddr_storage.
const maxAddr = 128

// Recvfrom is recvfrom(2), with the pointers that package syscall's wrapper has: from and fromlen are nil together.
func Recvfrom(fd int, p []byte, flags int, from *syscall.RawSockaddrAny, fromlen *uint32) (n int, e syscall.Errno) {
	var room []byte
	if from != nil {
		if int32(*fromlen) < 0 {
			return -1, syscall.EINVAL
		}
		room = (*[unsafe.Sizeof(*from)]byte)(unsafe.Pointer(from))[:min(int(*fromlen), int(unsafe.Sizeof(*from)))]
	}
	n, size, e := recvFrom(fd, p, flags, room)
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
