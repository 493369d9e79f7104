package posix

import (
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// A netWatch ties a descriptor to a poll descriptor of the runtime's netpoll, which wants to hear of every edge.
// pd is the runtime's own: it stays valid to pass however late.
type netWatch struct {
	watch Watch
	fd    int
	pd    uintptr
	next  *netWatch // of the same File; netLock
}

var netLock park.Mutex // guards File.nets everywhere

// Notify implements Watcher.
func (w *netWatch) Notify(ev Events) bool {
	mode := 0
	if ev&(In|RdHup|Hup|Err) != 0 {
		mode = 'r'
	}
	if ev&(Out|Hup|Err) != 0 {
		mode += 'w'
	}
	if mode != 0 {
		hwPollReady(w.pd, mode)
	}
	return true
}

// Waiting calls f for each goroutine, by number, that the runtime's netpoll has wait for the object, to read or to write. It is for who looks at a running program.
func (w *Watchers) Waiting(f func(goroutine uint64, write bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := w.head; l != nil; l = l.next {
		n, ok := l.To.(*netWatch)
		if !ok {
			continue
		}
		reader, writer := hwPollWaiters(n.pd)
		if reader != 0 {
			f(reader, false)
		}
		if writer != 0 {
			f(writer, true)
		}
	}
}

// Pollable tells whether pollOpen would do so: whether what fd refers to may ever make one wait. It takes no reference, for it only asks which list there would be: that can be
// asked of what is closed meanwhile, too.
func Pollable(fd int) bool {
	g := table.group(fd, false)
	if g == nil {
		return false
	}
	f := g.file[fd&63].load()
	return f != nil && f.obj.Watchers() != nil
}

// pollOpen begins to report fd's readiness to pd. It returns an errno: EPERM for what is always ready.
func pollOpen(fd, pd uintptr) int32 {
	f := Get(int(fd))
	if f == nil {
		return int32(syscall.EBADF)
	}
	e := syscall.EPERM
	if list := f.obj.Watchers(); list != nil {
		w := &netWatch{fd: int(fd), pd: pd}
		w.watch.To = w
		netLock.Lock()
		if e = syscall.EEXIST; *f.net(w.fd) == nil {
			e = 0
			w.next, f.nets = f.nets, w
			atomic.StoreUint32(&f.inNet, 1)
			list.Add(&w.watch)
			w.Notify(f.obj.Ready())
		}
		netLock.Unlock()
	}
	f.Put()
	return int32(e)
}

// pollClose ends what pollOpen began.
func pollClose(fd uintptr) int32 {
	f := Get(int(fd))
	if f == nil {
		return int32(syscall.EBADF)
	}
	e := syscall.ENOENT
	netLock.Lock()
	p := f.net(int(fd))
	if w := *p; w != nil {
		e = 0
		*p = w.next
		f.obj.Watchers().Remove(&w.watch)
	}
	netLock.Unlock()
	f.Put()
	return int32(e)
}

// net finds the registration of a descriptor, or where it would be; netLock is held.
func (f *File) net(fd int) **netWatch {
	p := &f.nets
	for *p != nil && (*p).fd != fd {
		p = &(*p).next
	}
	return p
}

// forgetNet ends the registrations of a file that is being released.
func (f *File) forgetNet() {
	netLock.Lock()
	for w := f.nets; w != nil; w = w.next {
		f.obj.Watchers().Remove(&w.watch)
	}
	f.nets = nil
	netLock.Unlock()
}
