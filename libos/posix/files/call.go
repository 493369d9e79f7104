package files

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// What others serve.
var before, beforeMore posix.Server

// Flags of the at calls, linux/fcntl.h.
const (
	atCWD            = -100
	atNoFollow       = 0x100
	atRemovedir      = 0x200
	atFollow         = 0x400
	atEmptyPath      = 0x1000
	atStatxSync      = 0x6000
	atNoAutomount    = 0x800
	atEaccess        = 0x200
	faccessatFlags   = atEaccess | atNoFollow | atEmptyPath
	statFlags        = atNoFollow | atNoAutomount | atEmptyPath
	linkatFlags      = atFollow | atEmptyPath
	ownerFlags       = atNoFollow | atEmptyPath
	userAccessModes  = 7
	openHowSize      = 24
	statxReserved    = 0x80000000
	resolveNoXdev    = 0x01
	resolveNoMagic   = 0x02
	resolveNoLinks   = 0x04
	resolveBeneath   = 0x08
	resolveInRoot    = 0x10
	resolveCached    = 0x20
	resolveKnown     = 0x3f
	openat2KnownFlag = 0x7fffc3 | syscall.O_CLOEXEC
)

// serve serves the calls that name paths.
func serve(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
	switch nr {
	case syscall.SYS_OPENAT:
		return open(a[0], a[1], int(int32(a[2])), uint32(a[3]), 0)
	case sysOpenat2:
		return openat2(a)
	case sysStat:
		return 0, fstatat(a)
	case syscall.SYS_READLINKAT:
		return readlink(a)
	case syscall.SYS_GETCWD:
		return getcwd(a[0], a[1])
	case syscall.SYS_CHDIR:
		return 0, withPath(cwdArg, a[0], 0, func(p fs.Place) syscall.Errno { return setCwd(p.Again()) })
	case syscall.SYS_TRUNCATE:
		if int64(a[1]) < 0 {
			return 0, syscall.EINVAL
		}
		return 0, withPath(cwdArg, a[0], 0, func(p fs.Place) syscall.Errno { return truncate(p, int64(a[1])) })
	case syscall.SYS_STATFS:
		return 0, withPath(cwdArg, a[0], 0, func(p fs.Place) syscall.Errno { return statfs(p, a[1]) })
	case syscall.SYS_MKDIRAT:
		return 0, withName(a[0], a[1], func(at fs.Place, name string) syscall.Errno {
			return Tree.Mkdir(at, name, uint32(a[2])&^posix.Mask())
		})
	case syscall.SYS_MKNODAT:
		return 0, mknod(a)
	case syscall.SYS_UNLINKAT:
		return 0, withName(a[0], a[1], func(at fs.Place, name string) syscall.Errno {
			switch uint32(a[2]) {
			case 0:
				return Tree.Unlink(at, name)
			case atRemovedir:
				return Tree.Rmdir(at, name)
			}
			return syscall.EINVAL
		})
	case syscall.SYS_RENAMEAT, sysRenameat2:
		flags := uint32(0)
		if nr == sysRenameat2 {
			flags = uint32(a[4])
		}
		if flags&^(fs.RenameNoReplace|fs.RenameExchange|fs.RenameWhiteout) != 0 || flags&fs.RenameExchange != 0 && flags != fs.RenameExchange {
			return 0, syscall.EINVAL
		}
		return 0, withName(a[0], a[1], func(from fs.Place, old string) syscall.Errno {
			called := false
			e := withName(a[2], a[3], func(to fs.Place, name string) syscall.Errno {
				called = true
				return Tree.Rename(from, old, to, name, flags)
			})
			if !called && e != syscall.EFAULT { // the old name's path is followed first
				if first := Tree.Reach(from, old); first != 0 {
					return first
				}
			}
			return e
		})
	case syscall.SYS_LINKAT:
		return 0, link(a)
	case syscall.SYS_SYMLINKAT:
		target, e := user.String(a[0])
		if target == "" && e == 0 {
			e = syscall.ENOENT
		}
		if e != 0 {
			return 0, e
		}
		return 0, withName(a[1], a[2], func(at fs.Place, name string) syscall.Errno { return Tree.Symlink(target, at, name) })
	case syscall.SYS_FCHMODAT:
		return 0, withPath(a[0], a[1], 0, func(p fs.Place) syscall.Errno { return chmod(p, uint32(a[2])) })
	case sysFchmodat2:
		return 0, withFlags(a[0], a[1], uint32(a[3]), ownerFlags, func(p fs.Place) syscall.Errno { return chmod(p, uint32(a[2])) })
	case syscall.SYS_FCHOWNAT:
		return 0, withFlags(a[0], a[1], uint32(a[4]), ownerFlags, func(p fs.Place) syscall.Errno {
			return chown(p, uint32(a[2]), uint32(a[3]))
		})
	case syscall.SYS_UTIMENSAT:
		return 0, utimens(a)
	case syscall.SYS_FACCESSAT:
		return 0, access(a[0], a[1], uint32(a[2]), 0)
	case sysFaccessat2:
		return 0, access(a[0], a[1], uint32(a[2]), uint32(a[3]))
	}
	if before != nil {
		return before(nr, a)
	}
	return 0, syscall.ENOSYS
}

// serveMore serves calls about files that std does not make, or can do without.
func serveMore(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno) {
	switch nr {
	case sysStatx:
		return 0, statx(a)
	case syscall.SYS_SENDFILE:
		return sendfile(a)
	case syscall.SYS_SPLICE:
		return splice(a)
	case syscall.SYS_TEE:
		return tee(a)
	case sysMemfdCreate:
		return memfdCreate(a)
	case sysCopyFileRange:
		return copyRange(a)
	case syscall.SYS_SYNC:
		Tree.Sync()
		return 0, 0
	case sysSyncfs, syscall.SYS_READAHEAD, syscall.SYS_SYNC_FILE_RANGE:
		return 0, syncCall(nr, a)
	case syscall.SYS_INOTIFY_INIT1:
		return inotifyInit(int(a[0]))
	case syscall.SYS_INOTIFY_ADD_WATCH, syscall.SYS_INOTIFY_RM_WATCH:
		return inotifyCall(nr, a)
	}
	if r, e, ok := xattrCall(nr, a); ok {
		return r, e
	}
	if beforeMore != nil {
		return beforeMore(nr, a)
	}
	return 0, syscall.ENOSYS
}

// cwdArg is AT_FDCWD as an argument.
const cwdArg = ^uintptr(99)

// start is where a path begins that is given with a descriptor; the caller drops it. EBADF, ENOTDIR.
func start(fd int, path string) (fs.Place, syscall.Errno) {
	if len(path) > 0 && path[0] == '/' || fd == atCWD {
		return here(), 0
	}
	f := posix.Get(fd)
	if f == nil {
		return fs.Place{}, syscall.EBADF
	}
	defer f.Put()
	o, ok := f.Object().(located)
	if !ok {
		return fs.Place{}, syscall.ENOTDIR
	}
	if _, ok := o.place().Node.(fs.Dir); !ok && path != "" {
		return fs.Place{}, syscall.ENOTDIR
	}
	return o.place().Again(), 0
}

// begin is start for paths that may not be empty. ENOENT.
func begin(fd int, path string) (fs.Place, syscall.Errno) {
	if path == "" {
		return fs.Place{}, syscall.ENOENT
	}
	return start(fd, path)
}

// withName calls f with the path at p and where it begins.
func withName(fd, p uintptr, f func(at fs.Place, path string) syscall.Errno) syscall.Errno {
	path, e := user.String(p)
	if e != 0 {
		return e
	}
	at, e := begin(posix.FD(fd), path)
	if e != 0 {
		return e
	}
	defer at.Drop()
	return f(at, path)
}

// withPath calls f with what the path at p leads to.
func withPath(fd, p uintptr, how fs.How, f func(fs.Place) syscall.Errno) syscall.Errno {
	return withName(fd, p, func(at fs.Place, path string) syscall.Errno {
		q, e := Tree.Resolve(at, path, how)
		if e != 0 {
			return e
		}
		defer q.Drop()
		return f(q)
	})
}

// withFlags is withPath with a call's flags: the path may be empty with AT_EMPTY_PATH, and means the descriptor then.
func withFlags(fd, p uintptr, flags, known uint32, f func(fs.Place) syscall.Errno) syscall.Errno {
	if flags&^known != 0 {
		return syscall.EINVAL
	}
	if flags&atEmptyPath != 0 {
		path, e := user.String(p)
		if e != 0 && p != 0 {
			return e
		}
		if path == "" {
			at, e := start(posix.FD(fd), "")
			if e != 0 {
				return e
			}
			defer at.Drop()
			return f(at)
		}
	}
	how := fs.How(0)
	if flags&atNoFollow != 0 {
		how = fs.NoFollow
	}
	return withPath(fd, p, how, f)
}

// fstatat is newfstatat(2).
func fstatat(a [6]uintptr) syscall.Errno {
	flags := uint32(a[3])
	if st := user.At[syscall.Stat_t](a[2]); st != nil {
		path, e := user.String(a[1])
		if e == 0 || a[1] == 0 && flags&atEmptyPath != 0 {
			return statAt(posix.FD(a[0]), path, st, flags)
		}
	}
	return withFlags(a[0], a[1], flags, statFlags, func(p fs.Place) syscall.Errno { return syscall.EFAULT })
}

func statAt(fd int, path string, st *syscall.Stat_t, flags uint32) syscall.Errno {
	switch {
	case flags&^statFlags != 0:
		return syscall.EINVAL
	case path == "" && flags&atEmptyPath == 0:
		return syscall.ENOENT
	case path == "" && fd != atCWD:
		return posix.Fstat(fd, st) // of anything
	}
	p, e := start(fd, path)
	if e != 0 {
		return e
	}
	if path != "" {
		how := fs.How(0)
		if flags&atNoFollow != 0 {
			how = fs.NoFollow
		}
		at := p
		p, e = Tree.Resolve(at, path, how)
		at.Drop()
		if e != 0 {
			return e
		}
	}
	a := p.Attr()
	p.Drop()
	fill(st, &a)
	return 0
}

func readlink(a [6]uintptr) (n uintptr, e syscall.Errno) {
	if int32(a[3]) <= 0 {
		return 0, syscall.EINVAL
	}
	buf, e := user.Bytes(a[2], uintptr(int32(a[3])))
	if e != 0 {
		return 0, e
	}
	read := func(p fs.Place) syscall.Errno {
		l, ok := p.Node.(fs.Link)
		if !ok {
			return syscall.EINVAL
		}
		target, e := l.Target()
		n = uintptr(copy(buf, target))
		return e
	}
	if path, e := user.String(a[1]); e == 0 && path == "" {
		at, e := start(posix.FD(a[0]), "")
		if e != 0 {
			return 0, e
		}
		defer at.Drop()
		if e := read(at); e != syscall.EINVAL {
			return n, e
		}
		return 0, syscall.ENOENT
	}
	e = withPath(a[0], a[1], fs.NoFollow, read)
	return n, e
}

func getcwd(p, n uintptr) (uintptr, syscall.Errno) {
	at := here()
	defer at.Drop()
	path, e := Tree.PathTo(at)
	if e != 0 {
		return 0, e
	}
	buf, e := user.Bytes(p, n)
	if e != 0 {
		return 0, e
	}
	if len(path) >= len(buf) {
		return 0, syscall.ERANGE
	}
	buf[copy(buf, path)] = 0
	return uintptr(len(path) + 1), 0
}

// truncate is truncate(2).
func truncate(p fs.Place, size int64) syscall.Errno {
	f, ok := p.Node.(fs.File)
	switch _, folder := p.Node.(fs.Dir); {
	case folder:
		return syscall.EISDIR
	case !ok:
		return syscall.EINVAL
	case p.Mount.ReadOnly:
		return syscall.EROFS
	}
	e := fs.Truncate(f, size)
	if e == 0 {
		p.Tell(fs.HasModified)
	}
	return e
}

func mknod(a [6]uintptr) syscall.Errno {
	mode := uint32(a[2])
	switch mode & syscall.S_IFMT {
	case 0:
		mode |= syscall.S_IFREG
	case syscall.S_IFREG, syscall.S_IFIFO, syscall.S_IFSOCK, syscall.S_IFCHR, syscall.S_IFBLK:
	case syscall.S_IFDIR:
		return syscall.EPERM
	default:
		return syscall.EINVAL
	}
	return withName(a[0], a[1], func(at fs.Place, path string) syscall.Errno {
		return Tree.Mknod(at, path, mode&syscall.S_IFMT|mode&0o7777&^posix.Mask(), uint64(uint32(a[3])))
	})
}

func link(a [6]uintptr) syscall.Errno {
	flags := uint32(a[4])
	pass := flags & atEmptyPath
	if flags&atFollow == 0 {
		pass |= atNoFollow
	}
	if flags&^linkatFlags != 0 {
		return syscall.EINVAL
	}
	return withFlags(a[0], a[1], pass, statFlags, func(old fs.Place) syscall.Errno {
		return withName(a[2], a[3], func(at fs.Place, name string) syscall.Errno { return Tree.Link(old, at, name) })
	})
}

// access is faccessat2(2). Root may read and write everything, and run what anybody may.
func access(fd, p uintptr, mode, flags uint32) syscall.Errno {
	const write, execute = 2, 1
	if mode&^userAccessModes != 0 || flags&^faccessatFlags != 0 {
		return syscall.EINVAL
	}
	return withFlags(fd, p, flags&^atEaccess, statFlags, func(p fs.Place) syscall.Errno {
		a := p.Attr()
		kind := a.Type()
		switch {
		case mode&execute != 0 && kind != syscall.S_IFDIR && a.Mode&0o111 == 0:
			return syscall.EACCES
		case mode&write != 0 && p.Mount.ReadOnly && (kind == syscall.S_IFREG || kind == syscall.S_IFDIR || kind == syscall.S_IFLNK):
			return syscall.EROFS
		}
		return 0
	})
}

// utimens is utimensat(2).
func utimens(a [6]uintptr) syscall.Errno {
	const now, omit = 1<<30 - 1, 1<<30 - 2
	flags := uint32(a[3])
	c := fs.Change{}
	stamp := syscall.NsecToTimespec(clock())
	times := [2]syscall.Timespec{{Nsec: now}, {Nsec: now}}
	if a[2] != 0 {
		if e := user.Take(&times, a[2]); e != 0 {
			return e
		}
	}
	if times[0].Nsec == omit && times[1].Nsec == omit {
		return 0
	}
	invalid := false
	for i, to := range []*syscall.Timespec{&c.Atime, &c.Mtime} {
		which := fs.SetAtime << i
		switch ts := times[i]; {
		case ts.Nsec == now:
			*to = stamp
		case ts.Nsec == omit:
			continue
		case uint64(ts.Nsec) >= 1e9:
			invalid = true
		default:
			*to = ts
		}
		c.Set |= which
	}
	change := func(p fs.Place) syscall.Errno {
		if invalid {
			return syscall.EINVAL
		}
		return set(p, &c)
	}
	if a[1] == 0 {
		if flags != 0 {
			return syscall.EINVAL
		}
		f := posix.Get(posix.FD(a[0]))
		if f == nil {
			return syscall.EBADF
		}
		defer f.Put()
		if o, ok := f.Object().(located); ok {
			return change(*o.place())
		}
		return 0
	}
	return withFlags(a[0], a[1], flags, ownerFlags, change)
}

// statxBuf is struct statx, statx(2).
type statxBuf struct {
	mask, blksize               uint32
	attributes                  uint64
	nlink, uid, gid             uint32
	mode, _                     uint16
	ino, size, blocks, attrMask uint64
	atime, btime, ctime, mtime  statxTime
	rdevMajor, rdevMinor        uint32
	devMajor, devMinor          uint32
	mount                       uint64
	_                           [13]uint64
}

type statxTime struct {
	sec  int64
	nsec uint32
	_    int32
}

func statx(a [6]uintptr) syscall.Errno {
	const basic, born = 0x7ff, 0x800
	flags := uint32(a[2])
	if uint32(a[3])&statxReserved != 0 || flags&atStatxSync == atStatxSync {
		return syscall.EINVAL
	}
	return withFlags(a[0], a[1], flags&^atStatxSync, statFlags, func(p fs.Place) syscall.Errno {
		out := user.At[statxBuf](a[4])
		if out == nil {
			return syscall.EFAULT
		}
		at := p.Attr()
		*out = statxBuf{
			mask: basic, blksize: uint32(at.Blksize), nlink: at.Nlink, uid: at.UID, gid: at.GID, mode: uint16(at.Mode),
			ino: at.Ino, size: uint64(at.Size), blocks: uint64(at.Blocks),
			atime: statxStamp(at.Atime), btime: statxStamp(at.Btime), ctime: statxStamp(at.Ctime), mtime: statxStamp(at.Mtime),
			rdevMajor: major(at.Rdev), rdevMinor: minor(at.Rdev), devMajor: major(at.Dev), devMinor: minor(at.Dev),
		}
		if at.Btime != (syscall.Timespec{}) {
			out.mask |= born
		}
		return 0
	})
}

func statxStamp(t syscall.Timespec) statxTime { return statxTime{sec: t.Sec, nsec: uint32(t.Nsec)} }

// major and minor are the parts of a device's number, makedev(3).
func major(dev uint64) uint32 { return uint32(dev>>8&0xfff | dev>>32&^0xfff) }
func minor(dev uint64) uint32 { return uint32(dev&0xff | dev>>12&^0xff) }

func makedev(major, minor uint64) uint64 { return major<<8 | minor }
