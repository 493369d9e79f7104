package cffs

import "sync"

// cache holds clean blocks of data by where they lie. They never change, so that whoever has one may keep it.
type cache struct {
	mu   sync.Mutex
	m    map[uint64]*cached // under mu
	max  int
	head cached // under mu: of the ring, the most recently used first
}

// cached is one block.
type cached struct {
	block      uint64
	data       []byte
	sum        uint32
	next, prev *cached
}

func newCache(max int) *cache {
	c := &cache{m: map[uint64]*cached{}, max: max}
	c.head.next, c.head.prev = &c.head, &c.head
	return c
}

func (e *cached) out() { e.prev.next, e.next.prev = e.next, e.prev }

func (c *cache) in(e *cached) {
	e.next, e.prev = c.head.next, &c.head
	e.next.prev, c.head.next = e, e
}

// get gives a block and its sum; nil where it is not there.
func (c *cache) get(block uint64) ([]byte, uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.m[block]
	if e == nil {
		return nil, 0
	}
	e.out()
	c.in(e)
	return e.data, e.sum
}

// put adds a block. data is the cache's from then on.
func (c *cache) put(block uint64, data []byte, sum uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.m[block]
	if e == nil {
		e = &cached{block: block}
		c.m[block] = e
	} else {
		e.out()
	}
	e.data, e.sum = data, sum
	c.in(e)
	for len(c.m) > c.max {
		last := c.head.prev
		last.out()
		delete(c.m, last.block)
	}
}

// drop forgets blocks that were given up.
func (c *cache) drop(s span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for b := s.first; b < s.first+s.n; b++ {
		if e := c.m[b]; e != nil {
			e.out()
			delete(c.m, b)
		}
	}
}
