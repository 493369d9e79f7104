package mem

import (
	"io/fs"
	"path"
	"strings"
	"sync"
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// A seedDir is a folder of a seed.
type seedDir struct {
	fs   fs.FS
	name string
}

// Plant puts the files of seed below the filesystem's root. Folders that are there already get its files, too; files that are there stay, but for
// those that Provide made.
func (f *FS) Plant(seed fs.FS) {
	f.names.Lock()
	f.root.seeds = append(f.root.seeds, seedDir{seed, "."})
	f.names.Unlock()
}

// grow makes the names of a folder that come from seeds, if that has not been done. fs.names is held for writing.
func (d *Dir) grow() core.Errno {
	for len(d.seeds) > 0 {
		s := d.seeds[0]
		list, err := fs.ReadDir(s.fs, s.name)
		if err != nil {
			return syscall.EIO
		}
		for _, e := range list {
			info, err := e.Info()
			if err != nil {
				return syscall.EIO
			}
			if ok := d.sprout(s, e.Name(), info); !ok {
				return syscall.EIO
			}
		}
		d.seeds = d.seeds[1:]
	}
	d.seeds = nil
	return 0
}

// sprout makes a node of a file of a seed, which calls it name.
func (d *Dir) sprout(s seedDir, name string, info fs.FileInfo) bool {
	from := seedDir{s.fs, path.Join(s.name, name)}
	if n, ok := s.fs.(Namer); ok {
		name = n.Name(name)
	}
	if have := d.byName[name]; have != nil {
		if below, ok := have.inode.(*Dir); ok && info.IsDir() {
			below.seeds = append(below.seeds, from)
		}
		if _, made := have.inode.(*Made); !made {
			return true
		}
		d.take(have)
		have.base.unlinked()
	}
	var inode core.Node
	var b *node
	perm := uint32(info.Mode().Perm())
	switch info.Mode().Type() {
	case fs.ModeDir:
		n := &Dir{parent: d, seeds: []seedDir{from}}
		n.init(d.fs, syscall.S_IFDIR|perm, 0)
		n.nlink.Store(2)
		d.nlink.Add(1)
		inode, b = n, &n.node
	case fs.ModeSymlink:
		target, err := fs.ReadLink(from.fs, from.name)
		if err != nil || len(target) == 0 || len(target) >= core.MaxPath {
			return false
		}
		n := &Link{target: target}
		n.init(d.fs, syscall.S_IFLNK|0o777, 0)
		inode, b = n, &n.node
	case 0:
		x := &cached{File: File{size: info.Size(), seeded: info.Size(), seed: &seed{seedDir: from}}}
		n := &x.File
		n.init(d.fs, syscall.S_IFREG|perm)
		inode, b = n, &n.node
		if p, ok := s.fs.(Piecer); ok {
			if n.seed.pieces = p.Pieces(from.name); n.seed.pieces != nil {
				inode = x
			}
		}
	default:
		return true // no other kind has contents
	}
	if t := info.ModTime(); !t.IsZero() {
		ts := syscall.NsecToTimespec(t.UnixNano())
		b.atime, b.mtime, b.ctime, b.btime = ts, ts, ts, ts
	}
	b.refs.Store(0) // the name alone keeps it
	d.fs.inodes.Add(1)
	d.add(name, inode, b)
	return true
}

// A seed is the contents that a file began with, read when they are first needed.
type seed struct {
	seedDir
	pieces Pieces // nil: data
	once   sync.Once
	data   []byte
	err    error
}

// A Namer is a seed that calls some of its files otherwise than they are called here, as io/fs wants UTF-8.
type Namer interface {
	// Name is the name here of a file that the seed calls so, in its folder. Two names stay two. It has neither a slash nor a byte 0, and is neither empty nor "." nor "..".
	Name(name string) string
}

// A Holder is a seed that has the contents of some of its files in memory, which it gives away as they are.
type Holder interface {
	// Bytes are the contents; nil where it has none.
	Bytes(name string) []byte
}

// Pieces are the contents of a file that lie in the page cache, as far as it has memory for them.
type Pieces interface {
	// Piece returns contents from an offset on, pinned, one byte at least, which nobody writes to. n are wanted. It may park.
	Piece(off, n int64) (pages.Hold, error)

	// Cached says whether the page that begins at off is in memory.
	Cached(off int64) bool
}

// A Piecer is a seed some of whose files are read piece by piece.
type Piecer interface {
	// Pieces are those of a file; nil where it is another.
	Pieces(name string) Pieces
}

// piece returns contents from an offset on, of which n are wanted, pinned; none behind the end.
func (s *seed) piece(off, n int64) (h pages.Hold, e core.Errno) {
	var err error
	if s.pieces != nil {
		h, err = s.pieces.Piece(off, n)
	} else {
		s.once.Do(func() {
			if h, ok := s.fs.(Holder); ok {
				s.data = h.Bytes(s.name)
			}
			if s.data == nil {
				s.data, s.err = fs.ReadFile(s.fs, s.name)
			}
		})
		h.Data, err = s.data[min(off, int64(len(s.data))):], s.err
	}
	if err != nil {
		return pages.Hold{}, syscall.EIO
	}
	h.Data = h.Data[:min(n, int64(len(h.Data)))]
	return h, 0
}

// A cached is a File whose contents, where it was not written to, lie in the page cache.
type cached struct{ File }

// Share implements pages.Sharer: of pages that nothing was written to, and of which the seed has all that the file has.
func (f *cached) Share(off int64) (*pages.Slot, int, core.Errno) {
	f.bytes.RLock()
	defer f.bytes.RUnlock()
	if f.seed == nil || off >= f.seeded || off+pageSize > f.seeded && f.seeded < f.size || f.pages.at(off/pageSize) != nil {
		return nil, 0, 0
	}
	h, e := f.seed.piece(off, pageSize)
	if h.Of == nil {
		return nil, 0, e
	}
	if !h.Whole() || int64(len(h.Data)) < min(pageSize, f.seeded-off) || !h.Of.Mappable() {
		h.Release()
		return nil, 0, 0
	}
	return h.Of, h.Page, 0
}

// Cached implements pages.Cacher. What was written is in memory.
func (f *cached) Cached(off int64) bool {
	f.bytes.RLock()
	defer f.bytes.RUnlock()
	if f.pages.at(off/pageSize) != nil {
		return true
	}
	return f.seed != nil && off < f.seeded && f.seed.pieces.Cached(off)
}

// A Made is a regular file whose contents are made when it is opened. It can be removed and replaced, but not written to.
type Made struct {
	node
	contents func() []byte
	changed  func() int64 // when, in seconds since 1970; nil: never
}

// Provide makes a Made file at a path like "etc/hosts", with the folders above it. Where there is a file already, nothing is done.
func (f *FS) Provide(name string, contents func() []byte, changed func() int64) {
	f.names.Lock()
	defer f.names.Unlock()
	d := f.root
	for {
		first, rest, more := strings.Cut(name, "/")
		if d.grow() != 0 {
			return
		}
		have := d.byName[first]
		if !more {
			if have == nil {
				n := &Made{contents: contents, changed: changed}
				n.init(f, syscall.S_IFREG|0o444, 0)
				n.refs.Store(0)
				f.inodes.Add(1)
				d.add(first, n, &n.node)
			}
			return
		}
		if have == nil {
			n := &Dir{parent: d}
			n.init(f, rootMode, 0)
			n.nlink.Store(2)
			n.refs.Store(0)
			d.nlink.Add(1)
			f.inodes.Add(1)
			d.add(first, n, &n.node)
			have = d.byName[first]
		}
		next, ok := have.inode.(*Dir)
		if !ok {
			return
		}
		d, name = next, rest
	}
}

// Attr implements fs.Node.
func (m *Made) Attr() core.Attr {
	a := m.node.Attr()
	a.Size = int64(len(m.contents()))
	if m.changed != nil {
		a.Mtime = syscall.Timespec{Sec: m.changed()}
		a.Ctime = a.Mtime
	}
	return a
}

// Open implements fs.Opener: a file of its own for each that opens it.
func (m *Made) Open(flags int) (core.File, core.Errno) {
	if flags&(syscall.O_WRONLY|syscall.O_RDWR|syscall.O_TRUNC) != 0 {
		return nil, syscall.EROFS
	}
	data := m.contents()
	n := &File{size: int64(len(data)), seeded: int64(len(data)), seed: &seed{data: data}}
	n.seed.once.Do(func() {})
	n.node.init(m.fs, syscall.S_IFREG|0o444, 0)
	n.ino = m.ino
	a := m.Attr()
	n.mtime, n.ctime = a.Mtime, a.Ctime
	return n, 0
}

// ReadAt implements fs.File. It is Open that gives what is read.
func (m *Made) ReadAt([]byte, int64) (int, core.Errno) { return -1, syscall.EINVAL }

// WriteAt implements fs.File.
func (m *Made) WriteAt([]byte, int64) (int, int64, core.Errno) { return -1, 0, syscall.EROFS }

// Truncate implements fs.File.
func (m *Made) Truncate(int64) core.Errno { return syscall.EROFS }

// Sync implements fs.File.
func (m *Made) Sync(bool) core.Errno { return 0 }
