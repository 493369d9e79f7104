package posix

import "syscall"

// What libos/posix/linux needs for FIONREAD, F_GETPIPE_SZ and F_SETPIPE_SZ, and libos/posix/files for pipes with names, sendfile, splice and tee. Not linked without them.

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

// Pour gives bytes of the pipe to write, up to n, a page at most at a time, and takes out those that it says it has written, no others. It parks until there are some, if nonblock is not set (EAGAIN); 0 at the end. While
// write is called, which may park, others who use the pipe wait. An error of write is returned if it has written nothing.
func (r *PipeEnd) Pour(n int, nonblock bool, write func(b []byte) (int, syscall.Errno)) (done int, e syscall.Errno) {
	p, w := r.pipe, r.other
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.empty() && !w.closed {
		if nonblock {
			return 0, syscall.EAGAIN
		}
		r.waiting.Wait(&p.mu)
	}
	full := p.full()
	for done < n && !p.empty() && e == 0 {
		s := p.at(p.tail)
		b := s.page[s.off:min(s.end, s.off+n-done)]
		var k int
		k, e = write(b)
		k = max(k, 0)
		done += k
		if s.off += k; s.off == s.end {
			p.tail++
		}
		if k < len(b) {
			break
		}
	}
	switch {
	case !p.empty():
		r.waiting.Wake()
	case done > 0:
		p.head, p.tail = 0, 0
	}
	if full && !p.full() {
		w.wake(Out | OutN)
	}
	if done > 0 {
		e = 0
	}
	return done, e
}

// Tee copies up to n bytes of the pipe into another, w, from what is there, and takes none of them out: tee(2). It parks until there are some and there is room, if nonblock is not set (EAGAIN); 0 where none will come.
// EINVAL for one pipe, EPIPE, with SIGPIPE, where nobody reads.
func (r *PipeEnd) Tee(w *PipeEnd, n int, nonblock bool) (int, syscall.Errno) {
	return r.into(w, n, nonblock, false)
}

// Move is Tee that takes out what it copies: splice(2) between pipes.
func (r *PipeEnd) Move(w *PipeEnd, n int, nonblock bool) (int, syscall.Errno) {
	return r.into(w, n, nonblock, true)
}

// into is Tee and Move.
func (r *PipeEnd) into(w *PipeEnd, n int, nonblock, take bool) (done int, e syscall.Errno) {
	from, to := r.pipe, w.pipe
	if from == to {
		return 0, syscall.EINVAL
	}
	for {
		// Both at once, in one order; who waits has one.
		first, second := from, to
		if first.ino > second.ino {
			first, second = second, first
		}
		first.mu.Lock()
		second.mu.Lock()
		only := func(p *pipe) { // lets go of the other
			if p == from {
				to.mu.Unlock()
			} else {
				from.mu.Unlock()
			}
		}
		switch {
		case from.empty() && !r.other.closed && nonblock:
			e = syscall.EAGAIN
		case from.empty() && !r.other.closed:
			only(from)
			r.waiting.Wait(&from.mu)
			if !from.empty() {
				r.waiting.Wake() // it takes nothing away that others wait for
			}
			from.mu.Unlock()
			continue
		case w.other.closed:
			e = syscall.EPIPE
		case from.empty():
		case to.full() && nonblock:
			e = syscall.EAGAIN
		case to.full():
			only(to)
			w.waiting.Wait(&to.mu)
			if !to.full() {
				w.waiting.Wake()
			}
			to.mu.Unlock()
			continue
		default:
			full := from.full()
			for i := from.tail; i != from.head && done < n && !to.full(); i++ {
				s := from.at(i)
				k := to.fill(s.page[s.off:min(s.end, s.off+n-done)])
				if done += k; !take {
					continue
				}
				if s.off += k; s.off == s.end {
					from.tail++
				}
			}
			w.other.wake(In | InN)
			if !take {
				break
			}
			if !to.full() {
				w.waiting.Wake() // who else waits for room
			}
			if !from.empty() {
				r.waiting.Wake()
			} else {
				from.head, from.tail = 0, 0
			}
			if full && !from.full() {
				r.other.wake(Out | OutN)
			}
		}
		first.mu.Unlock()
		second.mu.Unlock()
		if e == syscall.EPIPE {
			hwSignal(int(syscall.SIGPIPE))
		}
		return done, e
	}
}
