package fs

import "syscall"

// Errno is the error of all that is here, 0 where there is none.
type Errno = syscall.Errno

// A FileSystem is what can be mounted.
type FileSystem interface {
	// Root is the folder at the top, with a reference. It is its own parent.
	Root() Dir

	// Statfs tells its size and what it is.
	Statfs(*Statfs)

	// Sync returns when all that was written is durable.
	Sync() Errno
}

// An Ender is a FileSystem on which what was removed and is still open takes up room that nobody would find again, were the program to end.
type Ender interface {
	FileSystem

	// Ending tells it that the program ends, soon: what is written from then on is as if such files had been closed. They stay what they are for who has them open. It may wait for what the filesystem is doing.
	Ending()
}

// A Walker is a FileSystem that can go along a path of names that it remembers in one step.
type Walker interface {
	FileSystem

	// Walk goes from a node of the filesystem along path, which is not empty and neither begins nor ends with a slash: through folders whose names it remembers, and to the last name if it is not a symbolic link's.
	// It gives the node that it came to, with a reference, and the names that are left; nil and path where it remembers nothing. "." and ".." are no names that it knows. It does not block.
	Walk(from Node, path string) (n Node, rest string)
}

// Statfs is what statfs(2) tells of a filesystem.
type Statfs struct {
	Type       int64  // its magic number, linux/magic.h
	BlockSize  int64  // bytes
	Blocks     uint64 // in all
	Free       uint64 // blocks
	Files      uint64 // inodes in all; 0 where they are not counted
	FilesFree  uint64
	ReadOnly   bool   // nothing can be written, whatever the mount says; looked at once, when it is mounted
	ID         uint64 // f_fsid
	DontExport bool   // it has no fixed inode numbers
}

// A Node is an inode.
type Node interface {
	// Attr tells all but Dev, which is the mount's. It is a value: what is filled in by way of an interface lies in the heap.
	Attr() Attr

	// SetAttr changes what c says, and ctime. EPERM where that cannot be.
	SetAttr(c *Change) Errno

	// Ref takes a further reference: the caller has one. Unref drops one.
	Ref()
	Unref()
}

// Attr are the attributes of a Node, as stat(2) and statx(2) tell them.
type Attr struct {
	Dev     uint64
	Ino     uint64
	Mode    uint32 // S_IFMT and permissions
	Nlink   uint32 // 0: no name is left
	UID     uint32
	GID     uint32
	Rdev    uint64 // of a device
	Size    int64  // bytes
	Blocks  int64  // of 512 bytes, that are really there
	Blksize int64
	Atime   syscall.Timespec
	Mtime   syscall.Timespec
	Ctime   syscall.Timespec
	Btime   syscall.Timespec // when it was made; zero where that is not known
}

// Type is the S_IFMT part of the mode.
func (a *Attr) Type() uint32 { return a.Mode & syscall.S_IFMT }

// A Change is some attributes to set.
type Change struct {
	Set   Which
	Mode  uint32 // permissions only
	UID   uint32
	GID   uint32
	Atime syscall.Timespec
	Mtime syscall.Timespec
}

// Which is a set of attributes.
type Which uint8

// What a Change sets.
const (
	SetMode Which = 1 << iota
	SetUID
	SetGID
	SetAtime
	SetMtime
)

// A Dir is a folder.
type Dir interface {
	Node

	// Lookup finds a name. ENOENT.
	Lookup(name string) (Node, Errno)

	// Parent is the folder that this one is in, with a reference; of the root the root. A removed folder keeps its last.
	Parent() Dir

	// Create makes a new node: mode tells which kind (all but symbolic links) and the permissions; rdev is a device's.
	// EEXIST; ENOENT where the folder was removed; EMLINK.
	Create(name string, mode uint32, rdev uint64) (Node, Errno)

	// Symlink makes a symbolic link. As Create.
	Symlink(name, target string) (Node, Errno)

	// Link gives a node that is no folder a further name. EEXIST; ENOENT where the folder was removed, or n has no name any more and was
	// not made by Temporary; EMLINK.
	Link(name string, n Node) Errno

	// Unlink removes the name of what is no folder. ENOENT, EISDIR.
	Unlink(name string) Errno

	// Rmdir removes an empty folder. ENOENT, ENOTDIR, ENOTEMPTY.
	Rmdir(name string) Errno

	// Rename moves a name to another of this or another folder of the filesystem, in one step; what has that name is replaced. Two names of one file:
	// nothing is done. ENOENT; EEXIST where flags has RenameNoReplace; with RenameExchange, both must be there and change places;
	// EISDIR a file onto a folder, ENOTDIR a folder onto a file; ENOTEMPTY onto a folder that has names; EINVAL a folder to below itself, ENOTEMPTY onto an ancestor (with RenameExchange:
	// EINVAL).
	Rename(name string, to Dir, newName string, flags uint32) Errno

	// ReadDir calls f for the entries behind cookie, 0 at first, until f returns false; not for "." and "..". A name that is there from the
	// first call to the last is told once; one that comes or goes meanwhile at most once. f may not call the filesystem. ENOENT where the folder was removed; EIO behind all
	// names that can be read, where some cannot.
	ReadDir(cookie uint64, f func(*Entry) bool) Errno
}

// An Entry is a name in a folder.
type Entry struct {
	Name   string
	Ino    uint64
	Type   uint32 // S_IFMT
	Cookie uint64 // to go on behind it: greater than 2, below 1<<63, the same as long as the name is there
}

// Flags of Rename, renameat2(2).
const (
	RenameNoReplace = 1
	RenameExchange  = 2
	RenameWhiteout  = 4 // of Tree.Rename: Dir.Rename does not see it
)

// A Whiteouter is a Dir that can leave a whiteout: a character device of number 0, without permissions, by which a union of filesystems knows that a name below it does not count.
type Whiteouter interface {
	Dir

	// RenameWhiteout is Rename with flags 0 or RenameNoReplace, and the old name is a whiteout's afterwards, in the same step. Two names of one file: nothing is done. As Rename, and ENOSPC.
	RenameWhiteout(name string, to Dir, newName string, flags uint32) Errno
}

// A File is a regular file.
type File interface {
	Node

	// ReadAt reads up to len(p) bytes, and less only at the end, where it is 0 and no error.
	ReadAt(p []byte, off int64) (int, Errno)

	// WriteAt writes p and makes the file longer where need be; what lies between is zero. off is Append for the end, whatever it
	// is at the moment. It returns where it wrote, too. An error where nothing could be written; else how much was.
	WriteAt(p []byte, off int64) (n int, at int64, e Errno)

	// Truncate sets the size.
	Truncate(size int64) Errno

	// Sync returns when the contents are durable, and the attributes, too, unless data: then only those that are needed to read it.
	Sync(data bool) Errno
}

// Append is WriteAt's offset for O_APPEND.
const Append = -1

// MaxSize is the greatest size of a file.
const MaxSize = 1<<63 - 1

// A Link is a symbolic link.
type Link interface {
	Node

	// Target is where it leads, 1 to 4095 bytes.
	Target() (string, Errno)
}

// What a module may have beyond that.

// An Allocator is a File that can set space aside and give it back.
type Allocator interface {
	// Allocate is fallocate(2): mode 0 or a combination of the Falloc flags that Linux has. EOPNOTSUPP for those that it does not know.
	Allocate(mode uint32, off, n int64) Errno
}

// Modes of Allocate.
const (
	FallocKeepSize  = 0x01
	FallocPunchHole = 0x02 // with FallocKeepSize
	FallocCollapse  = 0x08
	FallocZero      = 0x10
	FallocInsert    = 0x20
)

// A Sparse is a File that knows its holes.
type Sparse interface {
	// SeekData finds the first byte from off on that is data, or that is in a hole: the end counts as one. ENXIO at or behind the end, and
	// where there is no data any more.
	SeekData(off int64, hole bool) (int64, Errno)
}

// A Lender is a File whose bytes are read where they lie, by the network's send path.
type Lender interface {
	// Lend lends bytes from off on, at least one and at most n; none at the end. How many come in one piece is the module's affair. EINVAL where it cannot:
	// then they are read.
	Lend(off int64, n int) (Loan, Errno)
}

// A Loan is bytes of a file. They stay as they are until Return, whatever happens to the file.
type Loan struct {
	Bytes []byte // only to be read
	Of    interface{ Return([]byte) }
}

// Return gives them back. It may be called on any goroutine, and does not block.
func (l Loan) Return() {
	if l.Of != nil {
		l.Of.Return(l.Bytes)
	}
}

// Attributes is a Node with extended attributes, xattr(7).
type Attributes interface {
	// Xattr gives the value of a name. ENODATA.
	Xattr(name string) ([]byte, Errno)

	// SetXattr sets one. EEXIST with XattrCreate where it is there, ENODATA with XattrReplace where it is not.
	SetXattr(name string, value []byte, flags int) Errno

	// RemoveXattr removes one. ENODATA.
	RemoveXattr(name string) Errno

	// Xattrs are the names.
	Xattrs() ([]string, Errno)
}

// Flags of SetXattr.
const (
	XattrCreate  = 1
	XattrReplace = 2
)

// Temporary is a Dir that makes files without a name, O_TMPFILE. With linkable such a file can be given one, once; else Link is ENOENT.
type Temporary interface {
	Temp(mode uint32, linkable bool) (File, Errno)
}

// An Opener is a File that is another one each time it is opened: its contents are made then, as in /proc.
type Opener interface {
	// Open gives what is read and written, with a reference. flags are those of open(2).
	Open(flags int) (File, Errno)
}

// A DirSyncer is a Dir for which fsync(2) means something: its names are durable when it returns.
type DirSyncer interface {
	SyncDir() Errno
}

// A Jumper is a Link that leads to a place, not along a path: those of /proc/self/fd.
type Jumper interface {
	// Jump gives the place, with a reference. ENOENT where it is gone.
	Jump() (Place, Errno)
}
