package posix

import (
	"sync/atomic"
	"syscall"
)

const (
	// statusFlags can be changed by F_SETFL.
	statusFlags = syscall.O_APPEND | syscall.O_NONBLOCK | syscall.O_ASYNC | syscall.O_DIRECT | syscall.O_NOATIME

	// openFlags have done their work once a file is open.
	openFlags = syscall.O_CREAT | syscall.O_EXCL | syscall.O_NOCTTY | syscall.O_TRUNC | syscall.O_CLOEXEC
)

func newFile(o Object, flags int) *File {
	f := &File{}
	f.pos, _ = o.(Positioned)
	f.open(o, flags)
	return f
}

// open makes f, which is zero but for pos, an open description of o.
func (f *File) open(o Object, flags int) {
	f.obj, f.refs, f.flags = o, 1, uint32(flags&^openFlags)
}

// Object gives what is open.
func (f *File) Object() Object { return f.obj }

// Flags gives the access mode and status flags.
func (f *File) Flags() uint32 { return atomic.LoadUint32(&f.flags) }

// Nonblock reports whether O_NONBLOCK is set.
func (f *File) Nonblock() bool { return f.Flags()&syscall.O_NONBLOCK != 0 }

// readable and writable tell what the access mode allows; both is true of O_RDWR.
func (f *File) readable() bool { return f.Flags()&syscall.O_ACCMODE != syscall.O_WRONLY }
func (f *File) writable() bool { return f.Flags()&syscall.O_ACCMODE != syscall.O_RDONLY }

// SetStatus replaces the status flags in mask by those of v.
func (f *File) SetStatus(mask, v uint32) {
	mask &= statusFlags
	for {
		old := f.Flags()
		if atomic.CompareAndSwapUint32(&f.flags, old, old&^mask|v&mask) {
			return
		}
	}
}

// tryRef takes a reference unless the file is already being released.
func (f *File) tryRef() bool {
	for {
		n := atomic.LoadInt32(&f.refs)
		if n == 0 {
			return false
		}
		if atomic.CompareAndSwapInt32(&f.refs, n, n+1) {
			return true
		}
	}
}

// Put drops the reference that Get gave; the last one releases the object.
//
//go:noinline
func (f *File) Put() {
	if atomic.AddInt32(&f.refs, -1) != 0 {
		return
	}
	if atomic.LoadUint32(&f.inNet) != 0 {
		f.forgetNet()
	}
	if atomic.LoadUint32(&f.watched) != 0 {
		forget(f)
	}
	f.obj.Release()
}

// forget is told of the release of a file that MarkWatched named.
var forget func(f *File)

// OnRelease lets a package that keeps files without holding them hear of their end: f is called for each file that
// MarkWatched was called for, when its last reference is gone and before the object is released. There can be one
// such package: libos/posix/linux, for its epolls.
func OnRelease(f func(*File)) { forget = f }

// MarkWatched asks for the call of OnRelease.
func (f *File) MarkWatched() { atomic.StoreUint32(&f.watched, 1) }

// call asks the object to serve a call that is not known here, and gives def where it does not.
func (f *File) call(nr uintptr, a *[6]uintptr, def syscall.Errno) (uintptr, syscall.Errno) {
	if c, ok := f.obj.(Caller); ok {
		if r, e, ok := c.Call(f, nr, *a); ok {
			return r, e
		}
	}
	return 0, def
}

// Again takes a further reference of a file of which the caller has one.
func (f *File) Again() *File {
	atomic.AddInt32(&f.refs, 1)
	return f
}
