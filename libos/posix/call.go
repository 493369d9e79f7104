package posix

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// Call serves a system call by its number and gives what Linux's wrapper in package runtime would: r is -1 and errno
// set where it fails. It may park the calling goroutine and grow its stack; memory that the arguments point to must
// not move meanwhile.
//
// It knows the calls that std's own packages make. libos/posix/linux has the others, for programs that make system
// calls themselves.
func Call(nr, a1, a2, a3, a4, a5, a6 uintptr) (r, errno uintptr) {
	a := [6]uintptr{a1, a2, a3, a4, a5, a6}
	r, e := serve(nr, &a)
	if e != 0 {
		r = ^uintptr(0)
	}
	if Tracer != nil && !typed(nr) {
		Tracer(nr, a, r, e)
	}
	return r, uintptr(e)
}

// typed tells the calls whose typed functions trace themselves.
func typed(nr uintptr) bool {
	switch nr {
	case syscall.SYS_READ, syscall.SYS_WRITE, syscall.SYS_PREAD64, syscall.SYS_PWRITE64, syscall.SYS_CLOSE, syscall.SYS_DUP,
		syscall.SYS_DUP3, syscall.SYS_FCNTL, syscall.SYS_FSTAT, syscall.SYS_PIPE2:
		return true
	}
	return false
}

// Serve is Call for other libOS packages: a call made for another's sake, which is not traced.
func Serve(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) { return serve(nr, &a) }

// FD makes a descriptor of an argument: the kernel's are 32 bits.
func FD(a uintptr) int { return int(int32(a)) }

func serve(nr uintptr, a *[6]uintptr) (uintptr, syscall.Errno) {
	if r, ok := identity(nr, a[0]); ok {
		return r, 0
	}
	var def syscall.Errno // what a descriptor gives that does not know the call
	switch nr {
	case syscall.SYS_OPENAT, syscall.SYS_READLINKAT, syscall.SYS_MKDIRAT, syscall.SYS_UNLINKAT, syscall.SYS_RENAMEAT,
		sysRenameat2, syscall.SYS_LINKAT, syscall.SYS_SYMLINKAT, syscall.SYS_FCHMODAT, sysFchmodat2, syscall.SYS_FCHOWNAT,
		syscall.SYS_UTIMENSAT, syscall.SYS_MKNODAT, syscall.SYS_FACCESSAT, sysFaccessat2, syscall.SYS_CHDIR,
		syscall.SYS_TRUNCATE, syscall.SYS_STATFS, sysFstatat, sysOpenat2:
		if files != nil {
			return files(nr, *a)
		}
		return 0, syscall.ENOENT

	case syscall.SYS_GETCWD:
		if files != nil {
			if r, e := files(nr, *a); e != syscall.ENOSYS {
				return r, e
			}
		}
		p, e := user.Bytes(a[0], a[1])
		if e == 0 && len(p) < 2 {
			e = syscall.ERANGE
		}
		if e != 0 {
			return 0, e
		}
		return uintptr(copy(p, "/\x00")), 0

	case syscall.SYS_GETDENTS64, syscall.SYS_FCHDIR:
		def = syscall.ENOTDIR
	case syscall.SYS_FTRUNCATE, syscall.SYS_FSYNC, syscall.SYS_FDATASYNC, syscall.SYS_FALLOCATE, syscall.SYS_FCHMOD,
		syscall.SYS_FCHOWN, syscall.SYS_FLOCK, syscall.SYS_FADVISE64,
		syscall.SYS_SPLICE, syscall.SYS_SENDFILE: // std then reads and writes
		def = syscall.EINVAL
	case syscall.SYS_FSTATFS:
		def = syscall.ENOSYS
	case syscall.SYS_BIND, syscall.SYS_CONNECT, syscall.SYS_LISTEN, syscall.SYS_ACCEPT, syscall.SYS_ACCEPT4,
		syscall.SYS_GETSOCKNAME, syscall.SYS_GETPEERNAME, syscall.SYS_SENDTO, syscall.SYS_RECVFROM, syscall.SYS_SETSOCKOPT,
		syscall.SYS_GETSOCKOPT, syscall.SYS_SHUTDOWN, syscall.SYS_SENDMSG, syscall.SYS_RECVMSG, sysSendmmsg, sysRecvmmsg:
		def = syscall.ENOTSOCK
	case syscall.SYS_MMAP:
		const anonymous, populate = 0x20, 0x8000
		if a[3]&anonymous != 0 {
			r, e := Anonymous(*a)
			if e == 0 && a[3]&populate != 0 {
				bringIn(r, a[1])
			}
			return r, e
		}
		f := Get(FD(a[4]))
		if f == nil {
			return 0, syscall.EBADF
		}
		r, e := f.call(nr, a, syscall.ENODEV)
		f.Put()
		return r, e

	case syscall.SYS_FCNTL:
		r, e := Fcntl(FD(a[0]), int(uint32(a[1])), int(a[2]))
		return uintptr(r), e
	case syscall.SYS_LSEEK:
		r, e := Lseek(FD(a[0]), int64(a[1]), int(a[2]))
		return uintptr(r), e
	case syscall.SYS_SOCKET, syscall.SYS_SOCKETPAIR:
		if a[0] < uintptr(len(families)) && families[a[0]] != nil {
			return families[a[0]](nr, *a)
		}
		return 0, syscall.EAFNOSUPPORT
	case syscall.SYS_UNAME:
		u := user.At[Utsname](a[0])
		if u == nil {
			return 0, syscall.EFAULT
		}
		Uname(u)
		return 0, 0
	case syscall.SYS_KILL:
		return 0, Kill(int(int32(a[0])), int(int32(a[1])))
	case syscall.SYS_WAIT4, syscall.SYS_WAITID:
		return 0, syscall.ECHILD
	case syscall.SYS_EXIT_GROUP:
		hwExit(int(int32(a[0])))

	// Threads, memory and signals belong to the runtime's bottom half.
	case syscall.SYS_GETTID, syscall.SYS_TGKILL, syscall.SYS_FUTEX, syscall.SYS_SCHED_GETAFFINITY:
		return hwRawCall(nr, a[0], a[1], a[2], a[3], a[4], a[5])

	default:
		if more != nil {
			return more(nr, *a)
		}
		return 0, syscall.ENOSYS
	}
	f := Get(FD(a[0]))
	if f == nil {
		return 0, syscall.EBADF
	}
	r, e := f.call(nr, a, def)
	f.Put()
	if e == syscall.EINVAL && (nr == syscall.SYS_SENDFILE || nr == syscall.SYS_SPLICE) && more != nil {
		if r, e2 := more(nr, *a); e2 != syscall.ENOSYS {
			return r, e2
		}
	}
	return r, e
}
