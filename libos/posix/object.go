package posix

import "syscall"

// An Object is what a descriptor refers to. libos/fs and libos/net implement it for files and sockets.
//
// Methods are called on any goroutine, several at a time. Read and Write may park unless f is nonblocking; the mode
// that the file was opened with is already checked. They must not keep p, nor store it in the heap even while they
// wait: it may lie on the caller's stack.
type Object interface {
	Read(f *File, p []byte) (int, syscall.Errno) // -1 with an errno
	Write(f *File, p []byte) (int, syscall.Errno)

	// Ready says what would not block now. It may not park for long, nor notify watchers.
	Ready() Events

	// Watchers is the list that the object notifies when it becomes ready; nil for an object that always is, which
	// epoll then refuses (EPERM), as Linux does for regular files.
	Watchers() *Watchers

	// Stat fills in st, where the link count and block size are set and the rest is zero.
	Stat(st *syscall.Stat_t)

	// Release is called once, when the last descriptor is closed and the last call in progress has returned.
	Release()
}

// Positioned is an Object with offsets: a file. Others answer ESPIPE.
type Positioned interface {
	Object
	Pread(f *File, p []byte, off int64) (int, syscall.Errno)
	Pwrite(f *File, p []byte, off int64) (int, syscall.Errno)
	Seek(f *File, off int64, whence int) (int64, syscall.Errno)
}

// A Lender is an Object whose bytes can be read where they lie: a file, for whoever sends it.
type Lender interface {
	Positioned

	// Lend lends bytes from off on, at least one and at most n; none at the end. How many come in one piece is the object's affair. EINVAL where it
	// cannot: then they are read. The mode that the file was opened with is the caller's to check. It may park.
	Lend(f *File, off int64, n int) (Loan, syscall.Errno)
}

// A Loan is bytes of an object. They stay as they are until Return, whatever is written.
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

// A Caller is an Object that serves further calls on its descriptor: those that this package does not know
// (sockets', directories', ioctl requests, fcntl commands). a holds the call's arguments, a[0] the descriptor.
// ok is false for what it does not serve either; the program then gets the errno usual for that call.
type Caller interface {
	Object
	Call(f *File, nr uintptr, a [6]uintptr) (r uintptr, e syscall.Errno, ok bool)
}

// Events is a set of readiness conditions, with the values of epoll(7) and poll(2).
type Events uint32

// Conditions.
const (
	In    Events = 0x001
	Pri   Events = 0x002
	Out   Events = 0x004
	Err   Events = 0x008
	Hup   Events = 0x010
	InN   Events = 0x040 // RDNORM: comes with In for ordinary data
	OutN  Events = 0x100 // WRNORM: likewise with Out
	RdHup Events = 0x2000

	// Everything is for an object that ends: whoever waits for anything shall look.
	Everything = In | Out | Err | Hup | InN | OutN
)

// A File is an open description: what dup shares.
type File struct {
	obj   Object
	pos   Positioned // obj, where it has offsets
	refs  int32      // descriptors plus calls in progress; atomic
	flags uint32     // access mode and status flags; atomic

	nets    *netWatch // registrations with the runtime's netpoll; netLock
	inNet   uint32    // set once nets was ever not nil; atomic
	watched uint32    // set once MarkWatched was called; atomic

	_ [0]func() // not comparable: no code for that
}
