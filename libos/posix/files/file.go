package files

import (
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// A file is an open description of a regular file.
type file struct {
	at
	data fs.File // the node, or what its Open gave
	made bool    // it is the latter, and goes with the description
	desc posix.File

	mu  sync.Mutex
	off int64
}

// Map is mmap(2) of a file that was opened with flags, where something maps files: libos/posix/mmap.
var Map func(f fs.File, flags uint32, a [6]uintptr) (uintptr, syscall.Errno)

const (
	oPath  = 0x200000
	oSync  = 0x101000 // O_DSYNC and more
	oDsync = 0x1000

	seekData = 3
	seekHole = 4
)

// Read implements posix.Object.
func (o *file) Read(_ *posix.File, p []byte) (int, syscall.Errno) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, e := o.read(p, o.off)
	o.off += int64(max(n, 0))
	return n, e
}

// Pread implements posix.Positioned.
func (o *file) Pread(_ *posix.File, p []byte, off int64) (int, syscall.Errno) {
	return o.read(p, off)
}

func (o *file) read(p []byte, off int64) (int, syscall.Errno) {
	n, e := fs.ReadAt(o.data, p, off)
	counted.read.add(n)
	if n > 0 {
		o.p.Tell(fs.HasAccessed)
	}
	return n, e
}

// Write implements posix.Object.
func (o *file) Write(f *posix.File, p []byte) (int, syscall.Errno) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, at, e := o.write(f, p, o.off)
	if n > 0 {
		o.off = at + int64(n)
	}
	return n, e
}

// Pwrite implements posix.Positioned. With O_APPEND it appends, whatever off is, as Linux does.
func (o *file) Pwrite(f *posix.File, p []byte, off int64) (int, syscall.Errno) {
	n, _, e := o.write(f, p, off)
	return n, e
}

func (o *file) write(f *posix.File, p []byte, off int64) (n int, at int64, e syscall.Errno) {
	n, at, e = o.put(f, p, off)
	counted.written.add(n)
	return n, at, e
}

// put is write, not counted.
func (o *file) put(f *posix.File, p []byte, off int64) (n int, at int64, e syscall.Errno) {
	if f.Flags()&syscall.O_APPEND != 0 {
		off = fs.Append
	}
	if m, ok := o.p.Node.(*memFile); ok {
		n, at, e = m.sealed(p, off, func(p []byte) (int, int64, syscall.Errno) { return fs.WriteAt(o.data, p, off) })
	} else {
		n, at, e = fs.WriteAt(o.data, p, off)
	}
	if n > 0 {
		o.p.Tell(fs.HasModified)
	}
	if e == 0 && f.Flags()&oDsync != 0 {
		if e = fs.Sync(o.data, f.Flags()&oSync != oSync); e != 0 {
			n = -1
		}
	}
	return n, at, e
}

// Seek implements posix.Positioned.
func (o *file) Seek(_ *posix.File, off int64, whence int) (int64, syscall.Errno) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch whence {
	case 0:
	case 1:
		if off == 0 {
			return o.off, 0
		}
		off += o.off
	case 2:
		off += o.size()
	case seekData, seekHole:
		var e syscall.Errno
		if off, e = fs.SeekData(o.data, off, whence == seekHole); e != 0 {
			return -1, e
		}
	default:
		return -1, syscall.EINVAL
	}
	if off < 0 {
		return -1, syscall.EINVAL
	}
	o.off = off
	return off, 0
}

func (o *file) size() int64 {
	a := o.data.Attr()
	return a.Size
}

// Stat implements posix.Object.
func (o *file) Stat(st *syscall.Stat_t) {
	a := o.data.Attr()
	a.Dev = o.p.Mount.Dev
	fill(st, &a)
}

// Release implements posix.Object.
func (o *file) Release() {
	if o.made {
		o.data.Unref()
	}
	o.at.Release()
}

// Lend implements posix.Lender.
func (o *file) Lend(_ *posix.File, off int64, n int) (posix.Loan, syscall.Errno) {
	loan, e := fs.Lend(o.data, off, n)
	if len(loan.Bytes) > 0 {
		counted.read.add(len(loan.Bytes))
		o.p.Tell(fs.HasAccessed)
	}
	return posix.Loan(loan), e
}

// Call implements posix.Caller.
func (o *file) Call(f *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	switch nr {
	case syscall.SYS_FTRUNCATE:
		if f.Flags()&syscall.O_ACCMODE == syscall.O_RDONLY || int64(a[1]) < 0 {
			return 0, syscall.EINVAL, true
		}
		e := fs.Truncate(o.data, int64(a[1]))
		if e == 0 {
			o.p.Tell(fs.HasModified)
		}
		return 0, e, true
	case syscall.SYS_FSYNC, syscall.SYS_FDATASYNC:
		return 0, fs.Sync(o.data, nr == syscall.SYS_FDATASYNC), true
	case syscall.SYS_FALLOCATE:
		return 0, o.allocate(f, a), true
	case syscall.SYS_FCNTL:
		if cmd := int(int32(a[1])); cmd == fAddSeals || cmd == fGetSeals {
			r, e := o.sealCall(f, cmd, a[2])
			return r, e, true
		}
	case syscall.SYS_MMAP:
		if m, ok := o.p.Node.(*memFile); ok && Map != nil {
			r, e := m.mapSealed(o.data, f.Flags(), a)
			return r, e, true
		}
		if Map != nil && !o.made {
			r, e := Map(o.data, f.Flags(), a)
			return r, e, true
		}
	case syscall.SYS_IOCTL:
		const fionread = 0x541b
		if uint32(a[1]) != fionread {
			break
		}
		o.mu.Lock()
		left := int32(o.size() - o.off)
		o.mu.Unlock()
		return 0, user.Put(a[2], &left), true
	}
	return o.call(f, nr, a)
}

// allocate is fallocate(2).
func (o *file) allocate(f *posix.File, a [6]uintptr) syscall.Errno {
	e := allocateArgs(f, a)
	mode, off, n := uint32(a[1]), int64(a[2]), int64(a[3])
	switch {
	case e != 0:
		return e
	case off+n < 0:
		return syscall.EFBIG
	}
	e = fs.Allocate(o.data, mode, off, n)
	if e == 0 {
		o.p.Tell(fs.HasModified)
	}
	return e
}

// allocateArgs holds fallocate's arguments to each other and to how the file is open.
func allocateArgs(f *posix.File, a [6]uintptr) syscall.Errno {
	const known = fs.FallocKeepSize | fs.FallocPunchHole | fs.FallocCollapse | fs.FallocZero | fs.FallocInsert
	mode, off, n := uint32(a[1]), int64(a[2]), int64(a[3])
	punch := mode&fs.FallocPunchHole != 0
	switch {
	case off < 0 || n <= 0:
		return syscall.EINVAL
	case mode&^known != 0 || punch && (mode&fs.FallocZero != 0 || mode&fs.FallocKeepSize == 0):
		return syscall.EOPNOTSUPP
	case mode&fs.FallocCollapse != 0 && mode != fs.FallocCollapse, mode&fs.FallocInsert != 0 && mode != fs.FallocInsert:
		return syscall.EINVAL
	case f.Flags()&syscall.O_ACCMODE == syscall.O_RDONLY:
		return syscall.EBADF
	}
	return 0
}

// cannotAllocate is fallocate(2) on what is no file: e.
func cannotAllocate(f *posix.File, a [6]uintptr, e syscall.Errno) (uintptr, syscall.Errno, bool) {
	if bad := allocateArgs(f, a); bad != 0 {
		e = bad
	}
	return 0, e, true
}

// get is posix.Get, but for descriptors that are only places.
func get(fd uintptr) *posix.File {
	f := posix.Get(posix.FD(fd))
	if f != nil {
		if _, only := f.Object().(*pathOnly); only {
			f.Put()
			return nil
		}
	}
	return f
}

// regular is the file that a description is of. EISDIR, EINVAL.
func regular(f *posix.File) (*file, syscall.Errno) {
	switch o := f.Object().(type) {
	case *file:
		return o, 0
	case *dir:
		return nil, syscall.EISDIR
	}
	return nil, syscall.EINVAL
}

// copying is held by who takes the locks of two descriptions: two that copy to each other would take them in turn.
var copying sync.Mutex

// copyRange is copy_file_range(2): through memory, for there is no filesystem yet that could share blocks.
func copyRange(a [6]uintptr) (uintptr, syscall.Errno) {
	in := get(a[0])
	if in == nil {
		return 0, syscall.EBADF
	}
	defer in.Put()
	out := get(a[2])
	if out == nil {
		return 0, syscall.EBADF
	}
	defer out.Put()
	src, e := regular(in)
	dst, e2 := regular(out)
	if e2 == syscall.EISDIR || e == 0 {
		e = e2
	}
	if e != 0 {
		return 0, e
	}
	from, to := &src.off, &dst.off
	if a[1] != 0 {
		if from = user.At[int64](a[1]); from == nil {
			return 0, syscall.EFAULT
		}
	}
	if a[3] != 0 {
		if to = user.At[int64](a[3]); to == nil {
			return 0, syscall.EFAULT
		}
	}
	copying.Lock()
	if a[1] == 0 {
		src.mu.Lock()
		defer src.mu.Unlock()
	}
	if a[3] == 0 && (a[1] != 0 || src != dst) {
		dst.mu.Lock()
		defer dst.mu.Unlock()
	}
	copying.Unlock()
	count := int64(min(a[4], 1<<30))
	start, end := *from, *to
	switch {
	case in.Flags()&syscall.O_ACCMODE == syscall.O_WRONLY || out.Flags()&syscall.O_ACCMODE == syscall.O_RDONLY,
		out.Flags()&syscall.O_APPEND != 0:
		return 0, syscall.EBADF
	case uint32(a[5]) != 0:
		return 0, syscall.EINVAL
	case uint64(start)+uint64(count) < uint64(start) || uint64(end)+uint64(count) < uint64(end):
		return 0, syscall.EOVERFLOW
	case start < 0 || end < 0:
		return 0, syscall.EINVAL
	case start+count < 0 || end+count < 0:
		return 0, syscall.EOVERFLOW
	}
	count = min(count, max(src.size()-start, 0))
	if src.p == dst.p && start < end+count && end < start+count {
		return 0, syscall.EINVAL
	}
	buf := make([]byte, min(count, 64<<10))
	done := int64(0)
	for done < count {
		n, err := fs.ReadAt(src.data, buf[:min(int64(len(buf)), count-done)], start+done)
		if n <= 0 {
			e = err
			break
		}
		if done == 0 {
			src.p.Tell(fs.HasAccessed)
		}
		w, _, err := dst.put(out, buf[:n], end+done)
		done += int64(max(w, 0))
		if w < n {
			e = err
			break
		}
	}
	if done == 0 {
		return 0, e
	}
	counted.read.add(int(done))
	counted.written.add(int(done))
	*from, *to = start+done, end+done
	return uintptr(done), 0
}
