package linux

import (
	"runtime"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/load"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

func sysinfo(s *syscall.Sysinfo_t) {
	total, free := posix.Memory()
	*s = syscall.Sysinfo_t{Uptime: posix.Uptime() / 1e9, Totalram: total, Freeram: free, Procs: 1, Unit: 1}
	for i, x := range load.Now() {
		s.Loads[i] = uint64(x * (1 << 16)) // SI_LOAD_SHIFT
	}
}

func getrusage(who int, r *syscall.Rusage) syscall.Errno {
	const children, self, thread = -1, 0, 1
	*r = syscall.Rusage{}
	switch who {
	case children: // there are none
	case self, thread:
		total, free := posix.Memory()
		r.Utime = syscall.NsecToTimeval(posix.CPUTime())
		r.Maxrss = int64(total-free) / 1024
		r.Minflt = int64(posix.Faults())
		for i := range runtime.NumCPU() {
			w := posix.WorkOf(i)
			r.Nvcsw += int64(w.Switches - min(w.Forced, w.Switches))
			r.Nivcsw += int64(w.Forced)
		}
	default:
		return syscall.EINVAL
	}
	return 0
}

// times is times(2); a clock tick is a hundredth of a second.
func times(t *syscall.Tms) uintptr {
	if t != nil {
		*t = syscall.Tms{Utime: posix.CPUTime() / 1e7}
	}
	return uintptr(posix.Uptime() / 1e7)
}

// thread is what prctl(2) remembers: one name for all threads, which nobody but the program sees.
var thread struct {
	mu   park.Mutex
	name [16]byte
}

func prctl(a [6]uintptr) (uintptr, syscall.Errno) {
	if r, e, known := credential(a[0], a[1], a[2], a[3], a[4]); known {
		return r, e
	}
	thread.mu.Lock()
	defer thread.mu.Unlock()
	switch a[0] {
	case syscall.PR_SET_NAME:
		p, e := user.String(a[1])
		if e == 0 {
			thread.name = [16]byte{}
			copy(thread.name[:15], p)
		}
		return 0, e
	case syscall.PR_GET_NAME:
		return 0, user.Put(a[1], &thread.name)
	}
	return 0, syscall.EINVAL
}

// closeRange is close_range(2). There being one process, CLOSE_RANGE_UNSHARE says nothing.
func closeRange(first, last uint, flags int) syscall.Errno {
	const unshare, cloexec = 2, 4
	if flags&^(unshare|cloexec) != 0 || first > last {
		return syscall.EINVAL
	}
	last = min(last, posix.MaxFiles-1)
	for fd := first; fd <= last; fd++ {
		if flags&cloexec == 0 {
			posix.Close(int(fd))
		} else if f := posix.Get(int(fd)); f != nil {
			posix.SetCloexec(int(fd), true)
			f.Put()
		}
	}
	return 0
}

// anonymous describes what has no name: eventfd, timerfd, epoll.
func anonymous(st *syscall.Stat_t) { st.Ino, st.Mode, st.Dev = 1044, 0o600, 16 }
