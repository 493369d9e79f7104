package memfile

import (
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/posix"
	_ "github.com/hardtack-os/hardtack/libos/posix/outbox" // others' paths are still theirs
)

func call(nr uintptr, path string, a2, a3 uintptr) (uintptr, syscall.Errno) {
	p := append([]byte(path), 0)
	r, _, e := posix.Call(nr, ^uintptr(99), uintptr(unsafe.Pointer(&p[0])), a2, a3, 0, 0)
	runtime.KeepAlive(p)
	return r, syscall.Errno(e)
}

func TestFiles(t *testing.T) {
	text := "one"
	Provide("/etc/x", File{func() []byte { return []byte(text) }, func() int64 { return 77 }})
	fd, e := call(syscall.SYS_OPENAT, "/etc/../etc/x", syscall.O_RDONLY, 0)
	if e != 0 {
		t.Fatal(e)
	}
	text = "other"
	b := make([]byte, 10)
	if n, e := posix.Read(int(fd), b[:2]); string(b[:n]) != "on" || e != 0 {
		t.Errorf("%q %v", b[:n], e)
	}
	if n, e := posix.Pread(int(fd), b, 0); string(b[:n]) != "one" || e != 0 {
		t.Errorf("%q %v", b[:n], e)
	}
	if n, e := posix.Lseek(int(fd), -1, 2); n != 2 || e != 0 {
		t.Errorf("%d %v", n, e)
	}
	posix.Close(int(fd))
	st := new(syscall.Stat_t)
	if _, e := call(syscall.SYS_NEWFSTATAT, "/etc/x", uintptr(unsafe.Pointer(st)), 0); e != 0 || st.Size != 5 || st.Mtim.Sec != 77 {
		t.Errorf("%+v %v", st, e)
	}
	for _, x := range []struct {
		path  string
		flags uintptr
		want  syscall.Errno
	}{
		{"/etc/x", syscall.O_WRONLY, syscall.EROFS}, {"/etc/x", syscall.O_CREAT | syscall.O_EXCL, syscall.EEXIST}, {"/etc/x", syscall.O_DIRECTORY, syscall.ENOTDIR},
		{"/etc", 0, syscall.ENOENT}, {"/etc/y", 0, syscall.ENOENT}, {"/outbox", 0, 0},
	} {
		fd, e := call(syscall.SYS_OPENAT, x.path, x.flags, 0)
		if e != x.want {
			t.Errorf("%s, %#x: %v, want %v", x.path, x.flags, e, x.want)
		}
		if e == 0 {
			posix.Close(int(fd))
		}
	}
}
