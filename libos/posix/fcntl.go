package posix

import "syscall"

// Fcntl is fcntl(2): what is the same for every descriptor; the rest it leaves to the object.
func Fcntl(fd, cmd, arg int) (n int, e syscall.Errno) {
	n, e = -1, syscall.EBADF
	if f := Get(fd); f != nil {
		n, e = f.fcntl(fd, cmd, arg)
		f.Put()
	}
	if Tracer != nil {
		traced(syscall.SYS_FCNTL, n, e, uintptr(fd), uintptr(cmd), uintptr(arg))
	}
	return n, e
}

func (f *File) fcntl(fd, cmd, arg int) (int, syscall.Errno) {
	switch cmd {
	case syscall.F_DUPFD, syscall.F_DUPFD_CLOEXEC:
		return dupFrom(fd, arg, cmd == syscall.F_DUPFD_CLOEXEC)
	case syscall.F_GETFD, syscall.F_SETFD:
		was := table.cloexec(fd, cmd == syscall.F_SETFD, arg&syscall.FD_CLOEXEC != 0)
		if was && cmd == syscall.F_GETFD {
			return syscall.FD_CLOEXEC, 0
		}
		return 0, 0
	case syscall.F_GETFL:
		return int(f.Flags()), 0
	case syscall.F_SETFL:
		f.SetStatus(statusFlags, uint32(arg))
		return 0, 0
	}
	a := [6]uintptr{uintptr(fd), uintptr(cmd), uintptr(arg)}
	r, e := f.call(syscall.SYS_FCNTL, &a, syscall.EINVAL)
	if e == syscall.EINVAL && more != nil {
		r, e = more(syscall.SYS_FCNTL, a)
	}
	if e != 0 {
		return -1, e
	}
	return int(r), 0
}
