package posix

import "syscall"

// What libos/posix/linux needs for FIONREAD, F_GETPIPE_SZ and F_SETPIPE_SZ, and libos/posix/files for pipes with names and for sendfile. Not linked without them.

// Buffered is how many bytes are in the pipe.
func (o *PipeEnd) Buffered() (n int) {
	p := o.pipe
	p.mu.Lock()
	for i := p.tail; i != p.head; i++ {
		n += p.at(i).end - p.at(i).off
	}
	p.mu.Unlock()
	return n
}

// Room is how many bytes a write to the pipe takes without waiting, at least.
func (o *PipeEnd) Room() int {
	p := o.pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	return (len(p.ring) - int(p.head-p.tail)) * pageSize
}

// Size is how many bytes the pipe holds at best.
func (o *PipeEnd) Size() int {
	p := o.pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ring) * pageSize
}

// Resize lets the pipe hold at least size bytes, and returns how many it holds. Unlike Linux it keeps to pipe-max-size
// for the superuser too, who all of us are.
func (o *PipeEnd) Resize(size uint) (uint, syscall.Errno) {
	if size > 1<<31 {
		return 0, syscall.EINVAL
	}
	pages := uint(1)
	for pages*pageSize < size {
		pages *= 2
	}
	p := o.pipe
	p.mu.Lock()
	defer p.mu.Unlock()
	used := p.head - p.tail
	switch {
	case pages > uint(len(p.ring)) && pages*pageSize > pipeMaxBytes:
		return 0, syscall.EPERM
	case pages < used:
		return 0, syscall.EBUSY
	}
	ring := make([]pipePage, pages)
	for i := range used {
		ring[i] = *p.at(p.tail + i)
	}
	p.ring, p.tail, p.head = ring, 0, used
	p.ends[1].wake(Everything) // as Linux, which does not look whether there is more room
	return pages * pageSize, 0
}

// NewPipe makes a pipe without descriptors: the end that is read, and the other.
func NewPipe() (r, w *PipeEnd) {
	p := newPipe()
	return &p.ends[0], &p.ends[1]
}

// Shut closes an end, Reopen undoes that as long as the other is open.
func (o *PipeEnd) Shut() { o.Release() }

// Reopen opens a closed end again.
func (o *PipeEnd) Reopen() {
	o.mu.Lock()
	o.closed = false
	o.mu.Unlock()
}
