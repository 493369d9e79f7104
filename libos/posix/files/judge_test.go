package files

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	_ "github.com/hardtack-os/hardtack/libos/posix/linux"
)

// The judge is the host's tmpfs: the same random calls are made on both, by number and with the same arguments, and what they give must be the same, errors
// and all. It runs in a process of its own, whose root is a fresh tmpfs.

const judgeEnv = "HARDTACK_FILES_JUDGE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(judgeEnv); dir != "" {
		os.Exit(judge(dir))
	}
	os.Exit(m.Run())
}

// rounds and steps are how much make test does; HARDTACK_FILES_ROUNDS asks for more.
const rounds, steps = 150, 400

func TestAgainstTmpfs(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may mount a tmpfs")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), judgeEnv+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func judge(dir string) int {
	must := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	must(syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""))
	must(syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"))
	if fd, err := syscall.Open(dir+"/direct", syscall.O_CREAT|syscall.O_RDWR|syscall.O_DIRECT, 0o600); err == nil {
		judgeDirect = true
		syscall.Close(fd)
	} else {
		fmt.Println("the host's tmpfs takes no O_DIRECT, as before Linux 6.6: it is left out")
	}
	os.Remove(dir + "/direct")
	must(syscall.Chroot(dir))
	must(syscall.Chdir("/"))
	syscall.Umask(0o22)
	defer syscall.Unmount("/proc", syscall.MNT_DETACH)
	for _, d := range []string{"dev", "etc", "proc", "root", "run", "sys", "tmp", "usr", "var"} {
		must(os.Mkdir(d, 0o755))
	}
	must(syscall.Mount("proc", "/proc", "proc", 0, ""))
	n := rounds
	if v, err := strconv.Atoi(os.Getenv("HARDTACK_FILES_ROUNDS")); err == nil {
		n = v
	}
	first, _ := strconv.Atoi(os.Getenv("HARDTACK_FILES_FIRST"))
	for seed := first; seed < first+n; seed++ {
		j := &trial{r: rand.New(rand.NewPCG(uint64(seed), 7)), inos: map[[2]uint64]uint64{}}
		if err := j.run(); err != "" {
			fmt.Printf("seed %d: %s\n", seed, err)
			return 1
		}
	}
	return 0
}

// A trial is one sequence of calls. Sides are 0, the host, and 1, ours.
type trial struct {
	r    *rand.Rand
	fds  [][2]int
	inos map[[2]uint64]uint64 // device and inode number of the host: ours
	log  []string
	keep [][]byte

	inotify [2]int         // where names are watched; -1 where they are not
	ended   map[int32]bool // watches of ours that ended
	cookies [2]map[uint32]uint32
}

func (j *trial) run() string {
	names := [2]string{"/w", "/w"}
	for side := range 2 {
		j.one(side, syscall.SYS_MKDIR, j.str(names[side]), 0o755)
		j.one(side, syscall.SYS_CHDIR, j.str(names[side]))
	}
	j.fds = [][2]int{{atCWD, atCWD}}
	j.inotify = [2]int{-1, -1}
	if j.r.IntN(3) == 0 {
		j.ended = map[int32]bool{}
		for side := range 2 {
			fd, _ := j.one(side, syscall.SYS_INOTIFY_INIT1, syscall.O_NONBLOCK)
			j.inotify[side], j.cookies[side] = int(fd), map[uint32]uint32{}
		}
		defer func() {
			syscall.Close(j.inotify[0])
			posix.Close(j.inotify[1])
		}()
	}
	bad := ""
	for range steps {
		bad = j.step()
		j.fds = slices.DeleteFunc(j.fds, func(fd [2]int) bool { return fd[0] == -1 })
		if bad == "" && j.inotify[0] >= 0 {
			bad = j.happenings()
		}
		if bad != "" {
			break
		}
	}
	for _, fd := range j.fds[1:] {
		syscall.Close(fd[0])
		posix.Close(fd[1])
	}
	for side := range 2 {
		j.one(side, syscall.SYS_CHDIR, j.str("/"))
		j.clean(side, "/w")
		for _, n := range letters {
			j.clean(side, "/"+n)
		}
	}
	if bad != "" {
		return strings.Join(j.log[max(0, len(j.log)-40):], "\n") + "\n" + bad
	}
	return ""
}

// clean removes all below a path.
func (j *trial) clean(side int, path string) {
	p := j.str(path)
	if _, e := j.one(side, syscall.SYS_UNLINK, p); e != syscall.EISDIR {
		return
	}
	fd, e := j.one(side, syscall.SYS_OPEN, p, syscall.O_RDONLY|syscall.O_DIRECTORY)
	if e == 0 {
		for _, en := range j.list(side, int(fd)) {
			if en.name != "." && en.name != ".." {
				j.clean(side, path+"/"+en.name)
			}
		}
		j.one(side, syscall.SYS_CLOSE, fd)
	}
	j.one(side, syscall.SYS_RMDIR, p)
}

func (j *trial) str(s string) uintptr {
	b := append([]byte(s), 0)
	j.keep = append(j.keep, b)
	return address(&b[0])
}

// one makes a call on one side.
func (j *trial) one(side int, nr uintptr, args ...uintptr) (uintptr, syscall.Errno) {
	var a [6]uintptr
	copy(a[:], args)
	if side == 0 {
		r, _, e := syscall.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
		if e != 0 {
			r = 0
		}
		return r, e
	}
	r, e := posix.Serve(nr, a)
	if e != 0 {
		r = 0
	}
	return r, e
}

// both makes a call on both sides. fd tells which arguments are descriptors, by their place in j.fds.
func (j *trial) both(what string, nr uintptr, fds []int, args ...uintptr) (r uintptr, e syscall.Errno, bad string) {
	var res [2]uintptr
	var errs [2]syscall.Errno
	for side := range 2 {
		a := slices.Clone(args)
		for _, i := range fds {
			a[i] = uintptr(j.fds[args[i]][side])
		}
		res[side], errs[side] = j.one(side, nr, a...)
	}
	line := fmt.Sprintf("%s = %d %v", what, res[0], errs[0])
	j.log = append(j.log, line)
	if res[0] != res[1] && nr != syscall.SYS_OPENAT && nr != syscall.SYS_DUP || errs[0] != errs[1] {
		return 0, 0, fmt.Sprintf("%s: the host gives %d, %v; we give %d, %v", what, res[0], errs[0], res[1], errs[1])
	}
	if e = errs[0]; e == 0 && (nr == syscall.SYS_OPENAT || nr == syscall.SYS_DUP) {
		j.fds = append(j.fds, [2]int{int(res[0]), int(res[1])})
	}
	return res[0], e, ""
}

var letters = []string{"a", "b", "c", "d"}

func (j *trial) name() string { return letters[j.r.IntN(len(letters))] }

// path makes a path, now and then a strange one.
func (j *trial) path() string {
	p := j.name()
	for j.r.IntN(3) == 0 {
		switch j.r.IntN(6) {
		case 0:
			p += "/.."
		case 1:
			p += "/."
		case 2:
			p = "../w/" + p
		default:
			p += "/" + j.name()
		}
	}
	switch j.r.IntN(40) {
	case 0:
		p += "/"
	case 1:
		p = "/" + p
	case 2:
		p = "/w/" + p
	case 3:
		p = ""
	case 4:
		p = []string{".", "..", "/", "./", "../", "//"}[j.r.IntN(6)]
	case 5:
		p += "//" + j.name()
	case 6:
		p = strings.Repeat("x", 254+j.r.IntN(3))
	}
	return p
}

// watch watches a folder, or changes or ends a watch.
func (j *trial) watch(path string, p uintptr) string {
	fd := [2]uintptr{uintptr(j.inotify[0]), uintptr(j.inotify[1])}
	var r [2]uintptr
	var e [2]syscall.Errno
	mask := pick[uint32](j.r, inEvents, inEvents, 0, fs.HasModified|fs.HasCreated, fs.HasMovedFrom|fs.HasMovedTo, inMaskAdd|fs.HasAccessed, inMaskCreate|inEvents, inOneShot|fs.HasCreated) | inOnlyDir
	wd := uintptr(j.r.IntN(6))
	for side := range 2 {
		if j.r.IntN(1) == 0 && wd > 3 {
			r[side], e[side] = j.one(side, syscall.SYS_INOTIFY_RM_WATCH, fd[side], wd)
		} else {
			r[side], e[side] = j.one(side, syscall.SYS_INOTIFY_ADD_WATCH, fd[side], p, uintptr(mask))
		}
	}
	line := fmt.Sprintf("watch %q %#x (%d) = %d %v", path, mask, wd, r[0], e[0])
	j.log = append(j.log, line)
	if r[0] != r[1] || e[0] != e[1] {
		return fmt.Sprintf("%s: we give %d %v", line, r[1], e[1])
	}
	return ""
}

// closeAll closes all descriptors where names are watched: what was removed while it was open is told of in another way.
func (j *trial) closeAll() {
	if j.inotify[0] < 0 {
		return
	}
	for _, fd := range j.fds[1:] {
		if fd[0] < 0 {
			continue
		}
		for side := range 2 {
			j.one(side, syscall.SYS_CLOSE, uintptr(fd[side]))
		}
	}
	for i := range j.fds[1:] {
		j.fds[1+i] = [2]int{-1, -1}
	}
	j.log = append(j.log, "(all closed)")
}

// happenings compares what both sides tell of by inotify. When a folder that is open is gone is not compared.
func (j *trial) happenings() string {
	var told [2][]string
	for _, side := range []int{1, 0} {
		buf := make([]byte, 64<<10)
		n, _ := j.one(side, syscall.SYS_READ, uintptr(j.inotify[side]), address(&buf[0]), uintptr(len(buf)))
		for b := buf[:n]; len(b) > 0; {
			wd, mask, cookie := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[8:])
			end := 16 + binary.NativeEndian.Uint32(b[12:])
			name := string(bytes.TrimRight(b[16:end], "\x00"))
			b = b[end:]
			if mask&(inIgnored|fs.HasGone) != 0 {
				j.ended[wd] = j.ended[wd] || side == 1 && mask&inIgnored != 0
				continue
			}
			if side == 0 && j.ended[wd] && len(told[1]) == 0 {
				continue
			}
			if cookie != 0 {
				if _, ok := j.cookies[side][cookie]; !ok {
					j.cookies[side][cookie] = uint32(len(j.cookies[side]) + 1)
				}
				cookie = j.cookies[side][cookie]
			}
			told[side] = append(told[side], fmt.Sprintf("%d %#x %d %q", wd, mask, cookie, name))
		}
	}
	if slices.Equal(told[0], told[1]) {
		return ""
	}
	return fmt.Sprintf("the host tells %q, we tell %q", told[0], told[1])
}

// whereFD compares what /proc/self/fd says of an open file. Of what has no name any more only that is compared: the host keeps the last one, we that by which it was opened. Where there are several, any will do.
func (j *trial) whereFD(i int) string {
	if i == 0 || j.fds[i][0] < 0 {
		return ""
	}
	var says [2]string
	var st [2]syscall.Stat_t
	for side := range 2 {
		buf := make([]byte, 8192)
		p := j.str(fmt.Sprint("/proc/self/fd/", j.fds[i][side]))
		n, e := j.one(side, syscall.SYS_READLINK, p, address(&buf[0]), uintptr(len(buf)))
		if e != 0 {
			return fmt.Sprintf("readlink of /proc/self/fd for %d: side %d gives %v", i, side, e)
		}
		says[side] = string(buf[:n])
		j.one(side, syscall.SYS_FSTAT, uintptr(j.fds[i][side]), address((*byte)(unsafe.Pointer(&st[side]))))
	}
	const gone = " (deleted)"
	j.log = append(j.log, fmt.Sprintf("where %d: %q", i, says))
	folder := st[0].Mode&syscall.S_IFMT == syscall.S_IFDIR
	switch {
	case says[0] == says[1], !folder && st[0].Nlink > 1:
		return ""
	case strings.HasSuffix(says[0], gone) && (strings.HasSuffix(says[1], gone) || !folder && st[0].Nlink > 0):
		return ""
	}
	return fmt.Sprintf("/proc/self/fd of %d is %q on the host, %q here", i, says[0], says[1])
}

// sendfile sends from one descriptor to another that is neither a pipe nor the same file.
func (j *trial) sendfile() string {
	in, out := j.file(), j.file()
	var st [2]syscall.Stat_t
	for i, fd := range []int{in, out} {
		if fd == 0 || j.fds[fd][0] < 0 {
			return ""
		}
		if syscall.Fstat(j.fds[fd][0], &st[i]); st[i].Mode&syscall.S_IFMT == syscall.S_IFIFO {
			return ""
		}
	}
	if st[0].Ino == st[1].Ino {
		return ""
	}
	nr, n, off := uintptr(syscall.SYS_SENDFILE), uintptr(j.r.IntN(3*pageOf)), max(int64(j.offset()), 0) // of several errors that of the offset may come later here
	var at uintptr
	offs := [2]int64{off, off}
	var res [2]uintptr
	var errs [2]syscall.Errno
	own := j.r.IntN(2) == 0
	for side := range 2 {
		if at = 0; !own {
			at = address((*byte)(unsafe.Pointer(&offs[side])))
		}
		res[side], errs[side] = j.one(side, nr, uintptr(j.fds[out][side]), uintptr(j.fds[in][side]), at, n)
	}
	line := fmt.Sprintf("sendfile %d %d %d (own %v) %d = %d %v", out, in, off, own, n, res[0], errs[0])
	j.log = append(j.log, line)
	if res[0] != res[1] || errs[0] != errs[1] || offs[0] != offs[1] {
		return fmt.Sprintf("%s: we give %d %v; offsets %d", line, res[1], errs[1], offs)
	}
	return ""
}

// record locks bytes of a file, or asks who has.
func (j *trial) record() string {
	i := j.file()
	if i == 0 {
		return ""
	}
	cmd := pick(j.r, ofdGetlk, ofdSetlk, ofdSetlk, ofdSetlk, syscall.F_SETLK, syscall.F_GETLK)
	l := syscall.Flock_t{Type: int16(j.r.IntN(4)), Whence: int16(pick(j.r, 0, 0, 0, 1, 2, 3)), Start: int64(j.r.IntN(12)), Len: int64(j.r.IntN(12)) - 3}
	switch j.r.IntN(20) {
	case 0:
		l.Start = fs.MaxSize - int64(j.r.IntN(4))
	case 1:
		l.Len = fs.MaxSize - int64(j.r.IntN(12))
	case 2:
		l.Pid = 7
	case 3:
		l.Start = -l.Start
	}
	var st syscall.Stat_t
	if syscall.Fstat(j.fds[i][0], &st); st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		l.Whence = 0 // offsets and sizes of folders are everybody's own
	}
	var got [2]syscall.Flock_t
	var errs [2]syscall.Errno
	for side := range 2 {
		got[side] = l
		_, errs[side] = j.one(side, syscall.SYS_FCNTL, uintptr(j.fds[i][side]), uintptr(cmd), address(&got[side]))
	}
	got[0].Pid, got[1].Pid = min(got[0].Pid, 1), min(got[1].Pid, 1) // ours is 1
	line := fmt.Sprintf("fcntl %d %d %+v = %+v %v", i, cmd, l, got[0], errs[0])
	j.log = append(j.log, line)
	if got[0] != got[1] || errs[0] != errs[1] {
		return fmt.Sprintf("%s: we give %+v, %v", line, got[1], errs[1])
	}
	return ""
}

// file is a place in j.fds.
func (j *trial) file() int { return j.r.IntN(len(j.fds)) }

// at is one that is a folder, mostly.
func (j *trial) at() int {
	if j.r.IntN(4) > 0 {
		return 0
	}
	return j.file()
}

// offset is one of a file: near pages' ends, mostly.
func (j *trial) offset() int {
	n := j.r.IntN(4)*pageOf + j.r.IntN(5) - 2
	switch j.r.IntN(12) {
	case 0:
		return -j.r.IntN(3)
	case 1:
		return 1<<62 + n
	}
	return max(n, 0)
}

const pageOf = 4096

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// judgeDirect says that the host's tmpfs takes O_DIRECT.
var judgeDirect bool

func (j *trial) step() (bad string) {
	j.keep = j.keep[:0]
	r := j.r
	at, path := j.at(), j.path()
	p := j.str(path)
	switch r.IntN(41) {
	case 40:
		bad = j.sendfile()
	case 39:
		bad = j.whereFD(j.file())
	case 0, 1, 2, 3:
		flags := pick(r, syscall.O_RDONLY, syscall.O_RDWR, syscall.O_WRONLY)
		for _, f := range []int{syscall.O_CREAT, syscall.O_CREAT, syscall.O_EXCL, syscall.O_TRUNC, syscall.O_APPEND, syscall.O_DIRECTORY, syscall.O_NOFOLLOW, oPath, syscall.O_DIRECT} {
			if r.IntN(4) == 0 {
				flags |= f
			}
		}
		if r.IntN(12) == 0 {
			flags |= oTmpfile
		}
		flags |= syscall.O_NONBLOCK
		if !judgeDirect {
			flags &^= syscall.O_DIRECT
		}
		if flags&(syscall.O_EXCL|syscall.O_CREAT) == syscall.O_EXCL && flags&oTmpfile != oTmpfile {
			flags &^= syscall.O_EXCL // not defined
		}
		if j.inotify[0] >= 0 {
			flags &^= oTmpfile &^ syscall.O_DIRECTORY // Linux calls such a file by a number
		}
		_, _, bad = j.both(fmt.Sprintf("open %d %q %#x", at, path, flags), syscall.SYS_OPENAT, []int{0}, uintptr(at), p, uintptr(flags), uintptr(r.IntN(0o1000)))
	case 4:
		if i := j.file(); i > 0 {
			if _, _, bad = j.both(fmt.Sprint("close ", i), syscall.SYS_CLOSE, []int{0}, uintptr(i)); bad == "" {
				j.fds = slices.Delete(j.fds, i, i+1)
			}
		}
	case 5, 6:
		_, _, bad = j.both(fmt.Sprintf("mkdir %d %q", at, path), syscall.SYS_MKDIRAT, []int{0}, uintptr(at), p, uintptr(r.IntN(0o10000)&^0o1000)) // what the host protects in sticky folders is its sysctls' affair
	case 7:
		j.closeAll()
		_, _, bad = j.both(fmt.Sprintf("unlink %d %q", at, path), syscall.SYS_UNLINKAT, []int{0}, uintptr(at), p, 0)
	case 8:
		j.closeAll()
		_, _, bad = j.both(fmt.Sprintf("rmdir %d %q", at, path), syscall.SYS_UNLINKAT, []int{0}, uintptr(at), p, atRemovedir)
	case 9, 10:
		j.closeAll()
		to, new := j.at(), j.path()
		flags := uintptr(0)
		if r.IntN(3) == 0 {
			flags = uintptr(r.IntN(8))
		}
		_, _, bad = j.both(fmt.Sprintf("rename %d %q %d %q %d", at, path, to, new, flags), sysRenameat2, []int{0, 2}, uintptr(at), p, uintptr(to), j.str(new), flags)
	case 11:
		if j.inotify[0] >= 0 {
			break // files have one name there
		}
		to, new := j.at(), j.path()
		flags := pick[uintptr](r, 0, 0, atFollow, atEmptyPath)
		if r.IntN(3) == 0 {
			at, path, p, flags = j.file(), "", j.str(""), atEmptyPath
		}
		_, _, bad = j.both(fmt.Sprintf("link %d %q %d %q %#x", at, path, to, new, flags), syscall.SYS_LINKAT, []int{0, 2}, uintptr(at), p, uintptr(to), j.str(new), flags)
	case 12:
		target := j.path()
		_, _, bad = j.both(fmt.Sprintf("symlink %q %d %q", target, at, path), syscall.SYS_SYMLINKAT, []int{1}, j.str(target), uintptr(at), p)
	case 13:
		bad = j.buffer(fmt.Sprintf("readlink %d %q", at, path), syscall.SYS_READLINKAT, 100, []int{0}, uintptr(at), p, 0, 100)
	case 14, 15, 16:
		flags := pick(r, 0, 0, atNoFollow, atEmptyPath)
		bad = j.stat(fmt.Sprintf("stat %d %q %#x", at, path, flags), sysStat, []int{0}, uintptr(at), p, 0, uintptr(flags))
	case 17:
		if i := j.file(); i > 0 {
			bad = j.stat(fmt.Sprint("fstat ", i), syscall.SYS_FSTAT, []int{0}, uintptr(i), 0)
		}
	case 18, 19:
		off := j.offset()
		data := []byte(strings.Repeat(string(rune('A'+r.IntN(26))), r.IntN(2*pageOf)))
		nr := pick(r, syscall.SYS_WRITE, syscall.SYS_PWRITE64)
		i := j.file()
		_, _, bad = j.both(fmt.Sprint("write ", i, " ", len(data), " ", off, " ", nr == syscall.SYS_PWRITE64), uintptr(nr), []int{0}, uintptr(i), address(unsafe.SliceData(data)), uintptr(len(data)), uintptr(off))
		runtime.KeepAlive(data)
	case 20, 21:
		nr := pick(r, syscall.SYS_READ, syscall.SYS_PREAD64)
		i, n, off := j.file(), r.IntN(3*pageOf), j.offset()
		bad = j.buffer(fmt.Sprint("read ", i, " ", n, " ", off, " ", nr == syscall.SYS_PREAD64), uintptr(nr), n, []int{0}, uintptr(i), 0, uintptr(n), uintptr(off))
	case 22:
		i, off, whence := j.file(), j.offset(), r.IntN(5)
		if j.isDir(i) && whence != 0 {
			break // ends and holes of folders are each filesystem's own
		}
		if j.isDir(i) {
			off = 0
		}
		_, _, bad = j.both(fmt.Sprint("seek ", i, " ", off, " ", whence), syscall.SYS_LSEEK, []int{0}, uintptr(i), uintptr(off), uintptr(whence))
	case 23:
		i, off := j.file(), j.offset()
		off = max(min(off, 1<<40), 0) // of two reasons to refuse we may give the other
		_, _, bad = j.both(fmt.Sprint("ftruncate ", i, " ", off), syscall.SYS_FTRUNCATE, []int{0}, uintptr(i), uintptr(off))
	case 24:
		off := min(j.offset(), 1<<40)
		_, _, bad = j.both(fmt.Sprintf("truncate %q %d", path, off), syscall.SYS_TRUNCATE, nil, p, uintptr(off))
	case 25:
		i, mode := j.file(), pick[uintptr](r, 3, 3, 2, 0x10, 8, 0x20, 0x1000)
		off, n := j.offset(), j.offset()
		_, _, bad = j.both(fmt.Sprint("fallocate ", i, " ", mode, " ", off, " ", n), syscall.SYS_FALLOCATE, []int{0}, uintptr(i), mode, uintptr(off), uintptr(n))
	case 26:
		if i := j.file(); i > 0 {
			bad = j.entries(i)
		}
	case 27:
		mode := uintptr(r.IntN(0o10000) &^ 0o1000)
		_, _, bad = j.both(fmt.Sprintf("chmod %d %q %o", at, path, mode), syscall.SYS_FCHMODAT, []int{0}, uintptr(at), p, mode)
	case 28:
		uid, gid, flags := pick(r, -1, 0, 5), pick(r, -1, 0, 7), pick[uintptr](r, 0, atNoFollow, atEmptyPath, 1)
		_, _, bad = j.both(fmt.Sprintf("chown %d %q %d %d %#x", at, path, uid, gid, flags), syscall.SYS_FCHOWNAT, []int{0}, uintptr(at), p, uintptr(uint32(uid)), uintptr(uint32(gid)), flags)
	case 29:
		nsec := func() int64 { return pick[int64](r, 0, 5, 999999999, 1e9, 1<<30-1, 1<<30-2) }
		times := [2]syscall.Timespec{{Sec: int64(r.IntN(1 << 30)), Nsec: nsec()}, {Sec: int64(r.IntN(1 << 30)), Nsec: nsec()}}
		flags := pick[uintptr](r, 0, 0, atNoFollow, 1)
		_, _, bad = j.both(fmt.Sprintf("utimens %d %q %v %#x", at, path, times, flags), syscall.SYS_UTIMENSAT, []int{0}, uintptr(at), p, address(&times), flags)
		runtime.KeepAlive(&times)
	case 30:
		if path == "/" || strings.HasPrefix(path, "/") || strings.HasPrefix(path, "..") {
			break // the root is not to be filled
		}
		if _, _, bad = j.both(fmt.Sprintf("chdir %q", path), syscall.SYS_CHDIR, nil, p); bad == "" {
			bad = j.buffer("getcwd", syscall.SYS_GETCWD, 300, nil, 0, 300)
		}
	case 31:
		mode, flags := uintptr(r.IntN(9)), pick[uintptr](r, 0, 0, atNoFollow, atEaccess, atEmptyPath, 1)
		_, _, bad = j.both(fmt.Sprintf("access %d %q %d %#x", at, path, mode, flags), sysFaccessat2, []int{0}, uintptr(at), p, mode, flags)
	case 32:
		kind := pick[uintptr](r, syscall.S_IFIFO, syscall.S_IFSOCK, syscall.S_IFREG, 0, syscall.S_IFDIR, syscall.S_IFLNK)
		_, _, bad = j.both(fmt.Sprintf("mknod %d %q %o", at, path, kind), syscall.SYS_MKNODAT, []int{0}, uintptr(at), p, kind|uintptr(r.IntN(0o1000)), 0)
	case 38:
		i, nr := j.file(), pick[uintptr](r, sysSyncfs, syscall.SYS_READAHEAD, syscall.SYS_SYNC_FILE_RANGE, syscall.SYS_FSYNC, syscall.SYS_FDATASYNC)
		off, n, flags := j.offset(), j.offset(), uintptr(r.IntN(9))
		_, _, bad = j.both(fmt.Sprint("sync ", nr, " ", i, " ", off, " ", n, " ", flags), nr, []int{0}, uintptr(i), uintptr(off), uintptr(n), flags)
	case 34, 35:
		bad = j.record()
	case 36, 37:
		if j.inotify[0] >= 0 {
			bad = j.watch(path, p)
		}
	case 33:
		if r.IntN(2) == 0 {
			i := j.file()
			if i == 0 {
				break
			}
			_, _, bad = j.both(fmt.Sprint("flock ", i), syscall.SYS_FLOCK, []int{0}, uintptr(i), pick[uintptr](r, 1, 2, 8)|4)
			break
		}
		in, out := j.file(), j.file()
		a, b := int64(j.offset()), int64(j.offset())
		from, to := [2]int64{a, a}, [2]int64{b, b}
		if in == 0 || out == 0 {
			break
		}
		var res [2]uintptr
		var errs [2]syscall.Errno
		n := uintptr(r.IntN(2 * pageOf))
		for side := range 2 {
			res[side], errs[side] = j.one(side, sysCopyFileRange, uintptr(j.fds[in][side]), address(&from[side]), uintptr(j.fds[out][side]), address(&to[side]), n)
		}
		line := fmt.Sprintf("copy_file_range %d %d %d %d %d = %d %v", in, a, out, b, n, res[0], errs[0])
		j.log = append(j.log, line)
		if res[0] != res[1] || errs[0] != errs[1] || from[0] != from[1] || to[0] != to[1] {
			bad = fmt.Sprintf("%s; we give %d %v", line, res[1], errs[1])
		}
	}
	if len(j.fds) > 12 {
		i := 1 + r.IntN(len(j.fds)-1)
		syscall.Close(j.fds[i][0])
		posix.Close(j.fds[i][1])
		j.log = append(j.log, fmt.Sprint("(close ", i, ")"))
		j.fds = slices.Delete(j.fds, i, i+1)
	}
	return bad
}

// buffer is both for a call that fills a buffer of n bytes, which is the first argument of 0 after the descriptor and path.
func (j *trial) buffer(what string, nr uintptr, n int, fds []int, args ...uintptr) string {
	where := map[uintptr]int{syscall.SYS_READLINKAT: 2, syscall.SYS_READ: 1, syscall.SYS_PREAD64: 1, syscall.SYS_GETCWD: 0}[nr]
	var bufs [2][]byte
	var res [2]uintptr
	var errs [2]syscall.Errno
	for side := range 2 {
		bufs[side] = make([]byte, n+1)
		a := slices.Clone(args)
		for _, i := range fds {
			a[i] = uintptr(j.fds[args[i]][side])
		}
		a[where] = address(&bufs[side][0])
		res[side], errs[side] = j.one(side, nr, a...)
	}
	j.log = append(j.log, fmt.Sprintf("%s = %d %v", what, res[0], errs[0]))
	if res[0] != res[1] || errs[0] != errs[1] {
		return fmt.Sprintf("%s: the host gives %d, %v; we give %d, %v", what, res[0], errs[0], res[1], errs[1])
	}
	if !bytes.Equal(bufs[0], bufs[1]) {
		return fmt.Sprintf("%s: the host gives %.80q, we give %.80q", what, bufs[0], bufs[1])
	}
	return ""
}

// isDir reports whether a descriptor is a folder's.
func (j *trial) isDir(i int) bool {
	var st syscall.Stat_t
	return i > 0 && syscall.Fstat(j.fds[i][0], &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFDIR
}

// stat is both for a call that fills in a struct stat.
func (j *trial) stat(what string, nr uintptr, fds []int, args ...uintptr) string {
	where := len(args) - 1
	if nr == sysStat {
		where = 2
	}
	var st [2]syscall.Stat_t
	var errs [2]syscall.Errno
	for side := range 2 {
		a := slices.Clone(args)
		for _, i := range fds {
			a[i] = uintptr(j.fds[args[i]][side])
		}
		a[where] = address(&st[side])
		_, errs[side] = j.one(side, nr, a...)
	}
	j.log = append(j.log, fmt.Sprintf("%s = %v", what, errs[0]))
	if errs[0] != errs[1] {
		return fmt.Sprintf("%s: the host gives %v; we give %v", what, errs[0], errs[1])
	}
	if errs[0] != 0 {
		return ""
	}
	h, o := &st[0], &st[1]
	key := [2]uint64{h.Dev, h.Ino}
	if ino, ok := j.inos[key]; ok && ino != o.Ino {
		return fmt.Sprintf("%s: another inode", what)
	}
	j.inos[key] = o.Ino
	if h.Mode != o.Mode || h.Nlink != o.Nlink || h.Uid != o.Uid || h.Gid != o.Gid || h.Size != o.Size || h.Blocks != o.Blocks && h.Mode&syscall.S_IFMT == syscall.S_IFREG || h.Blksize != o.Blksize || h.Rdev != o.Rdev {
		return fmt.Sprintf("%s: the host gives %+v\nwe give %+v", what, *h, *o)
	}
	return ""
}

type listed struct {
	name string
	kind byte
}

func (j *trial) list(side, fd int) (all []listed) {
	buf := make([]byte, 200)
	for {
		n, e := j.one(side, syscall.SYS_GETDENTS64, uintptr(fd), address(&buf[0]), uintptr(len(buf)))
		if e == syscall.EINVAL {
			buf = make([]byte, 2*len(buf))
			continue
		}
		if e != 0 {
			return append(all, listed{e.Error(), 0})
		}
		if n == 0 {
			return all
		}
		for b := buf[:n]; len(b) > 0; {
			size := binary.LittleEndian.Uint16(b[16:])
			name, _, _ := strings.Cut(string(b[19:size]), "\x00")
			all = append(all, listed{name, b[18]})
			b = b[size:]
		}
	}
}

// entries reads a folder from its beginning.
func (j *trial) entries(i int) string {
	var lists [2][]listed
	for side := range 2 {
		j.one(side, syscall.SYS_LSEEK, uintptr(j.fds[i][side]), 0, 0)
		lists[side] = j.list(side, j.fds[i][side])
		slices.SortFunc(lists[side], func(a, b listed) int { return strings.Compare(a.name, b.name) })
	}
	j.log = append(j.log, fmt.Sprint("getdents ", i, " = ", lists[0]))
	if !slices.Equal(lists[0], lists[1]) {
		return fmt.Sprintf("getdents: the host gives %v; we give %v", lists[0], lists[1])
	}
	return ""
}
