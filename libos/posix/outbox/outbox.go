// Package outbox is a folder, /outbox, whose files go to whoever runs the image: each change to one is a control record
// (ARCHITECTURE.md). mkimage links it where the go command would have a program leave files on the host: coverage data,
// and the profiles of a test.
//
// The folder is flat and empty at boot. Files are kept in memory as well, for they are read back.
package outbox

import (
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/files"
)

// Path is the folder.
const Path = "/outbox"

func init() {
	root := files.Tree.Root()
	defer root.Drop()
	files.Tree.Mkdir(root, Path, 0o700)
	files.Tree.Mount(Path, "outbox", newBox())
}

// control tells the host; tests listen here.
var control = posix.Control

// A box is the filesystem, of one folder. What the files and the folder are otherwise is package mem's: that it tells the host is
// all that is added.
type box struct {
	*mem.FS
	top *folder
}

// A folder is the box's.
type folder struct {
	fs.Dir // of package mem
	mu     sync.Mutex
	files  map[fs.Node]*file // by package mem's; mu
}

// A file is a regular file.
type file struct {
	fs.File // of package mem
	in      *folder
	name    string // as the host knows it; "" once it has none; in.mu
}

func newBox() *box {
	b := &box{FS: mem.New(mem.Options{})}
	b.top = &folder{Dir: b.FS.Root(), files: map[fs.Node]*file{}}
	return b
}

// Root implements fs.FileSystem.
func (b *box) Root() fs.Dir {
	b.top.Ref()
	return b.top
}

// Parent implements fs.Dir.
func (d *folder) Parent() fs.Dir {
	d.Ref()
	return d
}

// Lookup implements fs.Dir.
func (d *folder) Lookup(name string) (fs.Node, fs.Errno) {
	n, e := d.Dir.Lookup(name)
	if e != 0 {
		return nil, e
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[n]
	if f == nil { // removed since
		n.Unref()
		return nil, syscall.ENOENT
	}
	return f, 0
}

// Create implements fs.Dir: regular files only. EINVAL for a name that a record cannot have.
func (d *folder) Create(name string, mode uint32, _ uint64) (fs.Node, fs.Errno) {
	switch {
	case mode&syscall.S_IFMT != syscall.S_IFREG:
		return nil, syscall.EPERM
	case strings.ContainsAny(name, " \n"):
		return nil, syscall.EINVAL
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n, e := d.Dir.Create(name, mode, 0)
	if e != 0 {
		return nil, e
	}
	f := &file{File: n.(fs.File), in: d, name: strings.Clone(name)}
	d.files[n] = f
	control("file create " + name)
	return f, 0
}

// Symlink implements fs.Dir.
func (d *folder) Symlink(string, string) (fs.Node, fs.Errno) { return nil, syscall.EPERM }

// Link implements fs.Dir.
func (d *folder) Link(string, fs.Node) fs.Errno { return syscall.EPERM }

// Unlink implements fs.Dir.
func (d *folder) Unlink(name string) fs.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.forget(name)
	e := d.Dir.Unlink(name)
	if e == 0 && f != nil {
		control("file remove " + name)
	}
	return e
}

// forget takes a name from the file that has it. mu is held.
func (d *folder) forget(name string) *file {
	n, e := d.Dir.Lookup(name)
	if e != 0 {
		return nil
	}
	defer n.Unref()
	f := d.files[n]
	delete(d.files, n)
	if f != nil {
		f.name = ""
	}
	return f
}

// Rename implements fs.Dir.
func (d *folder) Rename(name string, _ fs.Dir, to string, flags uint32) fs.Errno {
	switch {
	case flags == fs.RenameExchange:
		return syscall.EINVAL
	case strings.ContainsAny(to, " \n"):
		return syscall.EINVAL
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n, e := d.Dir.Lookup(name)
	if e != 0 {
		return e
	}
	defer n.Unref()
	if name == to {
		return 0
	}
	if flags == 0 {
		d.forget(to)
	}
	if e := d.Dir.Rename(name, d.Dir, to, flags); e != 0 {
		return e
	}
	d.files[n].name = strings.Clone(to)
	control("file rename " + name + " " + to)
	return 0
}

// maxRecord is the most bytes of a file that one record carries: the control port's lock is held meanwhile.
const maxRecord = 16 << 10

// maxFile bounds a file, which is kept in memory.
const maxFile = 1 << 31

// WriteAt implements fs.File.
func (f *file) WriteAt(p []byte, off int64) (int, int64, fs.Errno) {
	if off > maxFile-int64(len(p)) {
		return -1, off, syscall.EFBIG
	}
	f.in.mu.Lock()
	defer f.in.mu.Unlock()
	n, off, e := f.File.WriteAt(p, off)
	for at := 0; at < n && f.name != ""; at += maxRecord {
		part := p[at:min(at+maxRecord, n)]
		head := "file data " + f.name + " " + strconv.FormatInt(off+int64(at), 10) + " " + strconv.Itoa(len(part)) + "\n"
		control(head + string(part))
	}
	return n, off, e
}

// Truncate implements fs.File.
func (f *file) Truncate(size int64) fs.Errno {
	if size > maxFile {
		return syscall.EFBIG
	}
	f.in.mu.Lock()
	defer f.in.mu.Unlock()
	e := f.File.Truncate(size)
	if e == 0 && f.name != "" {
		control("file size " + f.name + " " + strconv.FormatInt(size, 10))
	}
	return e
}
