package mem

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// A node is what all inodes have. As it is, it is a named pipe, a socket or a device.
type node struct {
	fs    *FS
	ino   uint64
	kind  uint32 // S_IFMT
	rdev  uint64
	refs  atomic.Int32
	nlink atomic.Int32 // changed with fs.names held
	freed atomic.Bool
	drop  func() // gives the storage back; nil where there is none

	temp atomic.Bool // made without a name, so it may get one

	mu     sync.Mutex
	perm   uint32
	uid    uint32
	gid    uint32
	atime  syscall.Timespec
	mtime  syscall.Timespec
	ctime  syscall.Timespec
	btime  syscall.Timespec
	xattrs map[string][]byte
	xbytes int // of xattrs
}

// init makes a new inode with one reference and one name, in a folder whose group it may inherit.
func (n *node) init(f *FS, mode uint32, rdev uint64) {
	now := f.timespec()
	n.fs, n.ino, n.kind, n.rdev, n.perm = f, f.lastIno.Add(1), mode&syscall.S_IFMT, rdev, mode&0o7777
	n.atime, n.mtime, n.ctime, n.btime = now, now, now, now
	n.refs.Store(1)
	n.nlink.Store(1)
}

// inherit takes the group of a folder that has S_ISGID, inode(7).
func (n *node) inherit(d *Dir) {
	d.mu.Lock()
	perm, gid := d.perm, d.gid
	d.mu.Unlock()
	if perm&syscall.S_ISGID != 0 {
		n.gid = gid
		if n.kind == syscall.S_IFDIR {
			n.perm |= syscall.S_ISGID
		}
	}
}

// Ref implements fs.Node.
func (n *node) Ref() { n.refs.Add(1) }

// Unref implements fs.Node.
func (n *node) Unref() {
	if n.refs.Add(-1) == 0 {
		n.free()
	}
}

// unlinked takes a name away. fs.names is held.
func (n *node) unlinked() {
	n.touch(false)
	if n.nlink.Add(-1) == 0 {
		n.free()
	} else if n.kind != syscall.S_IFDIR {
		n.fs.inodes.Add(-1)
	}
}

// free ends a node without names and references. Whoever takes the last of either comes by, and sees that the other is gone.
func (n *node) free() {
	if n.nlink.Load() != 0 || n.refs.Load() != 0 || !n.freed.CompareAndSwap(false, true) {
		return
	}
	if n.drop != nil {
		n.drop()
	}
	n.fs.inodes.Add(-1)
	n.mu.Lock()
	n.fs.pages.Add(-pagesOf(int64(n.xbytes)))
	n.xattrs, n.xbytes = nil, 0
	n.mu.Unlock()
}

// Attr implements fs.Node.
func (n *node) Attr() core.Attr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return core.Attr{
		Ino: n.ino, Mode: n.kind | n.perm, Nlink: uint32(n.nlink.Load()), UID: n.uid, GID: n.gid, Rdev: n.rdev, Blksize: pageSize,
		Atime: n.atime, Mtime: n.mtime, Ctime: n.ctime, Btime: n.btime,
	}
}

// SetAttr implements fs.Node.
func (n *node) SetAttr(c *core.Change) core.Errno {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.Set&core.SetMode != 0 {
		n.perm = c.Mode & 0o7777
	}
	if c.Set&core.SetUID != 0 {
		n.uid = c.UID
	}
	if c.Set&core.SetGID != 0 {
		n.gid = c.GID
	}
	if c.Set&core.SetAtime != 0 {
		n.atime = c.Atime
	}
	if c.Set&core.SetMtime != 0 {
		n.mtime = c.Mtime
	}
	n.ctime = n.fs.timespec()
	return 0
}

// touch sets ctime, and mtime where the contents changed.
func (n *node) touch(contents bool) {
	now := n.fs.timespec()
	n.mu.Lock()
	if n.ctime = now; contents {
		n.mtime = now
	}
	n.mu.Unlock()
}

// maxXattrs bounds the names and values of a node.
const maxXattrs = 64 << 10

// Xattr implements fs.Attributes.
func (n *node) Xattr(name string) ([]byte, core.Errno) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, ok := n.xattrs[name]
	if !ok {
		return nil, syscall.ENODATA
	}
	return v, 0
}

// SetXattr implements fs.Attributes. Values are never changed, only replaced.
func (n *node) SetXattr(name string, value []byte, flags int) core.Errno {
	n.mu.Lock()
	defer n.mu.Unlock()
	old, ok := n.xattrs[name]
	switch {
	case ok && flags == core.XattrCreate:
		return syscall.EEXIST
	case !ok && flags == core.XattrReplace:
		return syscall.ENODATA
	}
	size := n.xbytes + len(value) - len(old)
	if !ok {
		size += len(name)
	}
	if size > maxXattrs {
		return syscall.ENOSPC
	}
	if e := n.fs.takePages(pagesOf(int64(size)) - pagesOf(int64(n.xbytes))); e != 0 {
		return e
	}
	if n.xattrs == nil {
		n.xattrs = map[string][]byte{}
	}
	n.xattrs[strings.Clone(name)], n.xbytes = slices.Clone(value), size
	n.ctime = n.fs.timespec()
	return 0
}

// RemoveXattr implements fs.Attributes.
func (n *node) RemoveXattr(name string) core.Errno {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, ok := n.xattrs[name]
	if !ok {
		return syscall.ENODATA
	}
	delete(n.xattrs, name)
	size := n.xbytes - len(name) - len(v)
	n.fs.pages.Add(pagesOf(int64(size)) - pagesOf(int64(n.xbytes)))
	n.xbytes = size
	n.ctime = n.fs.timespec()
	return 0
}

// Xattrs implements fs.Attributes.
func (n *node) Xattrs() ([]string, core.Errno) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(maps.Keys(n.xattrs)), 0
}

// A Link is a symbolic link.
type Link struct {
	node
	target string
}

// Target implements fs.Link.
func (l *Link) Target() (string, core.Errno) { return l.target, 0 }

// Attr implements fs.Node.
func (l *Link) Attr() core.Attr {
	a := l.node.Attr()
	a.Size = int64(len(l.target))
	return a
}
