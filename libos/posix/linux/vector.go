package linux

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// here, as an offset, is the object's own position.
const here = -1

// readv reads once, into a buffer as long as iov, and deals it out: 64 KiB at most, reading less than asked being
// anyone's right. Buffer by buffer it could block with something read.
func readv(fd int, iov []syscall.Iovec, off int64) (int, syscall.Errno) {
	total := uint(0)
	for i := range iov {
		total += uint(iov[i].Len)
	}
	buf := make([]byte, min(total, 64<<10))
	var n int
	var e syscall.Errno
	if off == here {
		n, e = posix.Read(fd, buf)
	} else {
		n, e = posix.Pread(fd, buf, off)
	}
	rest := buf[:max(n, 0)]
	for i := range iov {
		rest = rest[copy(user.Buffer(&iov[i]), rest):]
	}
	return n, e
}

func writev(fd int, iov []syscall.Iovec, off int64) (n int, e syscall.Errno) {
	if off == here {
		return posix.Writev(fd, iov)
	}
	for i := range iov {
		p := user.Buffer(&iov[i])
		c, e := posix.Pwrite(fd, p, off+int64(n))
		if e != 0 && n == 0 {
			return -1, e
		}
		n += max(c, 0)
		if c < len(p) {
			break
		}
	}
	return n, 0
}

// vectored serves the calls with iovecs.
func vectored(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
	iov, e := user.Vector(a[1], a[2])
	off := int64(here)
	switch nr {
	case syscall.SYS_PREADV, syscall.SYS_PWRITEV:
		if off = int64(a[3]); off < 0 && e == 0 {
			e = syscall.EINVAL
		}
	case sysPreadv2, sysPwritev2:
		if off = int64(a[3]); off < here && e == 0 {
			e = syscall.EINVAL
		}
		if a[5] != 0 && e == 0 {
			e = syscall.EOPNOTSUPP
		}
	}
	if e != 0 {
		return bad(a[0], e)
	}
	if nr == syscall.SYS_READV || nr == syscall.SYS_PREADV || nr == sysPreadv2 {
		return n(readv(posix.FD(a[0]), iov, off))
	}
	return n(writev(posix.FD(a[0]), iov, off))
}
