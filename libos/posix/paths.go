package posix

import (
	"strings"
	"syscall"
)

// Paths serves the calls on paths that programs make most: as plain Go, on the caller's goroutine. Openat may keep path, Fstatat keeps neither path nor st. The errors are those of the calls.
type Paths interface {
	Openat(dirfd int, path string, flags int, mode uint32) (fd int, e syscall.Errno)
	Fstatat(dirfd int, path string, st *syscall.Stat_t, flags int) syscall.Errno
}

// paths serves them; nil: nothing has a path.
var paths Paths

// Openat is openat(2); -1 with an errno. EINVAL for a path with a NUL in it, which package syscall does not pass on.
func Openat(dirfd int, path string, flags int, mode uint32) (fd int, e syscall.Errno) {
	fd, e = -1, hasPath(path)
	if e == 0 {
		fd, e = paths.Openat(dirfd, path, flags, mode)
	}
	if Tracer != nil {
		traced(syscall.SYS_OPENAT, fd, e, uintptr(dirfd), 0, uintptr(flags))
	}
	return fd, e
}

// Fstatat is newfstatat(2).
func Fstatat(dirfd int, path string, st *syscall.Stat_t, flags int) (e syscall.Errno) {
	if e = hasPath(path); e == 0 {
		e = paths.Fstatat(dirfd, path, st, flags)
	}
	if Tracer != nil {
		traced(sysFstatat, 0, e, uintptr(dirfd), 0, 0)
	}
	return e
}

// hasPath tells whether a path can be served.
func hasPath(path string) syscall.Errno {
	switch {
	case strings.IndexByte(path, 0) >= 0:
		return syscall.EINVAL
	case paths == nil:
		return syscall.ENOENT
	}
	return 0
}
