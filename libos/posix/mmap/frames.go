package mmap

import (
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// A frame is a page of memory that a mapping has.
type frame struct {
	memory         // changed under the owner's lock and the store's
	owner  *object // nil: of a private copy, which only its mapping knows
	page   int64   // of the owner
	place  int     // in the store's list
	real   bool    // the file has allocated the page; never of a lent one
}

// memory is where a page is: frame i of a chunk of our own, or page i of a slot of the page cache, which is lent and only to be read.
type memory struct {
	of   *chunk
	slot *pages.Slot
	i    int
}

// lent says whose it is.
func (m memory) lent() bool { return m.slot != nil }

func (m memory) bytes() []byte {
	if m.lent() {
		return m.slot.Page(m.i)
	}
	return m.of.frames.Bytes()[m.i*exo.PageSize:][:exo.PageSize]
}

// at is the operation that maps it.
func (m memory) at(page int, prot exo.Prot) exo.PageOp {
	if m.lent() {
		return exo.MapSpare(page, m.slot.Number(), m.i, prot)
	}
	return exo.Map(page, m.of.frames, m.i, prot)
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
	share       = 2  // mappings may have one frame of so many for themselves
	others      = 4  // and with what they are lent leave one of so many to others
	reserve     = 8  // and one of so many free
	least       = 64 // but may always have one of so many, if there is any memory: what is mapped can be touched
)

// A store is where frames come from.
type store struct {
	mu   sync.Mutex
	open []*chunk // with free frames
	used int      // frames of all chunks
	lent int      // and of all slots that have lent some
	list []*frame // those that are in use
	hand int      // where the search for a page to put out goes on
}

// take gives a frame, nil where mappings have enough. Its contents are anything.
func (s *store) take(owner *object, page int64) *frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.alloc()
	if !ok {
		return nil
	}
	return s.add(m, owner, page)
}

// lend gives a frame that is page i of a slot, which the caller has pinned.
func (s *store) lend(owner *object, page int64, slot *pages.Slot, i int) *frame {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(s.borrow(slot, i), owner, page)
}

// add notes a frame. mu is held, as for all below that say nothing.
func (s *store) add(m memory, owner *object, page int64) *frame {
	f := &frame{memory: m, owner: owner, page: page, place: len(s.list)}
	s.list = append(s.list, f)
	return f
}

func (s *store) alloc() (m memory, ok bool) {
	if len(s.open) == 0 && !s.grow() {
		return m, false
	}
	c := s.open[len(s.open)-1]
	k := len(c.free) - 1
	m = memory{of: c, i: c.free[k]}
	if c.free = c.free[:k]; k == 0 {
		c.open = false
		s.open = s.open[:len(s.open)-1]
	}
	return m, true
}

func (s *store) borrow(slot *pages.Slot, i int) memory {
	if slot.Map() {
		s.lent += pages.PerSlot
	}
	return memory{slot: slot, i: i}
}

// memory gives memory for a frame that is there, if there is some without putting a page out; put takes it back.
func (s *store) memory() (memory, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alloc()
}

func (s *store) put(m memory) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free(m)
}

// borrowed is lend for a frame that is there.
func (s *store) borrowed(slot *pages.Slot, i int) memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.borrow(slot, i)
}

// allows says whether mappings may have n frames more, of their own or a slot's.
func (s *store) allows(n int, lent bool) bool {
	free, total := exo.CountFrames()
	switch all := uint64(s.used + s.lent + n); {
	case all <= total/least:
		return true
	case all > total-total/others:
		return false
	case lent: // the page cache keeps more free: with so much a slot can be had
		return free > total/reserve+total/least+pages.PerSlot+uint64(n)
	}
	return uint64(s.used+n) <= total/share && free >= total/reserve+uint64(n)
}

// spares says whether mappings have more than what they may always have.
func (s *store) spares() bool {
	_, total := exo.CountFrames()
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(s.used+s.lent) > total/least
}

// grow binds a further chunk.
func (s *store) grow() bool {
	for n := chunkFrames; n > 0; n /= 4 {
		if !s.allows(n, false) {
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
	s.free(f.memory)
}

// change gives a frame other memory, and takes back what it had, which is mapped nowhere any more. The owner's lock is held.
func (s *store) change(f *frame, m memory) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := f.memory
	f.memory, f.real = m, false
	s.free(old)
}

func (s *store) free(m memory) {
	if m.lent() {
		if m.slot.Unmap() {
			s.lent -= pages.PerSlot
		}
		return
	}
	c := m.of
	c.free = append(c.free, m.i)
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

// mapped is how many bytes of files are in mappings, and how many of these are copies of our own.
func (s *store) mapped() (n, copies uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.list {
		if f.owner == nil {
			continue
		}
		if n += exo.PageSize; !f.lent() {
			copies += exo.PageSize
		}
	}
	return n, copies
}

// frameFor is take, and puts out a page where need be: see roomFor.
func frameFor(holding *object, owner *object, page int64) (f *frame) {
	roomFor(holding, func() bool {
		f = frames.take(owner, page)
		return f != nil
	})
	return f
}

// roomFor calls take until that says true, and puts out a page where it says false: one that was not touched since the hand came by. holding is the object whose lock the caller has. Where there
// is none, and an object that has frames was locked, holding.waits says which.
func roomFor(holding *object, take func() bool) (done bool) {
	holding.waits = nil
	done = take()
	for n := 2 * frames.size(); !done && n > 0; n-- {
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
		if o.putOutAll(v) > 0 {
			done = take()
		}
		if o != holding {
			o.mu.Unlock()
		}
	}
	if done {
		holding.waits = nil
	}
	return done
}

// giveBack puts out lent pages until the page cache has n more of its own, and says how many it has: first those that were not touched since the hand came by. What mappings may always have it
// leaves them. It waits for nobody.
func giveBack(n int) (given int) {
	for left := 2 * frames.size(); left > 0 && given < n && frames.spares(); left-- {
		v := frames.next()
		if v == nil {
			break
		}
		if o := v.owner; o != nil && o.mu.TryLock() {
			if v.lent() {
				had := frames.lends()
				left -= max(o.putOutAll(v)-1, 0)
				given += max(had-frames.lends(), 0) // other files may have pages of the slot
			}
			o.mu.Unlock()
		}
	}
	return given
}

// lends is how many frames the slots have that have lent some.
func (s *store) lends() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lent
}

// none is why frameFor gave nothing: EAGAIN where that may be otherwise when the object that it says is not locked any more.
func (o *object) none() syscall.Errno {
	if o.waits != nil {
		return syscall.EAGAIN
	}
	return syscall.ENOMEM
}

var frames store

// full says that no frame can be had without putting a page out; lent: that none can be lent.
func (s *store) full(lent bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lent {
		return !s.allows(pages.PerSlot, true)
	}
	return len(s.open) == 0 && !s.grow()
}
