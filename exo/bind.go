package exo

import "sync/atomic"

// A Binding ties names to a resource that is used without asking again. While it lives, nobody else can bind or derive
// these names; when it ends, by Release or against the holder's will, use fails.
type Binding struct {
	of     *node
	lo, hi uint64
	holder string
	own    bool // exo's: it is never taken back
	res    resource
	why    atomic.Pointer[ending] // nil while it lives

	at   int    // under of.in.mu: index in of.bound
	born uint64 // under of.in.mu
}

type ending struct{ err error }

// A resource is what a Binding makes usable. Both methods run under the space's lock.
type resource interface {
	ready() error // the names are this one's: make use possible, or refuse
	unbind()      // make use impossible; it must not wait for any holder
}

// bind takes [b.lo, b.hi] out of n and makes b.res usable; lock held. taken is as in carve.
func (n *node) bind(b *Binding, taken bool) error {
	if err := n.carve(b.lo, b.hi, taken); err != nil {
		return err
	}
	b.of = n
	if err := b.res.ready(); err != nil {
		n.putBack(b.lo, b.hi)
		return err
	}
	n.in.births++
	b.born, b.at = n.in.births, len(n.bound)
	n.bound = append(n.bound, b)
	return nil
}

// bind binds names of a Cap that has the rights.
func (c Cap) bind(b *Binding, want Rights, taken bool) error {
	n, err := c.lock()
	if err != nil {
		return err
	}
	defer n.in.unlock()
	if err := n.need(want); err != nil {
		return err
	}
	return n.bind(b, taken)
}

// bindIn is bind for one of the machine's spaces.
func (c Cap) bindIn(space int, b *Binding, want Rights) error {
	if s := &theWorld.spaces[space]; c.n != nil && c.n.in != s {
		return notOf(theWorld.root(space).Space(), c, want)
	}
	return c.bind(b, Bind|want, false)
}

func notOf(space string, c Cap, want Rights) error {
	return &RightsError{Space: space, Holder: c.n.holder, Want: want, Why: "the capability of " + c.n.holder + " is one of another space, " + c.n.in.name}
}

// bindAny binds count names in a row, the first at a multiple of align: the lowest free ones.
func (c Cap) bindAny(b *Binding, want Rights, count, align uint64) error {
	n, err := c.lock()
	if err != nil {
		return err
	}
	defer n.in.unlock()
	if err := n.need(want); err != nil {
		return err
	}
	lo, ok := n.free.find(count, align)
	if !ok {
		return &ExhaustedError{Space: n.in.name + " names of " + n.holder, Want: count, Why: "release some, or ask for fewer in a row"}
	}
	b.lo, b.hi = lo, lo+count-1
	return n.bind(b, false)
}

// end makes use impossible, then lets go of the names; lock held.
func (b *Binding) end(why error) {
	b.why.Store(&ending{why})
	b.res.unbind()
	n := b.of
	last := len(n.bound) - 1
	n.bound[b.at] = n.bound[last]
	n.bound[b.at].at = b.at
	n.bound[last] = nil
	n.bound = n.bound[:last]
	n.putBack(b.lo, b.hi)
}

// err is why the binding ended, nil while it lives. Resources call it only after their one comparison has failed.
func (b *Binding) err() error {
	if b == nil || b.of == nil {
		return &EmptyError{}
	}
	if e := b.why.Load(); e != nil {
		return e.err
	}
	return nil
}

// Err is nil while the binding lives; then *RevokedError or *ReleasedError.
func (b *Binding) Err() error { return b.err() }

// Range are the names it binds.
func (b *Binding) Range() Range {
	if b.of != nil {
		b.of.in.mu.Lock()
		defer b.of.in.mu.Unlock()
	}
	return Range{b.lo, b.hi}
}

// Extend binds the names behind those that are bound, up to hi, as well, out of the same Cap: for the driver that made the space. grown is called under the space's lock, before anybody can end the binding.
//
// Errors: as Derive, and *RangeError where hi is not behind the last; then nothing has changed. It does not block.
func (b *Binding) Extend(hi uint64, grown func()) error {
	if err := b.err(); b == nil || b.of == nil {
		return err
	}
	s := b.of.in
	s.mu.Lock()
	defer s.unlock()
	if err := b.err(); err != nil {
		return err
	}
	if hi <= b.hi {
		return outside(s.name, b.hi+1, hi, b.lo, b.hi, "a binding is extended behind its last name")
	}
	if err := b.of.carve(b.hi+1, hi, false); err != nil {
		return err
	}
	b.hi = hi
	grown()
	return nil
}

// Release ends the binding; its names are free in the Cap that it was bound from. The error is Err if it had ended before.
func (b *Binding) Release() error {
	if b == nil || b.of == nil {
		return &EmptyError{}
	}
	s := b.of.in
	s.mu.Lock()
	defer s.unlock()
	if err := b.err(); err != nil {
		return err
	}
	b.end(released(s.name))
	return nil
}

// revoke ends the binding, if it lives, because something that it came with was taken back.
func (b *Binding) revoke(why error) {
	s := b.of.in
	s.mu.Lock()
	defer s.unlock()
	if b.err() == nil {
		s.cut = true
		b.end(why)
	}
}

// Bind binds the names [lo, hi] of c, which must be a capability of this space with the rights want and Bind. It is for the driver
// that made the space: unbind is called, under the space's lock, when the binding ends for whatever reason, and must make use
// fail before it returns, without waiting for the holder. Drivers keep use cheap as exo does: a length that becomes 0.
//
// Errors: as Derive. It does not block.
func (s *Space) Bind(c Cap, holder string, lo, hi uint64, want Rights, unbind func()) (*Binding, error) {
	if c.n != nil && c.n.in != s {
		return nil, notOf(s.name, c, want)
	}
	b := &Binding{lo: lo, hi: hi, holder: holder, res: hook{unbind}}
	if err := c.bind(b, want|Bind, false); err != nil {
		return nil, err
	}
	return b, nil
}

// A hook is a driver's resource.
type hook struct{ f func() }

func (h hook) ready() error { return nil }

func (h hook) unbind() {
	if h.f != nil {
		h.f()
	}
}
