//go:build linux

package volume

import (
	"math"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// served answers the kernel's requests about a mounted volume (linux/fuse.h; Documentation/filesystems/fuse.rst). The kernel names nodes by numbers, of which it
// says when it forgets them; files need no handles beside those. Locks, umask, offsets of O_APPEND and what owners and modes permit are the kernel's.
type served struct {
	fuse.RawFileSystem // ENOSYS to the rest
	v                  *Volume
	readOnly           bool
	me                 fuse.Owner // who mounts
	rename             sync.Mutex // one rename between folders at a time, as fs.Dir wants it

	mu    sync.Mutex
	nodes map[uint64]*known
	ids   map[core.Node]uint64
	last  uint64
}

// known is a node that the kernel knows, with a reference.
type known struct {
	node    core.Node
	lookups uint64
}

// valid is how long the kernel may believe what it was told: nobody else changes the volume.
const valid = time.Second

func newServed(v *Volume, readOnly bool) *served {
	root := v.root.Node
	root.Ref()
	return &served{
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		v:             v, readOnly: readOnly, me: fuse.Owner{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())},
		nodes: map[uint64]*known{fuse.FUSE_ROOT_ID: {root, 1}},
		ids:   map[core.Node]uint64{root: fuse.FUSE_ROOT_ID},
		last:  fuse.FUSE_ROOT_ID,
	}
}

func (s *served) String() string { return "hardtack" }

// forgetAll drops all references: the kernel has gone.
func (s *served) forgetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.nodes {
		k.node.Unref()
	}
	clear(s.nodes)
	clear(s.ids)
}

// node is what the kernel calls id: it forgets none that a request names.
func (s *served) node(id uint64) core.Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.nodes[id]; k != nil {
		return k.node
	}
	return nil
}

func (s *served) dir(id uint64) (core.Dir, fuse.Status) {
	d, ok := s.node(id).(core.Dir)
	if !ok {
		return nil, fuse.ENOTDIR
	}
	return d, fuse.OK
}

// folder is a folder in which name is to be made, changed or removed.
func (s *served) folder(id uint64, name string) (core.Dir, fuse.Status) {
	switch {
	case s.readOnly:
		return nil, fuse.EROFS
	case len(name) > core.MaxName:
		return nil, fuse.Status(syscall.ENAMETOOLONG)
	}
	return s.dir(id)
}

func (s *served) file(id uint64) (core.File, fuse.Status) {
	f, ok := s.node(id).(core.File)
	if !ok {
		return nil, fuse.EINVAL
	}
	return f, fuse.OK
}

// writable is a file whose contents are to be changed.
func (s *served) writable(id uint64) (core.File, fuse.Status) {
	if s.readOnly {
		return nil, fuse.EROFS
	}
	return s.file(id)
}

// entry tells the kernel of a node, whose reference it takes.
func (s *served) entry(n core.Node, out *fuse.EntryOut) {
	s.mu.Lock()
	id, ok := s.ids[n]
	if ok {
		s.nodes[id].lookups++
	} else {
		s.last++
		id = s.last
		s.ids[n], s.nodes[id] = id, &known{n, 1}
	}
	s.mu.Unlock()
	out.NodeId = id
	out.SetEntryTimeout(valid)
	out.SetAttrTimeout(valid)
	s.attributes(n, &out.Attr)
	if ok {
		n.Unref()
	}
}

// swap gives the volume's number for a user or group of the host, and back: an image's only user, root, is who mounts, whose own number stands for root's, so that none is lost.
func swap(id, mine uint32) uint32 {
	switch id {
	case 0:
		return mine
	case mine:
		return 0
	}
	return id
}

func (s *served) attributes(n core.Node, out *fuse.Attr) {
	a := n.Attr()
	out.Ino, out.Size, out.Blocks = a.Ino, uint64(a.Size), uint64(a.Blocks)
	out.Atime, out.Atimensec = uint64(a.Atime.Sec), uint32(a.Atime.Nsec)
	out.Mtime, out.Mtimensec = uint64(a.Mtime.Sec), uint32(a.Mtime.Nsec)
	out.Ctime, out.Ctimensec = uint64(a.Ctime.Sec), uint32(a.Ctime.Nsec)
	out.Mode, out.Nlink = a.Mode, a.Nlink
	out.Uid, out.Gid, out.Rdev, out.Blksize = swap(a.UID, s.me.Uid), swap(a.GID, s.me.Gid), uint32(a.Rdev), uint32(a.Blksize)
}

// Lookup implements fuse.RawFileSystem, as do those below.
func (s *served) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	d, st := s.dir(h.NodeId)
	if !st.Ok() {
		return st
	}
	if len(name) > core.MaxName {
		return fuse.Status(syscall.ENAMETOOLONG)
	}
	return s.found(out)(d.Lookup(name))
}

// found tells of what a call gave.
func (s *served) found(out *fuse.EntryOut) func(n core.Node, e core.Errno) fuse.Status {
	return func(n core.Node, e core.Errno) fuse.Status {
		if e == 0 {
			s.entry(n, out)
		}
		return fuse.Status(e)
	}
}

// Forget is told when the kernel knows a node by so many lookups less.
func (s *served) Forget(id, lookups uint64) {
	s.mu.Lock()
	k := s.nodes[id]
	if k == nil || id == fuse.FUSE_ROOT_ID {
		s.mu.Unlock()
		return
	}
	if k.lookups -= min(lookups, k.lookups); k.lookups > 0 {
		s.mu.Unlock()
		return
	}
	delete(s.nodes, id)
	delete(s.ids, k.node)
	s.mu.Unlock()
	k.node.Unref() // may write to the device
}

// GetAttr tells attributes.
func (s *served) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n := s.node(in.NodeId)
	if n == nil {
		return fuse.ENOENT
	}
	s.attributes(n, &out.Attr)
	out.SetTimeout(valid)
	return fuse.OK
}

// Access is access(2) where the kernel does not look at the mode itself: all is permitted, as in the image, but to run what nobody may run.
func (s *served) Access(_ <-chan struct{}, in *fuse.AccessIn) fuse.Status {
	const run = 1 // X_OK
	n := s.node(in.NodeId)
	if n == nil {
		return fuse.ENOENT
	}
	if a := n.Attr(); in.Mask&run != 0 && a.Type() == syscall.S_IFREG && a.Mode&0o111 == 0 {
		return fuse.EACCES
	}
	return fuse.OK
}

// SetAttr changes attributes, and the size.
func (s *served) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	n := s.node(in.NodeId)
	switch {
	case n == nil:
		return fuse.ENOENT
	case s.readOnly:
		return fuse.EROFS
	}
	if in.Valid&fuse.FATTR_SIZE != 0 {
		f, ok := n.(core.File)
		if !ok || in.Size > math.MaxInt64 {
			return fuse.EINVAL
		}
		if e := core.Truncate(f, int64(in.Size)); e != 0 {
			return fuse.Status(e)
		}
	}
	c := core.Change{Mode: in.Mode & 0o7777, UID: swap(in.Uid, s.me.Uid), GID: swap(in.Gid, s.me.Gid)}
	if in.Valid&fuse.FATTR_MODE != 0 && in.Valid&(fuse.FATTR_UID|fuse.FATTR_GID|fuse.FATTR_SIZE) != 0 {
		// Not chmod(2), which comes alone: the kernel takes S_ISUID and S_ISGID away, from a mode that it keeps without the sticky bit (fuse_change_attributes).
		c.Mode |= n.Attr().Mode & syscall.S_ISVTX
	}
	now := time.Now()
	at := func(isNow bool, sec uint64, nsec uint32) syscall.Timespec {
		if isNow {
			return syscall.NsecToTimespec(now.UnixNano())
		}
		return syscall.Timespec{Sec: int64(sec), Nsec: int64(nsec)}
	}
	c.Atime = at(in.Valid&fuse.FATTR_ATIME_NOW != 0, in.Atime, in.Atimensec)
	c.Mtime = at(in.Valid&fuse.FATTR_MTIME_NOW != 0, in.Mtime, in.Mtimensec)
	for _, w := range []struct {
		bit uint32
		set core.Which
	}{{fuse.FATTR_MODE, core.SetMode}, {fuse.FATTR_UID, core.SetUID}, {fuse.FATTR_GID, core.SetGID}, {fuse.FATTR_ATIME, core.SetAtime}, {fuse.FATTR_MTIME, core.SetMtime}} {
		if in.Valid&w.bit != 0 {
			c.Set |= w.set
		}
	}
	if c.Set != 0 {
		if e := n.SetAttr(&c); e != 0 {
			return fuse.Status(e)
		}
	}
	s.attributes(n, &out.Attr)
	out.SetTimeout(valid)
	return fuse.OK
}

// create makes what is no symbolic link.
func (s *served) create(h *fuse.InHeader, name string, mode, rdev uint32, out *fuse.EntryOut) fuse.Status {
	d, st := s.folder(h.NodeId, name)
	if !st.Ok() {
		return st
	}
	n, e := d.Create(name, mode, uint64(rdev))
	return s.made(out, h, d, n, e)
}

// made tells of what was made in d, which belongs to who made it: what cffs and FAT make is root's. On FAT it stays root's.
func (s *served) made(out *fuse.EntryOut, h *fuse.InHeader, d core.Dir, n core.Node, e core.Errno) fuse.Status {
	c := core.Change{Set: core.SetUID | core.SetGID, UID: swap(h.Uid, s.me.Uid), GID: swap(h.Gid, s.me.Gid)}
	if d.Attr().Mode&syscall.S_ISGID != 0 {
		c.Set = core.SetUID // it has the folder's group
	}
	if e == 0 && (c.UID != 0 || c.GID != 0) {
		if e = n.SetAttr(&c); e == syscall.EPERM {
			e = 0
		}
		if e != 0 {
			n.Unref()
		}
	}
	return s.found(out)(n, e)
}

// Mknod makes a file, a named pipe, a socket or a device.
func (s *served) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	return s.create(&in.InHeader, name, in.Mode, in.Rdev, out)
}

// Mkdir makes a folder.
func (s *served) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return s.create(&in.InHeader, name, syscall.S_IFDIR|in.Mode&0o1777, 0, out)
}

// Symlink makes a symbolic link.
func (s *served) Symlink(_ <-chan struct{}, h *fuse.InHeader, target, name string, out *fuse.EntryOut) fuse.Status {
	d, st := s.folder(h.NodeId, name)
	if !st.Ok() {
		return st
	}
	n, e := d.Symlink(name, target)
	return s.made(out, h, d, n, e)
}

// Link gives a node a further name.
func (s *served) Link(_ <-chan struct{}, in *fuse.LinkIn, name string, out *fuse.EntryOut) fuse.Status {
	d, st := s.folder(in.NodeId, name)
	if !st.Ok() {
		return st
	}
	n := s.node(in.Oldnodeid)
	if n == nil {
		return fuse.ENOENT
	}
	if e := d.Link(name, n); e != 0 {
		return fuse.Status(e)
	}
	n.Ref()
	s.entry(n, out)
	return fuse.OK
}

// Readlink tells where a symbolic link leads.
func (s *served) Readlink(_ <-chan struct{}, h *fuse.InHeader) ([]byte, fuse.Status) {
	l, ok := s.node(h.NodeId).(core.Link)
	if !ok {
		return nil, fuse.EINVAL
	}
	to, e := l.Target()
	return []byte(to), fuse.Status(e)
}

// Unlink removes a name.
func (s *served) Unlink(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	d, st := s.folder(h.NodeId, name)
	if !st.Ok() {
		return st
	}
	return fuse.Status(d.Unlink(name))
}

// Rmdir removes an empty folder.
func (s *served) Rmdir(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	d, st := s.folder(h.NodeId, name)
	if !st.Ok() {
		return st
	}
	return fuse.Status(d.Rmdir(name))
}

// Rename moves a name.
func (s *served) Rename(_ <-chan struct{}, in *fuse.RenameIn, name, newName string) fuse.Status {
	d, st := s.folder(in.NodeId, name)
	if !st.Ok() {
		return st
	}
	to, st := s.folder(in.Newdir, newName)
	if !st.Ok() {
		return st
	}
	if in.Flags&^(core.RenameNoReplace|core.RenameExchange) != 0 {
		return fuse.EINVAL
	}
	s.rename.Lock()
	defer s.rename.Unlock()
	return fuse.Status(d.Rename(name, to, newName, in.Flags))
}

// Create makes a file and opens it.
func (s *served) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	return s.create(&in.InHeader, name, syscall.S_IFREG|in.Mode&0o7777, 0, &out.EntryOut)
}

// Tmpfile makes a file without a name and opens it.
func (s *served) Tmpfile(_ <-chan struct{}, in *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	d, st := s.folder(in.NodeId, "")
	if !st.Ok() {
		return st
	}
	t, ok := d.(core.Temporary)
	if !ok {
		return fuse.Status(syscall.EOPNOTSUPP)
	}
	f, e := t.Temp(syscall.S_IFREG|in.Mode&0o7777, in.Flags&syscall.O_EXCL == 0)
	return s.made(&out.EntryOut, &in.InHeader, d, f, e)
}

// Open opens a file. What the kernel has of its contents stays true: nobody else writes to it. Truncation it asks for by SetAttr.
func (s *served) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if s.readOnly && in.Flags&(syscall.O_ACCMODE|syscall.O_TRUNC) != syscall.O_RDONLY {
		return fuse.EROFS
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	_, st := s.file(in.NodeId)
	return st
}

// Read reads.
func (s *served) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	f, st := s.file(in.NodeId)
	if !st.Ok() {
		return nil, st
	}
	if in.Offset > math.MaxInt64-uint64(len(buf)) {
		return nil, fuse.EINVAL
	}
	n := 0
	for n < len(buf) {
		k, e := f.ReadAt(buf[n:], int64(in.Offset)+int64(n))
		if e != 0 {
			return nil, fuse.Status(e) // fewer bytes would be the file's end to the kernel, which asks again for what it wants of them
		}
		if k == 0 {
			break
		}
		n += k
	}
	return fuse.ReadResultData(buf[:n]), fuse.OK
}

// Write writes all, or fails.
func (s *served) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	f, st := s.writable(in.NodeId)
	if !st.Ok() {
		return 0, st
	}
	if in.Offset > math.MaxInt64-uint64(len(data)) {
		return 0, fuse.Status(syscall.EFBIG)
	}
	for done := 0; ; {
		n, _, e := f.WriteAt(data[done:], int64(in.Offset)+int64(done))
		done += max(n, 0)
		switch {
		case done == len(data), done > 0 && e != 0:
			return uint32(done), fuse.OK
		case e != 0:
			return 0, fuse.Status(e)
		}
	}
}

// Lseek finds data and holes.
func (s *served) Lseek(_ <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	const seekData, seekHole = 3, 4
	f, st := s.file(in.NodeId)
	if !st.Ok() {
		return st
	}
	if in.Whence != seekData && in.Whence != seekHole || in.Offset > math.MaxInt64 {
		return fuse.EINVAL
	}
	if sparse, ok := f.(core.Sparse); ok {
		off, e := sparse.SeekData(int64(in.Offset), in.Whence == seekHole)
		out.Offset = uint64(off)
		return fuse.Status(e)
	}
	a := f.Attr()
	if out.Offset = in.Offset; in.Offset >= uint64(a.Size) {
		return fuse.Status(syscall.ENXIO)
	}
	if in.Whence == seekHole {
		out.Offset = uint64(a.Size)
	}
	return fuse.OK
}

// Fallocate sets space aside, or gives it back.
func (s *served) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	f, st := s.writable(in.NodeId)
	if !st.Ok() {
		return st
	}
	if in.Offset > math.MaxInt64 || in.Length > math.MaxInt64-in.Offset {
		return fuse.Status(syscall.EFBIG)
	}
	return fuse.Status(core.Allocate(f, in.Mode, int64(in.Offset), int64(in.Length)))
}

// Flush is called by close(2), which promises nothing.
func (s *served) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }

// Fsync makes a file durable.
func (s *served) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	f, st := s.file(in.NodeId)
	if !st.Ok() {
		return st
	}
	const fdatasync = 1
	return fuse.Status(core.Sync(f, in.FsyncFlags&fdatasync != 0))
}

// FsyncDir makes a folder's names durable.
func (s *served) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	d, st := s.dir(in.NodeId)
	if !st.Ok() {
		return st
	}
	if y, ok := d.(core.DirSyncer); ok {
		return fuse.Status(y.SyncDir())
	}
	return fuse.OK
}

// OpenDir opens a folder.
func (s *served) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, _ *fuse.OpenOut) fuse.Status {
	_, st := s.dir(in.NodeId)
	return st
}

// ReadDir lists a folder: "." and ".." have the offsets 1 and 2, which the cookies of fs.Entry leave free.
func (s *served) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	d, st := s.dir(in.NodeId)
	if !st.Ok() {
		return st
	}
	cookie := in.Offset
	if cookie < 2 {
		parent := d.Parent()
		defer parent.Unref()
		for i, n := range []core.Node{d, parent} {
			a := n.Attr()
			if off := uint64(i + 1); off > cookie && !out.AddDirEntry(fuse.DirEntry{Mode: syscall.S_IFDIR, Name: ".."[:off], Ino: a.Ino, Off: off}) {
				return fuse.OK
			}
		}
	}
	if cookie <= 2 {
		cookie = 0
	}
	some := in.Offset < 2
	e := d.ReadDir(cookie, func(e *core.Entry) bool {
		added := out.AddDirEntry(fuse.DirEntry{Mode: e.Type, Name: e.Name, Ino: e.Ino, Off: e.Cookie})
		some = some || added
		return added
	})
	if e == syscall.ENOENT || some { // it was removed, and has no names; or there are some, and the next call is told what is wrong behind them
		e = 0
	}
	return fuse.Status(e)
}

// StatFs tells of the volume.
func (s *served) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	var st core.Statfs
	s.v.fs.Statfs(&st)
	out.Blocks, out.Bfree, out.Bavail, out.Files, out.Ffree = st.Blocks, st.Free, st.Free, st.Files, st.FilesFree
	out.Bsize, out.Frsize, out.NameLen = uint32(st.BlockSize), uint32(st.BlockSize), core.MaxName
	return fuse.OK
}

// extended is a node that may have extended attributes of that name, as the image has them (libos/posix/files): of the namespaces (xattr(7)) that mean something there. Those of the system, access lists among them,
// nobody would heed. The kernel asks for nothing but permissions.
func (s *served) extended(id uint64, name string) (core.Attributes, fuse.Status) {
	space, rest, in := strings.Cut(name, ".")
	if !in || space != "user" && space != "trusted" && space != "security" {
		return nil, fuse.Status(syscall.EOPNOTSUPP)
	}
	if rest == "" {
		return nil, fuse.EINVAL
	}
	x, ok := s.node(id).(core.Attributes)
	if !ok {
		return nil, fuse.Status(syscall.EOPNOTSUPP)
	}
	return x, fuse.OK
}

// give copies v, or says how long it is.
func give(v, dest []byte) (uint32, fuse.Status) {
	if len(v) > len(dest) {
		return uint32(len(v)), fuse.ERANGE
	}
	return uint32(copy(dest, v)), fuse.OK
}

// GetXAttr tells an extended attribute.
func (s *served) GetXAttr(_ <-chan struct{}, h *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	x, st := s.extended(h.NodeId, name)
	if !st.Ok() {
		return 0, st
	}
	v, e := x.Xattr(name)
	if e != 0 {
		return 0, fuse.Status(e)
	}
	return give(v, dest)
}

// ListXAttr tells their names.
func (s *served) ListXAttr(_ <-chan struct{}, h *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	x, ok := s.node(h.NodeId).(core.Attributes)
	if !ok {
		return 0, fuse.OK
	}
	names, e := x.Xattrs()
	if e != 0 {
		return 0, fuse.Status(e)
	}
	var all []byte
	for _, n := range names {
		all = append(append(all, n...), 0)
	}
	return give(all, dest)
}

// SetXAttr sets one.
func (s *served) SetXAttr(_ <-chan struct{}, in *fuse.SetXAttrIn, name string, data []byte) fuse.Status {
	x, st := s.extended(in.NodeId, name)
	switch {
	case !st.Ok():
		return st
	case s.readOnly:
		return fuse.EROFS
	}
	return fuse.Status(x.SetXattr(name, data, int(in.Flags)))
}

// RemoveXAttr removes one.
func (s *served) RemoveXAttr(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	x, st := s.extended(h.NodeId, name)
	switch {
	case !st.Ok():
		return st
	case s.readOnly:
		return fuse.EROFS
	}
	return fuse.Status(x.RemoveXattr(name))
}
