package fs

import "syscall"

// The operations on names. Each follows path from at, whose reference stays the caller's. Errors are those of the walk and of the module, and those that are
// named here; EROFS where the mount cannot be written to.

// last walks to the folder that the last name of path is in. The caller drops w.at where e is 0.
func (t *Tree) last(at Place, path string) (w walker, d Dir, name string, e Errno) {
	w = walker{t: t, scope: at}
	if e = w.begin(path, false); e != 0 {
		return w, nil, "", e
	}
	if name, e = w.toLast(); e != 0 {
		w.at.Drop()
		return w, nil, "", e
	}
	d, _ = w.at.Node.(Dir) // only a root that is no folder is none: and then name is ""
	return w, d, name, 0
}

// Reach walks to the folder that the last name of path is in, and tells whether that can be done.
func (t *Tree) Reach(at Place, path string) Errno {
	w, _, _, e := t.last(at, path)
	if e == 0 {
		w.at.Drop()
	}
	return e
}

// ordinary tells names that can be made, removed and renamed.
func ordinary(name string) bool { return name != "" && name != "." && name != ".." }

// make makes a name, for those that name what is new.
func (t *Tree) make(at Place, path string, folder bool, f func(m *Mount, d Dir, name string) Errno) Errno {
	w, d, name, e := t.last(at, path)
	if e != 0 {
		return e
	}
	defer w.at.Drop()
	switch {
	case !ordinary(name):
		return syscall.EEXIST
	case len(name) > MaxName:
		return tooLong(d)
	}
	m := w.at.Mount
	if m.ReadOnly || w.slash && !folder {
		n, e := d.Lookup(name)
		if e == 0 {
			n.Unref()
			return syscall.EEXIST
		}
		if e != syscall.ENOENT || !m.ReadOnly {
			return e
		}
		return syscall.EROFS
	}
	if e = f(m, d, name); e == 0 {
		made(m, HasCreated, d, name)
	}
	return e
}

// Mkdir makes a folder. EEXIST.
func (t *Tree) Mkdir(at Place, path string, mode uint32) Errno {
	return t.make(at, path, true, func(_ *Mount, d Dir, name string) Errno {
		return create(d, name, syscall.S_IFDIR|mode&0o1777, 0)
	})
}

// Mknod makes a file, a named pipe, a socket or a device. EEXIST.
func (t *Tree) Mknod(at Place, path string, mode uint32, rdev uint64) Errno {
	return t.make(at, path, false, func(_ *Mount, d Dir, name string) Errno { return create(d, name, mode, rdev) })
}

// Bind makes a socket's node, and gives it. EEXIST.
func (t *Tree) Bind(at Place, path string, mode uint32) (p Place, e Errno) {
	e = t.make(at, path, false, func(m *Mount, d Dir, name string) Errno {
		n, e := d.Create(name, syscall.S_IFSOCK|mode&0o7777, 0)
		p = Place{m, n}
		return e
	})
	return p, e
}

func create(d Dir, name string, mode uint32, rdev uint64) Errno {
	n, e := d.Create(name, mode, rdev)
	if e == 0 {
		n.Unref()
	}
	return e
}

// Symlink makes a symbolic link. ENOENT for an empty target, ENAMETOOLONG for one of 4096 bytes; EEXIST.
func (t *Tree) Symlink(target string, at Place, path string) Errno {
	switch {
	case target == "":
		return syscall.ENOENT
	case len(target) >= MaxPath:
		return syscall.ENAMETOOLONG
	}
	return t.make(at, path, false, func(_ *Mount, d Dir, name string) Errno {
		n, e := d.Symlink(name, target)
		if e == 0 {
			n.Unref()
		}
		return e
	})
}

// Link gives a node a further name. EXDEV to another mount, EPERM for a folder; EEXIST.
func (t *Tree) Link(old Place, at Place, path string) Errno {
	return t.make(at, path, false, func(m *Mount, d Dir, name string) Errno {
		have, e := d.Lookup(name)
		if e == 0 {
			have.Unref()
			return syscall.EEXIST
		}
		if old.Mount != m {
			return syscall.EXDEV
		}
		if _, folder := old.Node.(Dir); folder {
			if removed(d) {
				return syscall.ENOENT
			}
			return syscall.EPERM
		}
		e = d.Link(name, old.Node)
		if e == 0 {
			Place{nil, old.Node}.Tell(HasAttrib)
		}
		return e
	})
}

// Unlink removes a name of what is no folder. EISDIR; EBUSY where something is mounted.
func (t *Tree) Unlink(at Place, path string) Errno {
	w, d, name, e := t.last(at, path)
	if e != 0 {
		return e
	}
	defer w.at.Drop()
	switch {
	case !ordinary(name):
		return syscall.EISDIR
	case w.at.Mount.ReadOnly:
		return syscall.EROFS
	case len(name) > MaxName:
		return tooLong(d)
	case !w.slash:
		n := heard(d, name)
		e := d.Unlink(name)
		lost(w.at.Mount, d, name, n, e)
		return e
	}
	n, e := d.Lookup(name)
	if e != 0 {
		return e
	}
	defer n.Unref()
	if _, folder := n.(Dir); folder {
		return syscall.EISDIR
	}
	return syscall.ENOTDIR
}

// Rmdir removes an empty folder. EBUSY where something is mounted; EINVAL for ".", ENOTEMPTY for "..".
func (t *Tree) Rmdir(at Place, path string) Errno {
	w, d, name, e := t.last(at, path)
	if e != 0 {
		return e
	}
	defer w.at.Drop()
	switch {
	case name == "":
		return syscall.EBUSY
	case name == ".":
		return syscall.EINVAL
	case name == "..":
		return syscall.ENOTEMPTY
	case w.at.Mount.ReadOnly:
		return syscall.EROFS
	case len(name) > MaxName:
		return tooLong(d)
	}
	if e := w.at.mounted(d, name); e != 0 {
		return e
	}
	n := heard(d, name)
	e = d.Rmdir(name)
	lost(w.at.Mount, d, name, n, e)
	return e
}

// mounted is EBUSY where a name of d, which is at p, is covered by a mount.
func (p Place) mounted(d Dir, name string) Errno {
	if p.Mount.below.Load() == nil {
		return 0
	}
	n, e := d.Lookup(name)
	if e != 0 {
		return 0 // the module tells
	}
	defer n.Unref()
	if (Place{p.Mount, n}).busy() {
		return syscall.EBUSY
	}
	return 0
}

// Rename moves what oldPath names to newPath. EXDEV to another mount, EBUSY where something is mounted, and as Dir.Rename. flags is RenameExchange, or of RenameNoReplace and RenameWhiteout what is
// wanted; EINVAL for a whiteout where the filesystem can leave none.
func (t *Tree) Rename(oldAt Place, oldPath string, newAt Place, newPath string, flags uint32) Errno {
	from, fromDir, fromName, e := t.last(oldAt, oldPath)
	if e != 0 {
		return e
	}
	defer from.at.Drop()
	to, toDir, toName, e := t.last(newAt, newPath)
	if e != 0 {
		return e
	}
	defer to.at.Drop()
	m := from.at.Mount
	rename, whiteout := fromDir.Rename, flags&RenameWhiteout != 0
	if whiteout {
		flags &^= RenameWhiteout
		rename = whiteouts(fromDir)
	}
	switch {
	case m != to.at.Mount:
		return syscall.EXDEV
	case !ordinary(fromName):
		return syscall.EBUSY
	case !ordinary(toName):
		if flags == RenameNoReplace {
			return syscall.EEXIST
		}
		return syscall.EBUSY
	case m.ReadOnly:
		return syscall.EROFS
	case len(fromName) > MaxName:
		return tooLong(fromDir)
	case len(toName) > MaxName:
		old, e := fromDir.Lookup(fromName)
		if e == 0 {
			old.Unref()
			e = tooLong(toDir)
		}
		return e
	}
	if from.at.Node != to.at.Node {
		m.rename.Lock()
		defer m.rename.Unlock()
	}
	if from.slash || to.slash {
		if e := slashes(&from, fromDir, fromName, &to, toDir, toName, flags); e != 0 {
			return e
		}
	}
	if e := from.at.mounted(fromDir, fromName); e != 0 {
		return e
	}
	if e := to.at.mounted(toDir, toName); e != 0 {
		return e
	}
	old, next := heard(fromDir, fromName), heard(toDir, toName)
	if from.at.Node == to.at.Node {
		e = rename(fromName, toDir, toName, flags)
	} else {
		t.moving.Add(1)
		e = rename(fromName, toDir, toName, flags)
		t.moves.Add(1)
		t.moving.Add(-1) // after moves: who sees none under way sees those that were
	}
	if old != nil && old == next { // two names of one: nothing is done
		old.Unref()
		next.Unref()
		return e
	}
	moved(m, fromDir, fromName, toDir, toName, old, next, flags == RenameExchange, e)
	if whiteout && e == 0 {
		made(m, HasLeft, fromDir, fromName)
	}
	return e
}

// whiteouts is the RenameWhiteout of a folder; of one that has none, what tells whether there is something to rename at all, and EINVAL.
func whiteouts(d Dir) func(string, Dir, string, uint32) Errno {
	if w, ok := d.(Whiteouter); ok {
		return w.RenameWhiteout
	}
	return func(name string, to Dir, newName string, flags uint32) Errno {
		n, e := d.Lookup(name)
		if e != 0 {
			return e
		}
		n.Unref()
		if n, e = to.Lookup(newName); e == 0 {
			n.Unref()
			if flags == RenameNoReplace {
				return syscall.EEXIST
			}
		}
		return syscall.EINVAL
	}
}

// slashes is ENOTDIR where a path of Rename ends with a slash and names no folder. What is missing the module tells.
func slashes(from *walker, fromDir Dir, fromName string, to *walker, toDir Dir, toName string, flags uint32) Errno {
	old, e := fromDir.Lookup(fromName)
	if e != 0 {
		return e
	}
	defer old.Unref()
	next, missing := toDir.Lookup(toName)
	if missing == 0 {
		defer next.Unref()
	}
	switch {
	case missing == 0 && flags == RenameNoReplace:
		return syscall.EEXIST
	case missing != 0 && (flags == RenameExchange || removed(toDir)):
		return missing
	}
	if _, folder := next.(Dir); flags == RenameExchange && !folder && to.slash {
		return syscall.ENOTDIR
	}
	if _, folder := old.(Dir); !folder && (from.slash || flags != RenameExchange && to.slash) {
		return syscall.ENOTDIR
	}
	return 0
}
