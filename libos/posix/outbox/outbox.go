// Package outbox is a folder, /outbox, whose files go to whoever runs the image: each change to one is a control record
// (ARCHITECTURE.md). mkimage links it where the go command would have a program leave files on the host: coverage data,
// and the profiles of a test.
//
// The folder is flat and empty at boot. Files are kept in memory as well, for they are read back. Other paths go to
// whoever served them before, and are ENOENT where nobody did.
package outbox

import (
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// Path is the folder.
const Path = "/outbox"

func init() { before = posix.RegisterFiles(serve) }

var before posix.Server

// control tells the host; tests listen here.
var control = posix.Control

// A box holds the files by name.
type box struct {
	mu    sync.Mutex
	files map[string]*file
	last  uint64 // inode number given out
}

// A file is what names and open descriptions share; the box's mu guards it.
type file struct {
	name string // as the host knows it; "" once it has none
	ino  uint64
	data []byte
	time syscall.Timespec
}

var theBox = box{files: map[string]*file{}}

// folderIno is the inode number of the folder itself.
const folderIno = 1

// atRemovedir is unlinkat's flag for a folder, linux/fcntl.h.
const atRemovedir = 0x200

// serve serves the calls that name paths.
func serve(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
	if nr == syscall.SYS_GETCWD {
		if before != nil {
			return before(nr, a)
		}
		return 0, syscall.ENOSYS
	}
	at := a[1] // behind a folder's descriptor, which an absolute path makes meaningless
	if nr == syscall.SYS_CHDIR || nr == syscall.SYS_TRUNCATE || nr == syscall.SYS_STATFS {
		at = a[0]
	}
	name, e := lookup(at)
	if e == elsewhere && before != nil {
		return before(nr, a)
	}
	if e != 0 {
		return 0, e
	}
	b := &theBox
	b.mu.Lock()
	defer b.mu.Unlock()
	switch nr {
	case syscall.SYS_OPENAT:
		return b.open(name, int(a[2]))
	case syscall.SYS_NEWFSTATAT:
		st := user.At[syscall.Stat_t](a[2])
		if st == nil {
			return 0, syscall.EFAULT
		}
		return 0, b.stat(name, st)
	case syscall.SYS_MKDIRAT:
		if name == "" || b.files[name] != nil {
			return 0, syscall.EEXIST
		}
		return 0, syscall.EPERM
	case syscall.SYS_UNLINKAT:
		return 0, b.remove(name, a[2]&atRemovedir != 0)
	case syscall.SYS_RENAMEAT:
		to, e := lookup(a[3])
		if e != 0 {
			return 0, e
		}
		return 0, b.rename(name, to)
	case syscall.SYS_FACCESSAT:
		if name != "" && b.files[name] == nil {
			return 0, syscall.ENOENT
		}
		return 0, 0
	}
	return 0, syscall.ENOSYS
}

// elsewhere is what lookup gives for a path outside: within, a name that nobody has is looked up later.
const elsewhere = syscall.ENOENT

// lookup gives the name in the folder that the path at p means, "" for the folder itself.
func lookup(p uintptr) (string, syscall.Errno) {
	path, e := user.String(p)
	if e != 0 {
		return "", e
	}
	rest, ok := strings.CutPrefix(path, Path)
	if !ok || rest != "" && rest[0] != '/' {
		return "", elsewhere
	}
	name := strings.Trim(rest, "/")
	if strings.Contains(name, "/") {
		return "", syscall.ENOENT
	}
	if name == "." || name == ".." {
		return "", syscall.EPERM
	}
	if strings.ContainsAny(name, " \n") { // records have neither in a name
		return "", syscall.EINVAL
	}
	return name, 0
}

func (b *box) open(name string, flags int) (uintptr, syscall.Errno) {
	write := flags&syscall.O_ACCMODE != syscall.O_RDONLY
	if name == "" {
		if write || flags&syscall.O_CREAT != 0 {
			return 0, syscall.EISDIR
		}
		return install(&folder{box: b}, flags)
	}
	f := b.files[name]
	switch {
	case f == nil && flags&syscall.O_CREAT == 0:
		return 0, syscall.ENOENT
	case f != nil && flags&(syscall.O_CREAT|syscall.O_EXCL) == syscall.O_CREAT|syscall.O_EXCL:
		return 0, syscall.EEXIST
	case flags&syscall.O_DIRECTORY != 0:
		return 0, syscall.ENOTDIR
	case f == nil:
		b.last++
		f = &file{name: name, ino: folderIno + b.last, time: now()}
		b.files[name] = f
		control("file create " + name)
	case write && flags&syscall.O_TRUNC != 0 && len(f.data) > 0:
		f.truncate(0)
	}
	return install(&opened{box: b, file: f}, flags)
}

func install(o posix.Object, flags int) (uintptr, syscall.Errno) {
	fd, e := posix.Install(o, flags)
	return uintptr(fd), e
}

func (b *box) stat(name string, st *syscall.Stat_t) syscall.Errno {
	*st = syscall.Stat_t{Nlink: 1, Blksize: 4096}
	if name == "" {
		statFolder(st)
		return 0
	}
	f := b.files[name]
	if f == nil {
		return syscall.ENOENT
	}
	f.stat(st)
	return 0
}

func (b *box) remove(name string, folder bool) syscall.Errno {
	f := b.files[name]
	switch {
	case name == "":
		return syscall.EBUSY
	case f == nil:
		return syscall.ENOENT
	case folder:
		return syscall.ENOTDIR
	}
	delete(b.files, name)
	f.name = ""
	control("file remove " + name)
	return 0
}

func (b *box) rename(from, to string) syscall.Errno {
	f := b.files[from]
	switch {
	case from == "" || to == "":
		return syscall.EBUSY
	case f == nil:
		return syscall.ENOENT
	case from == to:
		return 0
	}
	if old := b.files[to]; old != nil {
		old.name = ""
	}
	delete(b.files, from)
	f.name = to
	b.files[to] = f
	control("file rename " + from + " " + to)
	return 0
}

func (f *file) stat(st *syscall.Stat_t) {
	st.Mode = syscall.S_IFREG | 0o600
	st.Ino = f.ino
	st.Size = int64(len(f.data))
	st.Blocks = (st.Size + 511) / 512
	st.Atim, st.Mtim, st.Ctim = f.time, f.time, f.time
}

func statFolder(st *syscall.Stat_t) {
	st.Mode = syscall.S_IFDIR | 0o700
	st.Ino = folderIno
}

// maxRecord is the most bytes of a file that one record carries: the control port's lock is held meanwhile.
const maxRecord = 16 << 10

// maxFile bounds a file, which is kept in memory.
const maxFile = 1 << 31

// write puts p at off and tells the host.
func (f *file) write(p []byte, off int64) (int, syscall.Errno) {
	if off > maxFile-int64(len(p)) {
		return -1, syscall.EFBIG
	}
	end := off + int64(len(p))
	if end > int64(len(f.data)) {
		f.data = append(f.data, make([]byte, end-int64(len(f.data)))...)
	}
	copy(f.data[off:], p)
	f.time = now()
	for at := 0; at < len(p) && f.name != ""; at += maxRecord {
		part := p[at:min(at+maxRecord, len(p))]
		head := "file data " + f.name + " " + strconv.FormatInt(off+int64(at), 10) + " " + strconv.Itoa(len(part)) + "\n"
		control(head + string(part))
	}
	return len(p), 0
}

func (f *file) truncate(size int64) syscall.Errno {
	if size < 0 {
		return syscall.EINVAL
	}
	if size > maxFile {
		return syscall.EFBIG
	}
	if size <= int64(len(f.data)) {
		clear(f.data[size:])
		f.data = f.data[:size]
	} else {
		f.data = append(f.data, make([]byte, size-int64(len(f.data)))...)
	}
	f.time = now()
	if f.name != "" {
		control("file size " + f.name + " " + strconv.FormatInt(size, 10))
	}
	return 0
}

func now() (ts syscall.Timespec) {
	var tv syscall.Timeval
	if syscall.Gettimeofday(&tv) == nil {
		ts.Sec, ts.Nsec = tv.Sec, tv.Usec*1000
	}
	return ts
}
