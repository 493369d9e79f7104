package cffs

import (
	"slices"
	"sync"

	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// cache finds clean blocks of data by where they lie on the disk. They never change. Their memory is a page store's, which may take it at any moment: who reads a block has its slot pinned.
type cache struct {
	store *pages.Store
	mu    sync.Mutex
	m     map[uint64]cached // under mu: some may be gone from memory
	due   []*load           // under mu: what is being read, which has no block in common
	open  *pages.Slot       // under mu: what is read in pieces smaller than a slot is put here, pinned; nil for none
	next  int               // under mu: the first page in open that is not used

	closed bool // under mu: what is read ahead still is for nobody
}

// cached is where one block is. The slot's tag of that page is the block, and its sum the block's; the tags of pages that hold none are 0, where a superblock is.
type cached struct {
	of   *pages.Slot
	page uint32
}

// A hold is a block, or several in a row, in memory that is pinned until release. The zero one is none.
type hold struct {
	data []byte
	of   *pages.Slot // nil: the memory needs no pin
}

func (h hold) release() {
	if h.of != nil {
		h.of.Unpin()
	}
}

// A load is n blocks from one on that are being read.
type load struct {
	first, n uint64
	done     chan struct{}
}

func newCache(store *pages.Store) *cache {
	return &cache{store: store, m: map[uint64]cached{}}
}

// Forget implements pages.Owner.
func (c *cache) Forget(s *pages.Slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, b := range s.Tags {
		if e, ok := c.m[b]; ok && e.of == s && e.page == uint32(i) {
			delete(c.m, b)
		}
	}
}

// find gives what is known of a block whose memory is there; mu is held, as for all below that say nothing.
func (c *cache) find(block uint64) (e cached, ok bool) {
	if e, ok = c.m[block]; ok && !e.of.There() {
		return cached{}, false
	}
	return e, ok
}

// remove forgets a block.
func (c *cache) remove(block uint64) {
	if e, ok := c.m[block]; ok {
		delete(c.m, block)
		e.of.Tags[e.page] = 0
		if e.of.Live--; e.of.Live == 0 {
			e.of.Drop() // which does nothing where somebody has it
		}
	}
}

// run gives the blocks from one on that lie next to each other in memory, at most one for each of their sums; none where the first is not there.
func (c *cache) run(block uint64, sums []uint32) hold {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.m[block]
	if !ok || !e.of.Pin() {
		return hold{}
	}
	s, first, n := e.of, int(e.page), 0
	for n < len(sums) && first+n < pages.PerSlot && s.Tags[first+n] == block+uint64(n) && s.Sums[first+n] == sums[n] {
		n++
	}
	if n == 0 {
		s.Unpin()
		return hold{}
	}
	return hold{s.Bytes()[first*BlockSize : (first+n)*BlockSize], s}
}

// A piece is n pages of a slot from one on, pinned.
type piece struct {
	of   *pages.Slot
	page int
	n    int
}

func (p piece) bytes() []byte { return p.of.Bytes()[p.page*BlockSize:][:p.n*BlockSize] }

// room gives memory for n blocks, in as few pieces as there can be. kept: as much as there is in the store, if that is less.
func (c *cache) room(n int, kept bool) (list []piece) {
	take := c.store.Take
	if kept {
		take = c.store.TakeKept
	}
	for ; n >= pages.PerSlot; n -= pages.PerSlot {
		s := take(c)
		if s == nil {
			return list
		}
		list = append(list, piece{s, 0, pages.PerSlot})
	}
	for n > 0 {
		c.mu.Lock()
		if c.open == nil || c.next == pages.PerSlot || kept && !c.open.Kept() {
			c.mu.Unlock()
			s := take(c)
			if s == nil {
				return list
			}
			c.mu.Lock()
			if c.closed { // nobody would let go of the rest
				c.mu.Unlock()
				return append(list, piece{s, 0, n})
			}
			if c.open != nil {
				c.open.Unpin()
			}
			c.open, c.next = s, 0
		}
		p := piece{c.open, c.next, min(n, pages.PerSlot-c.next)}
		c.open.Repin()
		c.next += p.n
		c.mu.Unlock()
		list = append(list, p)
		n -= p.n
	}
	return list
}

// put adds blocks, which are in pages of a slot from one on that is pinned, with their sums.
func (c *cache) put(block uint64, of *pages.Slot, page int, sums ...uint32) {
	if !of.Kept() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	for i, sum := range sums {
		at := block + uint64(i)
		c.remove(at)
		of.Tags[page+i], of.Sums[page+i] = at, sum
		of.Live++
		c.m[at] = cached{of, uint32(page + i)}
	}
}

// drop forgets blocks that were given up.
func (c *cache) drop(s span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for b := s.first; b < s.first+s.n; b++ {
		c.remove(b)
	}
}

// close gives all back.
func (c *cache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.open != nil {
		c.open.Unpin()
		c.open = nil
	}
	for b := range c.m {
		c.remove(b)
	}
}

// begin says that n blocks from one on are about to be read, fewer where some of those behind it are there or on their way. l is nil where that is so of the first one: it is read for itself.
func (c *cache) begin(block, n uint64) (l *load, count uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, count = c.beginAt(block, n); l == nil {
		count = 1
	}
	return l, count
}

// beginMissing is begin for the first of n blocks that is neither there nor on its way; l is nil where there is none.
func (c *cache) beginMissing(block, n uint64) (l *load, first, count uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ; n > 0; block, n = block+1, n-1 {
		if l, count = c.beginAt(block, n); l != nil {
			return l, block, count
		}
	}
	return nil, 0, 0
}

func (c *cache) beginAt(block, n uint64) (l *load, count uint64) {
	for _, d := range c.due {
		if block < d.first {
			n = min(n, d.first-block)
		} else if block < d.first+d.n {
			return nil, 0
		}
	}
	for count < n {
		if _, there := c.find(block + count); there {
			break
		}
		count++
	}
	if count == 0 {
		return nil, 0
	}
	l = &load{block, count, make(chan struct{})}
	c.due = append(c.due, l)
	return l, count
}

// end says that they were read, or were not. Those who wait look again.
func (c *cache) end(l *load) {
	c.mu.Lock()
	i := slices.Index(c.due, l)
	c.due = slices.Delete(c.due, i, i+1)
	c.mu.Unlock()
	close(l.done)
}

// coming gives the load that a block is part of; nil for none.
func (c *cache) coming(block uint64) *load {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.due {
		if block >= d.first && block < d.first+d.n {
			return d
		}
	}
	return nil
}
