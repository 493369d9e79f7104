// Package pages is the memory of the filesystems' page caches: one store for all of them, which takes what nobody else needs and gives it back at any moment.
//
// A store has slots, each with memory for [PerSlot] pages in a row. A slot has a word, and all that happens to its memory is a change of that word:
//
//	empty     0: it has no memory
//	pinned    memory that somebody uses: it is read or written, or was lent
//	clean     memory, and nobody uses it: whoever wants it, has it
//	taken     Busy: somebody is making it another's, or empty
//
// A clean slot becomes a taken one by a single compare-and-swap, by three kinds of takers: another filesystem that needs a page, the store when memory becomes short, and the allocator
// of frames when it has none for who faults (exo.Spares). The last can wait for nobody: the fault may be in a filesystem that holds its locks, in the collector, in the allocator of the
// heap. So it asks nobody, and the owner finds out when it looks for its page the next time: Pin says false. What must not go, as a page that was not written yet, is pinned.
//
// Which one goes is the second chance algorithm: a hand goes round the slots and takes the first clean one that was not used since it came by last.
//
// Rejected: pages on Go's heap, which the collector would have to find free before the heap itself can have them, too late for who faults, and which count against the pace of collections;
// asking the owners at a fault, who may be the ones that fault.
package pages

import (
	"sync"
	"sync/atomic"
	"syscall"
)

// Size is that of a page, in bytes, and PerSlot how many a slot has.
const (
	Size    = 4096
	PerSlot = 16
)

// Bits of a slot's word. Those below are a number of pins.
const (
	Have = 1 << 31 // it has memory
	Used = 1 << 30 // it was used since the hand came by
	Busy = 1 << 29 // it is being taken
	pins = Busy - 1
)

// Memory is where slots have their memory from.
type Memory interface {
	// Slots is how many there can be. It does not change.
	Slots() int

	// Word is a slot's. It does not change.
	Word(i int) *atomic.Uint32

	// Fill gives an empty slot memory with anything in it, and makes its word Have|Busy; nil where there is none that nobody needs more.
	Fill(i int) []byte

	// Drop takes the memory of a slot that is Have|Busy, and makes it empty.
	Drop(i int)

	// Spare says whether the slots are those of exo.Spares, by their numbers: then their pages can be mapped.
	Spare() bool

	// Taken is how many slots were emptied by others. It becomes more only.
	Taken() uint64

	// Kept is how many pages are in slots that are pinned. It is for who wants to know how much could be had.
	Kept() *atomic.Uint32
}

// An Owner keeps pages in slots.
type Owner interface {
	// Forget is called when what an owner had in a slot is gone. It does not block for long, and calls nothing of the store's.
	Forget(*Slot)
}

// A Slot is memory for pages.
type Slot struct {
	word  *atomic.Uint32
	store *Store // nil: of one that is in no store
	n     int
	bytes []byte // who has it pinned may look
	owner Owner  // who has it Busy may change it
	maps  atomic.Int32

	Tags [PerSlot]uint64 // the owner's
	Sums [PerSlot]uint32 // the owner's
	Live int             // the owner's
}

// Bytes is the memory. The slot is pinned.
func (s *Slot) Bytes() []byte { return s.bytes }

// Page is that of one page. The slot is pinned.
func (s *Slot) Page(i int) []byte { return s.bytes[i*Size:][:Size:len(s.bytes[i*Size:])] }

// Kept says whether the slot is in a store. One that is in none is not found again when nobody has it pinned.
func (s *Slot) Kept() bool { return s.store != nil }

// Pin has the slot keep its memory until Unpin. False: it has none any more, or is about to lose it.
func (s *Slot) Pin() bool {
	for {
		w := s.word.Load()
		if w&Have == 0 || w&Busy != 0 {
			return false
		}
		if s.word.CompareAndSwap(w, w|Used+1) {
			if w&pins == 0 {
				s.keep(PerSlot)
			}
			return true
		}
	}
}

// Repin is Pin for who has it pinned already.
func (s *Slot) Repin() { s.word.Add(1) }

// Unpin ends what Pin began. It does not block.
func (s *Slot) Unpin() {
	if s.word.Add(^uint32(0))&pins == 0 {
		s.keep(-PerSlot)
	}
}

// keep counts what nobody can take.
func (s *Slot) keep(pages int) {
	if s.store != nil {
		s.store.mem.Kept().Add(uint32(pages))
	}
}

// Mappable says whether pages of the slot can be mapped, and Number by which number exo.MapSpare knows it. Of a store's slots a quarter is not mapped: who reads and writes needs some.
func (s *Slot) Mappable() bool {
	return s.store != nil && s.store.mem.Spare() && (s.Mapped() || int(s.store.mapped.Load()) < s.store.mem.Slots()*3/4)
}

// Number is described at Mappable.
func (s *Slot) Number() int { return s.n }

// Mapped says whether a page of it is.
func (s *Slot) Mapped() bool { return s.maps.Load() > 0 }

// Map is Repin for who maps a page of the slot, until Unmap. The first one of a slot, and the last Unmap, say true.
func (s *Slot) Map() (first bool) {
	s.Repin()
	if first = s.maps.Add(1) == 1; first {
		s.store.mapped.Add(1)
	}
	return first
}

// Unmap ends what Map began: the page is mapped nowhere.
func (s *Slot) Unmap() (last bool) {
	if last = s.maps.Add(-1) == 0; last {
		s.store.mapped.Add(-1)
	}
	s.Unpin()
	return last
}

// Return implements fs.Loan's: what was lent is not read any more.
func (s *Slot) Return([]byte) { s.Unpin() }

// There says whether the slot has its memory, which it may lose at any moment where it is not pinned.
func (s *Slot) There() bool { return s.word.Load()&(Have|Busy) == Have }

// Counts are what happened since a store was made: in pages,
type Counts struct {
	Hits, Misses, Read uint64

	// and in slots:
	Slots   int    // that have memory now
	Pinned  int    // of these, those in use now
	Mapped  int    // and those with pages that are mapped
	Kept    int    // pages that are not written yet
	Filled  uint64 // times that one got it
	Reused  uint64 // times that one was taken for other pages
	Given   uint64 // that were given back because memory was short
	Forced  uint64 // that were taken without asking
	Dropped uint64 // that were given back because nothing of worth was in them
	None    uint64 // times that all were pinned, so that a page was kept nowhere, or not read ahead
}

// A Cacher is an fs.File that is read from a disk.
type Cacher interface {
	// Cached says whether the page that begins at off is in the page cache, if it is not taken at once.
	Cached(off int64) bool
}

// A Sharer is an fs.File whose pages are mapped where they lie.
type Sharer interface {
	// Share gives the page of memory that has the file's bytes from off on, a multiple of Size, in a slot that is Mappable and the caller's to Unpin. Until then it is what reading the file gives, as long as
	// nobody changes these bytes of the file: who does asks again. It is only to be read: what it holds is summed and written to disks while it is mapped. nil where no such slot has
	// it: a hole, the end, and where memory was short. It waits for the disk, as reading does.
	Share(off int64) (s *Slot, page int, e syscall.Errno)
}

// A Store is the slots of all filesystems that share it.
type Store struct {
	mem Memory

	mu     sync.Mutex
	slots  []*Slot // under mu: those that had memory ever
	empty  []*Slot // under mu: of these, those that are known to have none
	hand   int     // under mu
	seen   uint64  // under mu: mem.Taken when empty was looked for last
	counts Counts  // under mu, but for Slots and Forced
	owners []Asked // under mu
	hits   atomic.Uint64
	misses atomic.Uint64
	read   atomic.Uint64
	mapped atomic.Int32 // slots
	kept   atomic.Int64
}

// Asked is an Owner that has pages that must be written before they can go.
type Asked interface {
	// WriteBack begins to write them, and does not wait.
	WriteBack()
}

// New makes a store.
func New(mem Memory) *Store { return &Store{mem: mem} }

// Join has an owner asked to write when memory is short, and Leave ends that.
func (s *Store) Join(o Asked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owners = append(s.owners, o)
}

// Leave is described at Join.
func (s *Store) Leave(o Asked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.owners {
		if s.owners[i] == o {
			s.owners = append(s.owners[:i], s.owners[i+1:]...)
			return
		}
	}
}

// Take gives an owner a slot, pinned once, with anything in it: one with memory that nobody needs, else the clean one that was not used for longest, else memory of the heap that belongs to no
// slot and is gone with its last user. The owner holds no lock that its or another's Forget takes.
func (s *Store) Take(o Owner) *Slot {
	if x := s.TakeKept(o); x != nil {
		return x
	}
	x := &Slot{word: new(atomic.Uint32), bytes: make([]byte, PerSlot*Size)}
	x.word.Store(Have | 1)
	return x
}

// TakeKept is Take for what nobody may ever look at: nil where all slots are pinned.
func (s *Store) TakeKept(o Owner) *Slot {
	x, old := s.take()
	if x == nil {
		return nil
	}
	if old != nil {
		old.Forget(x)
	}
	x.owner, x.Live = o, 0
	clear(x.Tags[:])
	x.word.Store(Have | Used | 1)
	x.keep(PerSlot)
	return x
}

func (s *Store) take() (x *Slot, old Owner) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x = s.fill(); x == nil {
		if x = s.evict(); x == nil {
			s.counts.None++
			return nil, nil
		}
		s.counts.Reused++
	}
	return x, x.owner
}

// fill gives a slot that had no memory some. mu is held, as for all below that say nothing.
func (s *Store) fill() *Slot {
	if len(s.empty) == 0 {
		if now := s.mem.Taken(); now != s.seen {
			s.seen = now
			for _, x := range s.slots {
				if x.word.Load() == 0 {
					s.empty = append(s.empty, x)
				}
			}
		}
	}
	var x *Slot
	n := len(s.empty)
	switch {
	case n > 0:
		x = s.empty[n-1]
	case len(s.slots) < s.mem.Slots():
		x = &Slot{word: s.mem.Word(len(s.slots)), store: s, n: len(s.slots)}
	default:
		return nil
	}
	b := s.mem.Fill(x.n)
	if b == nil {
		return nil
	}
	x.bytes = b
	if n > 0 {
		s.empty = s.empty[:n-1]
	} else {
		s.slots = append(s.slots, x)
	}
	s.counts.Filled++
	return x
}

// evict makes a clean slot Busy; nil where there is none.
func (s *Store) evict() *Slot {
	for range 2 * len(s.slots) {
		s.hand = (s.hand + 1) % len(s.slots)
		x := s.slots[s.hand]
		switch w := x.word.Load(); {
		case w == Have|Used:
			x.word.CompareAndSwap(w, Have)
		case w == Have && x.word.CompareAndSwap(w, Have|Busy):
			return x
		}
	}
	return nil
}

// Drop gives back the memory of a slot in which nothing of worth is any more, if nobody uses it.
func (s *Slot) Drop() {
	if s.store == nil {
		return
	}
	if w := s.word.Load(); w&^Used != Have || !s.word.CompareAndSwap(w, Have|Busy) {
		return
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.drop(s)
	s.store.counts.Dropped++
}

// drop makes a Busy slot empty.
func (s *Store) drop(x *Slot) {
	x.bytes = nil
	s.mem.Drop(x.n)
	s.empty = append(s.empty, x)
}

// Shrink gives n slots back, or as many as are clean, and has the others' owners write what keeps them from being so. It says how many went.
func (s *Store) Shrink(n int) (given int) {
	s.mu.Lock()
	for ; given < n; given++ {
		x := s.evict()
		if x == nil {
			break
		}
		s.drop(x)
		s.counts.Given++
	}
	owners := append([]Asked(nil), s.owners...)
	s.mu.Unlock()
	for _, o := range owners {
		o.WriteBack()
	}
	return given
}

// Hit counts pages that were found, Miss one that was waited for, and Read those that were read from a disk.
func (s *Store) Hit(pages int) { s.hits.Add(uint64(pages)) }

// Miss is described at Hit.
func (s *Store) Miss() { s.misses.Add(1) }

// Read is described at Hit.
func (s *Store) Read(pages int) { s.read.Add(uint64(pages)) }

// Counts tells what happened. It looks at each slot.
func (s *Store) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	for _, x := range s.slots {
		if w := x.word.Load(); w&Have != 0 {
			c.Slots++
			if w&pins != 0 {
				c.Pinned++
			}
		}
	}
	c.Mapped = int(s.mapped.Load())
	c.Kept = int(s.kept.Load())
	c.Hits, c.Misses, c.Read, c.Forced = s.hits.Load(), s.misses.Load(), s.read.Load(), s.mem.Taken()
	return c
}

// Keep counts n pages more, or fewer, that are not written yet.
func (s *Store) Keep(n int) { s.kept.Add(int64(n)) }

// Most is how many pages the store can have at most.
func (s *Store) Most() int { return s.mem.Slots() * PerSlot }
