package cffs

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// An inode is what all nodes have. As it is, it is a named pipe, a socket or a device.
type inode struct {
	fs   *FS
	self core.Node
	refs int // under fs.nmu

	// Under fs.mu:
	rec    record
	home   []byte      // key of the entry that holds the record; nil: it is on its own
	parent *inode      // of a directory: where it is, with a reference
	gone   atomic.Bool // it has no name; read without mu, too
	temp   bool        // and never had one, and may get one
	dirs   dirties     // dirty pages of a file, by number
	bare   span        // blocks of the file that are known to be in no extent
	fresh  uint64      // how many of them are
	moves  *moves      // of a file whose blocks are being moved in steps; nil else

	// Under fs.nmu, names that were looked up, so that they are found again without the tree, or waiting for who changes it:
	names map[string]*inode // of a directory: inodes by name, each by one of its names
	in    *inode            // the directory whose names have this inode; nil for none
	as    string            // by this name

	// Hints, for who reads:
	hints [hints]atomic.Pointer[extent] // those that were used last, by place; none that the tree does not hold
	order pages.Order
}

// moves is what others see of a file while its blocks are moved in steps.
type moves struct {
	attr core.Attr     // as before
	done chan struct{} // closed when it can be seen again
}

// Dir, File and Link are the other kinds.
type (
	Dir  struct{ inode }
	File struct{ inode }
	Link struct{ inode }
)

var _ interface {
	core.Dir
	core.Temporary
	core.DirSyncer
	core.Attributes
} = (*Dir)(nil)

var _ interface {
	core.File
	core.Allocator
	core.Sparse
	core.Attributes
} = (*File)(nil)

// newInode makes the node of a record, without a reference.
func (f *FS) newInode(rec record, home []byte) *inode {
	var in *inode
	switch rec.mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		d := &Dir{}
		in, d.self = &d.inode, d
	case syscall.S_IFREG:
		d := &File{}
		in, d.self = &d.inode, d
	case syscall.S_IFLNK:
		d := &Link{}
		in, d.self = &d.inode, d
	default:
		in = &inode{}
		in.self = in
	}
	in.fs, in.rec, in.home = f, rec, home
	return in
}

// maxIdle is how many inodes without references are remembered.
const maxIdle = 2048

// inode gives the inode of an entry that was found at p in d, with a reference. mu is held, for reading at least.
func (f *FS) inode(d *inode, p *place, name string) (*inode, error) {
	e := &p.e
	f.nmu.Lock()
	in := f.nodes[e.ino]
	if in != nil {
		if in.isDir() != (e.kind == syscall.S_IFDIR) || in.isDir() && in.parent != d {
			f.nmu.Unlock()
			return nil, errDamaged // a directory in two places could be in itself
		}
		in.refs++
		d.remember(name, in)
	}
	f.nmu.Unlock()
	if in != nil {
		return in, nil
	}
	v, home := p.stored, slices.Clone(p.key)
	if v == nil {
		var err error
		if v, err = f.t.get(key(e.ino, kindRecord)); err != nil {
			return nil, err
		}
		home = nil
	}
	rec, ok := decodeRecord(v)
	if !ok {
		return nil, errDamaged
	}
	if rec.ino != e.ino || rec.mode&syscall.S_IFMT != e.kind || e.ino == rootIno || rec.ino >= f.sb.nextIno || rec.nlink == 0 {
		return nil, errDamaged
	}
	in = f.newInode(rec, home)
	f.nmu.Lock()
	defer f.nmu.Unlock()
	if old := f.nodes[e.ino]; old != nil { // another reader was faster
		if old.isDir() && old.parent != d {
			return nil, errDamaged
		}
		old.refs++
		return old, nil
	}
	in.refs = 1
	f.add(in, d)
	d.remember(name, in)
	return in, nil
}

// remember notes that an inode has a name in d. nmu is held.
func (d *inode) remember(name string, in *inode) {
	if in.in == d && in.as == name {
		return
	}
	in.forget()
	if d.names == nil {
		d.names = map[string]*inode{}
	}
	in.in, in.as = d, strings.Clone(name)
	d.names[in.as] = in
}

// forget takes that back: whoever looks for the name finds it in the tree, or finds that it is gone. nmu is held.
func (in *inode) forget() {
	if in.in != nil {
		delete(in.in.names, in.as)
		in.in, in.as = nil, ""
	}
}

// unnamed is forget for who changes names. mu is held.
func (f *FS) unnamed(in *inode) {
	f.nmu.Lock()
	in.forget()
	f.nmu.Unlock()
}

// add makes an inode known; of a directory d is where it is. nmu is held.
func (f *FS) add(in *inode, d *inode) {
	if f.busy--; len(f.nodes) > maxIdle && f.busy < 0 {
		n, went := 0, false
		for ino, old := range f.nodes {
			if n++; n > 64 {
				break
			}
			if old.refs == 0 && !f.dirty[old] && !old.gone.Load() {
				went = true
				delete(f.nodes, ino)
				old.forget()
				for _, kid := range old.names {
					kid.forget()
				}
				if old.parent != nil {
					old.parent.refs-- // it may be idle now
				}
			}
		}
		if f.busy = 0; !went {
			f.busy = 256 // as many may come before it is worth another look
		}
	}
	f.nodes[in.rec.ino] = in
	if in.isDir() {
		d.refs++
		in.parent = d
	}
}

func (in *inode) isDir() bool { return in.rec.mode&syscall.S_IFMT == syscall.S_IFDIR }

// Ref implements fs.Node.
func (in *inode) Ref() {
	in.fs.nmu.Lock()
	in.refs++
	in.fs.nmu.Unlock()
}

// Unref implements fs.Node. Who drops the last reference to what has no name gives its blocks back; those of one that cannot be read, when the volume is next mounted.
func (in *inode) Unref() {
	f := in.fs
	f.nmu.Lock()
	in.refs--
	last := in.refs == 0
	f.nmu.Unlock()
	if last && in.gone.Load() {
		f.lock()
		f.reap(in)
		f.unlock()
	}
}

// reap ends an inode without names and references. mu is held.
func (f *FS) reap(in *inode) {
	f.nmu.Lock()
	if in.refs != 0 || !in.gone.Load() || f.nodes[in.rec.ino] != in {
		f.nmu.Unlock()
		return
	}
	delete(f.nodes, in.rec.ino)
	in.forget()
	up := in.parent
	if up != nil {
		up.refs--
		if up.refs > 0 || !up.gone.Load() {
			up = nil
		}
	}
	f.nmu.Unlock()
	if f.writable() == 0 {
		f.room(perName*f.t.height(), true) // where there is none, a commit has been made, which leaves enough
		if err := f.whole(in.rec.ino); err != nil {
			f.keeps(in.rec.ino, err)
		} else {
			f.must(f.erase(in))
		}
	}
	if up != nil {
		f.reap(up)
	}
}

// erase takes out all that the tree holds of an inode without a name. mu is held.
func (f *FS) erase(in *inode) error {
	f.pages -= in.dirs.n
	for _, p := range in.dirs.all() {
		f.wrote(p)
	}
	in.dirs, in.fresh = dirties{}, 0
	delete(f.dirty, in)
	if err := f.cut(in, 0, 1<<51); err != nil {
		return err
	}
	for _, kind := range []byte{kindXattr, kindTarget, kindRecord} {
		var keys [][]byte
		if err := f.t.prefix(key(in.rec.ino, kind), func(k, _ []byte) bool {
			keys = append(keys, k)
			return true
		}); err != nil {
			return err
		}
		for _, k := range keys {
			f.remove(k)
		}
	}
	f.remove(keyNumber(0, kindOrphan, in.rec.ino))
	return nil
}

// dropOrphans ends what lost its last name before the volume was mounted. What is damaged stays on the list, for a check to tell of and repair, and hinders nobody. mu is
// held.
func (f *FS) dropOrphans() error {
	for next := uint64(0); ; {
		var list []uint64
		prefix := key(0, kindOrphan)
		if err := f.t.scan(keyNumber(0, kindOrphan, next), func(k, _ []byte) bool {
			if !bytes.HasPrefix(k, prefix) {
				return false
			}
			if len(k) == 17 {
				list = append(list, be.Uint64(k[9:]))
			}
			return len(list) < 100
		}); err != nil || len(list) == 0 || f.failed != nil {
			return errors.Join(err, f.failed)
		}
		for _, ino := range list {
			if next = ino + 1; next == 0 {
				return nil // no inode has the greatest number
			}
			in, err := f.leftover(ino)
			if err != nil {
				f.keeps(ino, err)
				continue
			}
			if err := f.room(perName*f.t.height(), true); err != nil {
				return err
			}
			if err := f.erase(in); err != nil {
				return err
			}
		}
	}
}

// keeps tells that what is left of an inode without a name stays where it is, until a later mount can read it.
func (f *FS) keeps(ino uint64, err error) {
	f.o.Log("cffs: " + f.dev.Info().Name + ": what is left of inode " + strconv.FormatUint(ino, 10) + " keeps its space: " + err.Error())
}

// whole reads all that the tree holds of an inode without a name, so that erasing it does not end half-way. mu is held.
func (f *FS) whole(ino uint64) error {
	bad := false
	err := f.t.prefix(be.AppendUint64(nil, ino), func(k, v []byte) bool {
		if k[8] == kindExtent {
			_, ok := f.extent(k, v)
			bad = !ok
		}
		return !bad
	})
	if err == nil && bad {
		err = errDamaged
	}
	if err == nil {
		_, err = f.t.get(keyNumber(0, kindOrphan, ino))
	}
	return err
}

// leftover is an inode without a name, all of which can be read. mu is held.
func (f *FS) leftover(ino uint64) (*inode, error) {
	v, err := f.t.get(key(ino, kindRecord))
	if err != nil {
		return nil, err
	}
	rec, ok := decodeRecord(v)
	if !ok || rec.ino != ino || rec.nlink != 0 {
		return nil, errDamaged
	}
	if err := f.whole(ino); err != nil {
		return nil, err
	}
	return f.newInode(rec, nil), nil
}

// store writes an inode's record to the tree. mu is held.
func (f *FS) store(in *inode) error {
	switch {
	case in.home == nil:
		return f.t.put(key(in.rec.ino, kindRecord), in.rec.encode(nil))
	default:
		v, err := f.t.get(in.home)
		if err != nil {
			return err
		}
		e, ok := decodeEntry(v)
		if !ok || e.ino != in.rec.ino {
			return errDamaged
		}
		e.rec = &in.rec
		return f.t.put(in.home, e.encode())
	}
}

// now is the time as inodes have it.
func (f *FS) now() syscall.Timespec {
	t := f.o.Now()
	return syscall.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

// touch sets ctime, and mtime where the contents changed. mu is held.
func (f *FS) touch(in *inode, contents bool) {
	in.rec.ctime = f.now()
	if contents {
		in.rec.mtime = in.rec.ctime
	}
	f.soil(in)
}

// Attr implements fs.Node.
func (in *inode) Attr() core.Attr {
	f := in.fs
	f.mu.RLock()
	defer f.mu.RUnlock()
	if m := in.moves; m != nil {
		return m.attr
	}
	return in.attr()
}

// attr is Attr. mu is held, for reading at least.
func (in *inode) attr() core.Attr {
	r := &in.rec
	a := core.Attr{Ino: r.ino, Mode: r.mode, Nlink: r.nlink, UID: r.uid, GID: r.gid, Rdev: r.rdev, Size: int64(r.size), Blksize: BlockSize,
		Atime: r.atime, Mtime: r.mtime, Ctime: r.ctime, Btime: r.btime}
	a.Blocks = int64((r.blocks + in.fresh) * (BlockSize / 512))
	if in.isDir() {
		a.Size *= 20 // as memory has it: so much a name
	}
	return a
}

// SetAttr implements fs.Node.
func (in *inode) SetAttr(c *core.Change) core.Errno {
	f := in.fs
	if e := f.begin(perPut, false); e != 0 {
		return e
	}
	defer f.unlock()
	r := &in.rec
	if c.Set&core.SetMode != 0 {
		r.mode = r.mode&syscall.S_IFMT | c.Mode&0o7777
	}
	if c.Set&core.SetUID != 0 {
		r.uid = c.UID
	}
	if c.Set&core.SetGID != 0 {
		r.gid = c.GID
	}
	if c.Set&core.SetAtime != 0 {
		r.atime = c.Atime
	}
	if c.Set&core.SetMtime != 0 {
		r.mtime = c.Mtime
	}
	r.ctime = f.now()
	f.soil(in)
	return 0
}

// maxXattrs bounds the names and values of an inode.
const maxXattrs = 64 << 10

// xattrs gives the names, what they and their values take, and the value of one.
func (in *inode) xattrs(of string) (names []string, size int, value []byte, err error) {
	bad := false
	err = in.fs.t.prefix(key(in.rec.ino, kindXattr), func(k, v []byte) bool {
		if bad = len(k) < 12 || k[len(k)-2] != 0; bad {
			return false
		}
		name := string(k[9 : len(k)-2])
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
			size += len(name)
		}
		size += len(v)
		if name == of {
			value = append(value, v...)
			if value == nil {
				value = []byte{}
			}
		}
		return true
	})
	if bad {
		err = errDamaged
	}
	return names, size, value, err
}

// Xattr implements fs.Attributes.
func (in *inode) Xattr(name string) ([]byte, core.Errno) {
	in.fs.look()
	defer in.fs.looked()
	_, _, v, err := in.xattrs(name)
	if err == nil && v == nil {
		return nil, syscall.ENODATA
	}
	return v, errno(err)
}

// Xattrs implements fs.Attributes.
func (in *inode) Xattrs() ([]string, core.Errno) {
	in.fs.look()
	defer in.fs.looked()
	names, _, _, err := in.xattrs("")
	return names, errno(err)
}

// SetXattr implements fs.Attributes.
func (in *inode) SetXattr(name string, value []byte, flags int) core.Errno {
	f := in.fs
	if len(name) > core.MaxName || name == "" || strings.Contains(name, "\x00") {
		return syscall.ERANGE
	}
	if len(value) > maxXattrs {
		return syscall.ENOSPC
	}
	if e := f.begin(perPut*(3+len(value)/chunkSize/2), false); e != 0 {
		return e
	}
	defer f.unlock()
	_, size, old, err := in.xattrs(name)
	switch {
	case err != nil:
		return errno(err)
	case old != nil && flags == core.XattrCreate:
		return syscall.EEXIST
	case old == nil && flags == core.XattrReplace:
		return syscall.ENODATA
	}
	size += len(value) - len(old)
	if old == nil {
		size += len(name)
	}
	if size > maxXattrs {
		return syscall.ENOSPC
	}
	in.dropXattr(name, len(old), old != nil)
	value = slices.Clone(value)
	for c := 0; ; c++ {
		part := value[:min(len(value), chunkSize)]
		f.put(xattrKey(in.rec.ino, name, byte(c)), part)
		if value = value[len(part):]; len(value) == 0 {
			break
		}
	}
	f.touch(in, false)
	return 0
}

// dropXattr takes the chunks of a value of n bytes out. mu is held.
func (in *inode) dropXattr(name string, n int, have bool) {
	if !have {
		return
	}
	for c := 0; c == 0 || c*chunkSize < n; c++ {
		in.fs.remove(xattrKey(in.rec.ino, name, byte(c)))
	}
}

// RemoveXattr implements fs.Attributes.
func (in *inode) RemoveXattr(name string) core.Errno {
	f := in.fs
	if e := f.begin(perName, true); e != 0 {
		return e
	}
	defer f.unlock()
	_, _, old, err := in.xattrs(name)
	switch {
	case err != nil:
		return errno(err)
	case old == nil:
		return syscall.ENODATA
	}
	in.dropXattr(name, len(old), true)
	f.touch(in, false)
	return 0
}

// Target implements fs.Link.
func (l *Link) Target() (string, core.Errno) {
	f := l.fs
	f.look()
	defer f.looked()
	if l.rec.target != "" {
		return l.rec.target, 0
	}
	var b []byte
	err := f.t.prefix(key(l.rec.ino, kindTarget), func(_, v []byte) bool {
		b = append(b, v...)
		return len(b) < core.MaxPath
	})
	if err == nil && (len(b) == 0 || uint64(len(b)) != l.rec.size) {
		err = errDamaged
	}
	return string(b), errno(err)
}

// drawn fills b with what tells mounts apart.
func drawn(b []byte) {
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
}
