package files

import (
	"encoding/binary"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// A dir is an open description of a folder. Its position is the cookie of the last entry that was read.
type dir struct {
	at
	d fs.Dir

	mu  sync.Mutex
	off int64
}

// Cookies of the entries that each folder has.
const (
	cookieSelf   = 1
	cookieParent = 2
)

// Read implements posix.Object.
func (*dir) Read(*posix.File, []byte) (int, syscall.Errno) { return -1, syscall.EISDIR }

// Write implements posix.Object. No folder is open for writing.
func (*dir) Write(*posix.File, []byte) (int, syscall.Errno) { return -1, syscall.EBADF }

// Pread implements posix.Positioned.
func (*dir) Pread(*posix.File, []byte, int64) (int, syscall.Errno) { return -1, syscall.EISDIR }

// Pwrite implements posix.Positioned.
func (*dir) Pwrite(*posix.File, []byte, int64) (int, syscall.Errno) { return -1, syscall.EBADF }

// Seek implements posix.Positioned: telldir and seekdir.
func (o *dir) Seek(_ *posix.File, off int64, whence int) (int64, syscall.Errno) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch whence {
	case 0:
	case 1:
		off += o.off
	default:
		return -1, syscall.EINVAL
	}
	if off < 0 {
		return -1, syscall.EINVAL
	}
	o.off = off
	return off, 0
}

// Call implements posix.Caller.
func (o *dir) Call(f *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	switch nr {
	case syscall.SYS_GETDENTS64:
		n, e := o.list(a[1], uintptr(uint32(a[2])))
		if e == 0 {
			o.p.Tell(fs.HasAccessed)
		}
		return uintptr(n), e, true
	case syscall.SYS_FSYNC, syscall.SYS_FDATASYNC:
		if s, ok := o.d.(fs.DirSyncer); ok {
			return 0, s.SyncDir(), true
		}
		return 0, 0, true
	case syscall.SYS_FALLOCATE:
		return cannotAllocate(f, a, syscall.EISDIR)
	}
	return o.call(f, nr, a)
}

// list is getdents64(2).
func (o *dir) list(p, n uintptr) (int, syscall.Errno) {
	buf, e := user.Bytes(p, n)
	if e != 0 {
		return 0, e
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	a := o.d.Attr()
	if a.Nlink == 0 {
		return 0, syscall.ENOENT
	}
	l := listing{buf: buf, off: o.off}
	if l.off < cookieSelf {
		l.add(&fs.Entry{Name: ".", Ino: a.Ino, Type: syscall.S_IFDIR, Cookie: cookieSelf})
	}
	if l.off < cookieParent && !l.full {
		up := o.d.Parent()
		ino := up.Attr().Ino
		up.Unref()
		l.add(&fs.Entry{Name: "..", Ino: ino, Type: syscall.S_IFDIR, Cookie: cookieParent})
	}
	if !l.full {
		e = o.d.ReadDir(uint64(l.off), l.add)
	}
	switch {
	case l.n > 0:
		o.off = l.off
		return l.n, 0
	case l.full:
		return 0, syscall.EINVAL
	}
	return 0, e
}

// A listing fills a buffer with entries.
type listing struct {
	buf  []byte
	n    int
	off  int64 // the last cookie
	full bool
}

// add writes a linux_dirent64, getdents(2).
func (l *listing) add(en *fs.Entry) bool {
	const head = 19
	b := l.buf[l.n:]
	size := (head + len(en.Name) + 1 + 7) &^ 7
	if size > len(b) {
		l.full = true
		return false
	}
	clear(b[head+len(en.Name) : size])
	binary.LittleEndian.PutUint64(b, en.Ino)
	binary.LittleEndian.PutUint64(b[8:], en.Cookie)
	binary.LittleEndian.PutUint16(b[16:], uint16(size))
	b[18] = byte(en.Type >> 12)
	copy(b[head:], en.Name)
	l.n, l.off = l.n+size, int64(en.Cookie)
	return true
}

// A pathOnly is what O_PATH opens: a place, nothing else.
type pathOnly struct{ at }

// Release implements posix.Object: closing such a descriptor gives up no locks.
func (o *pathOnly) Release() { o.p.Drop() }

// Read implements posix.Object.
func (*pathOnly) Read(*posix.File, []byte) (int, syscall.Errno) { return -1, syscall.EBADF }

// Write implements posix.Object.
func (*pathOnly) Write(*posix.File, []byte) (int, syscall.Errno) { return -1, syscall.EBADF }

// Pread implements posix.Positioned.
func (*pathOnly) Pread(*posix.File, []byte, int64) (int, syscall.Errno) { return -1, syscall.EBADF }

// Pwrite implements posix.Positioned.
func (*pathOnly) Pwrite(*posix.File, []byte, int64) (int, syscall.Errno) { return -1, syscall.EBADF }

// Seek implements posix.Positioned.
func (*pathOnly) Seek(*posix.File, int64, int) (int64, syscall.Errno) { return -1, syscall.EBADF }

// Call implements posix.Caller.
func (o *pathOnly) Call(f *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	switch nr {
	case syscall.SYS_FSTATFS, syscall.SYS_FCHDIR:
		return o.call(f, nr, a)
	}
	return 0, syscall.EBADF, true
}
