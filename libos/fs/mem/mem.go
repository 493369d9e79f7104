// Package mem is a filesystem in memory, as Linux's tmpfs: it has a limit, files may have holes, and it is gone when the
// image ends. It can begin with the files of an io/fs.FS, which stay where they are until they are written to.
//
// Inode numbers are given out in order. Folders tell their size as tmpfs does, 20 bytes a name. There are extended attributes, of at most 64 KiB an
// inode, which count as bytes of files do. Each name of a file but its first counts as an inode.
//
// # Locks
//
// FS.names guards which name means what: it is held for reading by Lookup, for writing by what changes names. Each file has a mutex for its bytes, each node
// one for its attributes, under which no other is taken. Order: names, file, attributes.
package mem

import (
	"io/fs"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// Options are how a filesystem is made.
type Options struct {
	Limit  int64                  // bytes that files may have together; 0 for no limit
	Inodes int64                  // how many there may be; 0 for no limit
	Room   func(bytes int64) bool // whether there is memory for so many more, asked for 256 KiB at a time or for more; nil: there is
	Seed   fs.FS                  // what is there at first; nil for nothing
	Sealed bool                   // nothing can be changed
	Now    func() time.Time       // time.Now where it is nil
}

// An FS is the filesystem.
type FS struct {
	options Options
	limit   atomic.Int64 // Options.Limit
	now     func() time.Time
	names   sync.RWMutex
	root    *Dir
	lastIno atomic.Uint64
	pages   atomic.Int64 // in use
	inodes  atomic.Int64
}

const (
	pageSize = 4096
	magic    = 0x01021994 // TMPFS_MAGIC
	rootMode = syscall.S_IFDIR | 0o755
)

// New makes one.
func New(o Options) *FS {
	f := &FS{options: o, now: o.Now}
	f.limit.Store(o.Limit)
	if f.now == nil {
		f.now = time.Now
	}
	f.root = &Dir{}
	f.root.init(f, rootMode, 0)
	f.root.parent = f.root
	f.root.nlink.Store(2)
	if o.Seed != nil {
		f.root.seeds = []seedDir{{o.Seed, "."}}
	}
	return f
}

// Root implements fs.FileSystem.
func (f *FS) Root() core.Dir {
	f.root.Ref()
	return f.root
}

// Statfs implements fs.FileSystem.
func (f *FS) Statfs(s *core.Statfs) {
	*s = core.Statfs{Type: magic, BlockSize: pageSize, ReadOnly: f.options.Sealed}
	if limit := f.limit.Load(); limit > 0 {
		s.Blocks = uint64(limit / pageSize)
		s.Free = s.Blocks - min(uint64(f.pages.Load()), s.Blocks)
	}
	if f.options.Inodes > 0 {
		s.Files = uint64(f.options.Inodes)
		s.FilesFree = s.Files - min(uint64(f.inodes.Load()), s.Files)
	}
}

// Sync implements fs.FileSystem: there is nothing to do.
func (f *FS) Sync() core.Errno { return 0 }

// Resize changes what files may have together; 0 for no limit. EINVAL where they have more.
func (f *FS) Resize(limit int64) core.Errno {
	if limit < 0 || limit > 0 && f.pages.Load() > limit/pageSize {
		return syscall.EINVAL
	}
	f.limit.Store(limit)
	return 0
}

// takePages accounts for n more pages, or, below 0, for fewer. ENOSPC.
func (f *FS) takePages(n int64) core.Errno {
	const step = 64
	for {
		was := f.pages.Load()
		now, limit := was+n, f.limit.Load()
		switch {
		case n <= 0:
		case limit > 0 && now > limit/pageSize:
			return syscall.ENOSPC
		case f.options.Room != nil && now/step > was/step && !f.options.Room(max(n, step)*pageSize):
			return syscall.ENOSPC
		}
		if f.pages.CompareAndSwap(was, now) { // nobody is refused for what another is refused, too
			return 0
		}
	}
}

// takeInode accounts for one more. ENOSPC.
func (f *FS) takeInode() core.Errno {
	for {
		n := f.inodes.Load()
		if f.options.Inodes > 0 && n >= f.options.Inodes {
			return syscall.ENOSPC
		}
		if f.inodes.CompareAndSwap(n, n+1) {
			return 0
		}
	}
}

// timespec is now.
func (f *FS) timespec() syscall.Timespec { return syscall.NsecToTimespec(f.now().UnixNano()) }
