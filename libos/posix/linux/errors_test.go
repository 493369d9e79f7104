package linux

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// TestErrors makes calls with something wrong about them, and lets Linux say what.
func TestErrors(t *testing.T) {
	type args []any
	const null, page0 = 0, 0x100
	const rd, wr, ev, ep, none = -101, -102, -103, -104, 900 // descriptors, filled in for each world
	page := make([]byte, 4096)
	mem := unsafe.Pointer(&page[0])
	bad := unsafe.Pointer(&syscall.Timespec{Sec: 1, Nsec: 1e9})
	negative := unsafe.Pointer(&syscall.Timespec{Sec: -1})
	iov := unsafe.Pointer(&[2]syscall.Iovec{{Base: &page[0], Len: 4}, {Base: nil, Len: 4}})
	huge := unsafe.Pointer(&[1]syscall.Iovec{{Base: &page[0], Len: 1 << 63}})
	limit := unsafe.Pointer(&syscall.Rlimit{Cur: 5, Max: 4})
	timer := unsafe.Pointer(&itimerspec{value: syscall.Timespec{Nsec: -1}})
	zero := unsafe.Pointer(&syscall.Timespec{})
	set := unsafe.Pointer(&[64]uint64{14: 1 << 4}) // descriptor 900

	for _, c := range []struct {
		what string
		nr   uintptr
		a    args
	}{
		{"read none", syscall.SYS_READ, args{none, mem, 1}},
		{"read -1", syscall.SYS_READ, args{-1, mem, 1}},
		{"read none null", syscall.SYS_READ, args{none, null, 1}},
		{"read null", syscall.SYS_READ, args{ev, null, 8}},
		{"read the write end", syscall.SYS_READ, args{wr, mem, 1}},
		{"write the read end", syscall.SYS_WRITE, args{rd, mem, 1}},
		{"write page 0", syscall.SYS_WRITE, args{wr, page0, 1}},
		{"write kernel", syscall.SYS_WRITE, args{wr, uintptr(1 << 63), 1}},
		{"write null nothing", syscall.SYS_WRITE, args{wr, null, 0}},
		{"write eventfd -1", syscall.SYS_WRITE, args{ev, unsafe.Pointer(&[1]uint64{1<<64 - 1}), 8}},
		{"write epoll", syscall.SYS_WRITE, args{ep, mem, 8}},
		{"pread", syscall.SYS_PREAD64, args{rd, mem, 1, 0}},
		{"pread negative", syscall.SYS_PREAD64, args{rd, mem, 1, -1}},
		{"pread none", syscall.SYS_PREAD64, args{none, mem, 1, 0}},
		{"pread none negative", syscall.SYS_PREAD64, args{none, mem, 1, -1}},
		{"pwrite", syscall.SYS_PWRITE64, args{wr, mem, 1, 0}},
		{"readv none", syscall.SYS_READV, args{none, iov, 1}},
		{"readv null", syscall.SYS_READV, args{rd, null, 1}},
		{"readv too many", syscall.SYS_READV, args{rd, iov, 1025}},
		{"writev too long", syscall.SYS_WRITEV, args{wr, huge, 1}},
		{"writev of nothing", syscall.SYS_WRITEV, args{wr, iov, 0}},
		{"preadv", syscall.SYS_PREADV, args{rd, iov, 1, 0}},
		{"preadv negative", syscall.SYS_PREADV, args{rd, iov, 1, -1}},
		{"lseek pipe", syscall.SYS_LSEEK, args{rd, 0, 0}},
		{"lseek none", syscall.SYS_LSEEK, args{none, 0, 0}},
		{"close none", syscall.SYS_CLOSE, args{none}},
		{"close -1", syscall.SYS_CLOSE, args{-1}},
		{"dup none", syscall.SYS_DUP, args{none}},
		{"dup2 none", syscall.SYS_DUP2, args{none, 901}},
		{"dup2 none itself", syscall.SYS_DUP2, args{none, none}},
		{"dup2 onto -1", syscall.SYS_DUP2, args{rd, -1}},
		{"dup3 itself", syscall.SYS_DUP3, args{rd, rd, 0}},
		{"dup3 none itself", syscall.SYS_DUP3, args{none, none, 0}},
		{"dup3 flags", syscall.SYS_DUP3, args{rd, 901, 1}},
		{"dup3 far", syscall.SYS_DUP3, args{rd, 1 << 30, 0}},
		{"F_DUPFD -1", syscall.SYS_FCNTL, args{rd, syscall.F_DUPFD, -1}},
		{"F_DUPFD far", syscall.SYS_FCNTL, args{rd, syscall.F_DUPFD, 1 << 30}},
		{"F_GETFD none", syscall.SYS_FCNTL, args{none, syscall.F_GETFD}},
		{"fcntl unknown", syscall.SYS_FCNTL, args{rd, 7777}},
		{"fcntl unknown none", syscall.SYS_FCNTL, args{none, 7777}},
		{"F_SETPIPE_SZ eventfd", syscall.SYS_FCNTL, args{ev, fSetPipeSize, 4096}},
		{"F_GETPIPE_SZ", syscall.SYS_FCNTL, args{rd, fGetPipeSize}},
		{"TCGETS pipe", syscall.SYS_IOCTL, args{rd, syscall.TCGETS, mem}},
		{"ioctl none", syscall.SYS_IOCTL, args{none, syscall.TCGETS, mem}},
		{"FIONREAD null", syscall.SYS_IOCTL, args{rd, fionread, null}},
		{"FIONBIO null", syscall.SYS_IOCTL, args{rd, fionbio, null}},
		{"FIOCLEX", syscall.SYS_IOCTL, args{rd, fioclex}},
		{"fstat null", syscall.SYS_FSTAT, args{rd, null}},
		{"fstat none null", syscall.SYS_FSTAT, args{none, null}},
		{"pipe2 null", syscall.SYS_PIPE2, args{null, 0}},
		{"pipe2 flags", syscall.SYS_PIPE2, args{mem, 1}},
		{"eventfd2 flags", syscall.SYS_EVENTFD2, args{0, 2}},
		{"epoll_create 0", syscall.SYS_EPOLL_CREATE, args{0}},
		{"epoll_create1 flags", syscall.SYS_EPOLL_CREATE1, args{1}},
		{"epoll_ctl itself", syscall.SYS_EPOLL_CTL, args{ep, 1, ep, mem}},
		{"epoll_ctl none", syscall.SYS_EPOLL_CTL, args{none, 1, rd, mem}},
		{"epoll_ctl of none", syscall.SYS_EPOLL_CTL, args{ep, 1, none, mem}},
		{"epoll_ctl no epoll", syscall.SYS_EPOLL_CTL, args{rd, 1, ev, mem}},
		{"epoll_ctl null", syscall.SYS_EPOLL_CTL, args{ep, 1, rd, null}},
		{"epoll_ctl unknown", syscall.SYS_EPOLL_CTL, args{ep, 9, rd, mem}},
		{"epoll_ctl del", syscall.SYS_EPOLL_CTL, args{ep, 2, rd, null}},
		{"epoll_wait none at all", syscall.SYS_EPOLL_WAIT, args{ep, mem, 0, 0}},
		{"epoll_wait -1 at all", syscall.SYS_EPOLL_WAIT, args{ep, mem, -1, 0}},
		{"epoll_wait no epoll", syscall.SYS_EPOLL_WAIT, args{rd, mem, 1, 0}},
		{"epoll_wait none", syscall.SYS_EPOLL_WAIT, args{none, mem, 1, 0}},
		{"epoll_pwait", syscall.SYS_EPOLL_PWAIT, args{ep, mem, 1, 0, null}},
		{"epoll_pwait2", sysEpollPwait2, args{ep, mem, 1, zero, null}},
		{"epoll_pwait2 bad time", sysEpollPwait2, args{ep, mem, 1, bad, null}},
		{"poll null", syscall.SYS_POLL, args{null, 1, 0}},
		{"poll nothing", syscall.SYS_POLL, args{null, 0, 0}},
		{"poll many", syscall.SYS_POLL, args{mem, 1 << 30, 0}},
		{"ppoll bad time", syscall.SYS_PPOLL, args{mem, 0, bad, null}},
		{"ppoll", syscall.SYS_PPOLL, args{null, 0, zero, null}},
		{"select -1", syscall.SYS_SELECT, args{-1, null, null, null, zero}},
		{"select negative", syscall.SYS_SELECT, args{0, null, null, null, negative}},
		{"select page 0", syscall.SYS_SELECT, args{64, page0, null, null, zero}},
		{"pselect6", syscall.SYS_PSELECT6, args{0, null, null, null, zero, null}},
		{"timerfd_create clock", syscall.SYS_TIMERFD_CREATE, args{77, 0}},
		{"timerfd_create flags", syscall.SYS_TIMERFD_CREATE, args{1, 1}},
		{"timerfd_settime pipe", syscall.SYS_TIMERFD_SETTIME, args{rd, 0, mem, null}},
		{"timerfd_settime none", syscall.SYS_TIMERFD_SETTIME, args{none, 0, mem, null}},
		{"timerfd_settime null", syscall.SYS_TIMERFD_SETTIME, args{rd, 0, null, null}},
		{"timerfd_settime bad", syscall.SYS_TIMERFD_SETTIME, args{rd, 0, timer, null}},
		{"timerfd_gettime pipe", syscall.SYS_TIMERFD_GETTIME, args{rd, mem}},
		{"clock_gettime clock", syscall.SYS_CLOCK_GETTIME, args{77, mem}},
		{"clock_gettime null", syscall.SYS_CLOCK_GETTIME, args{1, null}},
		{"clock_getres null", syscall.SYS_CLOCK_GETRES, args{1, null}},
		{"clock_getres clock", syscall.SYS_CLOCK_GETRES, args{77, null}},
		{"clock_settime clock", syscall.SYS_CLOCK_SETTIME, args{77, bad}},
		{"clock_settime null", syscall.SYS_CLOCK_SETTIME, args{clockRealtime, null}},
		{"clock_settime bad", syscall.SYS_CLOCK_SETTIME, args{clockRealtime, bad}},
		{"clock_settime monotonic", syscall.SYS_CLOCK_SETTIME, args{clockMonotonic, bad}},
		{"settimeofday nothing", syscall.SYS_SETTIMEOFDAY, args{null, null}},
		{"settimeofday bad", syscall.SYS_SETTIMEOFDAY, args{bad, null}},
		{"nanosleep null", syscall.SYS_NANOSLEEP, args{null, null}},
		{"nanosleep bad", syscall.SYS_NANOSLEEP, args{bad, null}},
		{"nanosleep negative", syscall.SYS_NANOSLEEP, args{negative, null}},
		{"nanosleep not at all", syscall.SYS_NANOSLEEP, args{zero, null}},
		{"clock_nanosleep thread", syscall.SYS_CLOCK_NANOSLEEP, args{clockThread, 0, zero, null}},
		{"clock_nanosleep clock", syscall.SYS_CLOCK_NANOSLEEP, args{77, 0, zero, null}},
		{"clock_nanosleep past", syscall.SYS_CLOCK_NANOSLEEP, args{clockMonotonic, 1, zero, null}},
		{"getrusage who", syscall.SYS_GETRUSAGE, args{5, mem}},
		{"getrusage null", syscall.SYS_GETRUSAGE, args{0, null}},
		{"getrlimit", syscall.SYS_GETRLIMIT, args{99, mem}},
		{"setrlimit", syscall.SYS_SETRLIMIT, args{99, mem}},
		{"setrlimit inverted", syscall.SYS_SETRLIMIT, args{syscall.RLIMIT_NOFILE, limit}},
		{"prlimit nobody", syscall.SYS_PRLIMIT64, args{1 << 30, syscall.RLIMIT_NOFILE, null, mem}},
		{"sysinfo null", syscall.SYS_SYSINFO, args{null}},
		{"uname null", syscall.SYS_UNAME, args{null}},
		{"sethostname null", syscall.SYS_SETHOSTNAME, args{null, 5}},
		{"sethostname long", syscall.SYS_SETHOSTNAME, args{null, 65}},
		{"sethostname negative", syscall.SYS_SETHOSTNAME, args{null, ^uintptr(0)}},
		{"prctl", syscall.SYS_PRCTL, args{777777}},
		{"prctl name null", syscall.SYS_PRCTL, args{syscall.PR_GET_NAME, null}},
		{"getrandom flags", sysGetrandom, args{mem, 1, 99}},
		{"getrandom both", sysGetrandom, args{mem, 1, 6}},
		{"getrandom null", sysGetrandom, args{null, 1, 0}},
		{"getrandom nothing", sysGetrandom, args{null, 0, 0}},
		{"kill 65", syscall.SYS_KILL, args{1 << 30, 65}},
		{"kill nobody", syscall.SYS_KILL, args{1 << 30, 0}},
		{"close_range inverted", sysCloseRange, args{5, 3, 0}},
		{"close_range flags", sysCloseRange, args{990, 991, 99}},
		{"close_range nothing", sysCloseRange, args{990, 995, 0}},
		{"getcwd short", syscall.SYS_GETCWD, args{mem, 1}},
		{"gettimeofday null", syscall.SYS_GETTIMEOFDAY, args{null, null}},
		{"bind pipe", syscall.SYS_BIND, args{rd, mem, 16}},
		{"accept4 none", syscall.SYS_ACCEPT4, args{none, null, null, 0}},
		{"getdents64 pipe", syscall.SYS_GETDENTS64, args{rd, mem, 100}},
		{"fchdir pipe", syscall.SYS_FCHDIR, args{rd}},
		{"fsync pipe", syscall.SYS_FSYNC, args{rd}},
		{"ftruncate pipe", syscall.SYS_FTRUNCATE, args{rd, 0}},
		{"open of nothing", syscall.SYS_OPEN, args{mem, 0}},
		{"wait4", syscall.SYS_WAIT4, args{-1, null, 1, null}},
		{"nothing", 1000, args{}},
		{"select of none", syscall.SYS_SELECT, args{64 * 15, set, null, null, zero}},
	} {
		var said [2]string
		for i, w := range worlds() {
			w.pipeEventEpoll(t)
			a := append(args{}, c.a...)
			for j, v := range a {
				if n, ok := v.(int); ok && n <= rd && n >= ep {
					a[j] = w.fds[rd-n]
				}
			}
			said[i] = result(w.call(c.nr, a...))
			w.close()
		}
		if said[0] != said[1] {
			t.Errorf("%s: we say %s, Linux %s", c.what, said[0], said[1])
		}
	}
}

// pipeEventEpoll opens a pipe, an eventfd and an epoll.
func (w *world) pipeEventEpoll(t *testing.T) {
	p := new([2]int32)
	_, e := w.call(syscall.SYS_PIPE2, unsafe.Pointer(p), syscall.O_NONBLOCK)
	must(t, 0, e)
	w.fds = append(w.fds, int(p[0]), int(p[1]))
	w.open(w.call(syscall.SYS_EVENTFD2, 1, syscall.O_NONBLOCK))
	w.open(w.call(syscall.SYS_EPOLL_CREATE1, 0))
}

// TestHostNameLength: sethostname's length is an int, of which the upper half of the register is no part.
func TestHostNameLength(t *testing.T) {
	defer posix.SetHostName(posix.HostName())
	name := []byte("x")
	if _, e := call(syscall.SYS_SETHOSTNAME, uintptr(unsafe.Pointer(&name[0])), 1<<32|1); e != 0 || posix.HostName() != "x" {
		t.Error(posix.HostName(), e)
	}
}
