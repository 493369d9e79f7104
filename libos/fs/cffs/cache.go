package cffs

import "sync"

// cache holds clean blocks of data by where they lie. They never change, so that whoever has one may keep it.
type cache struct {
	mu   sync.Mutex
	m    map[uint64]*cached // under mu
	used int                // under mu: blocks of memory that the chunks of all that is in m take
	max  int
	head cached           // under mu: of the ring, the most recently used first
	due  map[uint64]*load // under mu: what is being read, by each of its blocks
}

// A chunk is memory of n blocks in a row, which is freed when none of them is in use any more: so it counts whole as long as one is in the cache.
type chunk struct{ n, live int } // live is under cache.mu

// cached is one block.
type cached struct {
	block      uint64
	data       []byte
	sum        uint32
	of         *chunk
	next, prev *cached
}

// A load is blocks that are being read.
type load struct{ done chan struct{} }

func newCache(max int) *cache {
	c := &cache{m: map[uint64]*cached{}, max: max, due: map[uint64]*load{}}
	c.head.next, c.head.prev = &c.head, &c.head
	return c
}

// in puts an entry in front; mu is held, as for all below that say nothing.
func (c *cache) in(e *cached) {
	e.next, e.prev = c.head.next, &c.head
	e.next.prev, c.head.next = e, e
}

func (e *cached) out() { e.prev.next, e.next.prev = e.next, e.prev }

// hold gives an entry its memory.
func (c *cache) hold(e *cached, data []byte, of *chunk) {
	e.data, e.of = data, of
	if of.live == 0 {
		c.used += of.n
	}
	of.live++
}

// release takes it away.
func (c *cache) release(e *cached) {
	if e.of.live--; e.of.live == 0 {
		c.used -= e.of.n
	}
}

// remove forgets an entry.
func (c *cache) remove(e *cached) {
	e.out()
	delete(c.m, e.block)
	c.release(e)
}

// get gives a block and its sum; nil where it is not there.
func (c *cache) get(block uint64) ([]byte, uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.m[block]
	if e == nil {
		return nil, 0
	}
	if c.head.next != e {
		e.out()
		c.in(e)
	}
	return e.data, e.sum
}

// run gives the blocks from one on that lie next to each other in memory, with the first one's bytes first, at most one for each of their sums; nil where the first is not there.
func (c *cache) run(block uint64, sums []uint32) (run []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, sum := range sums {
		e := c.m[block+uint64(i)]
		if e == nil || e.sum != sum {
			break
		}
		if run == nil {
			run = e.data
			if c.head.next != e { // a chunk stays, or goes, whole
				e.out()
				c.in(e)
			}
			continue
		}
		if len(run) == cap(run) || &e.data[0] != &run[:len(run)+1][len(run)] {
			break
		}
		run = run[:len(run)+BlockSize]
	}
	return run
}

// put adds a block. data, which lies in a chunk, is the cache's from then on.
func (c *cache) put(block uint64, data []byte, sum uint32, of *chunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.m[block]
	if e == nil {
		e = &cached{block: block}
		c.m[block] = e
	} else {
		e.out()
		c.release(e)
	}
	e.sum = sum
	c.hold(e, data, of)
	c.in(e)
	for c.used > c.max && c.head.prev != e {
		c.remove(c.head.prev)
	}
}

// drop forgets blocks that were given up.
func (c *cache) drop(s span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for b := s.first; b < s.first+s.n; b++ {
		if e := c.m[b]; e != nil {
			c.remove(e)
		}
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
	for count < n && c.m[block+count] == nil && c.due[block+count] == nil {
		count++
	}
	if count == 0 {
		return nil, 0
	}
	l = &load{make(chan struct{})}
	for i := range count {
		c.due[block+i] = l
	}
	return l, count
}

// end says that they were read, or were not. Those who wait look again.
func (c *cache) end(l *load, block, n uint64) {
	c.mu.Lock()
	for i := range n {
		delete(c.due, block+i)
	}
	c.mu.Unlock()
	close(l.done)
}

// coming gives the load that a block is part of; nil for none.
func (c *cache) coming(block uint64) *load {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.due[block]
}
