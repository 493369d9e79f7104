package posix

import "syscall"

// The seams. Everything here is called from init functions of packages that mkimage links where they are wanted:
// libos/fs, libos/net, libos/posix/linux, libos/posix/trace. This package does not link them.

// A Server serves calls by number. a holds the arguments as they came, pointers as addresses (internal/user turns them
// into memory); pointers must not be kept. A call that opens something makes an [Object] and gives what [Install]
// returns.
type Server func(nr uintptr, a [6]uintptr) (uintptr, syscall.Errno)

var (
	files    Server     // calls that name paths
	families [46]Server // socket and socketpair, by address family
	more     Server     // everything else
)

// RegisterFiles lets s serve the calls that name paths: openat, newfstatat, mkdirat, renameat, getcwd ... What it opens
// are Objects that are Positioned as a rule, and Callers for getdents64, ftruncate and the like. Without it nothing
// has a path: ENOENT. Where it answers getcwd with ENOSYS, the current folder is "/". It returns who served them before, nil for nobody: what s does not
// know it passes on. What is hot goes to p, and never to s.
func RegisterFiles(s Server, p Paths) (before Server) {
	before, files, paths = files, s, p
	return before
}

// RegisterSockets lets s serve socket and socketpair for an address family (syscall.AF_INET ...). Sockets are Objects,
// and Callers for bind, connect, sendmsg and the like. Without it: EAFNOSUPPORT.
func RegisterSockets(domain int, s Server) { families[domain] = s }

// Extend lets s serve the calls that this package does not know, and fcntl commands: see libos/posix/linux. It returns who served them before, nil for
// nobody: what s does not know it passes on.
func Extend(s Server) (before Server) {
	before, more = more, s
	return before
}

// Anonymous is mmap(2) of memory that is no file's. libos/posix/mmap puts itself before it.
var Anonymous = func(a [6]uintptr) (uintptr, syscall.Errno) {
	return hwRawCall(syscall.SYS_MMAP, a[0], a[1], a[2], a[3], a[4], a[5])
}

// Tracer, where it is set, hears of every call.
var Tracer func(nr uintptr, a [6]uintptr, r uintptr, e syscall.Errno)

// traced tells the Tracer of a call that came through the typed door.
func traced(nr uintptr, n int, e syscall.Errno, a1, a2, a3 uintptr) {
	Tracer(nr, [6]uintptr{a1, a2, a3}, uintptr(n), e)
}

// A SocketNamer makes the files that sockets of AF_UNIX have as names: libos/posix/files is one.
type SocketNamer interface {
	// Bind makes a file at path, which means s from then on. EADDRINUSE where there is something.
	Bind(path string, s any) syscall.Errno

	// Find gives what Bind was given for the file at path. ECONNREFUSED where it is no socket's, or its socket was closed.
	Find(path string) (any, syscall.Errno)

	// Unbind says that s is closed. Its file stays.
	Unbind(s any)
}

// SocketNames is set where paths are served. Without it names that are paths are no files.
var SocketNames SocketNamer
