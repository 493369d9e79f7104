package posix

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// The calls that move bytes. They return -1 with an errno, as Linux does.

// Read is read(2).
func Read(fd int, p []byte) (n int, e syscall.Errno) {
	n, e = -1, syscall.EBADF
	if f := Get(fd); f != nil {
		if f.readable() {
			n, e = f.obj.Read(f, p)
		}
		f.Put()
	}
	if Tracer != nil {
		traced(syscall.SYS_READ, n, e, uintptr(fd), user.Address(p), uintptr(len(p)))
	}
	return n, e
}

// Write is write(2).
func Write(fd int, p []byte) (n int, e syscall.Errno) {
	n, e = -1, syscall.EBADF
	if f := Get(fd); f != nil {
		if f.writable() {
			n, e = f.obj.Write(f, p)
		}
		f.Put()
	}
	if Tracer != nil {
		traced(syscall.SYS_WRITE, n, e, uintptr(fd), user.Address(p), uintptr(len(p)))
	}
	return n, e
}

// Pread is pread(2).
func Pread(fd int, p []byte, off int64) (n int, e syscall.Errno) {
	f, e := positioned(fd, off)
	if n = -1; e == 0 {
		if e = syscall.EBADF; f.readable() {
			n, e = f.pos.Pread(f, p, off)
		}
		f.Put()
	}
	if Tracer != nil {
		traced(syscall.SYS_PREAD64, n, e, uintptr(fd), user.Address(p), uintptr(len(p)))
	}
	return n, e
}

// Pwrite is pwrite(2).
func Pwrite(fd int, p []byte, off int64) (n int, e syscall.Errno) {
	f, e := positioned(fd, off)
	if n = -1; e == 0 {
		if e = syscall.EBADF; f.writable() {
			n, e = f.pos.Pwrite(f, p, off)
		}
		f.Put()
	}
	if Tracer != nil {
		traced(syscall.SYS_PWRITE64, n, e, uintptr(fd), user.Address(p), uintptr(len(p)))
	}
	return n, e
}

// Lseek is lseek(2).
func Lseek(fd int, off int64, whence int) (int64, syscall.Errno) {
	f, e := positioned(fd, 0)
	if e != 0 {
		return -1, e
	}
	off, e = f.pos.Seek(f, off, whence)
	f.Put()
	return off, e
}

// positioned looks up a file with offsets and checks one.
func positioned(fd int, off int64) (*File, syscall.Errno) {
	if off < 0 {
		return nil, syscall.EINVAL
	}
	f := Get(fd)
	if f == nil {
		return nil, syscall.EBADF
	}
	if f.pos == nil {
		f.Put()
		return nil, syscall.ESPIPE
	}
	return f, 0
}

// Fstat is fstat(2).
func Fstat(fd int, st *syscall.Stat_t) (e syscall.Errno) {
	e = syscall.EBADF
	if f := Get(fd); f != nil {
		*st = syscall.Stat_t{Nlink: 1, Blksize: pageSize}
		f.obj.Stat(st)
		f.Put()
		e = 0
	}
	if Tracer != nil {
		traced(syscall.SYS_FSTAT, 0, e, uintptr(fd), 0, 0)
	}
	return e
}
