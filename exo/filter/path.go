package filter

import "slices"

// A test is one condition on a field. In a packet that lacks the field it fails, whatever its kind.
type test struct {
	field  field
	mask   uint32 // of the bits that count; 0 for has
	lo, hi uint32 // of field & mask, both included; equal for eq and ne
	kind   kind
}

type kind uint8

const (
	has kind = iota // the packet has the field
	eq              // field & mask == lo
	in              // lo <= field & mask <= hi
	ne              // field & mask != lo
)

// holds reports whether the test holds for a value of the field.
func (t *test) holds(v uint32) bool {
	v &= t.mask
	switch t.kind {
	case eq:
		return v == t.lo
	case in:
		return t.lo <= v && v <= t.hi
	case ne:
		return v != t.lo
	}
	return true
}

// passes reports whether packet passes the test.
func (t *test) passes(packet []byte) bool {
	v, ok := t.field.load(packet)
	return ok && t.holds(v)
}

// A path is a conjunction of tests: one way in which a program accepts. Paths are shared and never changed.
type path []test

// maxTests is how many tests a path may have.
const maxTests = 64

// passes reports whether packet passes all tests.
func (p path) passes(packet []byte) bool {
	for i := range p {
		if !p[i].passes(packet) {
			return false
		}
	}
	return true
}

// and returns the path with one test more, in its simplest form; false if no packet can pass it (as far as tests of the same field tell).
func (p path) and(t test) (path, bool) {
	if t.kind != has {
		var possible, trivial bool
		if t, possible, trivial = t.simplest(); !possible {
			return nil, false
		} else if trivial {
			t = test{field: t.field, kind: has}
		}
	}
	if t.kind == has && t.field == length {
		return p, true
	}
	kept := make(path, 0, len(p)+1)
	for i := range p {
		old := p[i]
		if old.field != t.field {
			kept = append(kept, old)
			continue
		}
		switch {
		case t.kind == has || old.kind == eq && old.mask&t.mask == t.mask:
			if t.kind == has || t.holds(old.lo) {
				return p, true // nothing new
			}
			return nil, false
		case old.kind == has:
			continue // the new test says that
		case t.kind == eq && t.mask&old.mask == old.mask:
			if !old.holds(t.lo) {
				return nil, false
			}
			continue
		case t.mask != old.mask || t.kind == ne && old.kind == ne && t.lo != old.lo:
		case t.kind == ne && old.kind == ne, t.kind == ne && !old.holds(t.lo):
			return p, true
		case old.kind == ne && t.kind == in && !t.holds(old.lo):
			continue
		case old.kind == in && t.kind == in:
			t.lo, t.hi = max(t.lo, old.lo), min(t.hi, old.hi)
			if t.lo > t.hi {
				return nil, false
			}
			rest := slices.Concat(kept, p[i+1:])
			return rest.and(t) // it may be equality now, and say more about tests already looked at
		}
		kept = append(kept, old)
	}
	return append(kept, t), true
}

// simplest brings a test of some kind into one form. A test that nothing or everything passes is told.
func (t test) simplest() (_ test, possible, trivial bool) {
	switch t.kind {
	case ne:
		if t.lo&^t.mask != 0 {
			return t, true, true
		}
		if t.mask&(t.mask-1) == 0 && t.mask != 0 { // of one bit, there is one other value
			t.kind, t.lo = eq, t.mask^t.lo
			t.hi = t.lo
		}
		return t, t.mask != 0, false
	case in:
		t.hi = min(t.hi, t.mask)
		if t.lo > t.hi {
			return t, false, false
		}
		if t.lo == 0 && t.hi == t.mask {
			return t, true, true
		}
		if t.lo == t.hi {
			t.kind = eq
		}
	}
	if t.kind == eq {
		return t, t.lo&^t.mask == 0, t.mask == 0 && t.lo == 0
	}
	return t, true, false
}

// canonical sorts a path and drops what its other tests say already: a packet that has a field has those before it.
func (p path) canonical() path {
	q := make(path, 0, len(p))
	for i := range p {
		t := &p[i]
		redundant := t.kind == has && slices.ContainsFunc(p, func(o test) bool {
			return o != *t && o.field.covers(&t.field) && (o.kind != has || !t.field.covers(&o.field))
		})
		if !redundant {
			q = append(q, *t)
		}
	}
	slices.SortFunc(q, func(a, b test) int { return a.compare(&b) })
	return q
}

// compare is the order of tests in a path. Equality comes first on a field, because it decides most.
func (t *test) compare(o *test) int {
	if c := t.field.before(&o.field); c != 0 {
		return c
	}
	switch {
	case t.kind == has || o.kind == has: // only what the field holds can be tested on
		return order(t.kind == has && o.kind != has, t.kind != o.kind)
	case t.kind != o.kind:
		return order(t.kind < o.kind, true)
	case t.mask != o.mask:
		return order(t.mask > o.mask, true)
	case t.lo != o.lo:
		return order(t.lo < o.lo, true)
	}
	return order(t.hi < o.hi, t.hi != o.hi)
}
