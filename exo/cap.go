package exo

import "sync"

// A Cap is a capability: the right to a set of names in one space. Only exo makes one; the zero Cap holds nothing.
//
// It is a value: who is given a copy holds what the original holds, and both end together. To hand on less, Derive.
type Cap struct{ n *node }

// A Space is a range of exposed names with the tree of capabilities over it. The tree is looked at when names are derived,
// bound or taken back, never when they are used.
type Space struct {
	name string
	root *node

	// Where the bottom half manages names too, it is told which ones leave the root and come back; fresh prepares those that are handed on
	// without their holder having chosen them. All are called under mu.
	claim func(lo, hi uint64) bool
	give  func(lo, hi uint64)
	fresh func(lo, hi uint64)

	mu     sync.Mutex // guards the tree: every node and Binding of this space
	births uint64     // under mu: gives each Binding and node its age
	cut    bool       // under mu: something was unbound against its holder's will since mu was taken
}

// A node is what a Cap stands for.
//
// Each of its names is in exactly one place: in free, in one node of below, or in one Binding of bound. Its state is live
// while dead is nil; Release, Revoke, or the loss of the last name end it, and nothing revives it.
type node struct {
	in      *Space
	up      *node // nil for a space's root
	at      int   // index in up.below
	born    uint64
	holder  string
	rights  Rights
	granted nameSet // what it began with

	// Under in.mu:
	names, free nameSet
	below       []*node
	bound       []*Binding
	least       uint64 // guaranteed by up
	promised    uint64 // guaranteed to those below, in sum
	handler     func(*Request)
	overdue     int   // handlers that still run past their deadline
	dead        error // why it ended
	lost        error // why names that were granted are no longer here
	records     []Repossession
	dropped     uint64 // records that were overwritten
}

// NewSpace makes a space with the names [lo, hi] and gives the capability of all of them: for a driver whose device has names
// of its own, such as a disk's blocks or a network card's queues. The names mean what the driver says; exo keeps them apart.
//
// Errors: *RangeError for an empty range and for that of all 1<<64 numbers.
func NewSpace(name, holder string, lo, hi uint64) (*Space, Cap, error) {
	if hi < lo || hi-lo == ^uint64(0) {
		return nil, Cap{}, outside(name, lo, hi, 0, ^uint64(0)-1, "the range is empty or has no size that 64 bits hold")
	}
	s := new(Space)
	s.init(name, holder, lo, hi)
	return s, Cap{s.root}, nil
}

// Grow adds the names behind the last, up to hi, to the space and to the capability of all of it: for a driver whose device has got more of them. No names are ever taken away by it.
//
// Errors: *RangeError where hi is not behind the last name; why that capability ended. It does not block.
func (s *Space) Grow(hi uint64) error {
	s.mu.Lock()
	defer s.unlock()
	n := s.root
	if n.dead != nil {
		return n.dead
	}
	first, last := n.granted[0].Lo, n.granted[len(n.granted)-1].Hi
	if hi <= last || hi-first == ^uint64(0) {
		return outside(s.name, last+1, hi, first, last, "a space grows behind its last name, and has a size that 64 bits hold")
	}
	for _, set := range []*nameSet{&n.granted, &n.names, &n.free} {
		set.add(last+1, hi)
	}
	return nil
}

func (s *Space) init(name, holder string, lo, hi uint64) {
	s.name = name
	all := nameSet{{lo, hi}}
	s.root = &node{in: s, holder: holder, rights: All, granted: all, names: nameSet{{lo, hi}}, free: nameSet{{lo, hi}}}
}

// lock gives the node of a live Cap with its space locked.
func (c Cap) lock() (*node, error) {
	if c.n == nil {
		return nil, &EmptyError{}
	}
	c.n.in.mu.Lock()
	if err := c.n.dead; err != nil {
		c.n.in.mu.Unlock()
		return nil, err
	}
	return c.n, nil
}

// unlock ends a change of the tree. If a resource was unbound against its holder's will, no access that was authorised before
// is under way when it returns.
func (s *Space) unlock() {
	if s.cut {
		s.cut = false
		hwQuiesce()
	}
	s.mu.Unlock()
}

// need checks rights; lock held.
func (n *node) need(want Rights) error {
	if n.rights&want != want {
		return &RightsError{Space: n.in.name, Holder: n.holder, Want: want, Have: n.rights}
	}
	return nil
}

// carve takes [lo, hi] out of what is free, or says who has it; lock held. taken: the bottom half gave them out already.
func (n *node) carve(lo, hi uint64, taken bool) error {
	switch {
	case hi < lo:
		return outside(n.in.name, lo, hi, n.first(), n.last(), "the range is empty or wraps around")
	case n.free.covers(lo, hi):
	case !n.names.covers(lo, hi):
		if n.granted.covers(lo, hi) && n.lost != nil {
			return n.lost
		}
		return outside(n.in.name, lo, hi, n.first(), n.last(), "the capability of "+n.holder+" does not have it")
	default:
		return n.heldBy(lo, hi)
	}
	if n.up == nil && n.in.claim != nil && !taken && !n.in.claim(lo, hi) {
		return &HeldError{Space: n.in.name, Lo: lo, Hi: hi, Holder: "the runtime", At: lo, To: hi}
	}
	n.free.remove(lo, hi)
	return nil
}

func (n *node) first() uint64 {
	if len(n.names) == 0 {
		return 0
	}
	return n.names[0].Lo
}

func (n *node) last() uint64 {
	if len(n.names) == 0 {
		return 0
	}
	return n.names[len(n.names)-1].Hi
}

// heldBy names the holder of the lowest name in [lo, hi] that is not free.
func (n *node) heldBy(lo, hi uint64) error {
	e := &HeldError{Space: n.in.name, Lo: lo, Hi: hi, At: ^uint64(0)}
	note := func(r Range, holder string) {
		if r.Lo <= e.At {
			e.At, e.To, e.Holder = r.Lo, r.Hi, holder
		}
	}
	for _, c := range n.below {
		if r, ok := c.names.overlap(lo, hi); ok {
			note(r, c.holder)
		}
	}
	for _, b := range n.bound {
		if b.lo <= hi && lo <= b.hi {
			note(Range{b.lo, b.hi}, b.holder)
		}
	}
	return e
}

// putBack makes names that n handed out free again; lock held.
func (n *node) putBack(lo, hi uint64) {
	n.free.add(lo, hi)
	if n.up == nil && n.in.give != nil {
		n.in.give(lo, hi)
	}
}

// Space is the name of the space; empty for the zero Cap.
func (c Cap) Space() string {
	if c.n == nil {
		return ""
	}
	return c.n.in.name
}

// Holder is who it was derived for.
func (c Cap) Holder() string {
	if c.n == nil {
		return ""
	}
	return c.n.holder
}

// Rights are what it gives; none for the zero Cap.
func (c Cap) Rights() Rights {
	if c.n == nil {
		return 0
	}
	return c.n.rights
}

// Err is nil while the capability lives; otherwise what every call on it returns: *RevokedError, *ReleasedError, or, for the
// zero Cap, *EmptyError.
func (c Cap) Err() error {
	n, err := c.lock()
	if err == nil {
		n.in.mu.Unlock()
	}
	return err
}

// Names are the names that it has now, in order. They may be fewer than were derived: see GiveUp and Reclaim.
func (c Cap) Names() []Range { return c.list(func(n *node) nameSet { return n.names }) }

// Free are those of its names that are neither derived nor bound.
func (c Cap) Free() []Range { return c.list(func(n *node) nameSet { return n.free }) }

func (c Cap) list(of func(*node) nameSet) []Range {
	n, err := c.lock()
	if err != nil {
		return nil
	}
	defer n.in.mu.Unlock()
	return append([]Range(nil), of(n)...)
}
