package linux

import (
	"runtime"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// n makes a result of a count and an errno.
func n(n int, e syscall.Errno) (uintptr, syscall.Errno) { return uintptr(n), e }

// bad is what a call on a descriptor gives for other arguments that are no good: EBADF goes before.
func bad(fd uintptr, e syscall.Errno) (uintptr, syscall.Errno) {
	f := posix.Get(posix.FD(fd))
	if f == nil {
		return 0, syscall.EBADF
	}
	f.Put()
	return 0, e
}

// serve is the switch over the calls that all machines have.
func serve(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
	switch nr {

	// What libos/posix offers as Go functions, by number.
	case syscall.SYS_READ, syscall.SYS_WRITE, syscall.SYS_PREAD64, syscall.SYS_PWRITE64:
		p, e := user.Bytes(a[1], a[2])
		if e != 0 {
			return bad(a[0], e)
		}
		switch nr {
		case syscall.SYS_READ:
			return n(posix.Read(posix.FD(a[0]), p))
		case syscall.SYS_WRITE:
			return n(posix.Write(posix.FD(a[0]), p))
		case syscall.SYS_PREAD64:
			return n(posix.Pread(posix.FD(a[0]), p, int64(a[3])))
		}
		return n(posix.Pwrite(posix.FD(a[0]), p, int64(a[3])))
	case syscall.SYS_READV, syscall.SYS_WRITEV, syscall.SYS_PREADV, syscall.SYS_PWRITEV, sysPreadv2, sysPwritev2:
		return vectored(nr, a)
	case syscall.SYS_CLOSE:
		return 0, posix.Close(posix.FD(a[0]))
	case sysCloseRange:
		return 0, closeRange(uint(uint32(a[0])), uint(uint32(a[1])), int(uint32(a[2])))
	case syscall.SYS_DUP:
		return n(posix.Dup(posix.FD(a[0])))
	case syscall.SYS_DUP3:
		return n(posix.Dup3(posix.FD(a[0]), posix.FD(a[1]), int(a[2])))
	case syscall.SYS_FCNTL:
		return fcntl(a)
	case syscall.SYS_IOCTL:
		return ioctl(a)
	case syscall.SYS_FSTAT:
		st := user.At[syscall.Stat_t](a[1])
		if st == nil {
			return bad(a[0], syscall.EFAULT)
		}
		return 0, posix.Fstat(posix.FD(a[0]), st)
	case syscall.SYS_PIPE2:
		fds := user.At[[2]int32](a[0])
		if fds == nil {
			return 0, syscall.EFAULT
		}
		return 0, posix.Pipe2(fds, int(a[1]))
	case sysGetrandom:
		p, e := user.Bytes(a[0], a[1])
		if e != 0 {
			return 0, e
		}
		return n(posix.Getrandom(p, uint(a[2])))
	case sysPrlimit64:
		return limitCall(a[0], a[1], a[2], a[3])
	case syscall.SYS_GETRLIMIT:
		return limitCall(0, a[0], 0, a[1])
	case syscall.SYS_SETRLIMIT:
		return limitCall(0, a[0], a[1], 0)

	// More kinds of descriptors, and waiting for several.
	case syscall.SYS_EVENTFD2:
		return n(eventfd2(uint32(a[0]), int(a[1])))
	case syscall.SYS_TIMERFD_CREATE:
		return n(timerfdCreate(int(a[0]), int(a[1])))
	case syscall.SYS_TIMERFD_SETTIME:
		spec, old := user.At[itimerspec](a[2]), user.At[itimerspec](a[3])
		if spec == nil || old == nil && a[3] != 0 {
			return 0, syscall.EFAULT
		}
		return 0, timerfdSettime(posix.FD(a[0]), int(a[1]), spec, old)
	case syscall.SYS_TIMERFD_GETTIME:
		cur := user.At[itimerspec](a[1])
		if cur == nil {
			return bad(a[0], syscall.EFAULT)
		}
		return 0, timerfdGettime(posix.FD(a[0]), cur)
	case syscall.SYS_EPOLL_CREATE1:
		return n(epollCreate(int(a[0])))
	case syscall.SYS_EPOLL_CTL:
		return epollCtlCall(a)
	case syscall.SYS_EPOLL_PWAIT:
		return epollWaitCall(a, afterMS(int32(a[3])))
	case sysEpollPwait2:
		return timed(a[3], a, epollWaitCall)
	case syscall.SYS_PPOLL:
		return timed(a[2], a, pollCall)
	case syscall.SYS_PSELECT6:
		return timed(a[4], a, selectCall)

	// Time.
	case syscall.SYS_CLOCK_GETTIME, syscall.SYS_CLOCK_GETRES:
		ns, e := clockNow(int(int32(a[0])))
		if nr == syscall.SYS_CLOCK_GETRES {
			ns = 1
		}
		if e != 0 || a[1] == 0 && nr == syscall.SYS_CLOCK_GETRES {
			return 0, e
		}
		ts := syscall.NsecToTimespec(ns)
		return 0, user.Put(a[1], &ts)
	case syscall.SYS_CLOCK_SETTIME:
		ts := user.At[syscall.Timespec](a[1])
		if _, e := clockNow(int(int32(a[0]))); e != 0 {
			return 0, e
		}
		if ts == nil {
			return 0, syscall.EFAULT
		}
		return 0, setClock(int(int32(a[0])), ts)
	case syscall.SYS_SETTIMEOFDAY:
		if a[0] == 0 {
			return 0, 0 // a time zone, which nobody keeps
		}
		tv := user.At[syscall.Timeval](a[0])
		if tv == nil {
			return 0, syscall.EFAULT
		}
		if uint64(tv.Usec) >= 1e6 {
			return 0, syscall.EINVAL
		}
		return 0, setClock(clockRealtime, &syscall.Timespec{Sec: tv.Sec, Nsec: tv.Usec * 1000})
	case syscall.SYS_GETTIMEOFDAY:
		if a[0] == 0 {
			return 0, 0
		}
		now, _ := clockNow(clockRealtime)
		tv := syscall.NsecToTimeval(now)
		return 0, user.Put(a[0], &tv)
	case syscall.SYS_NANOSLEEP:
		ts := user.At[syscall.Timespec](a[0])
		if ts == nil {
			return 0, syscall.EFAULT
		}
		return 0, clockNanosleep(clockMonotonic, 0, ts)
	case syscall.SYS_CLOCK_NANOSLEEP:
		ts := user.At[syscall.Timespec](a[2])
		if ts == nil {
			return 0, syscall.EFAULT
		}
		return 0, clockNanosleep(int(int32(a[0])), int(a[1]), ts)
	case syscall.SYS_TIMES:
		return times(user.At[syscall.Tms](a[0])), 0

	// Who and where.
	case syscall.SYS_SETHOSTNAME:
		if int32(a[1]) < 0 || int32(a[1]) > 64 {
			return 0, syscall.EINVAL
		}
		p, e := user.Bytes(a[0], uintptr(int32(a[1])))
		if e == 0 {
			posix.SetHostName(string(p))
		}
		return 0, e
	case syscall.SYS_GETPGID, syscall.SYS_GETSID:
		if a[0] > posix.PID {
			return 0, syscall.ESRCH
		}
		return posix.PID, 0
	case syscall.SYS_SETPGID, syscall.SYS_SETSID:
		return 0, syscall.EPERM // the leader of its session
	case syscall.SYS_SETUID, syscall.SYS_SETGID:
		return 0, become(a[0])
	case syscall.SYS_SETREUID, syscall.SYS_SETREGID:
		return 0, becomeSome(a[0], a[1])
	case syscall.SYS_SETRESUID, syscall.SYS_SETRESGID:
		return 0, becomeSome(a[0], a[1], a[2])
	case syscall.SYS_GETRESUID, syscall.SYS_GETRESGID:
		return 0, identities(a[0], a[1], a[2])
	case syscall.SYS_SETFSUID, syscall.SYS_SETFSGID:
		return root, 0 // what it was; it has no way to fail
	case syscall.SYS_SETGROUPS:
		return 0, setgroups(a[0], a[1])
	case syscall.SYS_CAPGET:
		return 0, capget(a[0], a[1])
	case syscall.SYS_CAPSET:
		return 0, capset(a[0], a[1])
	case syscall.SYS_SYSINFO:
		s := user.At[syscall.Sysinfo_t](a[0])
		if s == nil {
			return 0, syscall.EFAULT
		}
		sysinfo(s)
		return 0, 0
	case syscall.SYS_GETRUSAGE:
		r := user.At[syscall.Rusage](a[1])
		if r == nil {
			return 0, syscall.EFAULT
		}
		return 0, getrusage(int(int32(a[0])), r)
	case syscall.SYS_GETPRIORITY:
		return 20, 0 // nice 0
	case syscall.SYS_SYNC:
		if before != nil {
			before(nr, a)
		}
		return 0, 0
	case syscall.SYS_SETPRIORITY, syscall.SYS_MLOCK, syscall.SYS_MUNLOCK, syscall.SYS_MLOCKALL, syscall.SYS_MUNLOCKALL:
		return 0, 0
	case syscall.SYS_PRCTL:
		return prctl(a)
	case syscall.SYS_SCHED_YIELD:
		runtime.Gosched()
		return 0, 0

	// Threads, memory and signals belong to the runtime's bottom half.
	case syscall.SYS_TKILL, syscall.SYS_SCHED_SETAFFINITY, syscall.SYS_MUNMAP, syscall.SYS_MPROTECT, syscall.SYS_MADVISE,
		syscall.SYS_MINCORE, syscall.SYS_MREMAP, syscall.SYS_BRK,
		syscall.SYS_RT_SIGACTION, syscall.SYS_RT_SIGPROCMASK, syscall.SYS_RT_SIGPENDING, syscall.SYS_SIGALTSTACK,
		syscall.SYS_EXIT, syscall.SYS_SETITIMER, syscall.SYS_GETITIMER, syscall.SYS_TIMER_CREATE, syscall.SYS_TIMER_SETTIME,
		syscall.SYS_TIMER_DELETE, sysGetcpu, sysMembarrier:
		return posix.RawCall(nr, a)

	}
	return serveLegacy(nr, a)
}

// timed calls f with the deadline that the timespec at p tells: for ever where p is 0.
func timed(p uintptr, a [6]uintptr, f func([6]uintptr, int64) (uintptr, syscall.Errno)) (uintptr, syscall.Errno) {
	if p == 0 {
		return f(a, forever)
	}
	ts := user.At[syscall.Timespec](p)
	if ts == nil {
		return 0, syscall.EFAULT
	}
	ns, ok := nanoseconds(ts)
	if !ok {
		return 0, syscall.EINVAL
	}
	return f(a, after(ns))
}

func epollCtlCall(a [6]uintptr) (uintptr, syscall.Errno) {
	var events posix.Events
	var data uint64
	if a[1] != syscall.EPOLL_CTL_DEL {
		p, e := user.Bytes(a[3], epollEventSize)
		if e != 0 {
			return 0, e
		}
		events, data = epollEvent(p)
	}
	return 0, epollCtl(posix.FD(a[0]), int(int32(a[1])), posix.FD(a[2]), events, data)
}

func epollWaitCall(a [6]uintptr, deadline int64) (uintptr, syscall.Errno) {
	count := int(int32(a[2]))
	if count <= 0 || count > 1<<31/epollEventSize {
		return 0, syscall.EINVAL
	}
	p, e := user.Bytes(a[1], uintptr(count)*epollEventSize)
	if e != 0 {
		return 0, e
	}
	return n(epollWait(posix.FD(a[0]), p, deadline))
}

func pollCall(a [6]uintptr, deadline int64) (uintptr, syscall.Errno) {
	if a[1] > uintptr(posix.MaxFiles) {
		return 0, syscall.EINVAL
	}
	fds, ok := user.Array[pollFD](a[0], a[1])
	if !ok {
		return 0, syscall.EFAULT
	}
	return uintptr(pollWait(fds, deadline)), 0
}

func selectCall(a [6]uintptr, deadline int64) (uintptr, syscall.Errno) {
	count := int(int32(a[0]))
	if count < 0 {
		return 0, syscall.EINVAL
	}
	count = min(count, posix.MaxFiles)
	var sets [3][]uint64
	for i := range sets {
		if a[1+i] == 0 {
			continue
		}
		set, ok := user.Array[uint64](a[1+i], uintptr(count+63)/64)
		if !ok {
			return 0, syscall.EFAULT
		}
		sets[i] = set
	}
	return n(selectWait(count, &sets, deadline))
}

func limitCall(who, resource, set, old uintptr) (uintptr, syscall.Errno) {
	s, o := user.At[syscall.Rlimit](set), user.At[syscall.Rlimit](old)
	if s == nil && set != 0 || o == nil && old != 0 {
		return 0, syscall.EFAULT
	}
	return 0, posix.Prlimit(int(int32(who)), int(int32(resource)), s, o)
}
