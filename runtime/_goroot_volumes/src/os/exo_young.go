package os

import (
	"runtime"
	"sync/atomic"
	_ "unsafe" // for go:linkname
)

// Only a collection can find that nobody holds a file any more, so until one begins a file needs no finalizer, and most are closed by then. Those that were opened since the last one began
// wait here, each at the place of its descriptor; what finds that taken, or has a higher descriptor, gets its finalizer at once.
var exoYoung [256]atomic.Pointer[file]

//go:linkname exoBeforeGC runtime.exoBeforeGC
var exoBeforeGC = exoFinalizers

// exoFinalizers sets those of the files that wait. A file that is closed at the same moment may get one all the same: it then finds a closed file.
func exoFinalizers() {
	for i := range exoYoung {
		if f := exoYoung[i].Swap(nil); f != nil {
			runtime.SetFinalizer(f, (*file).close)
		}
	}
}

// exoFinalizer sees to it that f is closed when nobody holds it any more.
func exoFinalizer(f *file, close func(*file) error) {
	if i := f.pfd.Sysfd; uint(i) < uint(len(exoYoung)) && exoYoung[i].CompareAndSwap(nil, f) {
		f.exoAt = uint16(i) + 1
		return
	}
	runtime.SetFinalizer(f, close)
}

// exoNoFinalizer is for a file that was closed.
func exoNoFinalizer(f *file, _ func(*file) error) {
	if i := f.exoAt; i == 0 || !exoYoung[(i-1)&255].CompareAndSwap(f, nil) {
		runtime.SetFinalizer(f, nil)
	}
}
