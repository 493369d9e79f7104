package posix

import (
	"syscall"
	"testing"
	"unsafe"
)

func callErr(nr uintptr, a ...uintptr) (uintptr, syscall.Errno) {
	var v [6]uintptr
	copy(v[:], a)
	r, e := Call(nr, v[0], v[1], v[2], v[3], v[4], v[5])
	return r, syscall.Errno(e)
}

func TestCall(t *testing.T) {
	pipe := func() uintptr {
		var fds [2]int32
		Pipe2(&fds, 0)
		t.Cleanup(func() { Close(int(fds[0])); Close(int(fds[1])) })
		return uintptr(fds[0])
	}()
	var name [8]byte
	path := uintptr(unsafe.Pointer(&name))
	const bad = 999
	for _, c := range []struct {
		what string
		nr   uintptr
		a    []uintptr
		r    uintptr
		e    syscall.Errno
	}{
		{"getpid", syscall.SYS_GETPID, nil, 1, 0},
		{"getppid", syscall.SYS_GETPPID, nil, 0, 0},
		{"getuid", syscall.SYS_GETUID, nil, 0, 0},
		{"getgroups", syscall.SYS_GETGROUPS, nil, 0, 0},
		{"openat", syscall.SYS_OPENAT, []uintptr{0, path}, 0, syscall.ENOENT},
		{"newfstatat", syscall.SYS_NEWFSTATAT, []uintptr{0, path}, 0, syscall.ENOENT},
		{"getcwd", syscall.SYS_GETCWD, []uintptr{path, 8}, 2, 0},
		{"getcwd short", syscall.SYS_GETCWD, []uintptr{path, 1}, 0, syscall.ERANGE},
		{"getcwd null", syscall.SYS_GETCWD, []uintptr{0, 8}, 0, syscall.EFAULT},
		{"getdents64", syscall.SYS_GETDENTS64, []uintptr{pipe}, 0, syscall.ENOTDIR},
		{"fsync", syscall.SYS_FSYNC, []uintptr{pipe}, 0, syscall.EINVAL},
		{"fsync of nothing", syscall.SYS_FSYNC, []uintptr{bad}, 0, syscall.EBADF},
		{"bind", syscall.SYS_BIND, []uintptr{pipe}, 0, syscall.ENOTSOCK},
		{"socket", syscall.SYS_SOCKET, []uintptr{syscall.AF_INET, 1, 0}, 0, syscall.EAFNOSUPPORT},
		{"socket of no family", syscall.SYS_SOCKET, []uintptr{1000, 1, 0}, 0, syscall.EAFNOSUPPORT},
		{"mmap of a pipe", syscall.SYS_MMAP, []uintptr{0, 4096, 1, 1, pipe}, 0, syscall.ENODEV},
		{"uname null", syscall.SYS_UNAME, []uintptr{0}, 0, syscall.EFAULT},
		{"uname page 0", syscall.SYS_UNAME, []uintptr{100}, 0, syscall.EFAULT},
		{"uname kernel half", syscall.SYS_UNAME, []uintptr{1 << 63}, 0, syscall.EFAULT},
		{"kill another", syscall.SYS_KILL, []uintptr{77, 9}, 0, syscall.ESRCH},
		{"kill with no signal", syscall.SYS_KILL, []uintptr{1, 0}, 0, 0},
		{"kill with 65", syscall.SYS_KILL, []uintptr{1, 65}, 0, syscall.EINVAL},
		{"wait4", syscall.SYS_WAIT4, nil, 0, syscall.ECHILD},
		{"fork", syscall.SYS_FORK, nil, 0, syscall.ENOSYS},
		{"nothing", 100000, nil, 0, syscall.ENOSYS},
		{"fcntl", syscall.SYS_FCNTL, []uintptr{pipe, syscall.F_GETFL}, 0, 0},
		{"fcntl unknown", syscall.SYS_FCNTL, []uintptr{pipe, 77}, 0, syscall.EINVAL},
		{"lseek", syscall.SYS_LSEEK, []uintptr{pipe}, 0, syscall.ESPIPE},
	} {
		r, e := callErr(c.nr, c.a...)
		if c.e != 0 {
			c.r = ^uintptr(0)
		}
		if r != c.r || e != c.e {
			t.Errorf("%s: %#x %v, want %#x %v", c.what, r, e, c.r, c.e)
		}
	}
}

func TestUmask(t *testing.T) {
	if old, _ := callErr(syscall.SYS_UMASK, 0o7077); old != 0o022 {
		t.Errorf("%o", old)
	}
	if old, _, ok := callInPlace(syscall.SYS_UMASK, 0o022, 0, 0, 0, 0, 0); old != 0o077 || !ok {
		t.Errorf("%o %v", old, ok)
	}
	if _, _, ok := callInPlace(syscall.SYS_READ, 0, 0, 0, 0, 0, 0); ok {
		t.Error("read in place")
	}
}

// TestSeams registers what libos/fs and libos/net will.
func TestSeams(t *testing.T) {
	RegisterFiles(func(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
		if nr != syscall.SYS_OPENAT {
			return 0, syscall.EROFS
		}
		fd, e := Install(file{}, int(a[2]))
		return uintptr(fd), e
	}, nil)
	RegisterSockets(syscall.AF_INET, func(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) { return a[1], 0 })
	Extend(func(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) { return nr + a[5], 0 })
	defer func() { files, families[syscall.AF_INET], more = nil, nil, nil }()

	r, e := callErr(syscall.SYS_OPENAT, 0, 0, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_CREAT)
	fd := int(r)
	if e != 0 {
		t.Fatal(e)
	}
	defer Close(fd)
	if fl, _ := Fcntl(fd, syscall.F_GETFL, 0); fl != 0 {
		t.Errorf("flags %x", fl)
	}
	if n, e := Pread(fd, nil, 42); n != 42 || e != 0 {
		t.Error(n, e)
	}
	if n, e := Pwrite(fd, nil, 42); n != -1 || e != syscall.EBADF {
		t.Error("write to what is open for reading:", n, e)
	}
	if n, e := Pread(fd, nil, -1); n != -1 || e != syscall.EINVAL {
		t.Error(n, e)
	}
	if n, e := Lseek(fd, 7, 2); n != 9 || e != 0 {
		t.Error(n, e)
	}
	for _, c := range []struct{ nr, a1, want uintptr }{
		{syscall.SYS_MKDIRAT, 0, ^uintptr(0)}, {syscall.SYS_FTRUNCATE, 5, 105}, {syscall.SYS_SOCKET, 3, 3}, {500, 0, 500},
	} {
		a0 := uintptr(fd)
		if c.nr == syscall.SYS_SOCKET {
			a0 = syscall.AF_INET
		}
		if r, e := callErr(c.nr, a0, c.a1); r != c.want {
			t.Error(c, r, e)
		}
	}
	if _, e := callErr(syscall.SYS_FSYNC, uintptr(fd)); e != syscall.EINVAL {
		t.Error("what the object does not know:", e)
	}
}

type file struct{ regular }

func (file) Pread(f *File, p []byte, off int64) (int, syscall.Errno)  { return int(off), 0 }
func (file) Pwrite(f *File, p []byte, off int64) (int, syscall.Errno) { return int(off), 0 }
func (file) Seek(f *File, off int64, whence int) (int64, syscall.Errno) {
	return off + int64(whence), 0
}
func (file) Call(f *File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	return a[1] + 100, 0, nr == syscall.SYS_FTRUNCATE
}

func TestTracer(t *testing.T) {
	var calls []uintptr
	Tracer = func(nr uintptr, a [6]uintptr, r uintptr, e syscall.Errno) { calls = append(calls, nr) }
	defer func() { Tracer = nil }()
	Read(999, nil)
	callErr(syscall.SYS_GETPID)
	callErr(syscall.SYS_FCNTL, 999)
	if len(calls) != 3 || calls[0] != syscall.SYS_READ || calls[1] != syscall.SYS_GETPID || calls[2] != syscall.SYS_FCNTL {
		t.Error(calls)
	}
}
