// Package proc is a filesystem of files whose contents are made when they are opened, as Linux's /proc is. What is in it, its maker says:
// folders whose names are fixed or asked for each time, files, symbolic links. Programs cannot change it: EPERM, and EACCES to open for
// writing, but for files that are settings.
package proc

import (
	"hash/fnv"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
)

// An FS is one.
type FS struct {
	Type int64 // its magic number, for statfs(2)
	Top  *Folder
}

// New makes one of a folder.
func New(magic int64, top *Folder) *FS {
	top.parent = top
	top.settle()
	return &FS{magic, top}
}

// Root implements fs.FileSystem.
func (f *FS) Root() fs.Dir { return f.Top }

// Statfs implements fs.FileSystem.
func (f *FS) Statfs(s *fs.Statfs) { *s = fs.Statfs{Type: f.Type, BlockSize: 4096, DontExport: true} }

// Sync implements fs.FileSystem.
func (f *FS) Sync() fs.Errno { return 0 }

// A Named is a node with its name.
type Named struct {
	Name string
	Node fs.Node // *Folder, *File, *Link, or another's
	Type uint32  // S_IFMT
}

// base is what all nodes are: nothing can be changed, and nobody counts references.
type base struct{ ino uint64 }

// SetAttr implements fs.Node.
func (*base) SetAttr(*fs.Change) fs.Errno { return syscall.EPERM }

// Ref implements fs.Node.
func (*base) Ref() {}

// Unref implements fs.Node.
func (*base) Unref() {}

func (b *base) attr(mode uint32) fs.Attr {
	return fs.Attr{Ino: b.ino, Mode: mode, Nlink: 1, Blksize: 1024}
}

// A Folder has names.
type Folder struct {
	base
	parent *Folder
	Names  []Named
	More   func() []Named // asked each time, and gives new nodes; nil for none
}

// Dir makes an entry that is a folder of others.
func Dir(name string, names ...Named) Named {
	return Named{name, &Folder{Names: names}, syscall.S_IFDIR}
}

// settle tells the folders below who their parent is, and gives all inode numbers.
func (d *Folder) settle() {
	if d.ino == 0 {
		d.ino = 1
	}
	d.adopt(d.Names)
}

// adopt settles what is in the folder.
func (d *Folder) adopt(names []Named) {
	for _, n := range names {
		ino := number(d.ino, n.Name)
		switch c := n.Node.(type) {
		case *Folder:
			c.parent, c.ino = d, ino
			c.settle()
		case *File:
			c.ino = ino
		case *Link:
			c.ino = ino
		case *Jump:
			c.ino = ino
		}
	}
}

// number makes an inode number of a name and that of its folder.
func number(parent uint64, name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()*31 + parent*2654435761
}

// Attr implements fs.Node.
func (d *Folder) Attr() fs.Attr {
	a := d.attr(syscall.S_IFDIR | 0o555)
	a.Nlink = 2
	for _, n := range d.Names {
		if n.Type == syscall.S_IFDIR {
			a.Nlink++
		}
	}
	return a
}

func (d *Folder) all() []Named {
	if d.More == nil {
		return d.Names
	}
	more := d.More()
	d.adopt(more)
	return append(d.Names[:len(d.Names):len(d.Names)], more...)
}

// Lookup implements fs.Dir.
func (d *Folder) Lookup(name string) (fs.Node, fs.Errno) {
	for _, n := range d.all() {
		if n.Name == name {
			return n.Node, 0
		}
	}
	return nil, syscall.ENOENT
}

// Parent implements fs.Dir.
func (d *Folder) Parent() fs.Dir { return d.parent }

// ReadDir implements fs.Dir. Cookies are places in the list: of names that come and go some may be told twice, or not.
func (d *Folder) ReadDir(cookie uint64, f func(*fs.Entry) bool) fs.Errno {
	const first = 3
	for i, n := range d.all() {
		c := uint64(first + i)
		if c > cookie && !f(&fs.Entry{Name: n.Name, Ino: number(d.ino, n.Name), Type: n.Type, Cookie: c}) {
			break
		}
	}
	return 0
}

// Create implements fs.Dir.
func (d *Folder) Create(name string, _ uint32, _ uint64) (fs.Node, fs.Errno) {
	return nil, d.refuse(name)
}

// Symlink implements fs.Dir.
func (d *Folder) Symlink(name, _ string) (fs.Node, fs.Errno) { return nil, d.refuse(name) }

// Link implements fs.Dir.
func (d *Folder) Link(name string, _ fs.Node) fs.Errno { return d.refuse(name) }

// refuse is what making a name gives.
func (d *Folder) refuse(name string) fs.Errno {
	if _, e := d.Lookup(name); e == 0 {
		return syscall.EEXIST
	}
	return syscall.EPERM
}

// Unlink implements fs.Dir.
func (d *Folder) Unlink(string) fs.Errno { return syscall.EPERM }

// Rmdir implements fs.Dir.
func (d *Folder) Rmdir(string) fs.Errno { return syscall.EPERM }

// Rename implements fs.Dir.
func (d *Folder) Rename(string, fs.Dir, string, uint32) fs.Errno { return syscall.EPERM }

// A File has contents that are made when it is opened. Its size is told as 0, as in Linux's.
type File struct {
	base
	contents func() []byte
	set      func([]byte) fs.Errno // of a setting; nil for others
}

// Make makes an entry that is a file.
func Make(name string, contents func() []byte) Named {
	return Named{name, &File{contents: contents}, syscall.S_IFREG}
}

// Setting is Make for what programs may write to: each write, wherever in the file, is one call of set with the bytes written.
func Setting(name string, contents func() []byte, set func([]byte) fs.Errno) Named {
	return Named{name, &File{contents: contents, set: set}, syscall.S_IFREG}
}

// Numbered is an empty file with an inode number of its own, for links to lead to.
func Numbered(ino uint64) fs.Node {
	return &File{base: base{ino}, contents: func() []byte { return nil }}
}

// Text is Make for what never changes.
func Text(name, contents string) Named {
	return Make(name, func() []byte { return []byte(contents) })
}

// Attr implements fs.Node.
func (f *File) Attr() fs.Attr {
	mode := uint32(syscall.S_IFREG | 0o444)
	if f.set != nil {
		mode |= 0o200
	}
	return f.attr(mode)
}

// Open implements fs.Opener.
func (f *File) Open(flags int) (fs.File, fs.Errno) {
	if flags&(syscall.O_WRONLY|syscall.O_RDWR) != 0 && f.set == nil {
		return nil, syscall.EACCES
	}
	return &opened{f, f.contents()}, 0
}

// ReadAt implements fs.File; it is what Open gives that is read.
func (f *File) ReadAt([]byte, int64) (int, fs.Errno) { return -1, syscall.EINVAL }

// WriteAt implements fs.File.
func (f *File) WriteAt([]byte, int64) (int, int64, fs.Errno) { return -1, 0, syscall.EACCES }

// Truncate implements fs.File. To cut a setting off, as os.WriteFile does, says nothing.
func (f *File) Truncate(int64) fs.Errno {
	if f.set != nil {
		return 0
	}
	return syscall.EPERM
}

// Sync implements fs.File.
func (f *File) Sync(bool) fs.Errno { return 0 }

// opened is what one reader sees.
type opened struct {
	*File
	data []byte
}

// ReadAt implements fs.File.
func (o *opened) ReadAt(p []byte, off int64) (int, fs.Errno) {
	if off >= int64(len(o.data)) {
		return 0, 0
	}
	return copy(p, o.data[off:]), 0
}

// WriteAt implements fs.File.
func (o *opened) WriteAt(p []byte, off int64) (int, int64, fs.Errno) {
	if o.set == nil {
		return -1, 0, syscall.EACCES
	}
	if e := o.set(p); e != 0 {
		return -1, 0, e
	}
	return len(p), max(off, 0), 0
}

// A Link is a symbolic link.
type Link struct {
	base
	target func() string
}

// Symlink makes an entry that is a link.
func Symlink(name string, target func() string) Named {
	return Named{name, &Link{target: target}, syscall.S_IFLNK}
}

// Magic makes an entry that is a link to a place.
func Magic(name string, target func() string, jump func() (fs.Place, fs.Errno)) Named {
	return Named{name, &Jump{Link{target: target}, jump}, syscall.S_IFLNK}
}

// Attr implements fs.Node.
func (l *Link) Attr() fs.Attr { return l.attr(syscall.S_IFLNK | 0o777) }

// Target implements fs.Link.
func (l *Link) Target() (string, fs.Errno) { return l.target(), 0 }

// A Jump is a Link that leads to a place, whatever its target says.
type Jump struct {
	Link
	jump func() (fs.Place, fs.Errno)
}

// Jump implements fs.Jumper.
func (j *Jump) Jump() (fs.Place, fs.Errno) { return j.jump() }
