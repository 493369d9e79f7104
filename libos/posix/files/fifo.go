package files

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// fifos are the named pipes that somebody has open, or waits to open, by node: fifo(7).
var fifos = struct {
	mu park.Mutex
	of map[fs.Node]*fifo
}{of: map[fs.Node]*fifo{}}

// A fifo is a pipe with a name. fifos.mu guards it.
type fifo struct {
	ends    [2]*posix.PipeEnd // that which is read, that which is written
	open    [2]int            // how many have it open
	opened  [2]int            // how many ever opened it
	waiting int
	change  park.Queue
}

const (
	reading = 0
	writing = 1
)

// A fifoEnd is an open description of one end.
type fifoEnd struct {
	*posix.PipeEnd
	at   at
	f    *fifo
	side int
}

// A fifoBoth is one of both, O_RDWR. It cannot be waited for by epoll: the two ends are ready apart.
type fifoBoth struct {
	at
	f *fifo
}

// openFifo opens what is at p. It waits for the other end as fifo(7) says; ENXIO for a writer that does not wait.
func openFifo(p fs.Place, flags int) (posix.Object, syscall.Errno) {
	fifos.mu.Lock()
	defer fifos.mu.Unlock()
	f := fifos.of[p.Node]
	if f == nil {
		f = &fifo{}
		fifos.of[p.Node] = f
	}
	defer f.tidy(p.Node)
	switch flags & syscall.O_ACCMODE {
	case syscall.O_RDONLY:
		f.enter(reading)
		return f.end(p, reading, flags)
	case syscall.O_WRONLY:
		if flags&syscall.O_NONBLOCK != 0 && f.open[reading] == 0 {
			return nil, syscall.ENXIO
		}
		f.enter(writing)
		return f.end(p, writing, flags)
	}
	f.enter(reading)
	f.enter(writing)
	return &fifoBoth{at{p: p, writes: true}, f}, 0
}

// end waits until somebody has the other end open, or has had it meanwhile.
func (f *fifo) end(p fs.Place, side, flags int) (posix.Object, syscall.Errno) {
	other := 1 - side
	before := f.opened[other]
	f.waiting++
	for f.open[other] == 0 && f.opened[other] == before && flags&syscall.O_NONBLOCK == 0 {
		f.change.Wait(&fifos.mu)
	}
	f.waiting--
	return &fifoEnd{f.ends[side], at{p: p, writes: side == writing}, f, side}, 0 // writes: who fails to open it now closes it
}

// enter counts one who opens an end. The first of all gets a new pipe, without what may have been in the last one.
func (f *fifo) enter(side int) {
	if f.open == [2]int{} {
		f.ends[reading], f.ends[writing] = posix.NewPipe()
		f.ends[1-side].Shut()
	} else if f.open[side] == 0 {
		f.ends[side].Reopen()
	}
	f.open[side]++
	f.opened[side]++
	f.change.WakeAll()
}

// leave counts one who closes it.
func (f *fifo) leave(side int) {
	if f.open[side]--; f.open[side] == 0 {
		f.ends[side].Shut()
	}
}

// tidy forgets a pipe that nobody has.
func (f *fifo) tidy(n fs.Node) {
	if f.open == [2]int{} && f.waiting == 0 {
		delete(fifos.of, n)
	}
}

func (o *fifoEnd) place() *fs.Place { return &o.at.p }

func (o *fifoEnd) where() string { return o.at.where() }

func (o *fifoEnd) opened(flags int, from fs.Place, path string) { o.at.opened(flags, from, path) }

// Stat implements posix.Object.
func (o *fifoEnd) Stat(st *syscall.Stat_t) { o.at.Stat(st) }

// Release implements posix.Object.
func (o *fifoEnd) Release() {
	fifos.mu.Lock()
	o.f.leave(o.side)
	o.f.tidy(o.at.p.Node)
	fifos.mu.Unlock()
	o.at.Release()
}

// Call implements posix.Caller.
func (o *fifoEnd) Call(f *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	return pipeCall(&o.at, f, nr, a)
}

// pipeCall serves further calls on a named pipe.
func pipeCall(o *at, f *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	switch nr {
	case syscall.SYS_FALLOCATE:
		return cannotAllocate(f, a, syscall.ESPIPE)
	case syscall.SYS_FADVISE64:
		return 0, syscall.ESPIPE, true
	}
	return o.call(f, nr, a)
}

// Read implements posix.Object.
func (o *fifoBoth) Read(f *posix.File, p []byte) (int, syscall.Errno) {
	return o.f.ends[reading].Read(f, p)
}

// Write implements posix.Object.
func (o *fifoBoth) Write(f *posix.File, p []byte) (int, syscall.Errno) {
	return o.f.ends[writing].Write(f, p)
}

// Ready implements posix.Object.
func (o *fifoBoth) Ready() posix.Events { return o.f.ends[reading].Ready() | o.f.ends[writing].Ready() }

// Release implements posix.Object.
func (o *fifoBoth) Release() {
	fifos.mu.Lock()
	o.f.leave(reading)
	o.f.leave(writing)
	o.f.tidy(o.p.Node)
	fifos.mu.Unlock()
	o.at.Release()
}

// Call implements posix.Caller.
func (o *fifoBoth) Call(f *posix.File, nr uintptr, a [6]uintptr) (uintptr, syscall.Errno, bool) {
	return pipeCall(&o.at, f, nr, a)
}
