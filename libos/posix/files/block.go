package files

import (
	"encoding/binary"
	"math"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// A blockDevice is an open description of a disk or partition, by its node in /dev: what is read and written goes to the disk at once, through no cache. It differs from Linux's so: who writes what is not whole blocks has them read
// first, fsync is what makes it durable, and O_DIRECT changes nothing but that blocks must be whole.
type blockDevice struct {
	at
	disk   fs.RawDisk
	direct bool

	mu  sync.Mutex
	off int64
}

// openBlock makes the Object of a disk's node. ENXIO for one that nobody drives; EBUSY for one that is mounted, if it is to be written or O_EXCL is among the flags, and for one that another has open with O_EXCL, if that is
// among the flags. It parks while the driver starts.
func openBlock(p fs.Place, rdev uint64, flags int) (posix.Object, syscall.Errno) {
	if fs.OpenDisk == nil {
		return nil, syscall.ENXIO
	}
	d, e := fs.OpenDisk(rdev, flags&syscall.O_ACCMODE != syscall.O_RDONLY, flags&syscall.O_EXCL != 0)
	if e != 0 {
		return nil, e
	}
	return &blockDevice{at: at{p: p}, disk: d, direct: flags&syscall.O_DIRECT != 0}, 0
}

// Read implements posix.Object.
func (o *blockDevice) Read(f *posix.File, p []byte) (int, syscall.Errno) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, e := o.Pread(f, p, o.off)
	o.off += int64(max(n, 0))
	return n, e
}

// Pread implements posix.Positioned.
func (o *blockDevice) Pread(_ *posix.File, p []byte, off int64) (int, syscall.Errno) {
	in := o.disk.Info()
	if o.askew(&in, len(p), off) {
		return -1, syscall.EINVAL
	}
	n, e := o.disk.ReadAt(p, off)
	return o.moved(&counted.read, fs.HasAccessed, n, e)
}

// Write implements posix.Object.
func (o *blockDevice) Write(f *posix.File, p []byte) (int, syscall.Errno) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, e := o.Pwrite(f, p, o.off)
	o.off += int64(max(n, 0))
	return n, e
}

// Pwrite implements posix.Positioned. O_APPEND means nothing, as on Linux.
func (o *blockDevice) Pwrite(f *posix.File, p []byte, off int64) (int, syscall.Errno) {
	in := o.disk.Info()
	if !in.ReadOnly && o.askew(&in, len(p), off) {
		return -1, syscall.EINVAL
	}
	n, e := o.disk.WriteAt(p, off)
	if e == 0 && n > 0 && f.Flags()&oDsync != 0 {
		e = o.disk.Sync()
	}
	return o.moved(&counted.written, fs.HasModified, n, e)
}

// askew says whether O_DIRECT refuses a transfer, of which what is behind the end does not count.
func (o *blockDevice) askew(in *fs.RawInfo, n int, off int64) bool {
	size := min(int64(n), in.Size-off)
	return o.direct && size > 0 && (off|size)&int64(in.BlockSize-1) != 0
}

// moved counts a transfer and tells of it.
func (o *blockDevice) moved(count *moved, what uint32, n int, e syscall.Errno) (int, syscall.Errno) {
	if e != 0 {
		n = -1
	}
	count.add(n)
	if n > 0 {
		o.p.Tell(what)
	}
	return n, e
}

// Seek implements posix.Positioned: nowhere behind the end.
func (o *blockDevice) Seek(_ *posix.File, off int64, whence int) (int64, syscall.Errno) {
	size := o.disk.Info().Size
	o.mu.Lock()
	defer o.mu.Unlock()
	switch whence {
	case 0:
	case 1:
		off += o.off
	case 2:
		off += size
	default:
		return -1, syscall.EINVAL
	}
	if off < 0 || off > size {
		return -1, syscall.EINVAL
	}
	o.off = off
	return off, 0
}

// Release implements posix.Object.
func (o *blockDevice) Release() {
	o.disk.Close()
	o.at.Release()
}

// Requests of ioctl about disks, linux/fs.h.
const (
	blkRoGet      = 0x125e
	blkRrPart     = 0x125f
	blkGetSize    = 0x1260
	blkFlsBuf     = 0x1261
	blkRaGet      = 0x1263
	blkSectGet    = 0x1267
	blkSszGet     = 0x1268
	blkBszGet     = 0x80081270
	blkGetSize64  = 0x80081272
	blkDiscard    = 0x1277
	blkIoMin      = 0x1278
	blkIoOpt      = 0x1279
	blkAlignOff   = 0x127a
	blkPbszGet    = 0x127b
	blkDiscardZ   = 0x127c
	blkSecDiscard = 0x127d
	blkRotational = 0x127e
	blkZeroOut    = 0x127f
)

// Call implements posix.Caller.
func (o *blockDevice) Call(f *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	switch nr {
	case syscall.SYS_IOCTL:
		return o.ioctl(f, uint32(a[1]), a[2])
	case syscall.SYS_FSYNC, syscall.SYS_FDATASYNC:
		return 0, o.disk.Sync(), true
	case syscall.SYS_FTRUNCATE:
		return 0, syscall.EINVAL, true
	case syscall.SYS_FALLOCATE:
		return cannotAllocate(f, a, syscall.EOPNOTSUPP)
	}
	return o.call(f, nr, a)
}

// ioctl is ioctl(2) as far as programs ask disks; not ok for what is not there (ENOTTY).
func (o *blockDevice) ioctl(f *posix.File, request uint32, arg uintptr) (uintptr, syscall.Errno, bool) {
	in := o.disk.Info()
	give := func(size int, v uint64) (uintptr, syscall.Errno, bool) {
		to, e := user.Bytes(arg, uintptr(size))
		if e == 0 {
			var b [8]byte
			binary.LittleEndian.PutUint64(b[:], v)
			copy(to, b[:size])
		}
		return 0, e, true
	}
	switch request {
	case blkGetSize64:
		return give(8, uint64(in.Size))
	case blkGetSize:
		return give(8, uint64(in.Size/512))
	case blkSszGet, blkPbszGet, blkIoMin:
		return give(4, uint64(in.BlockSize))
	case blkBszGet:
		return give(4, 4096)
	case blkRoGet:
		if in.ReadOnly {
			return give(4, 1)
		}
		return give(4, 0)
	case blkIoOpt, blkAlignOff, blkDiscardZ:
		return give(4, 0)
	case blkRaGet: // nothing is read ahead
		return give(8, 0)
	case blkSectGet:
		return give(2, 1<<20/512)
	case blkRotational:
		return give(2, 0)
	case blkFlsBuf:
		return 0, o.disk.Sync(), true
	case blkRrPart:
		return 0, o.disk.Rescan(), true
	case blkDiscard, blkZeroOut:
		return 0, o.clear(f, request, arg), true
	case blkSecDiscard:
		return 0, syscall.EOPNOTSUPP, true
	}
	return 0, 0, false
}

// clear is ioctl's BLKDISCARD and BLKZEROOUT. EBADF, EOPNOTSUPP, EFAULT, EINVAL, and those of the disk.
func (o *blockDevice) clear(f *posix.File, request uint32, arg uintptr) syscall.Errno {
	in := o.disk.Info()
	var span [2]uint64
	switch {
	case f.Flags()&syscall.O_ACCMODE == syscall.O_RDONLY:
		return syscall.EBADF
	case request == blkDiscard && !in.Discard:
		return syscall.EOPNOTSUPP
	case request == blkDiscard && in.ReadOnly:
		return syscall.EPERM
	}
	if e := user.Take(&span, arg); e != 0 {
		return e
	}
	off, n := int64(span[0]), int64(span[1])
	switch {
	case span[0] > math.MaxInt64 || span[1] > math.MaxInt64 || n == 0 || (off|n)&int64(in.BlockSize-1) != 0 || off > in.Size || n > in.Size-off:
		return syscall.EINVAL
	case request == blkDiscard:
		return o.disk.Discard(off, n)
	}
	for zeroes := make([]byte, min(n, 1<<20)); n > 0; {
		k, e := o.disk.WriteAt(zeroes[:min(n, int64(len(zeroes)))], off)
		if e != 0 {
			return e
		}
		off, n = off+int64(k), n-int64(k)
	}
	return 0
}
