package linux

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// serveLegacy serves the calls that only amd64 has: older forms of newer ones.
func serveLegacy(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
	switch nr {
	case syscall.SYS_OPEN:
		return again(syscall.SYS_OPENAT, atCWD, a[0], a[1], a[2])
	case syscall.SYS_CREAT:
		return again(syscall.SYS_OPENAT, atCWD, a[0], syscall.O_CREAT|syscall.O_WRONLY|syscall.O_TRUNC, a[1])
	case syscall.SYS_STAT:
		return again(syscall.SYS_NEWFSTATAT, atCWD, a[0], a[1], 0)
	case syscall.SYS_LSTAT:
		return again(syscall.SYS_NEWFSTATAT, atCWD, a[0], a[1], 0x100) // AT_SYMLINK_NOFOLLOW
	case syscall.SYS_ACCESS:
		return again(syscall.SYS_FACCESSAT, atCWD, a[0], a[1])
	case syscall.SYS_MKDIR:
		return again(syscall.SYS_MKDIRAT, atCWD, a[0], a[1])
	case syscall.SYS_MKNOD:
		return again(syscall.SYS_MKNODAT, atCWD, a[0], a[1], a[2])
	case syscall.SYS_UNLINK:
		return again(syscall.SYS_UNLINKAT, atCWD, a[0], 0)
	case syscall.SYS_RMDIR:
		return again(syscall.SYS_UNLINKAT, atCWD, a[0], 0x200) // AT_REMOVEDIR
	case syscall.SYS_RENAME:
		return again(syscall.SYS_RENAMEAT, atCWD, a[0], atCWD, a[1])
	case syscall.SYS_LINK:
		return again(syscall.SYS_LINKAT, atCWD, a[0], atCWD, a[1])
	case syscall.SYS_SYMLINK:
		return again(syscall.SYS_SYMLINKAT, a[0], atCWD, a[1])
	case syscall.SYS_READLINK:
		return again(syscall.SYS_READLINKAT, atCWD, a[0], a[1], a[2])
	case syscall.SYS_CHMOD:
		return again(syscall.SYS_FCHMODAT, atCWD, a[0], a[1])
	case syscall.SYS_CHOWN:
		return again(syscall.SYS_FCHOWNAT, atCWD, a[0], a[1], a[2])
	case syscall.SYS_LCHOWN:
		return again(syscall.SYS_FCHOWNAT, atCWD, a[0], a[1], a[2], 0x100)
	case syscall.SYS_PIPE:
		return again(syscall.SYS_PIPE2, a[0], 0)
	case syscall.SYS_DUP2:
		return n(posix.Dup2(posix.FD(a[0]), posix.FD(a[1])))
	case syscall.SYS_EVENTFD:
		return n(eventfd2(uint32(a[0]), 0))
	case syscall.SYS_EPOLL_CREATE:
		if int32(a[0]) <= 0 {
			return 0, syscall.EINVAL
		}
		return n(epollCreate(0))
	case syscall.SYS_EPOLL_WAIT:
		return epollWaitCall(a, afterMS(int32(a[3])))
	case syscall.SYS_POLL:
		return pollCall(a, afterMS(int32(a[2])))
	case syscall.SYS_SELECT:
		deadline := int64(forever)
		if a[4] != 0 {
			tv := user.At[syscall.Timeval](a[4])
			if tv == nil {
				return 0, syscall.EFAULT
			}
			if tv.Sec < 0 || tv.Usec < 0 {
				return 0, syscall.EINVAL
			}
			deadline = after(min(tv.Sec, 1<<32)*1e9 + min(tv.Usec, 1<<32)*1e3)
		}
		return selectCall(a, deadline)
	case syscall.SYS_TIME:
		now, _ := clockNow(clockRealtime)
		sec := now / 1e9
		if a[0] != 0 {
			if e := user.Put(a[0], &sec); e != 0 {
				return 0, e
			}
		}
		return uintptr(sec), 0
	case syscall.SYS_GETPGRP:
		return posix.PID, 0
	case syscall.SYS_PAUSE:
		sleepUntil(forever)
	case syscall.SYS_ARCH_PRCTL:
		return posix.RawCall(nr, a)
	}
	if before != nil {
		return before(nr, a)
	}
	return 0, syscall.ENOSYS
}

// atCWD is AT_FDCWD, -100.
const atCWD = ^uintptr(99)

// again makes another call.
func again(nr uintptr, args ...uintptr) (uintptr, syscall.Errno) {
	var a [6]uintptr
	copy(a[:], args)
	return posix.Serve(nr, a)
}
