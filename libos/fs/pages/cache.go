package pages

import (
	"slices"
	"sync"
)

// A Cache finds clean pages of a device by their number there, which is not 0. Their memory is a store's, which may take it at any moment: who reads a page has its slot pinned.
type Cache struct {
	Store *Store

	from  Source
	mu    sync.Mutex
	index index   // under mu: some may be gone from memory
	slots []*Slot // under mu: by their numbers, those that index names
	due   []*Load // under mu: what is being read, which has no page in common
	open  *Slot   // under mu: what is read in pieces smaller than a slot is put here, pinned; nil for none
	next  int     // under mu: the first page in open that is not used

	closed bool // under mu: what is read ahead still is for nobody
}

// A Source is what the pages of a cache are read from.
type Source interface {
	// ReadPages reads pages from one on. held: it failed, and the device may write to that memory still.
	ReadPages(vec [][]byte, first uint64) (held bool, err error)

	// Sum is what is kept with a page that was read.
	Sum(page []byte) uint32
}

// A place is where one page is: its slot's number times PerSlot, plus the page there, plus 1. The slot's tag there is the page's number, and its sum the page's; the tags of memory that holds none are 0.
type place uint32

// placeOf makes one.
func placeOf(s *Slot, page int) place { return place(s.n*PerSlot + page + 1) }

// at gives the slot and the page there; mu is held.
func (c *Cache) at(p place) (*Slot, int) { return c.slots[(p-1)/PerSlot], int((p - 1) % PerSlot) }

// A Hold is a page, or several in a row, in memory that is pinned until Release. The zero one is none.
type Hold struct {
	Data []byte
	Of   *Slot // nil: the memory needs no pin
	Page int   // of the slot, where Data begins
}

// Release is described at Hold.
func (h Hold) Release() {
	if h.Of != nil {
		h.Of.Unpin()
	}
}

// Whole says whether it begins where a page does, in memory that is pinned.
func (h Hold) Whole() bool {
	return h.Of != nil && len(h.Data) > 0 && &h.Data[0] == &h.Of.Page(h.Page)[0]
}

// A Load is some pages in a row that are being read.
type Load struct {
	Done chan struct{} // closed when they are there, or could not be read

	first, n uint64
}

// NewCache makes an empty one.
func NewCache(store *Store, from Source) *Cache {
	return &Cache{Store: store, from: from, index: index{rows: map[uint64]*row{}}}
}

// Forget implements Owner.
func (c *Cache) Forget(s *Slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, b := range s.Tags {
		if b != 0 && c.index.find(b) == placeOf(s, i) {
			c.index.remove(b)
		}
	}
}

// there says whether a page's memory is there; mu is held, as for all below that say nothing and have no name of their own for others.
func (c *Cache) there(page uint64) bool {
	p := c.index.find(page)
	if p == 0 {
		return false
	}
	s, _ := c.at(p)
	return s.There()
}

// Has says whether a page's memory is there.
func (c *Cache) Has(page uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.there(page)
}

// remove forgets a page.
func (c *Cache) remove(page uint64) {
	if p := c.index.find(page); p != 0 {
		c.index.remove(page)
		s, at := c.at(p)
		s.Tags[at] = 0
		if s.Live--; s.Live == 0 {
			s.Drop() // which does nothing where somebody has it
		}
	}
}

// Run gives the pages from one on that lie next to each other in memory, at most one for each of their sums; none where the first is not there.
func (c *Cache) Run(first uint64, sums []uint32) Hold {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.index.find(first)
	if p == 0 {
		return Hold{}
	}
	s, at := c.at(p)
	if !s.Pin() {
		return Hold{}
	}
	n := 0
	for n < len(sums) && at+n < PerSlot && s.Tags[at+n] == first+uint64(n) && s.Sums[at+n] == sums[n] {
		n++
	}
	if n == 0 {
		s.Unpin()
		return Hold{}
	}
	return Hold{s.Bytes()[at*Size : (at+n)*Size], s, at}
}

// Alone says whether nobody else has the slot of a hold pinned: then its pages may be changed, as long as nobody looks for them. Who pins them otherwise than by the cache is kept away by the
// caller.
func (c *Cache) Alone(h Hold) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := uint32(1)
	if h.Of == c.open {
		n++
	}
	return h.Of.word.Load()&pins == n
}

// A Piece is N pages of a slot from one on, pinned.
type Piece struct {
	Of   *Slot
	Page int
	N    int
}

// Bytes is the memory.
func (p Piece) Bytes() []byte { return p.Of.Bytes()[p.Page*Size:][:p.N*Size] }

// Room gives memory for n pages, in as few pieces as there can be. kept: as much as there is in the store, if that is less.
func (c *Cache) Room(n int, kept bool) (list []Piece) {
	take := c.Store.Take
	if kept {
		take = c.Store.TakeKept
	}
	for ; n >= PerSlot; n -= PerSlot {
		s := take(c)
		if s == nil {
			return list
		}
		list = append(list, Piece{s, 0, PerSlot})
	}
	for n > 0 {
		c.mu.Lock()
		if c.open == nil || c.next == PerSlot || kept && !c.open.Kept() {
			c.mu.Unlock()
			s := take(c)
			if s == nil {
				return list
			}
			c.mu.Lock()
			if c.closed { // nobody would let go of the rest
				c.mu.Unlock()
				return append(list, Piece{s, 0, n})
			}
			if c.open != nil {
				c.open.Unpin()
			}
			c.open, c.next = s, 0
		}
		p := Piece{c.open, c.next, min(n, PerSlot-c.next)}
		c.open.Repin()
		c.next += p.N
		c.mu.Unlock()
		list = append(list, p)
		n -= p.N
	}
	return list
}

// RoomFor is Room for n pages of which the first least are asked for: for all as far as there is memory in the store, and where it has none for those that are asked for only. What is read into memory of no store is gone
// with its reader, and would be read once more for who asks for the next page.
func (c *Cache) RoomFor(n, least int) []Piece {
	if n > least {
		if list := c.Room(n, true); len(list) > 0 {
			return list
		}
	}
	return c.Room(least, false)
}

// Put adds pages, which are in a slot from one on that is pinned, with their sums.
func (c *Cache) Put(first uint64, of *Slot, page int, sums ...uint32) {
	if !of.Kept() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	for len(c.slots) <= of.n {
		c.slots = append(c.slots, nil)
	}
	c.slots[of.n] = of
	for i, sum := range sums {
		at := first + uint64(i)
		c.remove(at)
		of.Tags[page+i], of.Sums[page+i] = at, sum
		of.Live++
		c.index.add(at, placeOf(of, page+i))
	}
}

// Drop forgets n pages from one on that hold nothing any more.
func (c *Cache) Drop(first, n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for b := first; b < first+n; b++ {
		c.remove(b)
	}
}

// Close gives all back.
func (c *Cache) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.open != nil {
		c.open.Unpin()
		c.open = nil
	}
	for b := range c.index.all {
		c.remove(b)
	}
}

// Begin says that n pages from one on are about to be read, fewer where some of those behind it are there or on their way. l is nil where that is so of the first one: it is read for itself.
func (c *Cache) Begin(first, n uint64) (l *Load, count uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, count = c.beginAt(first, n); l == nil {
		count = 1
	}
	return l, count
}

// BeginMissing is Begin for the first of n pages that is neither there nor on its way; l is nil where there is none.
func (c *Cache) BeginMissing(page, n uint64) (l *Load, first, count uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ; n > 0; page, n = page+1, n-1 {
		if l, count = c.beginAt(page, n); l != nil {
			return l, page, count
		}
	}
	return nil, 0, 0
}

func (c *Cache) beginAt(page, n uint64) (l *Load, count uint64) {
	for _, d := range c.due {
		if page < d.first {
			n = min(n, d.first-page)
		} else if page < d.first+d.n {
			return nil, 0
		}
	}
	for count < n {
		if c.there(page + count) {
			break
		}
		count++
	}
	if count == 0 {
		return nil, 0
	}
	l = &Load{make(chan struct{}), page, count}
	c.due = append(c.due, l)
	return l, count
}

// End says that they were read, or were not. Those who wait look again.
func (c *Cache) End(l *Load) {
	c.mu.Lock()
	i := slices.Index(c.due, l)
	c.due = slices.Delete(c.due, i, i+1)
	c.mu.Unlock()
	close(l.Done)
}

// Coming gives a load that has some of n pages from one on; nil for none.
func (c *Cache) Coming(first, n uint64) *Load {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.due {
		if first < d.first+d.n && d.first < first+n {
			return d
		}
	}
	return nil
}

// Fetch reads pages from one on into room, and the cache, and gives the first one, pinned. l ends; nil for none.
func (c *Cache) Fetch(l *Load, first uint64, room []Piece) (h Hold, err error) {
	if l != nil {
		defer c.End(l)
	}
	return c.fetch(first, room)
}

// fetch is Fetch for a load that somebody else ends.
func (c *Cache) fetch(first uint64, room []Piece) (h Hold, err error) {
	vec, n := make([][]byte, len(room)), 0
	for i, p := range room {
		vec[i] = p.Bytes()
		n += p.N
	}
	held, err := c.from.ReadPages(vec, first)
	if err == nil {
		c.Store.Read(n)
		for _, p := range room {
			var sums [PerSlot]uint32
			for i := range p.N {
				sums[i] = c.from.Sum(p.Of.Page(p.Page + i))
			}
			c.Put(first, p.Of, p.Page, sums[:p.N]...)
			first += uint64(p.N)
		}
		room[0].Of.Repin()
		h = Hold{room[0].Bytes()[:Size], room[0].Of, room[0].Page}
	} else if held {
		return Hold{}, err // it is nobody else's memory any more
	}
	for _, p := range room {
		p.Of.Unpin()
	}
	return h, err
}

// FetchAhead is Fetch for nobody yet, of as many pages as there is memory for that the cache keeps. It has none pinned when l ends.
func (c *Cache) FetchAhead(l *Load, first, n uint64) {
	defer c.End(l)
	room := c.Room(int(n), true)
	if len(room) == 0 {
		return
	}
	h, _ := c.fetch(first, room)
	h.Release()
}
