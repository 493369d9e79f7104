// Package fs is the part of a filesystem that all filesystems share: a tree of mounts, the walk along a path, and the
// rules of Linux that are about names. What lies behind a name is a module's: package mem (memory), rom (files of the
// image), cffs (a disk), or the program's own.
//
// # What a module implements
//
//	FileSystem   its root, its size, sync
//	Node         what every inode has: attributes, references
//	Dir          a folder: names
//	File         a regular file: bytes
//	Link         a symbolic link: its target
//
// A Node is one of Dir, File, Link, or none of them: a named pipe, a socket, a device, which are a name with attributes
// and nothing else; who opens one knows what it means (libos/posix/files). What only some modules can do is an interface
// of its own, which a Node has or has not: Allocator, Sparse, Lender, Attributes, Temporary, Opener, DirSyncer.
//
// # Rules for a module
//
//   - There is one Node for an inode as long as somebody has a reference: Nodes are compared with ==, and are keys of
//     maps. Each Node that a method returns comes with a reference, which the caller drops with Unref. A file
//     without names lives until its last reference is gone.
//   - Methods are called on any goroutine, several at a time, and are atomic: each happens before or after each other.
//     Locks are the module's own. The core holds none of its own during a call, but for Rename between two folders of one
//     filesystem, of which there is one at a time (so a module may look at ancestors there).
//   - The core has checked names (1 to 255 bytes, no slash or NUL, neither "." nor ".."), offsets and sizes (not negative,
//     their sum too), that the mount may be written to, that what is renamed or linked is on the same filesystem, and
//     that nothing is mounted on what goes away. It has applied umask. It knows one user, who may do everything, so no module looks at permissions.
//   - Errors are Linux's, those that the method names, or ENOSPC, EIO, ENOMEM, EFBIG. A method that fails has done
//     nothing, but for reads and writes, which tell how far they came.
//   - Methods may block on the device. They do not keep p, nor strings that they have not cloned.
//   - A module sets times itself: mtime and ctime of what it changes. Access times are not kept (as with noatime).
//
// # The walk
//
// Walk follows a path as openat2(2) and path_resolution(7) describe it, one reference at a time, so what is renamed meanwhile cannot
// confuse it: each step is one atomic Lookup in a folder that is held, or one atomic Walk along names that the module remembers. ".." is the folder's own parent, as the module knows
// it. At most 40 symbolic links are followed.
package fs
