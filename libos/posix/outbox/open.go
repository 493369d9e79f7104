package outbox

import (
	"encoding/binary"
	"slices"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// always is the readiness of files: poll(2) never waits for one.
type always struct{}

func (always) Ready() posix.Events       { return posix.In | posix.Out }
func (always) Watchers() *posix.Watchers { return nil }
func (always) Release()                  {}

// opened is an open description of a file.
type opened struct {
	always
	box  *box
	file *file
	off  int64 // box.mu guards it, too
}

// Read implements posix.Object.
func (o *opened) Read(_ *posix.File, p []byte) (int, syscall.Errno) {
	o.box.mu.Lock()
	defer o.box.mu.Unlock()
	n, e := o.file.read(p, o.off)
	o.off += int64(n)
	return n, e
}

// Write implements posix.Object.
func (o *opened) Write(f *posix.File, p []byte) (int, syscall.Errno) {
	o.box.mu.Lock()
	defer o.box.mu.Unlock()
	if f.Flags()&syscall.O_APPEND != 0 {
		o.off = int64(len(o.file.data))
	}
	n, e := o.file.write(p, o.off)
	if e == 0 {
		o.off += int64(n)
	}
	return n, e
}

// Pread implements posix.Positioned.
func (o *opened) Pread(_ *posix.File, p []byte, off int64) (int, syscall.Errno) {
	o.box.mu.Lock()
	defer o.box.mu.Unlock()
	return o.file.read(p, off)
}

// Pwrite implements posix.Positioned.
func (o *opened) Pwrite(_ *posix.File, p []byte, off int64) (int, syscall.Errno) {
	o.box.mu.Lock()
	defer o.box.mu.Unlock()
	return o.file.write(p, off)
}

// Seek implements posix.Positioned.
func (o *opened) Seek(_ *posix.File, off int64, whence int) (int64, syscall.Errno) {
	o.box.mu.Lock()
	defer o.box.mu.Unlock()
	base := int64(0)
	switch whence {
	case 0:
	case 1:
		base = o.off
	case 2:
		base = int64(len(o.file.data))
	default:
		return -1, syscall.EINVAL
	}
	if off < -base || off > 1<<62 {
		return -1, syscall.EINVAL
	}
	o.off = base + off
	return o.off, 0
}

// Stat implements posix.Object.
func (o *opened) Stat(st *syscall.Stat_t) {
	o.box.mu.Lock()
	o.file.stat(st)
	o.box.mu.Unlock()
}

// Call implements posix.Caller.
func (o *opened) Call(_ *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	switch nr {
	case syscall.SYS_FTRUNCATE:
		o.box.mu.Lock()
		defer o.box.mu.Unlock()
		return 0, o.file.truncate(int64(a[1])), true
	case syscall.SYS_FSYNC, syscall.SYS_FDATASYNC, syscall.SYS_FCHMOD:
		return 0, 0, true
	}
	return 0, 0, false
}

func (f *file) read(p []byte, off int64) (int, syscall.Errno) {
	if off >= int64(len(f.data)) {
		return 0, 0
	}
	return copy(p, f.data[off:]), 0
}

// folder is an open description of the folder.
type folder struct {
	always
	box  *box
	left []string // names not yet listed; nil before the first
	read bool
}

// Read implements posix.Object.
func (*folder) Read(*posix.File, []byte) (int, syscall.Errno) { return -1, syscall.EISDIR }

// Write implements posix.Object.
func (*folder) Write(*posix.File, []byte) (int, syscall.Errno) { return -1, syscall.EBADF }

// Stat implements posix.Object.
func (*folder) Stat(st *syscall.Stat_t) { statFolder(st) }

// Call implements posix.Caller.
func (d *folder) Call(_ *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	if nr != syscall.SYS_GETDENTS64 {
		return 0, 0, false
	}
	buf, e := user.Bytes(a[1], a[2])
	if e != 0 {
		return 0, e, true
	}
	d.box.mu.Lock()
	defer d.box.mu.Unlock()
	if !d.read {
		d.read = true
		for name := range d.box.files {
			d.left = append(d.left, name)
		}
		slices.Sort(d.left)
	}
	n := 0
	for len(d.left) > 0 {
		size := putEntry(buf[n:], d.box.files[d.left[0]], d.left[0])
		if size == 0 {
			break
		}
		n, d.left = n+size, d.left[1:]
	}
	if n == 0 && len(d.left) > 0 {
		return 0, syscall.EINVAL, true
	}
	return uintptr(n), 0, true
}

// putEntry writes a linux_dirent64, getdents(2), and gives its length; 0 where it does not fit.
func putEntry(b []byte, f *file, name string) int {
	const head = 19
	size := (head + len(name) + 1 + 7) &^ 7
	if size > len(b) {
		return 0
	}
	clear(b[:size])
	ino := uint64(folderIno) // of a file removed meanwhile: any but 0
	if f != nil {
		ino = f.ino
	}
	binary.LittleEndian.PutUint64(b, ino)
	binary.LittleEndian.PutUint64(b[8:], uint64(size))
	binary.LittleEndian.PutUint16(b[16:], uint16(size))
	b[18] = syscall.DT_REG
	copy(b[head:], name)
	return size
}
