package outbox

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// listen collects the control records of a test, and empties the box.
func listen(t *testing.T) *strings.Builder {
	var log strings.Builder
	control = func(s string) { log.WriteString(s + "\n") }
	clearBox(t)
	log.Reset()
	t.Cleanup(func() { control = posix.Control })
	return &log
}

// clearBox removes all files.
func clearBox(t *testing.T) {
	fd := open(t, Path, syscall.O_RDONLY)
	buf := make([]byte, 8192)
	n, e := posix.Serve(syscall.SYS_GETDENTS64, [6]uintptr{uintptr(fd), addr(&buf[0]), uintptr(len(buf))})
	if e != 0 {
		t.Fatal(e)
	}
	_, _, names := syscall.ParseDirent(buf[:n], -1, nil)
	for _, name := range names {
		if _, e := path(syscall.SYS_UNLINKAT, Path+"/"+name, 0); e != 0 {
			t.Fatal(name, e)
		}
	}
}

// addr is p as an argument of a call. What p points to is moved to the heap for it: a stack moves while a call runs, and the argument does not go with it.
func addr[T any](p *T) uintptr {
	kept = p
	return uintptr(unsafe.Pointer(p))
}

var kept any

// path calls nr with a path behind a folder's descriptor that does not matter.
func path(nr uintptr, name string, rest ...uintptr) (uintptr, syscall.Errno) {
	b, _ := syscall.BytePtrFromString(name)
	a := [6]uintptr{^uintptr(99), addr(b)}
	copy(a[2:], rest)
	return posix.Serve(nr, a)
}

func open(t *testing.T, name string, flags int) int {
	t.Helper()
	fd, e := path(syscall.SYS_OPENAT, name, uintptr(flags), 0o666)
	if e != 0 {
		t.Fatalf("open %s: %v", name, e)
	}
	t.Cleanup(func() { posix.Close(int(fd)) })
	return int(fd)
}

func TestFileGoesOut(t *testing.T) {
	log := listen(t)
	fd := open(t, Path+"/tmp.a", syscall.O_RDWR|syscall.O_CREAT|syscall.O_TRUNC)
	big := strings.Repeat("x", maxRecord+10)
	for _, s := range []string{"hello\n", big} {
		if n, e := posix.Write(fd, []byte(s)); n != len(s) || e != 0 {
			t.Fatal(n, e)
		}
	}
	if n, e := posix.Pwrite(fd, []byte("J"), 0); n != 1 || e != 0 {
		t.Fatal(n, e)
	}
	if _, e := posix.Serve(syscall.SYS_FTRUNCATE, [6]uintptr{uintptr(fd), 8}); e != 0 {
		t.Fatal(e)
	}
	to, _ := syscall.BytePtrFromString(Path + "/a")
	if _, e := path(syscall.SYS_RENAMEAT, Path+"/tmp.a", 0, addr(to)); e != 0 {
		t.Fatal(e)
	}
	if _, e := path(syscall.SYS_UNLINKAT, Path+"/a", 0); e != 0 {
		t.Fatal(e)
	}
	posix.Write(fd, []byte("nobody hears this"))
	want := "file create tmp.a\n" +
		"file data tmp.a 0 6\nhello\n\n" +
		fmt.Sprintf("file data tmp.a 6 %d\n%s\n", maxRecord, big[:maxRecord]) +
		fmt.Sprintf("file data tmp.a %d 10\nxxxxxxxxxx\n", 6+maxRecord) +
		"file data tmp.a 0 1\nJ\n" +
		"file size tmp.a 8\n" +
		"file rename tmp.a a\n" +
		"file remove a\n"
	if log.String() != want {
		t.Errorf("records are\n%q\nwant\n%q", log, want)
	}
}

func TestReadBack(t *testing.T) {
	listen(t)
	fd := open(t, Path+"/a", syscall.O_RDWR|syscall.O_CREAT)
	posix.Write(fd, []byte("0123456789"))
	buf := make([]byte, 4)
	if n, e := posix.Pread(fd, buf, 8); n != 2 || e != 0 || string(buf[:2]) != "89" {
		t.Error(n, e)
	}
	for _, c := range []struct {
		off    int64
		whence int
		want   int64
		e      syscall.Errno
	}{{-3, 2, 7, 0}, {-8, 1, -1, syscall.EINVAL}, {1, 1, 8, 0}, {2, 0, 2, 0}, {0, 7, -1, syscall.EINVAL}} {
		if off, e := posix.Lseek(fd, c.off, c.whence); off != c.want || e != c.e {
			t.Errorf("seek %d from %d: %d, %v", c.off, c.whence, off, e)
		}
	}
	if n, e := posix.Read(fd, buf); n != 4 || e != 0 || string(buf) != "2345" {
		t.Error(n, e, string(buf))
	}
	app := open(t, Path+"/a", syscall.O_WRONLY|syscall.O_APPEND)
	posix.Write(app, []byte("ab"))
	var st syscall.Stat_t
	if _, e := path(syscall.SYS_NEWFSTATAT, Path+"/a", addr(&st)); e != 0 || st.Size != 12 || st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		t.Errorf("%v, %+v", e, st)
	}
	if _, e := posix.Read(app, buf); e != syscall.EBADF {
		t.Error(e)
	}
	open(t, Path+"/a", syscall.O_WRONLY|syscall.O_TRUNC)
	if n, e := posix.Pread(fd, buf, 0); n != 0 || e != 0 {
		t.Error(n, e)
	}
}

func TestFolder(t *testing.T) {
	listen(t)
	for i := range 40 {
		open(t, fmt.Sprintf("%s/file%02d", Path, i), syscall.O_WRONLY|syscall.O_CREAT)
	}
	fd := open(t, Path+"/", syscall.O_RDONLY|syscall.O_DIRECTORY)
	var names []string
	buf := make([]byte, 200)
	for {
		n, e := posix.Serve(syscall.SYS_GETDENTS64, [6]uintptr{uintptr(fd), addr(&buf[0]), uintptr(len(buf))})
		if e != 0 {
			t.Fatal(e)
		}
		if n == 0 {
			break
		}
		_, _, names = syscall.ParseDirent(buf[:n], -1, names)
	}
	slices.Sort(names)
	if len(names) != 40 || names[0] != "file00" || names[39] != "file39" {
		t.Error(names)
	}
	if _, e := posix.Serve(syscall.SYS_GETDENTS64, [6]uintptr{uintptr(open(t, Path, 0)), addr(&buf[0]), 10}); e != syscall.EINVAL {
		t.Error(e)
	}
}

func TestRefused(t *testing.T) {
	log := listen(t)
	open(t, Path+"/a", syscall.O_WRONLY|syscall.O_CREAT)
	log.Reset()
	for _, c := range []struct {
		nr   uintptr
		path string
		arg  uintptr
		want syscall.Errno
	}{
		{syscall.SYS_OPENAT, "/outboxes", 0, syscall.ENOENT},
		{syscall.SYS_OPENAT, Path + "/b", 0, syscall.ENOENT},
		{syscall.SYS_OPENAT, Path + "/b/c", syscall.O_CREAT | 1, syscall.ENOENT},
		{syscall.SYS_OPENAT, Path + "/x y", syscall.O_CREAT | 1, syscall.EINVAL},
		{syscall.SYS_OPENAT, Path + "/x\nfile remove a", syscall.O_CREAT | 1, syscall.EINVAL},
		{syscall.SYS_OPENAT, Path, 1, syscall.EISDIR},
		{syscall.SYS_OPENAT, Path + "/a", syscall.O_CREAT | syscall.O_EXCL | 1, syscall.EEXIST},
		{syscall.SYS_OPENAT, Path + "/a", syscall.O_DIRECTORY, syscall.ENOTDIR},
		{syscall.SYS_MKDIRAT, Path, 0, syscall.EEXIST},
		{syscall.SYS_MKDIRAT, Path + "/d", 0, syscall.EPERM},
		{syscall.SYS_UNLINKAT, Path + "/b", 0, syscall.ENOENT},
		{syscall.SYS_UNLINKAT, Path + "/a", 0x200, syscall.ENOTDIR},
		{syscall.SYS_UNLINKAT, Path, 0x200, syscall.EBUSY},
		{syscall.SYS_NEWFSTATAT, Path + "/a", 0, syscall.EFAULT},
		{syscall.SYS_SYMLINKAT, Path + "/l", 0, syscall.EFAULT},
		{syscall.SYS_MKNODAT, Path + "/p", syscall.S_IFIFO, syscall.EPERM},
	} {
		if _, e := path(c.nr, c.path, c.arg); e != c.want {
			t.Errorf("call %d of %q: %v, want %v", c.nr, c.path, e, c.want)
		}
	}
	if log.Len() != 0 {
		t.Errorf("refused calls told the host %q", log)
	}
}
