package files

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/memfile"
)

// address is p as an argument of a call. What p points to is moved to the heap for it: a stack moves while a call runs, and the argument does not go with it.
func address[T any](p *T) uintptr {
	var a any = p
	kept.Store(&a)
	return uintptr(unsafe.Pointer(p))
}

var kept atomic.Pointer[any]

// sys makes a call of ours. Strings are paths, pointers and slices addresses.
func sys(nr uintptr, args ...any) (uintptr, syscall.Errno) {
	var a [6]uintptr
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			b := append([]byte(v), 0)
			a[i] = address(&b[0])
			defer runtime.KeepAlive(b)
		case []byte:
			a[i] = address(unsafe.SliceData(v))
			defer runtime.KeepAlive(v)
		case *syscall.Stat_t:
			a[i] = address(v)
		case *statxBuf:
			a[i] = address(v)
		case *syscall.Statfs_t:
			a[i] = address(v)
		case int:
			a[i] = uintptr(v)
		case uintptr:
			a[i] = v
		default:
			panic(fmt.Sprintf("%T", arg))
		}
	}
	return posix.Serve(nr, a)
}

// openPath opens a path and closes it when the test ends.
func openPath(t *testing.T, path string, flags int) int {
	t.Helper()
	fd, e := sys(syscall.SYS_OPENAT, atCWD, path, flags, 0o644)
	if e != 0 {
		t.Fatalf("open %s: %v", path, e)
	}
	t.Cleanup(func() { posix.Close(int(fd)) })
	return int(fd)
}

// content reads a file.
func content(t *testing.T, path string) string {
	t.Helper()
	fd := openPath(t, path, syscall.O_RDONLY)
	var all []byte
	buf := make([]byte, 1000)
	for {
		n, e := posix.Read(fd, buf)
		if e != 0 {
			t.Fatalf("read %s: %v", path, e)
		}
		if n == 0 {
			return string(all)
		}
		all = append(all, buf[:n]...)
	}
}

var folders atomic.Int32 // that tests have had

// fresh makes a folder for a test.
func fresh(t *testing.T) string {
	t.Helper()
	dir := fmt.Sprintf("/tmp/%s.%d", strings.ReplaceAll(t.Name(), "/", "_"), folders.Add(1))
	if _, e := sys(syscall.SYS_MKDIRAT, atCWD, dir, 0o755); e != 0 {
		t.Fatal(e)
	}
	return dir
}

func TestFifo(t *testing.T) {
	dir := fresh(t)
	name := dir + "/p"
	if _, e := sys(syscall.SYS_MKNODAT, atCWD, name, syscall.S_IFIFO|0o644, 0); e != 0 {
		t.Fatal(e)
	}
	if _, e := sys(syscall.SYS_OPENAT, atCWD, name, syscall.O_WRONLY|syscall.O_NONBLOCK, 0); e != syscall.ENXIO {
		t.Error(e)
	}
	for range 3 { // each time a new pipe
		var wg sync.WaitGroup
		wg.Go(func() {
			w, e := sys(syscall.SYS_OPENAT, atCWD, name, syscall.O_WRONLY, 0)
			if e != 0 {
				t.Error(e)
			}
			posix.Write(int(w), []byte("hello"))
			posix.Close(int(w))
		})
		r, e := sys(syscall.SYS_OPENAT, atCWD, name, syscall.O_RDONLY, 0)
		if e != 0 {
			t.Fatal(e)
		}
		buf := make([]byte, 10)
		if n, e := posix.Read(int(r), buf); n != 5 || e != 0 {
			t.Error(n, e)
		}
		wg.Wait()
		if n, e := posix.Read(int(r), buf); n != 0 || e != 0 {
			t.Error("not the end:", n, e)
		}
		w := openPath(t, name, syscall.O_WRONLY) // a writer comes back
		posix.Write(w, []byte("more"))
		if n, e := posix.Read(int(r), buf); n != 4 || e != 0 {
			t.Error(n, e)
		}
		posix.Write(w, []byte("lost"))
		posix.Close(int(r))
		if _, e := posix.Write(w, []byte("x")); e != syscall.EPIPE {
			t.Error(e)
		}
		posix.Close(w)
	}
	both := openPath(t, name, syscall.O_RDWR)
	posix.Write(both, []byte("self"))
	buf := make([]byte, 10)
	if n, e := posix.Read(both, buf); n != 4 || e != 0 || string(buf[:4]) != "self" {
		t.Error(n, e, string(buf[:4]))
	}
	var st syscall.Stat_t
	if posix.Fstat(both, &st); st.Mode != syscall.S_IFIFO|0o644 {
		t.Errorf("%o", st.Mode)
	}
	posix.Close(both)
	if n := len(fifos.of); n != 0 {
		t.Errorf("%d pipes are kept", n)
	}
}

func TestDevices(t *testing.T) {
	buf := bytes.Repeat([]byte{7}, 64)
	for _, c := range []struct {
		name        string
		read, write int
		e           syscall.Errno
	}{
		{"null", 0, 64, 0}, {"zero", 64, 64, 0}, {"full", 64, -1, syscall.ENOSPC}, {"random", 64, 64, 0}, {"urandom", 64, 64, 0},
	} {
		fd := openPath(t, "/dev/"+c.name, syscall.O_RDWR)
		if n, e := posix.Write(fd, buf); n != c.write || e != c.e {
			t.Errorf("write %s: %d, %v", c.name, n, e)
		}
		b := bytes.Clone(buf)
		if n, e := posix.Read(fd, b); n != c.read || e != 0 {
			t.Errorf("read %s: %d, %v", c.name, n, e)
		}
		if zeroes := c.name == "zero" || c.name == "full"; zeroes != bytes.Equal(b, make([]byte, 64)) {
			t.Errorf("%s has %x", c.name, b)
		}
		var st syscall.Stat_t
		if posix.Fstat(fd, &st); st.Mode != syscall.S_IFCHR|0o666 || st.Rdev == 0 {
			t.Errorf("%s: %+v", c.name, st)
		}
	}
	// What Linux numbers so.
	var host, ours syscall.Stat_t
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := syscall.Stat("/dev/"+name, &host); err != nil {
			t.Error(err)
		}
		if _, e := sys(sysStat, atCWD, "/dev/"+name, &ours, 0); e != 0 || ours.Rdev != host.Rdev {
			t.Errorf("%s: %x, the host says %x: %v", name, ours.Rdev, host.Rdev, e)
		}
	}
	tty := openPath(t, "/dev/tty", syscall.O_RDWR)
	if posix.Fstat(tty, &ours); ours.Mode&syscall.S_IFMT != syscall.S_IFCHR {
		t.Errorf("%+v", ours)
	}
	if _, e := sys(syscall.SYS_MKNODAT, atCWD, "/dev/what", syscall.S_IFCHR, 0x7777); e != 0 {
		t.Error(e)
	}
	if _, e := sys(syscall.SYS_OPENAT, atCWD, "/dev/what", 0, 0); e != syscall.ENXIO {
		t.Error(e)
	}
}

// TestCounts: /proc/self/io counts calls on files and their bytes, as the host counts those of a process of its own.
func TestCounts(t *testing.T) {
	dir := fresh(t)
	fd := openPath(t, dir+"/f", syscall.O_RDWR|syscall.O_CREAT)
	defer posix.Close(fd)
	count := func() (n [4]int64, length int64) {
		var disk [3]int64
		text := content(t, "/proc/self/io")
		if _, err := fmt.Sscanf(text, "rchar: %d\nwchar: %d\nsyscr: %d\nsyscw: %d\nread_bytes: %d\nwrite_bytes: %d\ncancelled_write_bytes: %d\n", &n[0], &n[1], &n[2], &n[3], &disk[0], &disk[1], &disk[2]); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return n, int64(len(text))
	}
	first, _ := count()
	was, length := count()
	looking := was[2] - first[2] // calls, to see it once
	buf := make([]byte, 1000)
	for range 3 {
		posix.Write(fd, buf)
	}
	posix.Pwrite(fd, buf, 5000)
	posix.Pread(fd, buf[:10], 0)
	posix.Lseek(fd, 0, 2)
	posix.Read(fd, buf) // the end: a call without bytes
	now, _ := count()
	for i, was := range was {
		now[i] -= was
	}
	now[0] -= length
	now[2] -= looking
	if now != [4]int64{10, 4000, 2, 4} {
		t.Errorf("counted %v", now)
	}
}

// TestWhere: /proc/self/fd says how an open file is called now, or was.
func TestWhere(t *testing.T) {
	dir := fresh(t)
	where := func(fd int) string {
		buf := make([]byte, 300)
		n, e := sys(syscall.SYS_READLINKAT, atCWD, fmt.Sprintf("/proc/self/fd/%d", fd), buf, len(buf))
		if e != 0 {
			return e.Error()
		}
		return string(buf[:n])
	}
	mkdir := func(path string) { sys(syscall.SYS_MKDIRAT, atCWD, path, 0o755) }
	mkdir(dir + "/d")
	mkdir(dir + "/e")
	sys(syscall.SYS_SYMLINKAT, "d", atCWD, dir+"/to")
	sys(syscall.SYS_SYMLINKAT, "../e/f", atCWD, dir+"/d/link")
	folder := openPath(t, dir+"/e", syscall.O_RDONLY)
	fd := openPath(t, dir+"/to/f", syscall.O_RDWR|syscall.O_CREAT)
	n, _ := sys(syscall.SYS_OPENAT, folder, "f", syscall.O_RDWR|syscall.O_CREAT, 0o600)
	other := int(n)
	through := openPath(t, dir+"/to/link", syscall.O_RDONLY)
	again := openPath(t, fmt.Sprintf("/proc/self/fd/%d", fd), syscall.O_RDONLY)
	temp := openPath(t, dir+"/d", syscall.O_RDWR|oTmpfile)
	null := openPath(t, "/dev/null", syscall.O_RDONLY)
	check := func(step string, want map[int]string) {
		t.Helper()
		for fd, want := range want {
			if got := where(fd); got != want {
				t.Errorf("%s: %q, want %q", step, got, want)
			}
		}
	}
	var st syscall.Stat_t
	posix.Fstat(temp, &st)
	check("open", map[int]string{fd: dir + "/d/f", other: dir + "/e/f", through: dir + "/e/f", again: dir + "/d/f", temp: fmt.Sprintf("%s/d/#%d (deleted)", dir, st.Ino), null: "/dev/null", folder: dir + "/e"})
	sys(syscall.SYS_RENAMEAT, atCWD, dir+"/d/f", atCWD, dir+"/d/g")
	check("renamed", map[int]string{fd: dir + "/d/g", again: dir + "/d/g"})
	sys(syscall.SYS_RENAMEAT, atCWD, dir+"/d/g", atCWD, dir+"/e/g")
	check("moved", map[int]string{fd: dir + "/e/g"})
	sys(syscall.SYS_RENAMEAT, atCWD, dir+"/e", atCWD, dir+"/d/e2")
	check("folder moved", map[int]string{fd: dir + "/d/e2/g", other: dir + "/d/e2/f", folder: dir + "/d/e2"})
	sys(syscall.SYS_UNLINKAT, atCWD, dir+"/d/e2/f", 0)
	check("removed", map[int]string{other: dir + "/d/e2/f (deleted)"})
	sys(syscall.SYS_LINKAT, atCWD, fmt.Sprintf("/proc/self/fd/%d", temp), atCWD, dir+"/named", atFollow)
	check("linked", map[int]string{temp: dir + "/named"})
	for _, fd := range []int{folder, fd, other, through, again, temp, null} {
		posix.Close(fd)
	}
}

// TestNamelessForGood: a file of O_TMPFILE gets a name once, and with O_EXCL never.
func TestNamelessForGood(t *testing.T) {
	dir := fresh(t)
	for _, x := range []struct {
		flags int
		want  [2]syscall.Errno
	}{{0, [2]syscall.Errno{0, syscall.EEXIST}}, {syscall.O_EXCL, [2]syscall.Errno{syscall.ENOENT, syscall.ENOENT}}} {
		fd := openPath(t, dir, syscall.O_RDWR|oTmpfile|x.flags)
		for i, path := range []string{fmt.Sprintf("/proc/self/fd/%d", fd), ""} {
			flags := []uintptr{atFollow, atEmptyPath}[i]
			if _, e := sys(syscall.SYS_LINKAT, fd, path, atCWD, fmt.Sprintf("%s/%d", dir, x.flags), int(flags)); e != x.want[i] {
				t.Errorf("flags %#x, by %q: %v, want %v", x.flags, path, e, x.want[i])
			}
		}
		posix.Close(fd)
	}
}

// TestDescriptors opens what is open by /proc/self/fd.
func TestDescriptors(t *testing.T) {
	dir := fresh(t)
	fd := openPath(t, dir+"/f", syscall.O_RDWR|syscall.O_CREAT)
	posix.Write(fd, []byte("text"))
	sys(syscall.SYS_UNLINKAT, atCWD, dir+"/f", 0)
	if got := content(t, fmt.Sprintf("/proc/self/fd/%d", fd)); got != "text" {
		t.Errorf("%q", got)
	}
	var fds [2]int32
	posix.Pipe2(&fds, 0)
	w := openPath(t, fmt.Sprintf("/dev/fd/%d", fds[1]), syscall.O_WRONLY)
	posix.Write(w, []byte("pipe"))
	buf := make([]byte, 300)
	if n, e := posix.Read(int(fds[0]), buf); n != 4 || e != 0 {
		t.Error(n, e)
	}
	n, e := sys(syscall.SYS_READLINKAT, atCWD, fmt.Sprintf("/proc/self/fd/%d", fds[0]), buf, len(buf))
	if e != 0 || !strings.HasPrefix(string(buf[:n]), "pipe:[") {
		t.Errorf("%q %v", buf[:n], e)
	}
	posix.Close(int(fds[0]))
	posix.Close(int(fds[1]))
	if _, e := sys(syscall.SYS_OPENAT, atCWD, fmt.Sprintf("/proc/self/fd/%d", fds[0]), 0, 0); e != syscall.ENOENT {
		t.Error(e)
	}
	if _, e := sys(syscall.SYS_OPENAT, atCWD, "/dev/stdout", syscall.O_WRONLY, 0); e != 0 {
		t.Error(e)
	}
}

// TestMapZero maps /dev/zero, and /dev/full, in all ways, as the host does.
func TestMapZero(t *testing.T) {
	for _, name := range []string{"/dev/zero", "/dev/full"} {
		for _, mode := range []int{syscall.O_RDONLY, syscall.O_WRONLY, syscall.O_RDWR} {
			host, err := syscall.Open(name, mode, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Close(host)
			fd := openPath(t, name, mode)
			for prot := range uintptr(4) {
				for kind := range uintptr(5) {
					for _, n := range []uintptr{0, 1, 3 * 4096} {
						for _, off := range []uintptr{0, 1, 4096, 1 << 40} {
							at, _, want := syscall.Syscall6(syscall.SYS_MMAP, 0, n, prot, kind, uintptr(host), off)
							if want == 0 {
								syscall.Syscall(syscall.SYS_MUNMAP, at, n, 0)
							}
							at, e := sys(syscall.SYS_MMAP, 0, n, prot, kind, fd, off)
							if e != want {
								t.Fatalf("mmap of %s opened with %d, %d bytes from %d, protection %d, flags %d: %v, want %v", name, mode, n, off, prot, kind, e, want)
							}
							if e != 0 {
								continue
							}
							if b := unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&at))), n); prot == 3 {
								if b[n-1] != 0 {
									t.Error(b[n-1])
								}
								b[n-1] = 1
							}
							syscall.Syscall(syscall.SYS_MUNMAP, at, n, 0)
						}
					}
				}
			}
		}
	}
}

func TestProc(t *testing.T) {
	for path, want := range map[string]string{
		"/proc/cpuinfo": "processor\t: 0\n", "/proc/meminfo": "MemTotal:", "/proc/uptime": ".", "/proc/stat": "cpu0 ", "/proc/mounts": "proc /proc proc rw 0 0\n",
		"/proc/self/status": "Threads:", "/proc/self/stat": "1 (", "/proc/self/limits": "Max open files", "/sys/devices/system/cpu/online": "0", "/proc/self/mountinfo": " /proc ", "/proc/1/cmdline": "\x00",
		"/proc/filesystems": "nodev\ttmpfs\n", "/etc/hosts": "127.0.1.1\thardtack\n", "/proc/self/smaps_rollup": "Rss:  ", "/proc/swaps": "Filename\t",
		"/proc/sys/kernel/hostname": "hardtack\n", "/proc/sys/kernel/random/uuid": "-4", "/proc/sys/fs/nr_open": "1048576\n", "/proc/version": "Linux version ",
	} {
		if got := content(t, path); !strings.Contains(got, want) {
			t.Errorf("%s: %q lacks %q", path, got, want)
		}
	}
	if _, e := sys(syscall.SYS_OPENAT, atCWD, "/proc/uptime", syscall.O_WRONLY, 0); e != syscall.EACCES {
		t.Error(e)
	}
	if _, e := sys(syscall.SYS_MKDIRAT, atCWD, "/proc/x", 0); e != syscall.EPERM {
		t.Error(e)
	}
	if boot := content(t, "/proc/sys/kernel/random/boot_id"); boot != content(t, "/proc/sys/kernel/random/boot_id") {
		t.Error("two boots")
	}
}

// TestTasks: there are as many threads as status says, each with its number, its name and as many fields as a thread of the host has. One that has ended is not there.
func TestTasks(t *testing.T) {
	_, after, _ := strings.Cut(content(t, "/proc/self/status"), "Threads:\t")
	var n int
	if _, err := fmt.Sscan(after, &n); err != nil || n != len(posix.Threads()) {
		t.Fatal(n, err)
	}
	judge, err := os.ReadFile("/proc/thread-self/stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := func(stat string) int { return len(strings.Fields(stat[strings.LastIndexByte(stat, ')'):])) }
	for _, thread := range posix.Threads() {
		dir := fmt.Sprint("/proc/self/task/", thread.ID)
		name, stat := content(t, dir+"/comm"), content(t, dir+"/stat")
		if want := fmt.Sprintf("%d (%s) ", thread.ID, strings.TrimSuffix(name, "\n")); !strings.HasPrefix(stat, want) || fields(stat) != fields(string(judge)) {
			t.Errorf("%s: %q, want %q and as many fields as %q", dir, stat, want, judge)
		}
		if want := fmt.Sprintf("\nPid:\t%d\n", thread.ID); !strings.Contains(content(t, dir+"/status"), want) {
			t.Errorf("%s/status lacks %q", dir, want)
		}
	}
	var st syscall.Stat_t
	if _, e := sys(sysStat, atCWD, "/proc/self/task/2", &st, 0); e != syscall.ENOENT { // which machine_host.go says has ended
		t.Error(e)
	}
}

// TestProvided reads what other parts of the libOS have to say, made anew for each that opens it.
func TestProvided(t *testing.T) {
	text, when := "one", int64(77)
	memfile.Provide("/etc/x.conf", memfile.File{Contents: func() []byte { return []byte(text) }, Changed: func() int64 { return when }})
	fd := openPath(t, "/etc/x.conf", syscall.O_RDONLY)
	text = "other"
	buf := make([]byte, 10)
	if n, e := posix.Read(fd, buf); string(buf[:n]) != "one" || e != 0 {
		t.Errorf("%q %v", buf[:n], e)
	}
	if got := content(t, "/etc/x.conf"); got != "other" {
		t.Errorf("%q", got)
	}
	var st, open syscall.Stat_t
	sys(sysStat, atCWD, "/etc/x.conf", &st, 0)
	posix.Fstat(fd, &open)
	if st.Mtim.Sec != 77 || st.Size != 5 || open.Ino != st.Ino || open.Size != 3 {
		t.Errorf("%+v, %+v", st, open)
	}
	if _, e := sys(syscall.SYS_OPENAT, atCWD, "/etc/x.conf", syscall.O_RDWR, 0); e != syscall.EROFS {
		t.Error(e)
	}
	mine := openPath(t, "/etc/x.new", syscall.O_RDWR|syscall.O_CREAT)
	posix.Write(mine, []byte("mine"))
	if _, e := sys(syscall.SYS_RENAMEAT, atCWD, "/etc/x.new", atCWD, "/etc/x.conf"); e != 0 || content(t, "/etc/x.conf") != "mine" {
		t.Error(e)
	}
}

// TestWithoutNetwork: /etc/hosts and /etc/resolv.conf are there without a network; where there is one it says what they hold.
func TestWithoutNetwork(t *testing.T) {
	if got := content(t, "/etc/hosts"); !strings.HasPrefix(got, "127.0.0.1\tlocalhost\n") || content(t, "/etc/resolv.conf") != "" {
		t.Errorf("hosts: %q", got)
	}
	memfile.Provide("/etc/resolv.conf", memfile.File{Contents: func() []byte { return []byte("nameserver 10.0.2.3\n") }, Changed: func() int64 { return 77 }})
	var st syscall.Stat_t
	sys(sysStat, atCWD, "/etc/resolv.conf", &st, 0)
	if got := content(t, "/etc/resolv.conf"); got != "nameserver 10.0.2.3\n" || st.Mtim.Sec != 77 {
		t.Errorf("%q, of second %d", got, st.Mtim.Sec)
	}
	memfile.Provide("/etc/resolv.conf", memfile.File{Contents: func() []byte { return nil }}) // for the next round of -count
}

// TestProvidedInProc: what is provided below /proc/net is there, for /proc is a filesystem of its own.
func TestProvidedInProc(t *testing.T) {
	n := 0
	memfile.Provide("/proc/net/counted", memfile.File{Contents: func() []byte { n++; return []byte{byte('0' + n)} }, Changed: func() int64 { return 1 }})
	for _, want := range []string{"1", "2"} {
		if got := content(t, "/proc/net/counted"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestPlanted has files of the image beside those that are there.
func TestPlanted(t *testing.T) {
	Plant(fstest.MapFS{"etc/hostname": {Data: []byte("mine\n")}, "srv/www/index.html": {Data: []byte("<html>")}, "tmp/seed": {Data: []byte("x"), Mode: 0o600}})
	if got := content(t, "/etc/hostname"); got != "mine\n" {
		t.Errorf("%q", got)
	}
	if got := content(t, "/srv/www/index.html"); got != "<html>" {
		t.Errorf("%q", got)
	}
	if !strings.Contains(content(t, "/etc/passwd"), "root") {
		t.Error("the other files went")
	}
	fd := openPath(t, "/srv/www/index.html", syscall.O_WRONLY|syscall.O_APPEND)
	posix.Write(fd, []byte("!"))
	if got := content(t, "/srv/www/index.html"); got != "<html>!" {
		t.Errorf("%q", got)
	}
	var st syscall.Stat_t
	if sys(sysStat, atCWD, "/tmp", &st, 0); st.Mode&0o7777 != 0o1777 {
		t.Errorf("/tmp is %o", st.Mode)
	}
}

// TestSocketNames has a socket's name be a file that outlives it.
func TestSocketNames(t *testing.T) {
	dir := fresh(t)
	type socket struct{ _ int }
	a, b := &socket{}, &socket{}
	if e := posix.SocketNames.Bind(dir+"/s", a); e != 0 {
		t.Fatal(e)
	}
	if e := posix.SocketNames.Bind(dir+"/s", b); e != syscall.EADDRINUSE {
		t.Error(e)
	}
	if s, e := posix.SocketNames.Find(dir + "/s"); s != a || e != 0 {
		t.Error(s, e)
	}
	var st syscall.Stat_t
	if sys(sysStat, atCWD, dir+"/s", &st, 0); st.Mode != syscall.S_IFSOCK|0o755 {
		t.Errorf("%o", st.Mode)
	}
	if _, e := sys(syscall.SYS_OPENAT, atCWD, dir+"/s", 0, 0); e != syscall.ENXIO {
		t.Error(e)
	}
	sys(syscall.SYS_RENAMEAT, atCWD, dir+"/s", atCWD, dir+"/t")
	if s, e := posix.SocketNames.Find(dir + "/t"); s != a || e != 0 {
		t.Error(s, e)
	}
	posix.SocketNames.Unbind(a)
	if _, e := posix.SocketNames.Find(dir + "/t"); e != syscall.ECONNREFUSED {
		t.Error(e)
	}
	if _, e := posix.SocketNames.Find(dir + "/s"); e != syscall.ENOENT {
		t.Error(e)
	}
	if e := posix.SocketNames.Bind(dir+"/t", b); e != syscall.EADDRINUSE {
		t.Error(e)
	}
}

// TestFlock lets two descriptions compete, and one wait.
func TestFlock(t *testing.T) {
	dir := fresh(t)
	a, b := openPath(t, dir+"/f", syscall.O_RDWR|syscall.O_CREAT), openPath(t, dir+"/f", syscall.O_RDWR)
	lock := func(fd, how int) syscall.Errno {
		_, e := sys(syscall.SYS_FLOCK, fd, how)
		return e
	}
	if e := lock(a, syscall.LOCK_EX); e != 0 {
		t.Fatal(e)
	}
	if e := lock(b, syscall.LOCK_SH|syscall.LOCK_NB); e != syscall.EWOULDBLOCK {
		t.Error(e)
	}
	if e := lock(b, 16); e != syscall.EINVAL {
		t.Error(e)
	}
	got := make(chan syscall.Errno)
	go func() { got <- lock(b, syscall.LOCK_EX) }()
	select {
	case e := <-got:
		t.Fatal("two have it:", e)
	case <-time.After(20 * time.Millisecond):
	}
	posix.Close(a)
	if e := <-got; e != 0 {
		t.Error(e)
	}
	c := openPath(t, dir+"/f", syscall.O_RDWR)
	lock(b, syscall.LOCK_SH)
	if e := lock(c, syscall.LOCK_SH|syscall.LOCK_NB); e != 0 {
		t.Error(e)
	}
	lock(b, syscall.LOCK_UN)
	posix.Close(c)
	locks.Lock()
	defer locks.Unlock()
	if len(locks.of) != 0 {
		t.Error("locks are kept")
	}
}

// TestRecordLocks waits for a lock of another description, and sees what an end gives up. What locks do to each other is TestAgainstTmpfs's.
func TestRecordLocks(t *testing.T) {
	path := fresh(t) + "/f"
	a, b := openPath(t, path, syscall.O_RDWR|syscall.O_CREAT), openPath(t, path, syscall.O_RDWR)
	lock := func(fd, cmd int, kind int16, start, n int64) syscall.Errno {
		l := syscall.Flock_t{Type: kind, Start: start, Len: n}
		_, e := posix.Serve(syscall.SYS_FCNTL, [6]uintptr{uintptr(fd), uintptr(cmd), address(&l)})
		return e
	}
	if e := lock(a, ofdSetlk, syscall.F_WRLCK, 0, 10); e != 0 {
		t.Fatal(e)
	}
	if e := lock(b, ofdSetlk, syscall.F_RDLCK, 9, 1); e != syscall.EAGAIN {
		t.Error("two have it:", e)
	}
	if e := lock(b, syscall.F_SETLK, syscall.F_RDLCK, 9, 1); e != syscall.EAGAIN {
		t.Error("a process and a description have it:", e)
	}
	got := make(chan syscall.Errno)
	go func() { got <- lock(b, ofdSetlkw, syscall.F_WRLCK, 5, 5) }()
	if e := lock(a, ofdSetlk, syscall.F_UNLCK, 0, 5); e != 0 { // that is not what it waits for
		t.Error(e)
	}
	select {
	case e := <-got:
		t.Error("it did not wait:", e)
	case <-time.After(20 * time.Millisecond):
	}
	posix.Close(a) // that is
	if e := <-got; e != 0 {
		t.Error(e)
	}
	posix.Close(b)
	if len(records.of) != 0 || recorded.Load() != 0 {
		t.Error("records are left")
	}
}

// TestInotify waits for an event, has more events than the queue takes, and the end of what is watched. What is told of is TestAgainstTmpfs's.
func TestInotify(t *testing.T) {
	dir := fresh(t)
	fd, e := sys(syscall.SYS_INOTIFY_INIT1, 0)
	if e != 0 {
		t.Fatal(e)
	}
	defer posix.Close(int(fd))
	wd, e := sys(syscall.SYS_INOTIFY_ADD_WATCH, int(fd), dir, fs.HasCreated|fs.HasDeleted|fs.HasGone)
	if e != 0 {
		t.Fatal(e)
	}
	buf := make([]byte, 32) // one event with a name
	got := make(chan string)
	next := func() {
		n, e := posix.Read(int(fd), buf)
		if e != 0 {
			t.Error(e)
		}
		got <- fmt.Sprintf("%#x %s", buf[4:8], strings.TrimRight(string(buf[16:max(n, 16)]), "\x00"))
	}
	go next()
	select {
	case <-got:
		t.Error("nothing happened, and it did not wait")
	case <-time.After(10 * time.Millisecond):
	}
	posix.Close(openPath(t, dir+"/name", syscall.O_CREAT|syscall.O_RDWR))
	if s := <-got; s != "0x00010000 name" {
		t.Error(s)
	}
	f := posix.Get(int(fd))
	o := f.Object().(*inotify)
	f.Put()
	for i := range inQueued + 10 {
		o.push(int32(wd), fs.HasCreated, 0, fmt.Sprint(i))
	}
	if k := len(o.queue); k != inQueued+1 || o.queue[k-1][5] != 0x40 {
		t.Error(k, "events wait")
	}
	o.queue = nil
	sys(syscall.SYS_UNLINKAT, atCWD, dir+"/name", 0)
	sys(syscall.SYS_UNLINKAT, atCWD, dir, atRemovedir)
	for _, want := range []string{"0x00020000 name", "0x00040000 "} { // with the second comes IN_IGNORED: both fit
		go next()
		if s := <-got; !strings.HasPrefix(s, want) {
			t.Errorf("%q, not %q", s, want)
		}
	}
	if buf[21] != 0x80 {
		t.Errorf("the watch did not end: %x", buf)
	}
	if fs.Listening() {
		t.Error("no watch is left, and somebody listens")
	}
}

// TestInotifyNames: a file is told of by a name that it has, and names that are gone take no more room.
func TestInotifyNames(t *testing.T) {
	dir := fresh(t)
	fd, e := sys(syscall.SYS_INOTIFY_INIT1, syscall.O_NONBLOCK)
	if e != 0 {
		t.Fatal(e)
	}
	defer posix.Close(int(fd))
	posix.Close(openPath(t, dir+"/a", syscall.O_CREAT))
	wd, e := sys(syscall.SYS_INOTIFY_ADD_WATCH, int(fd), dir, fs.HasOpened)
	if e != 0 {
		t.Fatal(e)
	}
	must := func(_ uintptr, e syscall.Errno) {
		t.Helper()
		if e != 0 {
			t.Fatal(e)
		}
	}
	must(sys(syscall.SYS_LINKAT, atCWD, dir+"/a", atCWD, dir+"/b", 0))
	must(sys(syscall.SYS_UNLINKAT, atCWD, dir+"/b", 0))
	posix.Close(openPath(t, dir+"/a", 0))
	buf := make([]byte, 64)
	if n, _ := posix.Read(int(fd), buf); n != 32 || strings.TrimRight(string(buf[16:32]), "\x00") != "a" {
		t.Errorf("a is told of as %q", buf[:max(n, 0)])
	}
	f := posix.Get(int(fd))
	w := f.Object().(*inotify).watches[int32(wd)]
	f.Put()
	for range inGone + 100 {
		posix.Close(openPath(t, dir+"/new", syscall.O_CREAT))
		must(sys(syscall.SYS_RENAMEAT, atCWD, dir+"/new", atCWD, dir+"/a"))
	}
	if len(w.names) != 1 || len(w.inos) != 1 || len(w.gone) > inGone {
		t.Errorf("of one file %d inodes, %d names and %d that are gone are remembered", len(w.names), len(w.inos), len(w.gone))
	}
}

func TestXattr(t *testing.T) {
	dir := fresh(t)
	openPath(t, dir+"/f", syscall.O_CREAT)
	buf := make([]byte, 100)
	set := func(name, value string, flags int) syscall.Errno {
		_, e := sys(syscall.SYS_SETXATTR, dir+"/f", name, []byte(value), len(value), flags)
		return e
	}
	for i, c := range []struct {
		name  string
		flags int
		want  syscall.Errno
	}{{"user.a", 0, 0}, {"user.a", 1, syscall.EEXIST}, {"user.b", 2, syscall.ENODATA}, {"user.b", 1, 0}, {"other.a", 0, syscall.EOPNOTSUPP}, {"user.", 0, syscall.EINVAL}, {"user", 0, syscall.EOPNOTSUPP}, {"trusted", 0, syscall.EOPNOTSUPP}, {"", 0, syscall.ERANGE}} {
		if e := set(c.name, fmt.Sprint("value", i), c.flags); e != c.want {
			t.Errorf("%q: %v", c.name, e)
		}
	}
	if n, e := sys(syscall.SYS_GETXATTR, dir+"/f", "user.a", buf, len(buf)); string(buf[:n]) != "value0" || e != 0 {
		t.Errorf("%q %v", buf[:n], e)
	}
	if _, e := sys(syscall.SYS_GETXATTR, dir+"/f", "user.a", buf, 3); e != syscall.ERANGE {
		t.Error(e)
	}
	if n, e := sys(syscall.SYS_LISTXATTR, dir+"/f", buf, len(buf)); string(buf[:n]) != "user.a\x00user.b\x00" || e != 0 {
		t.Errorf("%q %v", buf[:n], e)
	}
	if _, e := sys(syscall.SYS_REMOVEXATTR, dir+"/f", "user.a"); e != 0 {
		t.Error(e)
	}
	if _, e := sys(syscall.SYS_LGETXATTR, dir+"/f", "user.a", buf, len(buf)); e != syscall.ENODATA {
		t.Error(e)
	}
	if e := set("user.big", strings.Repeat("x", 64<<10+1), 0); e != syscall.E2BIG {
		t.Error(e)
	}
}

func TestStatx(t *testing.T) {
	dir := fresh(t)
	fd := openPath(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR)
	posix.Write(fd, []byte("12345"))
	var x statxBuf
	var st syscall.Stat_t
	if _, e := sys(sysStatx, fd, "", atEmptyPath, 0xfff, &x); e != 0 {
		t.Fatal(e)
	}
	posix.Fstat(fd, &st)
	if unsafe.Sizeof(x) != 256 || x.size != 5 || uint32(x.mode) != st.Mode || x.ino != st.Ino || x.mtime.nsec != uint32(st.Mtim.Nsec) || x.mask&0x800 == 0 || uint64(x.devMinor) != st.Dev {
		t.Errorf("%+v, %+v", x, st)
	}
	var s syscall.Statfs_t
	if _, e := sys(syscall.SYS_STATFS, dir, &s); e != 0 || s.Type != 0x01021994 || s.Bfree == 0 || s.Namelen != 255 {
		t.Errorf("%+v %v", s, e)
	}
}

// TestLend has a file's bytes lent to whoever sends them.
func TestLend(t *testing.T) {
	dir := fresh(t)
	fd := openPath(t, dir+"/f", syscall.O_CREAT|syscall.O_RDWR)
	posix.Write(fd, bytes.Repeat([]byte("0123456789"), 1000))
	f := posix.Get(fd)
	defer f.Put()
	l, ok := f.Object().(posix.Lender)
	if !ok {
		t.Fatal("no lender")
	}
	loan, e := l.Lend(f, 4091, 10000)
	if e != 0 || string(loan.Bytes) != "12345" {
		t.Errorf("%q %v", loan.Bytes, e)
	}
	posix.Pwrite(fd, []byte("xxxxxxxxxx"), 4090)
	if string(loan.Bytes) != "12345" {
		t.Error("a loan changed")
	}
	loan.Return()
}

// TestOpenat2 holds the walk to a folder.
func TestOpenat2(t *testing.T) {
	dir := fresh(t)
	sys(syscall.SYS_SYMLINKAT, "/etc/passwd", atCWD, dir+"/out")
	sys(syscall.SYS_SYMLINKAT, "/proc/self/fd/0", atCWD, dir+"/magic")
	root := openPath(t, dir, syscall.O_RDONLY)
	how := func(flags, mode, resolve uint64) []byte {
		p := &[3]uint64{flags, mode, resolve}
		return unsafe.Slice((*byte)(unsafe.Pointer(p)), 24)
	}
	for _, c := range []struct {
		path    string
		flags   uint64
		resolve uint64
		want    syscall.Errno
	}{
		{"out", 0, 0, 0}, {"out", 0, resolveBeneath, syscall.EXDEV}, {"out", 0, resolveInRoot, syscall.ENOENT}, {"out", 0, resolveNoLinks, syscall.ELOOP},
		{"../x", 0, resolveBeneath, syscall.EXDEV}, {"magic", 0, resolveNoMagic, syscall.ELOOP}, {"x", 0, 0x80, syscall.EINVAL}, {"out", 0, resolveCached, syscall.EAGAIN}, {"out", syscall.O_TRUNC, resolveCached, syscall.EAGAIN}, {"out", syscall.O_CREAT, resolveCached, syscall.EAGAIN},
		{"/etc/passwd", 0, resolveBeneath, syscall.EXDEV}, {"made", syscall.O_CREAT | syscall.O_RDWR, resolveBeneath, 0}, {"/made", 0, resolveInRoot, 0},
	} {
		mode := uint64(0)
		if c.flags&syscall.O_CREAT != 0 {
			mode = 0o600
		}
		fd, e := sys(sysOpenat2, root, c.path, how(c.flags, mode, c.resolve), 24)
		if e != c.want {
			t.Errorf("%s, %#x: %v, want %v", c.path, c.resolve, e, c.want)
		}
		if e == 0 {
			posix.Close(int(fd))
		}
	}
	if _, e := sys(sysOpenat2, root, "x", how(0, 0, 0), 8); e != syscall.EINVAL {
		t.Error(e)
	}
}

// TestBadAddresses gives calls addresses that are none.
func TestBadAddresses(t *testing.T) {
	for _, nr := range []uintptr{syscall.SYS_OPENAT, sysStat, syscall.SYS_READLINKAT, syscall.SYS_MKDIRAT, syscall.SYS_UNLINKAT, syscall.SYS_FCHMODAT, sysFaccessat2} {
		if _, e := sys(nr, atCWD, 8, 8, 8); e != syscall.EFAULT && e != syscall.EINVAL {
			t.Errorf("call %d: %v", nr, e)
		}
	}
	if _, e := sys(syscall.SYS_OPENAT, atCWD, strings.Repeat("a/", 3000), 0, 0); e != syscall.ENAMETOOLONG {
		t.Error(e)
	}
}

// TestAppendIsAtomic has several write to one file at once.
func TestAppendIsAtomic(t *testing.T) {
	dir := fresh(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			fd := openPath(t, dir+"/log", syscall.O_WRONLY|syscall.O_CREAT|syscall.O_APPEND)
			line := bytes.Repeat([]byte{byte('a' + i)}, 99)
			for range 100 {
				if n, e := posix.Write(fd, append(line, '\n')); n != 100 || e != 0 {
					t.Error(n, e)
				}
			}
		})
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSuffix(content(t, dir+"/log"), "\n"), "\n")
	if len(lines) != 800 {
		t.Fatal(len(lines))
	}
	for _, l := range lines {
		if l != strings.Repeat(l[:1], 99) {
			t.Fatalf("torn: %q", l)
		}
	}
}

// TestAtOnce makes, lists, moves and removes at once; nothing is left, nothing deadlocks.
func TestAtOnce(t *testing.T) {
	dir := fresh(t)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for j := range 200 {
				a, b := fmt.Sprintf("%s/%d", dir, (i+j)%5), fmt.Sprintf("%s/%d", dir, (i*j)%5)
				switch j % 6 {
				case 0:
					sys(syscall.SYS_MKDIRAT, atCWD, a, 0o755)
				case 1:
					if fd, e := sys(syscall.SYS_OPENAT, atCWD, a+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o644); e == 0 {
						posix.Write(int(fd), []byte("x"))
						posix.Close(int(fd))
					}
				case 2:
					sys(syscall.SYS_RENAMEAT, atCWD, a, atCWD, b)
				case 3:
					sys(syscall.SYS_RENAMEAT, atCWD, a+"/f", atCWD, b+"/g")
				case 4:
					sys(syscall.SYS_UNLINKAT, atCWD, b+"/f", 0)
				case 5:
					sys(syscall.SYS_UNLINKAT, atCWD, b, atRemovedir)
				}
			}
		})
	}
	wg.Wait()
	// A folder that is listed is whole: each name can be looked up.
	fd := openPath(t, dir, syscall.O_RDONLY)
	buf := make([]byte, 4096)
	n, e := sys(syscall.SYS_GETDENTS64, fd, buf, len(buf))
	if e != 0 {
		t.Fatal(e)
	}
	_, _, names := syscall.ParseDirent(buf[:n], -1, nil)
	slices.Sort(names)
	for _, name := range names {
		var st syscall.Stat_t
		if _, e := sys(sysStat, fd, name, &st, 0); e != 0 {
			t.Error(name, e)
		}
	}
}

// TestCopiesToEachOther has two goroutines copy between two descriptions, each in the other's direction, by the positions of both.
func TestCopiesToEachOther(t *testing.T) {
	dir := fresh(t)
	a, b := openPath(t, dir+"/a", syscall.O_CREAT|syscall.O_RDWR), openPath(t, dir+"/b", syscall.O_CREAT|syscall.O_RDWR)
	posix.Pwrite(a, make([]byte, 1000), 0)
	posix.Pwrite(b, make([]byte, 1000), 0)
	done := make(chan bool)
	for _, x := range [][2]int{{a, b}, {b, a}} {
		go func() {
			for range 20_000 {
				sys(sysCopyFileRange, x[0], 0, x[1], 0, 10, 0)
				sys(syscall.SYS_LSEEK, x[0], 0, 0)
			}
			done <- true
		}()
	}
	for range 2 {
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("they wait for each other")
		}
	}
}

// TestLocaltime has package time read the zone of the machine.
func TestLocaltime(t *testing.T) {
	fd := openPath(t, "/etc/localtime", syscall.O_RDONLY)
	b := make([]byte, 1000)
	n, e := posix.Read(fd, b)
	if e != 0 {
		t.Fatal(e)
	}
	l, err := time.LoadLocationFromTZData("Local", b[:n])
	if err != nil {
		t.Fatal(err)
	}
	if name, offset := time.Unix(1, 0).In(l).Zone(); name != "UTC" || offset != 0 {
		t.Error(name, offset)
	}
}

// TestDirect: O_DIRECT is accepted and told, and goes through the cache as on tmpfs (since Linux 6.6): nothing need be aligned.
func TestDirect(t *testing.T) {
	path := fresh(t) + "/f"
	fd := openPath(t, path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_DIRECT)
	if flags, e := sys(syscall.SYS_FCNTL, fd, syscall.F_GETFL); e != 0 || flags&syscall.O_DIRECT == 0 {
		t.Errorf("%#x %v", flags, e)
	}
	text := []byte("odd")
	if n, e := sys(syscall.SYS_PWRITE64, fd, text, len(text), 1); int(n) != len(text) || e != 0 {
		t.Error(n, e)
	}
	buf := make([]byte, 10)
	if n, e := posix.Read(openPath(t, path, syscall.O_RDONLY|syscall.O_DIRECT), buf); n != 4 || e != 0 || string(buf[1:4]) != "odd" {
		t.Error(n, e, buf)
	}
}
