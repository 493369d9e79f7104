package files

import (
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// located is an Object that is at a place of the tree: what descriptors of files, folders, pipes and devices refer to.
type located interface {
	posix.Object
	place() *fs.Place
	where() string
	opened(flags int, from fs.Place, path string)
}

// at is what all of them share.
type at struct {
	p      fs.Place
	locked atomic.Bool // somebody called flock on this description
	writes bool        // it was opened for writing
	temp   bool        // it was made by O_TMPFILE

	// How it was reached, for /proc/self/fd: path may be relative to from, to which it has a reference then. Nothing else looks at it, for names change.
	from fs.Place
	path string
}

func (o *at) place() *fs.Place { return &o.p }

// opened says how it was opened, and takes over from's reference.
func (o *at) opened(flags int, from fs.Place, path string) {
	o.from, o.path, o.temp = from, path, flags&oTmpfile == oTmpfile
	o.writes = flags&syscall.O_ACCMODE != syscall.O_RDONLY
	if !fs.Listening() {
		return
	}
	if a := o.p.Attr(); a.Type() != syscall.S_IFREG && a.Type() != syscall.S_IFDIR { // of those the walk has told
		o.p.Tell(fs.HasOpened)
	}
}

// where is what readlink says of it in /proc/self/fd.
func (o *at) where() string {
	path := o.path
	if o.temp {
		a := o.p.Attr()
		path = fs.Unnamed(path, a.Ino)
	}
	return Tree.Where(o.p, o.from, path)
}

// Stat implements posix.Object.
func (o *at) Stat(st *syscall.Stat_t) {
	a := o.p.Attr()
	fill(st, &a)
}

// Ready implements posix.Object.
func (o *at) Ready() posix.Events { return posix.In | posix.Out | posix.InN | posix.OutN }

// Watchers implements posix.Object: nobody waits for a file.
func (o *at) Watchers() *posix.Watchers { return nil }

// Release implements posix.Object.
func (o *at) Release() {
	if o.writes {
		o.p.Tell(fs.HasClosedW)
	} else {
		o.p.Tell(fs.HasClosed)
	}
	if fs.Listening() && o.p.Attr().Nlink == 0 {
		fs.Place{Node: o.p.Node}.Tell(fs.HasGone)
	}
	if o.locked.Load() {
		unlock(o)
	}
	if recorded.Load() > 0 {
		unrecord(o)
	}
	o.from.Drop()
	o.p.Drop()
}

func fill(st *syscall.Stat_t, a *fs.Attr) {
	*st = syscall.Stat_t{
		Dev: a.Dev, Ino: a.Ino, Nlink: uint64(a.Nlink), Mode: a.Mode, Uid: a.UID, Gid: a.GID, Rdev: a.Rdev, Size: a.Size,
		Blksize: a.Blksize, Blocks: a.Blocks, Atim: a.Atime, Mtim: a.Mtime, Ctim: a.Ctime,
	}
}

// call serves what is the same for all that is at a place.
func (o *at) call(f *posix.File, nr uintptr, a [6]uintptr) (r uintptr, e syscall.Errno, ok bool) {
	switch nr {
	case syscall.SYS_FCHMOD:
		return 0, chmod(o.p, uint32(a[1])), true
	case syscall.SYS_FCHOWN:
		return 0, chown(o.p, uint32(a[1]), uint32(a[2])), true
	case syscall.SYS_FSTATFS:
		return 0, statfs(o.p, a[1]), true
	case syscall.SYS_FLOCK:
		return 0, flock(f, o, int(int32(a[1]))), true
	case syscall.SYS_FCHDIR:
		return 0, setCwd(o.p.Again()), true
	case syscall.SYS_FADVISE64:
		if int32(a[3]) > 5 || int32(a[3]) < 0 {
			return 0, syscall.EINVAL, true
		}
		return 0, 0, true
	case syscall.SYS_FCNTL:
		return recordLock(f, o, int(a[1]), a[2])
	}
	r, e, ok = xattrOf(o.p, nr, a)
	return r, e, ok
}

// changed is what a change of attributes is to those who watch: a time alone says what it stands for.
func changed(which fs.Which) uint32 {
	switch which {
	case fs.SetAtime:
		return fs.HasAccessed
	case fs.SetMtime:
		return fs.HasModified
	}
	return fs.HasAttrib
}

// set changes attributes. EROFS.
func set(p fs.Place, c *fs.Change) syscall.Errno {
	if p.Mount.ReadOnly {
		return syscall.EROFS
	}
	e := p.Node.SetAttr(c)
	if e == 0 && c.Set != 0 {
		p.Tell(changed(c.Set))
	}
	return e
}

// chmod is fchmod(2).
func chmod(p fs.Place, mode uint32) syscall.Errno {
	if _, link := p.Node.(fs.Link); link {
		return syscall.EOPNOTSUPP
	}
	return set(p, &fs.Change{Set: fs.SetMode, Mode: mode & 0o7777})
}

// chown is fchown(2). Whoever owns a program anew does not run it as somebody else: S_ISUID and S_ISGID go.
func chown(p fs.Place, uid, gid uint32) syscall.Errno {
	c := fs.Change{UID: uid, GID: gid}
	if uid != ^uint32(0) {
		c.Set |= fs.SetUID
	}
	if gid != ^uint32(0) {
		c.Set |= fs.SetGID
	}
	a := p.Attr()
	if kind := a.Type(); kind != syscall.S_IFDIR && kind != syscall.S_IFLNK {
		c.Mode = a.Mode & 0o7777 &^ syscall.S_ISUID
		if a.Mode&syscall.S_IXGRP != 0 {
			c.Mode &^= syscall.S_ISGID
		}
		if c.Mode != a.Mode&0o7777 {
			c.Set |= fs.SetMode
		}
	}
	return set(p, &c)
}

// statfs_t's flags, statfs(2).
const (
	stReadOnly = 1
	stValid    = 32
)

func statfs(p fs.Place, to uintptr) syscall.Errno {
	var s fs.Statfs
	p.Mount.FS.Statfs(&s)
	out := user.At[syscall.Statfs_t](to)
	if out == nil {
		return syscall.EFAULT
	}
	*out = syscall.Statfs_t{
		Type: s.Type, Bsize: s.BlockSize, Frsize: s.BlockSize, Blocks: s.Blocks, Bfree: s.Free, Bavail: s.Free, Files: s.Files, Ffree: s.FilesFree,
		Namelen: fs.MaxName, Flags: stValid, Fsid: syscall.Fsid{X__val: [2]int32{int32(p.Mount.Dev), int32(s.ID)}},
	}
	if p.Mount.ReadOnly {
		out.Flags |= stReadOnly
	}
	return 0
}
