package mem

import (
	"io/fs"
	"path"
	"sync"
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// grow makes the names of a folder that comes from the seed, if it has not been done. fs.names is held for writing.
func (d *Dir) grow() core.Errno {
	if d.seed == "" {
		return 0
	}
	list, err := fs.ReadDir(d.fs.options.Seed, d.seed)
	if err != nil {
		return syscall.EIO
	}
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			return syscall.EIO
		}
		if d.byName[e.Name()] == nil {
			d.sprout(e.Name(), info)
		}
	}
	d.seed = ""
	return 0
}

// sprout makes a node of a file of the seed.
func (d *Dir) sprout(name string, info fs.FileInfo) {
	var inode core.Node
	var b *node
	file := path.Join(d.seed, name)
	perm := uint32(info.Mode().Perm())
	switch info.Mode().Type() {
	case fs.ModeDir:
		n := &Dir{parent: d, seed: file}
		n.init(d.fs, syscall.S_IFDIR|perm, 0)
		n.nlink.Store(2)
		d.nlink.Add(1)
		inode, b = n, &n.node
	case fs.ModeSymlink:
		target, err := fs.ReadLink(d.fs.options.Seed, file)
		if err != nil || len(target) == 0 || len(target) >= core.MaxPath {
			return
		}
		n := &Link{target: target}
		n.init(d.fs, syscall.S_IFLNK|0o777, 0)
		inode, b = n, &n.node
	case 0:
		n := newFile(d.fs, syscall.S_IFREG|perm)
		n.size, n.seed = info.Size(), &seed{fs: d.fs.options.Seed, name: file}
		n.seeded = n.size
		inode, b = n, &n.node
	default:
		return // no other kind has contents
	}
	if t := info.ModTime(); !t.IsZero() {
		ts := syscall.NsecToTimespec(t.UnixNano())
		b.atime, b.mtime, b.ctime, b.btime = ts, ts, ts, ts
	}
	b.refs.Store(0) // the name alone keeps it
	d.fs.inodes.Add(1)
	d.add(name, inode, b)
}

// A seed is the contents that a file began with, read when they are first needed.
type seed struct {
	fs   fs.FS
	name string
	once sync.Once
	data []byte
	err  error
}

// A Holder is a seed that has the contents of some of its files in memory, which it gives away as they are.
type Holder interface {
	// Bytes are the contents; nil where it has none.
	Bytes(name string) []byte
}

func (s *seed) bytes() ([]byte, core.Errno) {
	s.once.Do(func() {
		if h, ok := s.fs.(Holder); ok {
			s.data = h.Bytes(s.name)
		}
		if s.data == nil {
			s.data, s.err = fs.ReadFile(s.fs, s.name)
		}
	})
	if s.err != nil {
		return nil, syscall.EIO
	}
	return s.data, 0
}
