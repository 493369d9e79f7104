package filter

// An Entry is a program and what its holder knows it by. An entry of a smaller Rank comes first; of entries of one rank, the one given first.
// It must not be changed while it is in use.
type Entry struct {
	Program *Program
	Rank    uint32
	Tag     uint64 // the holder's
}

// A Classifier finds the first of many entries that accepts a packet. It never changes.
type Classifier struct {
	entries []*Entry // as they come first
	nodes   []node
	edges   []edge
	slots   []slot
	spans   []span
	opaque  []int32 // the entries that are interpreted, in order
}

// A node is reached by packets that have passed some tests. Its edges are further tests; a packet may go along several.
type node struct {
	first, end int32 // of its edges
	entry      int32 // the first entry that accepts with no further test; none if there is none
	low        int32 // the first entry that is reached from here
}

const none = 1<<31 - 1

// An edge looks at one field and leads to the nodes whose tests the field passes.
type edge struct {
	field      field
	mask       uint32
	how        how
	multiplier uint32 // of hashed
	first, end int32  // of its slots or spans
}

type how uint8

const (
	hashed   how = iota // equality with one of many: slots
	halved              // in one of some ranges that do not overlap, in order: spans
	each                // in any of some ranges: spans
	unlike              // different from lo: spans
	existing            // the field is in the packet: one span
)

type span struct {
	lo, hi uint32
	node   int32
}

// Classify returns the first entry that accepts packet, or nil. It allocates nothing and takes no lock.
func (c *Classifier) Classify(packet []byte) *Entry {
	r, _ := c.Probe(packet)
	return r
}

// Probe is Classify, and counts: fields loaded, values compared, slots looked at, and the length of each program interpreted.
func (c *Classifier) Probe(packet []byte) (entry *Entry, steps int) {
	d := descent{c: c, packet: packet, best: none}
	if len(c.nodes) != 0 {
		d.visit(0)
	}
	for _, r := range c.opaque {
		if r >= d.best {
			break
		}
		p := c.entries[r].Program
		d.steps += len(p.code)
		if p.Match(packet) {
			d.best = r
		}
	}
	if d.best == none {
		return nil, d.steps
	}
	return c.entries[d.best], d.steps
}

// A descent is one packet's way through the tree.
type descent struct {
	c      *Classifier
	packet []byte
	best   int32
	steps  int
}

// visit goes down from a node. It calls itself at most maxTests deep.
func (d *descent) visit(at int32) {
	n := &d.c.nodes[at]
	if n.low >= d.best {
		return
	}
	d.best = min(d.best, n.entry)
	edges := d.c.edges[n.first:n.end]
	for i := range edges {
		e := &edges[i]
		d.steps++
		v, ok := e.field.load(d.packet)
		if !ok {
			continue
		}
		v &= e.mask
		switch e.how {
		case hashed:
			if to := d.look(d.c.slots[e.first:e.end], e.multiplier, v); to != 0 {
				d.visit(to)
			}
		case halved:
			if to := d.halve(d.c.spans[e.first:e.end], v); to != 0 {
				d.visit(to)
			}
		case existing:
			d.visit(d.c.spans[e.first].node)
		default:
			d.sweep(e, v)
		}
	}
}

// look finds a value in a hash table, or returns 0.
func (d *descent) look(table []slot, multiplier, v uint32) int32 {
	i := home(v, multiplier, len(table))
	for {
		i &= uint32(len(table) - 1)
		d.steps++
		s := table[i]
		if s.key == v || s.node == 0 {
			return s.node
		}
		i++
	}
}

// halve finds the range that holds a value, or returns 0.
func (d *descent) halve(spans []span, v uint32) int32 {
	for len(spans) > 1 {
		d.steps++
		half := len(spans) / 2
		if spans[half].lo <= v {
			spans = spans[half:]
		} else {
			spans = spans[:half]
		}
	}
	d.steps++
	if s := &spans[0]; s.lo <= v && v <= s.hi {
		return s.node
	}
	return 0
}

// sweep goes along each branch whose test holds.
func (d *descent) sweep(e *edge, v uint32) {
	for _, s := range d.c.spans[e.first:e.end] {
		d.steps++
		if inside := s.lo <= v && v <= s.hi; inside == (e.how == each) {
			d.visit(s.node)
		}
	}
}
