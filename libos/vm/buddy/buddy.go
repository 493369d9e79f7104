package buddy

import (
	"math/bits"

	"github.com/hardtack-os/hardtack/libos/vm/pool"
)

const (
	top         = 9 // order of a chunk
	chunkFrames = 1 << top
)

// A chunk is the record of 2 MiB. Node 1 of the tree is the root; node i has the nodes 2i and 2i+1 below it.
type chunk struct {
	tree       [2 * chunkFrames]uint8
	next, prev uintptr // in the list of partial or of whole chunks; None ends it
}

// state is the module's memory: the heads of the two lists, then the chunks.
type state struct{ partial, whole uintptr }

const (
	stateRecord = 16
	chunkRecord = 2*chunkFrames + 16
)

func at(m *pool.Memory, i uintptr) *chunk {
	return (*chunk)(pool.At(m.Records + stateRecord + i*chunkRecord))
}

func need(n uintptr) uintptr {
	return stateRecord + (n+chunkFrames-1)/chunkFrames*chunkRecord
}

func start(m *pool.Memory) {
	*(*state)(pool.At(m.Records)) = state{pool.None, pool.None}
	for i := uintptr(0); i*chunkFrames < m.N; i++ {
		at(m, i).tree[1] = 0
	}
}

// list is that of the chunks with such a root; nil for none.
func list(m *pool.Memory, root uint8) *uintptr {
	s := (*state)(pool.At(m.Records))
	switch root {
	case 0:
		return nil
	case top + 1:
		return &s.whole
	}
	return &s.partial
}

// set gives a node of chunk i, of the given order, a value, makes those above it follow, and the chunk go to the list that is right for it.
func set(m *pool.Memory, i uintptr, node, order uint, v uint8) {
	c := at(m, i)
	from := list(m, c.tree[1])
	c.tree[node&1023] = v
	for node > 1 {
		w := c.tree[(node^1)&1023]
		order++
		node >>= 1
		if v == w && v == uint8(order) {
			v++ // both halves are free as a whole
		} else if v < w {
			v = w
		}
		if c.tree[node&1023] == v {
			return // above it nothing changes
		}
		c.tree[node&1023] = v
	}
	to := list(m, v)
	if from == to {
		return
	}
	if from != nil {
		if c.next != pool.None {
			at(m, c.next).prev = c.prev
		}
		if c.prev != pool.None {
			from = &at(m, c.prev).next
		}
		*from = c.next
	}
	if to != nil {
		c.prev, c.next = pool.None, *to
		if *to != pool.None {
			at(m, *to).prev = i
		}
		*to = i
	}
}

// look makes what is known of a node of order o true of the two below it.
func look(c *chunk, node, o uint) {
	if v := c.tree[node&1023]; v == 0 {
		c.tree[node<<1&1023], c.tree[(node<<1+1)&1023] = 0, 0
	} else if v == uint8(o+1) {
		c.tree[node<<1&1023], c.tree[(node<<1+1)&1023] = v-1, v-1
	}
}

// down looks at all nodes above the one of the given order that holds a frame of the chunk, and returns that.
func down(c *chunk, frame uintptr, order uint) (node uint) {
	leaf := uint(chunkFrames | frame)
	for o := uint(top); o > order; o-- {
		look(c, leaf>>(o&15), o)
	}
	return leaf >> (order & 15)
}

func take(m *pool.Memory, n, align uintptr) uintptr {
	order := uint(bits.Len(uint(max(n, align) - 1)))
	size, first := uintptr(1)<<(order&63), pool.None
	if order <= top {
		i := *list(m, 1)
		for i != pool.None && at(m, i).tree[1] <= uint8(order) {
			i = at(m, i).next
		}
		if i == pool.None {
			if i = *list(m, top+1); i == pool.None {
				return i
			}
		}
		c, node := at(m, i), uint(1)
		for o := uint(top); o > order; o-- {
			look(c, node, o)
			if node <<= 1; c.tree[node&1023] <= uint8(order) {
				node++
			}
		}
		set(m, i, node, order, 0)
		first = i<<top | uintptr(node<<(order&15))&(chunkFrames-1)
	} else {
		// Whole chunks that follow one another.
		size = (n + chunkFrames - 1) &^ (chunkFrames - 1)
		have := uintptr(0)
		for i := uintptr(0); have < size; i++ {
			if i*chunkFrames >= m.N {
				return pool.None
			}
			if at(m, i).tree[1] != top+1 || have == 0 && i<<top&(align-1) != 0 {
				have = 0
				continue
			}
			have += chunkFrames
			first = (i+1)<<top - have
		}
		for i := first >> top; have > 0; have -= chunkFrames {
			set(m, i, 1, top, 0)
			i++
		}
	}
	if n < size {
		give(m, first+n, size-n)
	}
	return first
}

func add(m *pool.Memory, first, n uintptr) { give(m, first, n) }

func give(m *pool.Memory, first, n uintptr) uintptr {
	for left := n; left > 0; {
		i, frame := first>>top, first&(chunkFrames-1)
		order := min(uint(bits.TrailingZeros(uint(frame|chunkFrames))), uint(bits.Len(uint(left))-1))
		c := at(m, i)
		node := down(c, frame, order)
		if c.tree[node&1023] != 0 {
			return pool.None
		}
		set(m, i, node, order, uint8(order+1))
		first += 1 << (order & 15)
		left -= 1 << (order & 15)
	}
	return n
}

func pick(m *pool.Memory, frame uintptr) bool {
	c := at(m, frame>>top)
	node := down(c, frame&(chunkFrames-1), 0)
	if c.tree[node&1023] == 0 {
		return false
	}
	set(m, frame>>top, node, 0, 0)
	return true
}
