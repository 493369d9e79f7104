// Package memfile is a few read-only files without a filesystem: what the libOS itself has to say at paths where programs look for it, as
// /etc/resolv.conf. A file's contents are made when it is opened. Every other path goes on to whoever serves paths.
//
// There are no folders: /etc cannot be listed and has no stat.
package memfile

import (
	"io"
	"path"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// A File is what a path has.
type File struct {
	// Contents makes them.
	Contents func() []byte

	// Changed is when they last did, in seconds since 1970: programs that keep what they read (package net's resolver) look at it.
	Changed func() int64
}

var files struct {
	mu   sync.Mutex
	of   map[string]File
	next posix.Server
}

// Provide gives the absolute path name a file. It is for init functions.
func Provide(name string, f File) {
	files.mu.Lock()
	defer files.mu.Unlock()
	if files.of == nil {
		files.of = map[string]File{}
		files.next = posix.RegisterFiles(serve)
	}
	files.of[name] = f
}

func find(name string) (File, bool) {
	files.mu.Lock()
	defer files.mu.Unlock()
	f, ok := files.of[path.Join("/", name)]
	return f, ok
}

// serve serves the calls that name paths.
func serve(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
	switch nr {
	case syscall.SYS_OPENAT, syscall.SYS_NEWFSTATAT, syscall.SYS_FACCESSAT, syscall.SYS_UNLINKAT:
		name, e := user.String(a[1])
		if e != 0 {
			return 0, e
		}
		if f, ok := find(name); ok {
			return f.serve(nr, a)
		}
	}
	if files.next != nil {
		return files.next(nr, a)
	}
	if nr == syscall.SYS_GETCWD {
		return 0, syscall.ENOSYS
	}
	return 0, syscall.ENOENT
}

func (f *File) serve(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
	switch nr {
	case syscall.SYS_OPENAT:
		flags := int(a[2])
		switch {
		case flags&syscall.O_ACCMODE != syscall.O_RDONLY || flags&syscall.O_TRUNC != 0:
			return 0, syscall.EROFS
		case flags&(syscall.O_CREAT|syscall.O_EXCL) == syscall.O_CREAT|syscall.O_EXCL:
			return 0, syscall.EEXIST
		case flags&syscall.O_DIRECTORY != 0:
			return 0, syscall.ENOTDIR
		}
		fd, e := posix.Install(&opened{data: f.Contents(), changed: f.Changed()}, flags)
		return uintptr(fd), e
	case syscall.SYS_NEWFSTATAT:
		st := user.At[syscall.Stat_t](a[2])
		if st == nil {
			return 0, syscall.EFAULT
		}
		*st = syscall.Stat_t{Nlink: 1, Blksize: 4096}
		fill(st, len(f.Contents()), f.Changed())
		return 0, 0
	case syscall.SYS_FACCESSAT:
		const write = 2
		if a[2]&write != 0 {
			return 0, syscall.EROFS
		}
		return 0, 0
	}
	return 0, syscall.EROFS
}

func fill(st *syscall.Stat_t, size int, changed int64) {
	st.Mode, st.Ino, st.Size = syscall.S_IFREG|0o444, 1, int64(size)
	st.Atim.Sec, st.Mtim.Sec, st.Ctim.Sec = changed, changed, changed
}

// opened is an open description.
type opened struct {
	data    []byte
	changed int64

	mu  sync.Mutex
	off int64
}

// Read implements posix.Object.
func (o *opened) Read(_ *posix.File, p []byte) (int, syscall.Errno) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.at(p, o.off)
	o.off += int64(n)
	return n, 0
}

func (o *opened) at(p []byte, off int64) int {
	if off >= int64(len(o.data)) {
		return 0
	}
	return copy(p, o.data[off:])
}

// Write implements posix.Object.
func (o *opened) Write(*posix.File, []byte) (int, syscall.Errno) { return -1, syscall.EBADF }

// Pread implements posix.Positioned.
func (o *opened) Pread(_ *posix.File, p []byte, off int64) (int, syscall.Errno) {
	return o.at(p, off), 0
}

// Lend implements posix.Lender.
func (o *opened) Lend(_ *posix.File, off int64, n int) (posix.Loan, syscall.Errno) {
	p := o.data[min(off, int64(len(o.data))):]
	return posix.Loan{Bytes: p[:min(n, len(p))]}, 0
}

// Pwrite implements posix.Positioned.
func (o *opened) Pwrite(*posix.File, []byte, int64) (int, syscall.Errno) { return -1, syscall.EBADF }

// Seek implements posix.Positioned.
func (o *opened) Seek(_ *posix.File, off int64, whence int) (int64, syscall.Errno) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		off += o.off
	case io.SeekEnd:
		off += int64(len(o.data))
	default:
		return -1, syscall.EINVAL
	}
	if off < 0 {
		return -1, syscall.EINVAL
	}
	o.off = off
	return off, 0
}

// Stat implements posix.Object.
func (o *opened) Stat(st *syscall.Stat_t) { fill(st, len(o.data), o.changed) }

// Ready implements posix.Object.
func (o *opened) Ready() posix.Events { return posix.In | posix.Out }

// Watchers implements posix.Object: poll never waits for a file.
func (o *opened) Watchers() *posix.Watchers { return nil }

// Release implements posix.Object.
func (o *opened) Release() {}
