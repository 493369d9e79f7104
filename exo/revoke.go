package exo

// Release gives the capability back, with all that was derived and bound from it: its names are free again in the one it was
// derived from. Holders below see *RevokedError, later calls on c *ReleasedError.
//
// Errors: those of Err; *RightsError for the root of a space, which came from nobody. It waits for accesses under way.
func (c Cap) Release() error {
	n, err := c.lock()
	if err != nil {
		return err
	}
	defer n.in.unlock()
	if n.up == nil {
		return &RightsError{Space: n.in.name, Holder: n.holder, Have: n.rights, Why: "the root of a space cannot be released: Revoke takes back what was derived from it"}
	}
	n.lose(0, ^uint64(0), released(n.in.name), revoked(n, n.holder+" released it", Now()))
	return nil
}

// Revoke takes back all that was derived or bound from c, and leaves c: every name that it has is free afterwards, but for exo's own.
//
// Needs: Derive. Errors: those of Err, *RightsError. It waits for accesses under way, for no holder.
func (c Cap) Revoke() error {
	n, err := c.lock()
	if err != nil {
		return err
	}
	defer n.in.unlock()
	if err := n.need(Derive); err != nil {
		return err
	}
	why := revoked(n, "Revoke", Now())
	n.strip(0, ^uint64(0), why)
	return nil
}

// RevokeRange takes back what was derived or bound of the names [lo, hi], which are free in c afterwards. Capabilities below keep their other
// names. A binding that shares a name with the range ends whole.
//
// Needs: Derive. Errors: those of Err, *RightsError, *RangeError for names that c does not have, *HeldError for those that exo
// itself uses. It waits for accesses under way.
func (c Cap) RevokeRange(lo, hi uint64) error {
	n, err := c.lock()
	if err != nil {
		return err
	}
	defer n.in.unlock()
	if err := n.need(Derive); err != nil {
		return err
	}
	if err := n.has(lo, hi); err != nil {
		return err
	}
	for _, b := range n.bound {
		if b.own && b.lo <= hi && lo <= b.hi {
			return &HeldError{Space: n.in.name, Lo: lo, Hi: hi, Holder: b.holder, At: b.lo, To: b.hi}
		}
	}
	n.strip(lo, hi, revoked(n, "RevokeRange", Now()))
	return nil
}

// GiveUp gives the names [lo, hi] back to the capability that c was derived from. What was derived or bound from c and shares a
// name with them ends first; c's other names, and what they hold, stay as they are. With the last name c ends as by Release.
//
// Errors: those of Err, *RangeError for names that c does not have, *RightsError for the root of a space. It waits for accesses under way.
func (c Cap) GiveUp(lo, hi uint64) error {
	n, err := c.lock()
	if err != nil {
		return err
	}
	defer n.in.unlock()
	return n.giveUp(lo, hi)
}

func (n *node) giveUp(lo, hi uint64) error {
	if n.up == nil {
		return &RightsError{Space: n.in.name, Holder: n.holder, Have: n.rights, Why: "the root of a space has nobody to give names up to"}
	}
	if err := n.has(lo, hi); err != nil {
		return err
	}
	n.lose(lo, hi, released(n.in.name), revoked(n, n.holder+" gave it up", Now()))
	return nil
}

// has checks that n has all names of [lo, hi]; lock held.
func (n *node) has(lo, hi uint64) error {
	if hi < lo || !n.names.covers(lo, hi) {
		return outside(n.in.name, lo, hi, n.first(), n.last(), "the capability of "+n.holder+" does not have all of it")
	}
	return nil
}

// strip ends every binding of n that shares a name with [lo, hi], and takes these names from the capabilities below; lock held.
func (n *node) strip(lo, hi uint64, why error) {
	for i := len(n.bound) - 1; i >= 0; i-- { // end moves the last into the gap: it was looked at before
		if b := n.bound[i]; !b.own && b.lo <= hi && lo <= b.hi {
			n.in.cut = true
			b.end(why)
		}
	}
	for i := len(n.below) - 1; i >= 0; i-- {
		n.below[i].lose(lo, hi, why, why)
	}
}

// lose takes what n has of [lo, hi] from it for the reason why, and first, for the reason below, from all that came from it; lock held.
func (n *node) lose(lo, hi uint64, why, below error) {
	lost := n.names.common(lo, hi)
	if len(lost) == 0 {
		return
	}
	n.strip(lo, hi, below)
	for _, r := range lost {
		n.drop(r, why)
	}
	if len(n.names) == 0 {
		n.die(why)
	}
}

// drop moves free names of n to where they came from and remembers why; lock held.
func (n *node) drop(r Range, why error) {
	n.names.remove(r.Lo, r.Hi)
	n.free.remove(r.Lo, r.Hi)
	n.up.putBack(r.Lo, r.Hi)
	n.lost = why
	if e, ok := why.(*RevokedError); ok {
		n.record(Repossession{Range: r, When: e.When, By: e.By, Why: e.Why, Answer: e.answer})
	}
}

// die ends a node without names; lock held.
func (n *node) die(why error) {
	n.dead = why
	n.handler = nil
	n.up.promised -= n.least
	n.least = 0
	list := n.up.below
	last := len(list) - 1
	list[n.at] = list[last]
	list[n.at].at = n.at
	list[last] = nil
	n.up.below = list[:last]
}

func revoked(by *node, why string, when int64) error {
	return &RevokedError{Space: by.in.name, By: by.holder, Why: why, When: when}
}
