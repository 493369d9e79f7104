package files

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// Numbers of character devices, as Linux's devices.txt has them.
var (
	numNull    = makedev(1, 3)
	numZero    = makedev(1, 5)
	numFull    = makedev(1, 7)
	numRandom  = makedev(1, 8)
	numURandom = makedev(1, 9)
	numTTY     = makedev(5, 0)
	numConsole = makedev(5, 1)
	numSerial  = makedev(4, 64)
)

// devices makes /dev. It is a filesystem in memory, so programs may make more, as with mknod.
func devices() fs.FileSystem {
	m := mem.New(mem.Options{Inodes: 4096, Limit: 1 << 20})
	root := m.Root()
	nodes(root) // which keeps it
	for _, d := range []struct {
		name string
		perm uint32
		rdev uint64
	}{
		{"null", 0o666, numNull}, {"zero", 0o666, numZero}, {"full", 0o666, numFull}, {"random", 0o666, numRandom}, {"urandom", 0o666, numURandom},
		{"tty", 0o666, numTTY}, {"console", 0o600, numConsole}, {"ttyS0", 0o620, numSerial},
	} {
		if n, e := root.Create(d.name, syscall.S_IFCHR|d.perm, d.rdev); e == 0 {
			n.Unref()
		}
	}
	for _, l := range [][2]string{{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}} {
		if n, e := root.Symlink(l[0], l[1]); e == 0 {
			n.Unref()
		}
	}
	if n, e := root.Create("shm", syscall.S_IFDIR|0o1777, 0); e == 0 {
		n.Unref()
	}
	return m
}

// openDevice makes the Object of a character device. ENXIO for one that nobody drives.
func openDevice(p fs.Place, rdev uint64) (posix.Object, syscall.Errno) {
	switch rdev {
	case numNull:
		return &null{device{at{p: p}}}, 0
	case numZero:
		return &zero{device{at{p: p}}}, 0
	case numFull:
		return &full{zero{device{at{p: p}}}}, 0
	case numRandom, numURandom:
		return &random{device{at{p: p}}}, 0
	case numTTY, numConsole, numSerial:
		p.Drop()
		return posix.TheConsole(), 0
	}
	return nil, syscall.ENXIO
}

// A device has no bytes at offsets, but lets one seek.
type device struct{ at }

// Seek implements posix.Positioned.
func (*device) Seek(*posix.File, int64, int) (int64, syscall.Errno) { return 0, 0 }

// Call implements posix.Caller.
func (o *device) Call(f *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	if nr == syscall.SYS_FALLOCATE {
		return cannotAllocate(f, a, syscall.ENODEV)
	}
	return o.call(f, nr, a)
}

// null is empty, and swallows all.
type null struct{ device }

// Read implements posix.Object.
func (*null) Read(*posix.File, []byte) (int, syscall.Errno) { return 0, 0 }

// Write implements posix.Object.
func (*null) Write(_ *posix.File, p []byte) (int, syscall.Errno) { return len(p), 0 }

// Pread implements posix.Positioned.
func (*null) Pread(*posix.File, []byte, int64) (int, syscall.Errno) { return 0, 0 }

// Pwrite implements posix.Positioned.
func (*null) Pwrite(_ *posix.File, p []byte, _ int64) (int, syscall.Errno) { return len(p), 0 }

// zero has zeroes without end.
type zero struct{ device }

// Read implements posix.Object.
func (*zero) Read(_ *posix.File, p []byte) (int, syscall.Errno) {
	clear(p)
	return len(p), 0
}

// Write implements posix.Object.
func (*zero) Write(_ *posix.File, p []byte) (int, syscall.Errno) { return len(p), 0 }

// Pread implements posix.Positioned.
func (o *zero) Pread(f *posix.File, p []byte, _ int64) (int, syscall.Errno) { return o.Read(f, p) }

// Pwrite implements posix.Positioned.
func (*zero) Pwrite(_ *posix.File, p []byte, _ int64) (int, syscall.Errno) { return len(p), 0 }

// Call implements posix.Caller.
func (o *zero) Call(f *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	if nr == syscall.SYS_MMAP {
		r, e := mapZero(f, a)
		return r, e, true
	}
	return o.device.Call(f, nr, a)
}

// Types of mappings, in mmap's flags.
const mapShared, mapPrivate, mapValidate, mapTypes = 1, 2, 3, 0xf

// mapArgs holds mmap's arguments to each other and to how the device is open.
func mapArgs(f *posix.File, a [6]uintptr) syscall.Errno {
	const write = 2
	kind, mode := a[3]&mapTypes, f.Flags()&syscall.O_ACCMODE
	switch {
	case a[5]%4096 != 0 || a[1] == 0 || kind == 0 || kind > mapValidate:
		return syscall.EINVAL
	case mode == syscall.O_WRONLY, kind != mapPrivate && a[2]&write != 0 && mode == syscall.O_RDONLY:
		return syscall.EACCES
	}
	return 0
}

// mapZero is mmap(2) of /dev/zero, which is that of memory that is no file's, and shared with nobody: there is one process.
func mapZero(f *posix.File, a [6]uintptr) (uintptr, syscall.Errno) {
	const anonymous = 0x20
	if e := mapArgs(f, a); e != 0 {
		return 0, e
	}
	if a[3]&mapTypes == mapValidate {
		a[3] = a[3]&^mapTypes | mapShared
	}
	if a[3]&mapTypes == mapShared && f.Flags()&syscall.O_ACCMODE == syscall.O_RDONLY && Map != nil {
		return mapUnwritable(a)
	}
	a[3] |= anonymous
	a[4], a[5] = ^uintptr(0), 0
	return posix.Anonymous(a)
}

// mapUnwritable maps a file of zeroes without a name: mprotect(2) is EACCES for it where it would have it written to, and not for memory that is no file's.
func mapUnwritable(a [6]uintptr) (uintptr, syscall.Errno) {
	top := Root.Root()
	defer top.Unref()
	f, e := top.(fs.Temporary).Temp(syscall.S_IFREG|0o600, false)
	if e != 0 {
		return 0, e
	}
	defer f.Unref() // a mapping has a reference of its own
	if e := f.Truncate(int64(min(a[1], fs.MaxSize-4096)+4095) &^ 4095); e != 0 {
		return 0, e
	}
	a[5] = 0
	return Map(f, syscall.O_RDONLY, a)
}

// full is zero to those who read, and full to those who write.
type full struct{ zero }

// Call implements posix.Caller: it cannot be mapped.
func (o *full) Call(f *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	if nr == syscall.SYS_MMAP {
		if e := mapArgs(f, a); e != 0 {
			return 0, e, true
		}
	}
	return o.device.Call(f, nr, a)
}

// Write implements posix.Object.
func (*full) Write(*posix.File, []byte) (int, syscall.Errno) { return -1, syscall.ENOSPC }

// Pwrite implements posix.Positioned.
func (*full) Pwrite(*posix.File, []byte, int64) (int, syscall.Errno) { return -1, syscall.ENOSPC }

// random is getrandom(2). What is written to it says nothing.
type random struct{ device }

// Read implements posix.Object.
func (*random) Read(_ *posix.File, p []byte) (int, syscall.Errno) { return posix.Getrandom(p, 0) }

// Write implements posix.Object.
func (*random) Write(_ *posix.File, p []byte) (int, syscall.Errno) { return len(p), 0 }

// Pread implements posix.Positioned.
func (o *random) Pread(f *posix.File, p []byte, _ int64) (int, syscall.Errno) { return o.Read(f, p) }

// Pwrite implements posix.Positioned.
func (*random) Pwrite(_ *posix.File, p []byte, _ int64) (int, syscall.Errno) { return len(p), 0 }
