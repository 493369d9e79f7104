package filter

import "slices"

// Merge makes a classifier of entries. It keeps no reference to the slice.
//
// It sorts all paths of all entries, and then goes over their tests once: for n paths of t tests about n·t·log n comparisons. That the whole is made
// anew for each change keeps readers free of locks and the tree free of wear; Table.Update takes many changes at once.
func Merge(entries []*Entry) *Classifier {
	c := &Classifier{entries: slices.Clone(entries)}
	slices.SortStableFunc(c.entries, func(a, b *Entry) int { return order(a.Rank < b.Rank, a.Rank != b.Rank) })
	var leaves []leaf
	for i, r := range c.entries {
		if r.Program.opaque != "" {
			c.opaque = append(c.opaque, int32(i))
		}
		for _, p := range r.Program.paths {
			leaves = append(leaves, leaf{p, int32(i)})
		}
	}
	slices.SortFunc(leaves, func(a, b leaf) int {
		for i := range min(len(a.path), len(b.path)) {
			if c := a.path[i].compare(&b.path[i]); c != 0 {
				return c
			}
		}
		return order(len(a.path) < len(b.path), len(a.path) != len(b.path))
	})
	if len(leaves) > 0 {
		c.grow(leaves, 0)
	}
	return c
}

// A leaf is a path and the entry that it accepts for.
type leaf struct {
	path  path
	entry int32
}

// grow makes the node for leaves, which are sorted and share their first depth tests, with all that is below. It returns the node's number.
func (c *Classifier) grow(leaves []leaf, depth int) int32 {
	at := int32(len(c.nodes))
	c.nodes = append(c.nodes, node{entry: none, low: none})
	n := node{entry: none, low: none}
	for _, l := range leaves {
		n.low = min(n.low, l.entry)
	}
	for len(leaves) > 0 && len(leaves[0].path) == depth {
		n.entry = min(n.entry, leaves[0].entry)
		leaves = leaves[1:]
	}
	var edges []edge
	for len(leaves) > 0 {
		t := &leaves[0].path[depth]
		some := prefix(leaves, func(l *leaf) bool {
			o := &l.path[depth]
			return o.field == t.field && o.kind == t.kind && o.mask == t.mask
		})
		edges = append(edges, c.branch(leaves[:some], depth))
		leaves = leaves[some:]
	}
	n.first = int32(len(c.edges))
	c.edges = append(c.edges, edges...)
	n.end = int32(len(c.edges))
	c.nodes[at] = n
	return at
}

// branch makes the edge for leaves whose tests at depth differ in their values only.
func (c *Classifier) branch(leaves []leaf, depth int) edge {
	t := leaves[0].path[depth]
	e := edge{field: t.field, mask: t.mask}
	var spans []span
	apart := true // the ranges do not overlap
	for len(leaves) > 0 {
		t := leaves[0].path[depth]
		same := prefix(leaves, func(l *leaf) bool { return l.path[depth] == t })
		apart = apart && (len(spans) == 0 || spans[len(spans)-1].hi < t.lo)
		spans = append(spans, span{t.lo, t.hi, c.grow(leaves[:same], depth+1)})
		leaves = leaves[same:]
	}
	switch {
	case t.kind == has:
		e.how = existing
	case t.kind == ne:
		e.how = unlike
	case apart:
		e.how = halved
	default:
		e.how = each
	}
	const few = 4 // up to here, halving takes no more steps than hashing
	if t.kind == eq && len(spans) > few {
		keys := make([]slot, len(spans))
		for i, s := range spans {
			keys[i] = slot{s.lo, s.node}
		}
		if table, multiplier, ok := tabulate(keys); ok {
			e.how, e.multiplier = hashed, multiplier
			e.first = int32(len(c.slots))
			c.slots = append(c.slots, table...)
			e.end = int32(len(c.slots))
			return e
		}
	}
	e.first = int32(len(c.spans))
	c.spans = append(c.spans, spans...)
	e.end = int32(len(c.spans))
	return e
}

// prefix is how many leaves, from the first, are alike.
func prefix(leaves []leaf, alike func(*leaf) bool) int {
	n := 1
	for n < len(leaves) && alike(&leaves[n]) {
		n++
	}
	return n
}
