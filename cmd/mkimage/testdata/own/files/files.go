// Package files is a filesystem of one file, /own.
package files

import (
	"io"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
)

const text = "a file of its own"

func init() {
	posix.RegisterFiles(func(uintptr, [6]uintptr) (uintptr, syscall.Errno) { return 0, syscall.ENOSYS }, paths{})
}

type paths struct{}

func (paths) Openat(_ int, path string, flags int, _ uint32) (int, syscall.Errno) {
	switch {
	case path != "/own":
		return -1, syscall.ENOENT
	case flags&syscall.O_ACCMODE != syscall.O_RDONLY:
		return -1, syscall.EROFS
	}
	return posix.Install(&file{}, flags)
}

func (paths) Fstatat(int, string, *syscall.Stat_t, int) syscall.Errno { return syscall.ENOENT }

type file struct{ at int64 }

func (f *file) Read(d *posix.File, p []byte) (int, syscall.Errno) {
	n, e := f.Pread(d, p, f.at)
	f.at += int64(n)
	return n, e
}

func (*file) Pread(_ *posix.File, p []byte, off int64) (int, syscall.Errno) {
	return copy(p, text[min(off, int64(len(text))):]), 0
}

func (f *file) Seek(_ *posix.File, off int64, whence int) (int64, syscall.Errno) {
	switch whence {
	case io.SeekCurrent:
		off += f.at
	case io.SeekEnd:
		off += int64(len(text))
	}
	if off < 0 {
		return 0, syscall.EINVAL
	}
	f.at = off
	return off, 0
}

func (*file) Write(*posix.File, []byte) (int, syscall.Errno)         { return -1, syscall.EROFS }
func (*file) Pwrite(*posix.File, []byte, int64) (int, syscall.Errno) { return -1, syscall.EROFS }
func (*file) Ready() posix.Events                                    { return posix.In | posix.Out }
func (*file) Watchers() *posix.Watchers                              { return nil }
func (*file) Release()                                               {}
func (*file) Stat(st *syscall.Stat_t) {
	st.Mode, st.Size = syscall.S_IFREG|0o444, int64(len(text))
}
