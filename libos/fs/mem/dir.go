package mem

import (
	"slices"
	"strings"
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// A Dir is a folder. Names are found by a map and listed by a list in the order of their cookies, in which those that went are gaps until there are
// more of them than names.
type Dir struct {
	node
	parent  *Dir // fs.names
	byName  map[string]*entry
	list    []*entry
	gaps    int
	cookie  uint64 // the last one given out
	removed bool
	seeds   []seedDir // what of seeds belongs here and is not read yet
}

// An entry is a name. inode is one of *Dir, *File, *Link, *Made, *node.
type entry struct {
	name   string
	inode  core.Node
	base   *node // of inode
	cookie uint64
	gone   bool
}

// Lookup implements fs.Dir.
func (d *Dir) Lookup(name string) (core.Node, core.Errno) {
	if e := d.read(); e != 0 {
		return nil, e
	}
	en := d.byName[name]
	if en != nil {
		en.base.Ref()
	}
	d.fs.names.RUnlock()
	if en == nil {
		return nil, syscall.ENOENT
	}
	return en.inode, 0
}

// Parent implements fs.Dir.
func (d *Dir) Parent() core.Dir {
	d.fs.names.RLock()
	defer d.fs.names.RUnlock()
	d.parent.Ref()
	return d.parent
}

// Attr implements fs.Node. What comes from seeds is counted from the first look on: a folder does not change because somebody reads it.
func (d *Dir) Attr() core.Attr {
	const perName = 20
	n := 0 // a seed that cannot be read counts as empty here; who looks into the folder gets the error
	if d.read() == 0 {
		n = len(d.byName)
		d.fs.names.RUnlock()
	}
	a := d.node.Attr()
	a.Size = int64(n+2) * perName // with "." and ".."
	return a
}

// change takes the lock for changing names of d, and sees to it that they are all known. Where e is 0 the caller unlocks.
func (d *Dir) change() core.Errno {
	d.fs.names.Lock()
	e := d.grow()
	if e != 0 {
		d.fs.names.Unlock()
	}
	return e
}

// add gives a node a name. fs.names is held.
func (d *Dir) add(name string, inode core.Node, base *node) {
	if d.byName == nil {
		d.byName, d.cookie = map[string]*entry{}, firstCookie
	}
	d.cookie++
	en := &entry{name: strings.Clone(name), inode: inode, base: base, cookie: d.cookie}
	d.byName[en.name] = en
	d.list = append(d.list, en)
}

// firstCookie is what is above those of "." and "..".
const firstCookie = 2

// take takes a name out. fs.names is held.
func (d *Dir) take(en *entry) {
	delete(d.byName, en.name)
	en.gone = true
	if d.gaps++; d.gaps > len(d.byName)+8 {
		d.list = slices.DeleteFunc(d.list, func(en *entry) bool { return en.gone })
		d.gaps = 0
	}
}

// Create implements fs.Dir.
func (d *Dir) Create(name string, mode uint32, rdev uint64) (core.Node, core.Errno) {
	return d.create(name, func() (core.Node, *node) {
		switch mode & syscall.S_IFMT {
		case syscall.S_IFDIR:
			n := &Dir{parent: d}
			n.init(d.fs, mode, 0)
			n.nlink.Store(2)
			d.nlink.Add(1)
			return n, &n.node
		case syscall.S_IFREG:
			n := newFile(d.fs, mode)
			return n, &n.node
		}
		n := &node{}
		n.init(d.fs, mode, rdev)
		return n, n
	})
}

// Symlink implements fs.Dir.
func (d *Dir) Symlink(name, target string) (core.Node, core.Errno) {
	return d.create(name, func() (core.Node, *node) {
		n := &Link{target: strings.Clone(target)}
		n.init(d.fs, syscall.S_IFLNK|0o777, 0)
		return n, &n.node
	})
}

func (d *Dir) create(name string, f func() (core.Node, *node)) (core.Node, core.Errno) {
	if e := d.change(); e != 0 {
		return nil, e
	}
	defer d.fs.names.Unlock()
	switch {
	case d.byName[name] != nil:
		return nil, syscall.EEXIST
	case d.removed:
		return nil, syscall.ENOENT
	}
	if e := d.fs.takeInode(); e != 0 {
		return nil, e
	}
	n, base := f()
	base.inherit(d)
	d.add(name, n, base)
	d.touch(true)
	return n, 0
}

// Temp implements fs.Temporary.
func (d *Dir) Temp(mode uint32, linkable bool) (core.File, core.Errno) {
	if e := d.fs.takeInode(); e != 0 {
		return nil, e
	}
	n := newFile(d.fs, mode)
	n.inherit(d)
	n.nlink.Store(0)
	n.temp.Store(linkable)
	return n, 0
}

// base is the node in an inode of this package; nil for one of others.
func base(n core.Node) *node {
	switch n := n.(type) {
	case *File:
		return &n.node
	case *Link:
		return &n.node
	case *Made:
		return &n.node
	case *node:
		return n
	}
	return nil
}

// Link implements fs.Dir.
func (d *Dir) Link(name string, inode core.Node) core.Errno {
	if e := d.change(); e != 0 {
		return e
	}
	defer d.fs.names.Unlock()
	n := base(inode)
	switch {
	case d.byName[name] != nil:
		return syscall.EEXIST
	case n == nil || n.fs != d.fs:
		return syscall.EPERM
	case d.removed || n.nlink.Load() == 0 && !n.temp.Load():
		return syscall.ENOENT
	}
	if n.nlink.Load() > 0 { // a further name counts as an inode, as in tmpfs
		if e := d.fs.takeInode(); e != 0 {
			return e
		}
	}
	n.temp.Store(false)
	n.nlink.Add(1)
	n.touch(false)
	d.add(name, inode, n)
	d.touch(true)
	return 0
}

// Unlink implements fs.Dir.
func (d *Dir) Unlink(name string) core.Errno {
	if e := d.change(); e != 0 {
		return e
	}
	defer d.fs.names.Unlock()
	en := d.byName[name]
	if en == nil {
		return syscall.ENOENT
	}
	if _, folder := en.inode.(*Dir); folder {
		return syscall.EISDIR
	}
	d.take(en)
	en.base.unlinked()
	d.touch(true)
	return 0
}

// Rmdir implements fs.Dir.
func (d *Dir) Rmdir(name string) core.Errno {
	if e := d.change(); e != 0 {
		return e
	}
	defer d.fs.names.Unlock()
	en := d.byName[name]
	if en == nil {
		return syscall.ENOENT
	}
	child, folder := en.inode.(*Dir)
	if !folder {
		return syscall.ENOTDIR
	}
	if e := child.grow(); e != 0 {
		return e
	}
	if len(child.byName) > 0 {
		return syscall.ENOTEMPTY
	}
	d.take(en)
	child.end()
	d.touch(true)
	return 0
}

// end removes a folder whose name is gone. fs.names is held.
func (d *Dir) end() {
	d.removed = true
	d.parent.nlink.Add(-1)
	d.nlink.Add(-1)
	d.unlinked()
}

// ReadDir implements fs.Dir.
func (d *Dir) ReadDir(cookie uint64, f func(*core.Entry) bool) core.Errno {
	if e := d.read(); e != 0 {
		return e
	}
	defer d.fs.names.RUnlock()
	if d.removed {
		return syscall.ENOENT
	}
	i, _ := slices.BinarySearchFunc(d.list, cookie+1, func(en *entry, c uint64) int {
		if en.cookie < c {
			return -1
		}
		return 1
	})
	for _, en := range d.list[i:] {
		if en.gone {
			continue
		}
		if !f(&core.Entry{Name: en.name, Ino: en.base.ino, Type: en.base.kind, Cookie: en.cookie}) {
			break
		}
	}
	return 0
}

// read takes the lock for reading names of d, and sees to it that they are all known. Where e is 0 the caller unlocks.
func (d *Dir) read() (e core.Errno) {
	d.fs.names.RLock()
	for d.seeds != nil {
		d.fs.names.RUnlock()
		if e = d.change(); e != 0 {
			return e
		}
		d.fs.names.Unlock()
		d.fs.names.RLock()
	}
	return 0
}
