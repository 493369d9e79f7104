package logkv

import (
	"cmp"
	"maps"
	"slices"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/fs"
)

// The folder. Nothing counts references: values are in memory, and the collector knows who has them.

// Ref and Unref implement fs.Node.
func (f *FS) Ref()   {}
func (f *FS) Unref() {}

// Attr implements fs.Node.
func (f *FS) Attr() fs.Attr {
	f.mu.RLock()
	defer f.mu.RUnlock()
	t := syscall.NsecToTimespec(f.mtime.UnixNano())
	return fs.Attr{Ino: 1, Mode: syscall.S_IFDIR | 0o755, Nlink: 2, Blksize: f.bs, Atime: t, Mtime: t, Ctime: t}
}

// SetAttr implements fs.Node.
func (f *FS) SetAttr(*fs.Change) fs.Errno { return syscall.EPERM }

// Parent implements fs.Dir.
func (f *FS) Parent() fs.Dir { return f }

// Lookup implements fs.Dir.
func (f *FS) Lookup(key string) (fs.Node, fs.Errno) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if x := f.files[key]; x != nil {
		return x, 0
	}
	return nil, syscall.ENOENT
}

// Create implements fs.Dir, for files.
func (f *FS) Create(key string, mode uint32, _ uint64) (fs.Node, fs.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.files[key] != nil:
		return nil, syscall.EEXIST
	case mode&syscall.S_IFMT != syscall.S_IFREG:
		return nil, syscall.EPERM
	case !f.room(entryLen + int64(len(key))):
		return nil, syscall.ENOSPC
	}
	return f.add(string([]byte(key)), mode), 0
}

// Symlink, Link and Rmdir implement fs.Dir: there are none.
func (f *FS) Symlink(string, string) (fs.Node, fs.Errno) { return nil, syscall.EPERM }
func (f *FS) Link(string, fs.Node) fs.Errno              { return syscall.EPERM }
func (f *FS) Rmdir(key string) fs.Errno {
	if _, e := f.Lookup(key); e != 0 {
		return e
	}
	return syscall.ENOTDIR
}

// Unlink implements fs.Dir.
func (f *FS) Unlink(key string) fs.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files[key] == nil {
		return syscall.ENOENT
	}
	f.remove(key)
	return 0
}

// Rename implements fs.Dir.
func (f *FS) Rename(key string, _ fs.Dir, newKey string, flags uint32) fs.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.files[key]
	switch {
	case x == nil:
		return syscall.ENOENT
	case flags == fs.RenameExchange:
		return syscall.EINVAL
	case flags == fs.RenameNoReplace && f.files[newKey] != nil:
		return syscall.EEXIST
	case key == newKey:
		return 0
	case len(newKey) > len(key) && f.files[newKey] == nil && !f.room(int64(len(newKey)-len(key))):
		return syscall.ENOSPC
	}
	f.remove(newKey)
	f.remove(key)
	x.key = string([]byte(newKey))
	f.files[x.key], f.changed[x.key] = x, true
	f.live += entryLen + int64(len(newKey)+len(x.data))
	return 0
}

// ReadDir implements fs.Dir: in the order in which files were made. An inode's number is its cookie.
func (f *FS) ReadDir(cookie uint64, do func(*fs.Entry) bool) fs.Errno {
	f.mu.RLock()
	defer f.mu.RUnlock()
	list := slices.SortedFunc(maps.Values(f.files), func(a, b *file) int { return cmp.Compare(a.ino, b.ino) })
	for _, x := range list {
		if x.ino > cookie && !do(&fs.Entry{Name: x.key, Ino: x.ino, Type: syscall.S_IFREG, Cookie: x.ino}) {
			break
		}
	}
	return 0
}

// Ref and Unref implement fs.Node.
func (x *file) Ref()   {}
func (x *file) Unref() {}

// Attr implements fs.Node.
func (x *file) Attr() fs.Attr {
	x.fs.mu.RLock()
	defer x.fs.mu.RUnlock()
	t := syscall.NsecToTimespec(x.mtime.UnixNano())
	a := fs.Attr{Ino: x.ino, Mode: x.mode, Nlink: 1, Size: int64(len(x.data)), Blocks: x.fs.blocks(int64(len(x.data))) / 512, Blksize: x.fs.bs, Atime: t, Mtime: t, Ctime: t}
	if x.key == "" {
		a.Nlink = 0
	}
	return a
}

// SetAttr implements fs.Node: owners are not kept.
func (x *file) SetAttr(c *fs.Change) fs.Errno {
	x.fs.mu.Lock()
	defer x.fs.mu.Unlock()
	if c.Set&fs.SetMode != 0 {
		x.mode = x.mode&syscall.S_IFMT | c.Mode
	}
	if c.Set&fs.SetMtime != 0 {
		x.mtime = time.Unix(c.Mtime.Sec, c.Mtime.Nsec)
	}
	x.soil()
	return 0
}

// soil has the next Sync write it.
func (x *file) soil() {
	if x.key != "" {
		x.fs.changed[x.key] = true
	}
}

// resize sets the length. EFBIG, ENOSPC.
func (x *file) resize(size int64) fs.Errno {
	grow := size - int64(len(x.data))
	switch {
	case size > x.fs.half:
		return syscall.EFBIG
	case grow > 0 && !x.fs.room(grow):
		return syscall.ENOSPC
	case grow > 0:
		x.data = append(x.data, make([]byte, grow)...)
	default:
		x.data = x.data[:size]
	}
	if x.key != "" {
		x.fs.live += grow
	}
	return 0
}

// ReadAt implements fs.File.
func (x *file) ReadAt(p []byte, off int64) (int, fs.Errno) {
	x.fs.mu.RLock()
	defer x.fs.mu.RUnlock()
	if off >= int64(len(x.data)) {
		return 0, 0
	}
	return copy(p, x.data[off:]), 0
}

// WriteAt implements fs.File.
func (x *file) WriteAt(p []byte, off int64) (int, int64, fs.Errno) {
	x.fs.mu.Lock()
	defer x.fs.mu.Unlock()
	if off == fs.Append {
		off = int64(len(x.data))
	}
	if off > fs.MaxSize-int64(len(p)) {
		return -1, off, syscall.EFBIG
	}
	if end := off + int64(len(p)); end > int64(len(x.data)) {
		if e := x.resize(end); e != 0 {
			return -1, off, e
		}
	}
	copy(x.data[off:], p)
	x.mtime = time.Now()
	x.soil()
	return len(p), off, 0
}

// Truncate implements fs.File.
func (x *file) Truncate(size int64) fs.Errno {
	x.fs.mu.Lock()
	defer x.fs.mu.Unlock()
	if e := x.resize(size); e != 0 {
		return e
	}
	x.mtime = time.Now()
	x.soil()
	return 0
}

// Sync implements fs.File: of all files.
func (x *file) Sync(bool) fs.Errno { return x.fs.Sync() }

// SyncDir implements fs.DirSyncer.
func (f *FS) SyncDir() fs.Errno { return f.Sync() }
