package exo

import "sync"

// A Domain is a named bundle of capabilities, from which its Take functions draw: what one library of the program may use of the
// machine. Sub hands part of it to another library, to any depth.
type Domain struct {
	name string
	up   *Domain
	root bool // the program's: its spaces may draw on the bottom half's pools

	mu   sync.Mutex // before a space's
	caps []Cap      // under mu; see Add for ended ones
	subs []*Domain  // under mu
}

// A Grant is what Sub hands on: the names [Lo, Hi] of a space, with these rights, and so many of them guaranteed (Cap.Guarantee).
type Grant struct {
	Space  string
	Lo, Hi uint64
	Rights Rights
	Least  uint64
}

// Root is the program's own domain: all names of the machine that exo does not use itself.
func Root() *Domain {
	theWorld.root(0)
	return &theWorld.domain
}

// Name is the path of the domain, "net/dhcp"; the program's is empty.
func (d *Domain) Name() string { return d.name }

// Sub makes a domain below d with part of what d holds: all of the grants, or nothing and an error.
//
// Needs: Derive and the rights that it grants. Errors: those of Derive and Guarantee. It does not block.
func (d *Domain) Sub(name string, grants ...Grant) (*Domain, error) {
	k := &Domain{name: name, up: d}
	if d.name != "" {
		k.name = d.name + "/" + name
	}
	for _, g := range grants {
		c, err := d.derive(k.name, g)
		if err != nil {
			for _, c := range k.caps {
				c.Release()
			}
			return nil, err
		}
		k.caps = append(k.caps, c)
	}
	d.mu.Lock()
	d.subs = append(d.subs, k)
	d.mu.Unlock()
	return k, nil
}

func (d *Domain) derive(holder string, g Grant) (Cap, error) {
	from, err := d.find(g.Space, g.Lo, g.Hi)
	if err != nil {
		return Cap{}, err
	}
	c, err := from.Derive(holder, g.Lo, g.Hi, g.Rights)
	if err != nil || g.Least == 0 {
		return c, err
	}
	if err := from.Guarantee(c, g.Least); err != nil {
		c.Release()
		return Cap{}, err
	}
	return c, nil
}

// Extend hands k, a domain made from d, count more names of a space: any in a row, the first at a multiple of align (a power of two; 0 means
// 1). Frames are zeroed. It is for what has no names worth choosing, such as memory; they come in a capability of their own.
//
// Needs: Derive and the rights. Errors: *RightsError if k was not made from d, *RangeError for no names, *ExhaustedError. It does not block.
func (d *Domain) Extend(k *Domain, space string, count, align uint64, rights Rights) (Range, error) {
	align = max(align, 1)
	if k == nil || k.up != d {
		return Range{}, d.notMine(space)
	}
	if count == 0 || align&(align-1) != 0 {
		return Range{}, outside(space+" count", count, count, 1, ^uint64(0), "and the alignment must be a power of two")
	}
	c, err := d.deriveAny(k.name, space, count, align, rights)
	if err != nil {
		return Range{}, err
	}
	k.Add(c)
	return c.n.granted[0], nil
}

func (d *Domain) deriveAny(holder, space string, count, align uint64, rights Rights) (Cap, error) {
	if d.root && space == FrameSpace && count <= maxFrames && align <= maxFrames {
		lo := uint64(hwFrames(uintptr(count), uintptr(align)*PageSize)) / PageSize
		if lo == 0 {
			return Cap{}, &ExhaustedError{Space: "contiguous frames", Want: count, Why: "release memory, ask for shorter runs, or give the machine more"}
		}
		return theWorld.root(spFrame).derive(holder, lo, lo+count-1, rights, true)
	}
	from, err := d.any(space, count, align)
	if err != nil {
		return Cap{}, err
	}
	return from.deriveAny(holder, count, align, rights)
}

func (d *Domain) notMine(space string) error {
	return &RightsError{Space: space, Holder: d.name, Want: Derive, Why: "the domain is none that " + d.String() + " made"}
}

// Add puts c, a capability of any space, into the domain: what a driver gave of its own space.
func (d *Domain) Add(c Cap) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ended := 0
	for i := len(d.caps) - 1; i >= 0; i-- { // the last few that have ended stay, to tell why
		if d.caps[i].Err() == nil {
			continue
		}
		if ended++; ended > maxEnded {
			d.caps = append(d.caps[:i], d.caps[i+1:]...)
		}
	}
	d.caps = append(d.caps, c)
}

// maxEnded bounds the ended capabilities that a domain remembers.
const maxEnded = 8

// Caps are the domain's living capabilities of a space: to set their handlers, to derive by hand, to give up.
func (d *Domain) Caps(space string) (list []Cap) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.caps {
		if c.Space() == space && c.Err() == nil {
			list = append(list, c)
		}
	}
	return list
}

// Revoke takes back all that k, a domain made from d, was given from d's capabilities, with what k handed on.
//
// Errors: *RightsError if k was not made from d. It waits for accesses under way, for no holder.
func (d *Domain) Revoke(k *Domain) error {
	if k == nil || k.up != d {
		return d.notMine("domain")
	}
	k.end(func(c Cap) {
		if c.n == nil || !d.holds(c.n.up) {
			return
		}
		if n, err := c.lock(); err == nil {
			why := revoked(n.up, "Revoke", Now())
			n.lose(0, ^uint64(0), why, why)
			n.in.unlock()
		}
	})
	return nil
}

// holds says whether n is the node of one of d's capabilities.
func (d *Domain) holds(n *node) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.caps {
		if n != nil && c.n == n {
			return true
		}
	}
	return false
}

// Release gives back all that the domain holds.
//
// Errors: *RightsError for the program's own domain.
func (d *Domain) Release() error {
	if d.up == nil {
		return &RightsError{Space: "domain", Want: Derive, Why: "the program's own domain came from nobody: it cannot be released"}
	}
	d.end(func(c Cap) { c.Release() })
	return nil
}

// end calls f with each capability of d, and takes d off the list of the domain above.
func (d *Domain) end(f func(Cap)) {
	d.mu.Lock()
	caps := append([]Cap(nil), d.caps...)
	d.mu.Unlock()
	for _, c := range caps {
		f(c)
	}
	d.up.mu.Lock()
	for i, k := range d.up.subs {
		if k == d {
			last := len(d.up.subs) - 1
			d.up.subs[i] = d.up.subs[last]
			d.up.subs = d.up.subs[:last]
			break
		}
	}
	d.up.mu.Unlock()
}

// Reclaim asks the domain k, made from d, for names of a space: Cap.Reclaim of each of its capabilities in turn.
func (d *Domain) Reclaim(k *Domain, space string, want Demand) (got uint64, err error) {
	if k == nil || k.up != d {
		return 0, d.notMine(space)
	}
	err = &ExhaustedError{Space: space + " names of " + k.name, Want: want.Names, Why: "it has none"}
	for _, c := range k.Caps(space) {
		if !d.holds(c.n.up) || want.Names == 0 {
			continue
		}
		var n uint64
		n, err = Cap{c.n.up}.Reclaim(c, want)
		got += n
		want.Names -= min(n, want.Names)
	}
	return got, err
}

// String is the name, readable for the program's too.
func (d *Domain) String() string {
	if d.name == "" {
		return "the program"
	}
	return d.name
}

// find gives the capability of the domain that has all of [lo, hi], or says why none does.
func (d *Domain) find(space string, lo, hi uint64) (Cap, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ended error
	for _, c := range d.caps {
		if c.n == nil || c.n.in.name != space {
			continue
		}
		n, err := c.lock()
		if err != nil {
			if ended == nil || c.n.granted.covers(lo, hi) {
				ended = err
			}
			continue
		}
		here, once := n.names.covers(lo, hi), n.granted.covers(lo, hi)
		if !here && once {
			ended = n.lost
		}
		n.in.mu.Unlock()
		if here {
			return c, nil
		}
	}
	if ended != nil {
		return Cap{}, ended
	}
	return Cap{}, outside(space, lo, hi, 0, 0, d.String()+" was granted no capability that has all of it")
}

// any gives a living capability of the space with the right to bind count names in a row, the first at a multiple of align.
func (d *Domain) any(space string, count, align uint64) (Cap, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ended error
	for _, c := range d.caps {
		if c.n == nil || c.n.in.name != space {
			continue
		}
		n, err := c.lock()
		if err != nil {
			ended = err
			continue
		}
		_, ok := n.free.find(count, align)
		n.in.mu.Unlock()
		if ok {
			return c, nil
		}
	}
	if ended != nil {
		return Cap{}, ended
	}
	return Cap{}, &ExhaustedError{Space: space + " names of " + d.String(), Want: count, Why: "release some, or ask for fewer in a row"}
}
