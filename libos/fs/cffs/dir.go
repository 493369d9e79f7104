package cffs

import (
	"slices"
	"strings"
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// A place is where a name is in a directory, or would be.
type place struct {
	key    []byte
	have   bool
	e      entry  // without its name and record
	stored []byte // the record, as openEntry gives it
}

// find looks a name up. mu is held, for reading at least. errFull where so many names have one sum that there is no cookie left.
func (f *FS) find(d *inode, name string) (p place, err error) {
	base := cookieBase(&f.sb.uuid, name)
	from := keyNumber(d.rec.ino, kindEntry, base)
	next, bad := base, false
	err = f.t.scan(from, func(k, v []byte) bool {
		if len(k) != 17 || string(k[:9]) != string(from[:9]) || be.Uint64(k[9:])>>8 != base>>8 {
			return false
		}
		if n, e, stored, ok := openEntry(v); string(n) == name {
			bad = !ok
			p = place{k, ok, e, stored}
			return false
		}
		if be.Uint64(k[9:]) == next {
			next++
		}
		return true
	})
	switch {
	case err != nil || p.have:
		return p, err
	case bad:
		return p, errDamaged
	case next>>8 != base>>8:
		return p, errFull
	}
	p.key = keyNumber(d.rec.ino, kindEntry, next)
	return p, nil
}

// Lookup implements fs.Dir.
func (d *Dir) Lookup(name string) (core.Node, core.Errno) {
	f := d.fs
	f.nmu.Lock()
	if in := d.names[name]; in != nil {
		in.refs++
		f.nmu.Unlock()
		return in.self, 0
	}
	f.nmu.Unlock()
	f.look()
	defer f.looked()
	p, err := f.find(&d.inode, name)
	if err == errFull || err == nil && !p.have {
		return nil, syscall.ENOENT
	}
	if err != nil {
		return nil, errno(err)
	}
	in, err := f.inode(&d.inode, &p, name)
	if err != nil {
		return nil, errno(err)
	}
	return in.self, 0
}

// Walk implements fs.Walker.
func (f *FS) Walk(from core.Node, path string) (core.Node, string) {
	at, _ := from.(*Dir)
	var got *inode
	rest := path
	f.nmu.Lock()
	for at != nil && rest != "" {
		name, next := rest, ""
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			for name, next = rest[:i], rest[i+1:]; next[0] == '/'; {
				next = next[1:]
			}
		}
		in := at.names[name]
		if in == nil {
			break
		}
		if _, link := in.self.(*Link); link {
			break
		}
		got, rest = in, next
		at, _ = in.self.(*Dir)
	}
	if got != nil {
		got.refs++
	}
	f.nmu.Unlock()
	if got == nil {
		return nil, path
	}
	return got.self, rest
}

// Parent implements fs.Dir.
func (d *Dir) Parent() core.Dir {
	d.fs.mu.RLock()
	defer d.fs.mu.RUnlock()
	d.parent.Ref()
	return d.parent.self.(core.Dir)
}

// ReadDir implements fs.Dir. Names that cannot be read are left out: EIO comes behind all others, also where who reads has come by them in an earlier call.
func (d *Dir) ReadDir(cookie uint64, f func(*core.Entry) bool) core.Errno {
	d.fs.look()
	defer d.fs.looked()
	if d.gone.Load() {
		return syscall.ENOENT
	}
	t, torn := &d.fs.t, false
	more, err := t.salvage(t.root, -1, keyNumber(d.rec.ino, kindEntry, cookie+1), key(d.rec.ino, kindEntry+1), func(k, v []byte) bool {
		e, ok := decodeEntry(v)
		if !ok || len(k) != 17 {
			torn = true
			return true
		}
		return f(&core.Entry{Name: e.name, Ino: e.ino, Type: e.kind, Cookie: be.Uint64(k[9:])})
	})
	if !more {
		return 0
	}
	if err == nil && cookie != 0 { // the end of a list that is read in pieces: of the nodes before there may be some that cannot be read
		_, err = t.nodes(key(d.rec.ino, kindEntry), keyNumber(d.rec.ino, kindEntry, cookie+1))
	}
	if err != nil || torn {
		return syscall.EIO
	}
	return 0
}

// SyncDir implements fs.DirSyncer.
func (d *Dir) SyncDir() core.Errno { return d.fs.Sync() }

// absent finds the place for a new name. mu is held.
func (f *FS) absent(d *inode, name string) (p place, e core.Errno) {
	p, err := f.find(d, name)
	switch {
	case err != nil:
		return p, errno(err)
	case p.have:
		return p, syscall.EEXIST
	case d.gone.Load():
		return p, syscall.ENOENT
	}
	return p, 0
}

// make makes a new inode, in memory only, with a reference. mu is held.
func (f *FS) make(d *inode, mode uint32, rdev uint64) *inode {
	now := f.now()
	rec := record{ino: f.sb.nextIno, mode: mode & (syscall.S_IFMT | 0o7777), nlink: 1, rdev: rdev, mtime: now, ctime: now, atime: now, btime: now}
	f.sb.nextIno++
	if d.rec.mode&syscall.S_ISGID != 0 {
		rec.gid = d.rec.gid
		if mode&syscall.S_IFMT == syscall.S_IFDIR {
			rec.mode |= syscall.S_ISGID
		}
	}
	if mode&syscall.S_IFMT == syscall.S_IFDIR {
		rec.nlink = 2
	}
	in := f.newInode(rec, nil)
	f.nmu.Lock()
	in.refs = 1
	f.add(in, d)
	f.nmu.Unlock()
	return in
}

// enter puts a new name with its inode's record. mu is held.
func (f *FS) enter(d *inode, p place, name string, in *inode) {
	in.home = p.key
	f.nmu.Lock()
	d.remember(name, in)
	f.nmu.Unlock()
	f.put(p.key, (&entry{name: name, rec: &in.rec}).encode())
	d.rec.size++
	if in.isDir() {
		d.rec.nlink++
	}
	f.touch(d, true)
}

// maxLinks is how many directories one may hold, and names an inode may have.
const maxLinks = 1 << 31

// Create implements fs.Dir.
func (d *Dir) Create(name string, mode uint32, rdev uint64) (core.Node, core.Errno) {
	f := d.fs
	if e := f.begin(perName, false); e != 0 {
		return nil, e
	}
	defer f.unlock()
	p, e := f.absent(&d.inode, name)
	if e != 0 {
		return nil, e
	}
	if d.rec.nlink >= maxLinks {
		return nil, syscall.EMLINK
	}
	in := f.make(&d.inode, mode, rdev)
	f.enter(&d.inode, p, strings.Clone(name), in)
	return in.self, 0
}

// Symlink implements fs.Dir.
func (d *Dir) Symlink(name, target string) (core.Node, core.Errno) {
	f := d.fs
	if e := f.begin(2*perName, false); e != 0 {
		return nil, e
	}
	defer f.unlock()
	p, e := f.absent(&d.inode, name)
	if e == 0 && len(target) > shortTarget {
		e = f.fresh()
	}
	if e != 0 {
		return nil, e
	}
	in := f.make(&d.inode, syscall.S_IFLNK|0o777, 0)
	in.rec.size = uint64(len(target))
	if len(target) <= shortTarget {
		in.rec.target = strings.Clone(target)
	} else {
		for c := 0; c*chunkSize < len(target); c++ {
			f.put(append(key(in.rec.ino, kindTarget), byte(c)), []byte(target[c*chunkSize:min(len(target), (c+1)*chunkSize)]))
		}
	}
	f.enter(&d.inode, p, strings.Clone(name), in)
	return in.self, 0
}

// Temp implements fs.Temporary.
func (d *Dir) Temp(mode uint32, linkable bool) (core.File, core.Errno) {
	f := d.fs
	if e := f.begin(perName, false); e != 0 {
		return nil, e
	}
	defer f.unlock()
	if e := f.fresh(); e != 0 {
		return nil, e
	}
	in := f.make(&d.inode, mode, 0)
	in.temp = linkable
	in.rec.nlink = 0
	f.orphan(in)
	return in.self.(core.File), 0
}

// orphan notes that an inode has no name, so that it goes away with its last reference, or when the volume is next mounted. mu is held.
func (f *FS) orphan(in *inode) {
	in.gone.Store(true)
	in.home = nil
	f.put(key(in.rec.ino, kindRecord), in.rec.encode(nil))
	f.put(keyNumber(0, kindOrphan, in.rec.ino), []byte{})
}

// base is the inode in a node of this package that may have several names; nil for others.
func base(n core.Node) *inode {
	switch n := n.(type) {
	case *File:
		return &n.inode
	case *Link:
		return &n.inode
	case *inode:
		return n
	}
	return nil
}

// Link implements fs.Dir.
func (d *Dir) Link(name string, n core.Node) core.Errno {
	f := d.fs
	if e := f.begin(perName, false); e != 0 {
		return e
	}
	defer f.unlock()
	in := base(n)
	p, e := f.absent(&d.inode, name)
	switch {
	case e == syscall.EEXIST:
		return e
	case in == nil || in.fs != f:
		return syscall.EPERM
	case e != 0:
		return e
	case in.gone.Load() && !in.temp:
		return syscall.ENOENT
	case in.rec.nlink >= maxLinks:
		return syscall.EMLINK
	}
	if e := f.ready(in); e != 0 {
		return e
	}
	in.rec.nlink++
	if in.gone.Load() {
		in.gone.Store(false)
		in.temp = false
		f.remove(keyNumber(0, kindOrphan, in.rec.ino))
	}
	f.apart(in)
	f.put(p.key, (&entry{name: strings.Clone(name), ino: in.rec.ino, kind: in.rec.mode & syscall.S_IFMT}).encode())
	f.touch(in, false)
	d.rec.size++
	f.touch(&d.inode, true)
	return 0
}

// ready reads the way in the tree to what a change of an inode's name needs, so that it cannot fail half-way. mu is held.
func (f *FS) ready(in *inode) core.Errno {
	for _, k := range [][]byte{key(in.rec.ino, kindRecord), keyNumber(0, kindOrphan, in.rec.ino), in.home} {
		if k != nil {
			if _, err := f.t.get(k); err != nil {
				return errno(err)
			}
		}
	}
	return 0
}

// fresh is ready for the next inode that is made. mu is held.
func (f *FS) fresh() core.Errno {
	return f.ready(&inode{rec: record{ino: f.sb.nextIno}})
}

// apart gives an inode a record of its own, and its entry a reference. mu is held.
func (f *FS) apart(in *inode) {
	f.put(key(in.rec.ino, kindRecord), in.rec.encode(nil))
	if in.home == nil {
		return
	}
	v, err := f.t.get(in.home)
	e, ok := decodeEntry(v)
	if err != nil || !ok {
		f.must(errDamaged)
		return
	}
	e.rec = nil
	f.put(in.home, e.encode())
	in.home = nil
}

// unname takes a name of an inode out, which is at p in d. mu is held.
func (f *FS) unname(d *inode, p place, in *inode) {
	f.unnamed(in)
	f.remove(p.key)
	d.rec.size--
	in.rec.nlink--
	if in.isDir() {
		d.rec.nlink--
		in.rec.nlink = 0
	}
	f.touch(in, false)
	f.touch(d, true)
	if in.rec.nlink == 0 {
		f.orphan(in)
	}
}

// existing finds a name, and its inode with a reference. mu is held.
func (f *FS) existing(d *inode, name string) (place, *inode, core.Errno) {
	p, err := f.find(d, name)
	if err == errFull || err == nil && !p.have {
		return p, nil, syscall.ENOENT
	}
	if err != nil {
		return p, nil, errno(err)
	}
	in, err := f.inode(d, &p, name)
	if err != nil {
		return p, nil, errno(err)
	}
	if e := f.ready(in); e != 0 {
		f.later(in)
		return p, nil, e
	}
	return p, in, 0
}

// later drops a reference with mu held.
func (f *FS) later(in *inode) {
	f.nmu.Lock()
	in.refs--
	last := in.refs == 0 && in.gone.Load()
	f.nmu.Unlock()
	if last {
		f.reap(in)
	}
}

// Unlink implements fs.Dir.
func (d *Dir) Unlink(name string) core.Errno {
	f := d.fs
	if e := f.begin(perName, true); e != 0 {
		return e
	}
	defer f.unlock()
	p, in, e := f.existing(&d.inode, name)
	if e != 0 {
		return e
	}
	defer f.later(in)
	if in.isDir() {
		return syscall.EISDIR
	}
	f.unname(&d.inode, p, in)
	return 0
}

// Rmdir implements fs.Dir.
func (d *Dir) Rmdir(name string) core.Errno {
	f := d.fs
	if e := f.begin(perName, true); e != 0 {
		return e
	}
	defer f.unlock()
	p, in, e := f.existing(&d.inode, name)
	if e != 0 {
		return e
	}
	defer f.later(in)
	switch {
	case !in.isDir():
		return syscall.ENOTDIR
	case in.rec.size != 0:
		return syscall.ENOTEMPTY
	}
	f.unname(&d.inode, p, in)
	return 0
}

// above reports whether in is d or a directory that d is in. mu is held.
func above(in, d *inode) bool {
	for d != in {
		if d == d.parent {
			return false
		}
		d = d.parent
	}
	return true
}

// Rename implements fs.Dir.
func (d *Dir) Rename(name string, toDir core.Dir, newName string, flags uint32) core.Errno {
	return d.rename(name, toDir, newName, flags, false)
}

// RenameWhiteout implements fs.Whiteouter.
func (d *Dir) RenameWhiteout(name string, toDir core.Dir, newName string, flags uint32) core.Errno {
	return d.rename(name, toDir, newName, flags, true)
}

func (d *Dir) rename(name string, toDir core.Dir, newName string, flags uint32, whiteout bool) core.Errno {
	f := d.fs
	to, ok := toDir.(*Dir)
	if !ok || to.fs != f {
		return syscall.EXDEV
	}
	names := 2
	if whiteout {
		names++
	}
	if e := f.begin(names*perName, false); e != 0 {
		return e
	}
	defer f.unlock()
	p, in, e := f.existing(&d.inode, name)
	if e != 0 {
		return e
	}
	defer f.later(in)
	q, old, e := f.existing(&to.inode, newName)
	if e != 0 && e != syscall.ENOENT {
		return e
	}
	if e == 0 {
		defer f.later(old)
	} else if q.key == nil { // no cookie is left
		return syscall.ENOSPC
	}
	switch {
	case old != nil && flags == core.RenameNoReplace:
		return syscall.EEXIST
	case old == nil && flags == core.RenameExchange:
		return syscall.ENOENT
	case above(in, &to.inode):
		return syscall.EINVAL
	case old != nil && above(old, &d.inode):
		if flags == core.RenameExchange {
			return syscall.EINVAL
		}
		return syscall.ENOTEMPTY
	case old == in:
		return 0
	case to.gone.Load():
		return syscall.ENOENT
	case flags == core.RenameExchange:
		f.unnamed(in)
		f.unnamed(old)
		f.moveTo(in, &d.inode, &to.inode)
		f.moveTo(old, &to.inode, &d.inode)
		f.name(q, newName, in)
		f.name(p, name, old)
		f.touch(old, false)
	default:
		if old != nil {
			switch {
			case in.isDir() && !old.isDir():
				return syscall.ENOTDIR
			case !in.isDir() && old.isDir():
				return syscall.EISDIR
			case old.isDir() && old.rec.size != 0:
				return syscall.ENOTEMPTY
			}
			f.unname(&to.inode, q, old)
		}
		f.unnamed(in)
		f.moveTo(in, &d.inode, &to.inode)
		if whiteout {
			w := f.make(&d.inode, syscall.S_IFCHR, 0)
			f.enter(&d.inode, place{key: slices.Clone(p.key)}, strings.Clone(name), w)
			defer f.later(w)
		} else {
			f.remove(p.key)
		}
		if old == nil && string(p.key[:16]) == string(q.key[:16]) {
			// Both names have one sum: the place for the new one may be another now.
			if r, err := f.find(&to.inode, newName); err == nil {
				q = r
			}
		}
		f.name(q, newName, in)
		d.rec.size--
		to.rec.size++
	}
	f.touch(in, false)
	f.touch(&d.inode, true)
	f.touch(&to.inode, true)
	return 0
}

// name puts a name of an inode, which held its record if one did, at p. mu is held.
func (f *FS) name(p place, name string, in *inode) {
	e := entry{name: strings.Clone(name), ino: in.rec.ino, kind: in.rec.mode & syscall.S_IFMT}
	if in.home != nil {
		e.rec = &in.rec
		in.home = slices.Clone(p.key)
	}
	f.put(slices.Clone(p.key), e.encode())
}

// moveTo makes a directory one of to's that was one of d's. mu is held.
func (f *FS) moveTo(in, d, to *inode) {
	if !in.isDir() || d == to {
		return
	}
	d.rec.nlink--
	to.rec.nlink++
	f.nmu.Lock()
	d.refs--
	to.refs++
	f.nmu.Unlock()
	in.parent = to
}
