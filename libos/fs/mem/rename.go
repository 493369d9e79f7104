package mem

import (
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// Rename implements fs.Dir.
func (d *Dir) Rename(name string, toDir core.Dir, newName string, flags uint32) core.Errno {
	return d.rename(name, toDir, newName, flags, false)
}

// RenameWhiteout implements fs.Whiteouter.
func (d *Dir) RenameWhiteout(name string, toDir core.Dir, newName string, flags uint32) core.Errno {
	return d.rename(name, toDir, newName, flags, true)
}

func (d *Dir) rename(name string, toDir core.Dir, newName string, flags uint32, whiteout bool) core.Errno {
	to, ok := toDir.(*Dir)
	if !ok || to.fs != d.fs {
		return syscall.EXDEV
	}
	if e := d.change(); e != 0 {
		return e
	}
	defer d.fs.names.Unlock()
	if e := to.grow(); e != 0 {
		return e
	}
	a, b := d.byName[name], to.byName[newName]
	switch {
	case a == nil || to.removed:
		return syscall.ENOENT
	case b != nil && flags == core.RenameNoReplace:
		return syscall.EEXIST
	case b == nil && flags == core.RenameExchange:
		return syscall.ENOENT
	case above(a.inode, to):
		return syscall.EINVAL
	case b != nil && above(b.inode, d):
		if flags == core.RenameExchange {
			return syscall.EINVAL
		}
		return syscall.ENOTEMPTY
	case b != nil && a.inode == b.inode:
		return 0
	case flags == core.RenameExchange:
		exchange(d, a, to, b)
		return 0
	}
	folder, isFolder := a.inode.(*Dir)
	if b != nil {
		old, oldIsFolder := b.inode.(*Dir)
		switch {
		case isFolder && !oldIsFolder:
			return syscall.ENOTDIR
		case !isFolder && oldIsFolder:
			return syscall.EISDIR
		}
		if oldIsFolder {
			if e := old.grow(); e != 0 {
				return e
			}
			if len(old.byName) > 0 {
				return syscall.ENOTEMPTY
			}
		}
	}
	if whiteout {
		if e := d.fs.takeInode(); e != 0 {
			return e
		}
	}
	if b != nil {
		to.take(b)
		if old, folder := b.inode.(*Dir); folder {
			old.end()
		} else {
			b.base.unlinked()
		}
	}
	d.take(a)
	if whiteout {
		w := &node{}
		w.init(d.fs, syscall.S_IFCHR, 0)
		w.inherit(d)
		w.Unref() // nobody has it
		d.add(name, w, w)
	}
	to.add(newName, a.inode, a.base)
	if isFolder {
		folder.moveTo(to)
	}
	a.base.touch(false)
	d.touch(true)
	to.touch(true)
	return 0
}

// exchange lets two names change places. fs.names is held.
func exchange(d *Dir, a *entry, to *Dir, b *entry) {
	a.inode, a.base, b.inode, b.base = b.inode, b.base, a.inode, a.base
	for _, side := range []struct {
		in *Dir
		en *entry
	}{{d, a}, {to, b}} {
		if f, ok := side.en.inode.(*Dir); ok {
			f.moveTo(side.in)
		}
		side.en.base.touch(false)
		side.in.touch(true)
	}
}

// moveTo makes a folder one of to's. fs.names is held.
func (d *Dir) moveTo(to *Dir) {
	d.parent.nlink.Add(-1)
	to.nlink.Add(1)
	d.parent = to
}

// above reports whether n is d or a folder that d is in. fs.names is held.
func above(n core.Node, d *Dir) bool {
	f, ok := n.(*Dir)
	for ok && d != f {
		if d == d.parent {
			return false
		}
		d = d.parent
	}
	return ok
}
