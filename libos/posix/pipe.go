package posix

import (
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// A pipe is a ring of page-sized buffers, as Linux's: a write of at most a page is one buffer or is merged whole into
// the last one, which is what makes it atomic, and "full" means that no buffer is free. Pages are allocated when
// first used and kept until the pipe is closed; an empty pipe starts again at its first page, so one that carries
// small messages holds a single page.
type pipe struct {
	mu   park.Mutex
	ring []pipePage // length a power of two
	head uint       // next page to fill; counts on, taken modulo len(ring)
	tail uint       // oldest filled page
	ino  uint64
	ends [2]PipeEnd // that which is read, that which is written
}

// A PipeEnd is the Object that one end of a pipe is. Its queue and watchers wait for what that end does.
type PipeEnd struct {
	*pipe
	other   *PipeEnd
	closed  bool
	waiting park.Queue
	watch   Watchers

	_ [0]func() // not comparable: no code for that
}

// A pipePage holds bytes off up to end.
type pipePage struct {
	page     *[pageSize]byte
	off, end int
}

const (
	pageSize     = 4096
	pipePages    = 16      // 64 KiB
	pipeMaxBytes = 1 << 20 // as /proc/sys/fs/pipe-max-size
)

// devPipe is the device number of pipes' filesystem.
const devPipe = 15

var lastPipe uint64

// Pipe2 is pipe2(2), without O_DIRECT.
func Pipe2(fds *[2]int32, flags int) syscall.Errno {
	e := pipe2(fds, flags)
	if Tracer != nil {
		traced(syscall.SYS_PIPE2, 0, e, uintptr(fds[0]), uintptr(fds[1]), uintptr(flags))
	}
	return e
}

func pipe2(fds *[2]int32, flags int) syscall.Errno {
	if flags&^(syscall.O_CLOEXEC|syscall.O_NONBLOCK) != 0 {
		return syscall.EINVAL
	}
	p := newPipe()
	r, e := Install(&p.ends[0], flags|syscall.O_RDONLY)
	if e != 0 {
		return e
	}
	w, e := Install(&p.ends[1], flags|syscall.O_WRONLY)
	if e != 0 {
		table.close(r)
		return e
	}
	fds[0], fds[1] = int32(r), int32(w)
	return 0
}

func newPipe() *pipe {
	p := &pipe{ring: make([]pipePage, pipePages), ino: atomic.AddUint64(&lastPipe, 1)}
	for i := range p.ends {
		p.ends[i].pipe, p.ends[i].other = p, &p.ends[1-i]
	}
	return p
}

func (p *pipe) full() bool          { return p.head-p.tail >= uint(len(p.ring)) }
func (p *pipe) empty() bool         { return p.head == p.tail }
func (p *pipe) at(i uint) *pipePage { return &p.ring[i&uint(len(p.ring)-1)] }

// Read implements Object.
func (r *PipeEnd) Read(f *File, b []byte) (n int, e syscall.Errno) {
	if len(b) == 0 {
		return 0, 0
	}
	p, w := r.pipe, r.other
	p.mu.Lock()
	for p.empty() && !w.closed && e == 0 {
		if f.Nonblock() {
			n, e = -1, syscall.EAGAIN
		} else {
			r.waiting.Wait(&p.mu)
		}
	}
	full := p.full()
	for n >= 0 && n < len(b) && !p.empty() {
		s := p.at(p.tail)
		c := copy(b[n:], s.page[s.off:s.end])
		n += c
		if s.off += c; s.off == s.end {
			p.tail++
		}
	}
	if n > 0 {
		if p.empty() {
			p.head, p.tail = 0, 0
		} else {
			r.waiting.Wake()
		}
		if full && !p.full() {
			w.wake(Out | OutN)
		}
	}
	p.mu.Unlock()
	return n, e
}

// wake tells one sleeper and the watchers of an end.
func (o *PipeEnd) wake(ev Events) {
	o.waiting.Wake()
	o.watch.Notify(ev)
}

// Write implements Object.
func (w *PipeEnd) Write(f *File, b []byte) (n int, e syscall.Errno) {
	if len(b) == 0 {
		return 0, 0
	}
	p, r := w.pipe, w.other
	p.mu.Lock()
	told := 0
	if !r.closed {
		n = p.merge(b)
	}
	for n < len(b) && e == 0 {
		switch {
		case r.closed:
			e = syscall.EPIPE
		case !p.full():
			n += p.fill(b[n:])
		case f.Nonblock():
			e = syscall.EAGAIN
		default:
			if n > told {
				r.wake(In | InN)
			}
			told = n
			w.waiting.Wait(&p.mu)
		}
	}
	if n > told {
		r.waiting.Wake()
	}
	r.watch.Notify(In | InN) // as on Linux, even where nothing could be written
	if !p.full() {
		w.waiting.Wake()
	}
	p.mu.Unlock()
	if e == syscall.EPIPE {
		hwSignal(int(syscall.SIGPIPE))
	}
	if n > 0 {
		return n, 0
	}
	return -1, e
}

// merge puts what is over whole pages into the last page, if that has room.
func (p *pipe) merge(b []byte) int {
	odd := len(b) % pageSize
	if odd == 0 || p.empty() {
		return 0
	}
	s := p.at(p.head - 1)
	if s.end+odd > pageSize {
		return 0
	}
	s.end += copy(s.page[s.end:], b[:odd])
	return odd
}

// fill puts up to a page into a free buffer.
func (p *pipe) fill(b []byte) int {
	s := p.at(p.head)
	p.head++
	if s.page == nil {
		s.page = new([pageSize]byte)
	}
	s.off, s.end = 0, copy(s.page[:], b)
	return s.end
}

// Release implements Object.
func (o *PipeEnd) Release() {
	p := o.pipe
	p.mu.Lock()
	o.closed = true
	if o.other.closed {
		p.ring = nil
	}
	o.other.waiting.WakeAll()
	o.other.watch.Notify(Everything)
	p.mu.Unlock()
}

// Watchers implements Object.
func (o *PipeEnd) Watchers() *Watchers { return &o.watch }

// Ready implements Object.
func (o *PipeEnd) Ready() (ev Events) {
	p := o.pipe
	p.mu.Lock()
	if o == &p.ends[0] {
		if !p.empty() {
			ev = In | InN
		}
		if o.other.closed {
			ev |= Hup
		}
	} else {
		if !p.full() {
			ev = Out | OutN
		}
		if o.other.closed {
			ev |= Err
		}
	}
	p.mu.Unlock()
	return ev
}

// Stat implements Object.
func (o *PipeEnd) Stat(st *syscall.Stat_t) {
	st.Ino, st.Mode, st.Dev = o.ino, syscall.S_IFIFO|0o600, devPipe
}
