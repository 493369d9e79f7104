package exo

// Derive hands the names [lo, hi] on: a capability for holder with these rights. What is derived cannot be bound or derived
// again from c until it comes back, so that two capabilities derived from one never share a name.
//
// Needs: Derive, and every right it gives. Errors: *RightsError, *RangeError, *HeldError with the holder's name; *RevokedError for
// names that were taken from c. It does not block.
func (c Cap) Derive(holder string, lo, hi uint64, rights Rights) (Cap, error) {
	return c.derive(holder, lo, hi, rights, false)
}

// derive is Derive; taken is as in carve.
func (c Cap) derive(holder string, lo, hi uint64, rights Rights, taken bool) (Cap, error) {
	n, err := c.lock()
	if err != nil {
		return Cap{}, err
	}
	defer n.in.unlock()
	if err := n.need(Derive | rights); err != nil {
		return Cap{}, err
	}
	if err := n.carve(lo, hi, taken); err != nil {
		return Cap{}, err
	}
	return n.bear(holder, lo, hi, rights), nil
}

// deriveAny derives count names in a row, the first at a multiple of align: the lowest that can be had.
func (c Cap) deriveAny(holder string, count, align uint64, rights Rights) (Cap, error) {
	n, err := c.lock()
	if err != nil {
		return Cap{}, err
	}
	defer n.in.unlock()
	if err := n.need(Derive | rights); err != nil {
		return Cap{}, err
	}
	for rest := append(nameSet(nil), n.free...); ; {
		lo, ok := rest.find(count, align)
		if !ok {
			break
		}
		if n.carve(lo, lo+count-1, false) == nil {
			if n.in.fresh != nil {
				n.in.fresh(lo, lo+count-1)
			}
			return n.bear(holder, lo, lo+count-1, rights), nil
		}
		rest.remove(0, lo) // the bottom half uses one of them
	}
	return Cap{}, &ExhaustedError{Space: n.in.name + " names of " + n.holder, Want: count, Why: "release some, or ask for fewer in a row"}
}

// bear makes the node of names that were carved out of n; lock held.
func (n *node) bear(holder string, lo, hi uint64, rights Rights) Cap {
	n.in.births++
	k := &node{in: n.in, up: n, at: len(n.below), born: n.in.births, holder: holder, rights: rights,
		granted: nameSet{{lo, hi}}, names: nameSet{{lo, hi}}, free: nameSet{{lo, hi}}}
	n.below = append(n.below, k)
	return Cap{k}
}

// child is k's node if k was derived from n and lives; lock held.
func (n *node) child(k Cap) (*node, error) {
	switch {
	case k.n == nil:
		return nil, &EmptyError{}
	case k.n.in != n.in || k.n.up != n:
		return nil, &RightsError{Space: n.in.name, Holder: n.holder, Want: Derive, Have: n.rights, Why: "the capability of " + k.n.holder + " was not derived from this one"}
	}
	return k.n, k.n.dead
}

// Guarantee promises k, which was derived from c, that Reclaim leaves it at least n names. Guarantees of c's children together
// cannot exceed what c is guaranteed itself (the root of a space: all it has). It does not protect from Revoke, which ends the
// contract, nor from what k gives up.
//
// Needs: Derive. Errors: *RightsError if k was not derived from c, *RangeError if n is more than k has, *ExhaustedError if it is more
// than c can promise, or less than k has promised. It does not block.
func (c Cap) Guarantee(k Cap, n uint64) error {
	p, err := c.lock()
	if err != nil {
		return err
	}
	defer p.in.mu.Unlock()
	if err := p.need(Derive); err != nil {
		return err
	}
	kid, err := p.child(k)
	if err != nil {
		return err
	}
	if size := kid.names.size(); n > size {
		return outside(p.in.name+" guarantee", n, n, 0, size, kid.holder+" has no more names")
	}
	limit := p.least
	if p.up == nil {
		limit = p.names.size()
	}
	if others := p.promised - kid.least; n > limit || others > limit-n {
		return &ExhaustedError{Space: p.in.name + " guarantees", Want: n, Why: p.holder + " is guaranteed " + decimal(limit) + " itself and has promised " + decimal(others) + " to others"}
	}
	if n < kid.promised {
		return &ExhaustedError{Space: p.in.name + " guarantees", Want: n, Why: kid.holder + " has promised " + decimal(kid.promised) + " to those below it"}
	}
	p.promised += n - kid.least
	kid.least = n
	return nil
}
