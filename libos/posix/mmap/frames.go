package mmap

import (
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/exo"
)

// A frame is a page of memory.
type frame struct {
	of    *chunk
	i     int
	owner *object // nil: of a private copy, which only its mapping knows
	page  int64   // of the owner
	place int     // in the store's list
	real  bool    // the file has allocated the page
}

// bytes is the memory.
func (f *frame) bytes() []byte {
	return f.of.frames.Bytes()[f.i*exo.PageSize:][:exo.PageSize]
}

// A chunk is frames that were bound together.
type chunk struct {
	frames *exo.Frames
	free   []int
	n      int
	open   bool // it is in the store's list of those with free frames
}

const (
	chunkFrames = 32
	share       = 2 // mappings may have one frame of so many
	reserve     = 8 // and leave one of so many free
)

// A store is where frames come from.
type store struct {
	mu   sync.Mutex
	open []*chunk // with free frames
	used int      // frames of all chunks
	list []*frame // those that are in use
	hand int      // where the search for a page to put out goes on
}

// take gives a frame, nil where mappings have enough. Its contents are anything.
func (s *store) take(owner *object, page int64) *frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) == 0 && !s.grow() {
		return nil
	}
	c := s.open[len(s.open)-1]
	k := len(c.free) - 1
	f := &frame{of: c, i: c.free[k], owner: owner, page: page, place: len(s.list)}
	s.list = append(s.list, f)
	if c.free = c.free[:k]; k == 0 {
		c.open = false
		s.open = s.open[:len(s.open)-1]
	}
	return f
}

// grow binds a further chunk. mu is held.
func (s *store) grow() bool {
	free, total := exo.CountFrames()
	for n := chunkFrames; n > 0; n /= 4 {
		if uint64(s.used+n) > total/share || free < total/reserve+uint64(n) {
			continue
		}
		frames, err := exo.TakeFrames("mmap", n, 0)
		if err != nil {
			continue
		}
		c := &chunk{frames: frames, n: n, open: true}
		for i := n - 1; i >= 0; i-- {
			c.free = append(c.free, i)
		}
		s.used += n
		s.open = append(s.open, c)
		return true
	}
	return false
}

// give takes a frame back, which is mapped nowhere any more.
func (s *store) give(f *frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.list[len(s.list)-1]
	s.list[f.place], last.place = last, f.place
	s.list = s.list[:len(s.list)-1]
	c := f.of
	c.free = append(c.free, f.i)
	if !c.open {
		c.open = true
		s.open = append(s.open, c)
	}
	if len(c.free) == c.n && len(s.open) > 1 {
		for i, o := range s.open {
			if o == c {
				s.open = append(s.open[:i], s.open[i+1:]...)
				break
			}
		}
		s.used -= c.n
		c.frames.Release()
	}
}

// next is the frame where the hand stands, which moves on.
func (s *store) next() *frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return nil
	}
	s.hand = (s.hand + 1) % len(s.list)
	return s.list[s.hand]
}

// size is how many frames are in use.
func (s *store) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.list)
}

// frameFor is take, and puts out a page where need be: one that was not touched since the hand came by. holding is the object whose lock the caller has. Where there is
// none, and an object that has frames was locked, holding.waits says which.
func frameFor(holding *object, owner *object, page int64) *frame {
	holding.waits = nil
	f := frames.take(owner, page)
	for n := 2 * frames.size(); f == nil && n > 0; n-- {
		v := frames.next()
		if v == nil {
			break
		}
		o := v.owner
		if o == nil {
			continue
		}
		if o != holding && !o.mu.TryLock() {
			holding.waits = o
			continue
		}
		if o.pages[v.page] == v && !o.touched(v) && o.putOut(v) {
			f = frames.take(owner, page)
		}
		if o != holding {
			o.mu.Unlock()
		}
	}
	if f != nil {
		holding.waits = nil
	}
	return f
}

// none is why frameFor gave nothing: EAGAIN where that may be otherwise when the object that it says is not locked any more.
func (o *object) none() syscall.Errno {
	if o.waits != nil {
		return syscall.EAGAIN
	}
	return syscall.ENOMEM
}

var frames store

// full says that no frame can be had without putting a page out.
func (s *store) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) == 0 && !s.grow()
}
