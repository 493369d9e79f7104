package filter

import (
	"math/bits"
	"slices"
)

// Bounds of the search for a packet.
const (
	maxWitness = 1 << 16 // bytes: longer packets are not built
	maxLayouts = 256     // combinations of index values that are tried
	maxTries   = 1024    // values that are tried in one layout
	maxLengths = 4096    // lengths that are tried
	maxWork    = 1 << 16 // layouts, values and tests joined, in one call of Verify or Compare
)

// A budget is what is left of maxWork. A search that has none left is Unproven, so that what a hostile program costs is bounded.
type budget int

// spend takes n away and reports whether there was as much.
func (b *budget) spend(n int) bool {
	*b -= budget(n)
	return *b >= 0
}

// solve looks for a packet that passes all tests. Overlapping comes with one; Disjoint means that it is proven that there is none; Unproven
// comes with the reason.
func solve(p path, work *budget) ([]byte, Verdict, string) {
	layouts := maxLayouts
	return layOut(p, &layouts, work)
}

// layOut replaces fields behind an index by fixed ones, for each value that the index can have.
func layOut(p path, layouts *int, work *budget) ([]byte, Verdict, string) {
	at := slices.IndexFunc(p, func(t test) bool { return t.field.index.size != 0 })
	if at < 0 {
		if *layouts--; *layouts < 0 || !work.spend(1) {
			return nil, Unproven, "the offsets of its fields have too many combinations"
		}
		return construct(p, work)
	}
	ix := p[at].field.index
	if bits.OnesCount32(ix.mask) > 8 {
		return nil, Unproven, "the offset in " + ix.where().String() + " has too many values"
	}
	verdict, why := Disjoint, ""
	for v := uint32(0); ; {
		if !work.spend(len(p)) {
			return nil, Unproven, "the offsets of its fields have too many combinations"
		}
		if q, ok := p.fixed(ix, v); ok {
			switch packet, verd, reason := layOut(q, layouts, work); verd {
			case Overlapping:
				return packet, verd, ""
			case Unproven:
				verdict, why = verd, reason
			}
		}
		if v = (v - ix.mask) & ix.mask; v == 0 { // the next number within the mask
			return nil, verdict, why
		}
	}
}

// fixed is the path where an index has value v. It is false if that contradicts the path.
func (p path) fixed(ix index, v uint32) (path, bool) {
	q, ok := path(nil).and(test{field: ix.where(), kind: eq, mask: ix.mask, lo: v, hi: v})
	for i := 0; i < len(p) && ok; i++ {
		t := p[i]
		if t.field.index == ix {
			t.field = t.field.at(v)
		}
		q, ok = q.and(t)
	}
	return q, ok
}

// A draft is a packet that is being made up: which of its bits are settled, and what they are.
type draft struct {
	settled, bytes []byte
	open           path // tests that are not equalities
	tries          int
	work           *budget
}

// construct is solve for fields at fixed offsets.
func construct(p path, work *budget) ([]byte, Verdict, string) {
	n, verdict, why := chooseLength(p)
	if verdict != Overlapping {
		return nil, verdict, why
	}
	d := draft{settled: make([]byte, n), bytes: make([]byte, n), tries: maxTries, work: work}
	for i := range p {
		t := &p[i]
		switch {
		case t.field == length || t.kind == has:
		case t.kind != eq:
			d.open = append(d.open, *t)
		default:
			if m, v := d.get(&t.field); (v^t.lo)&m&t.mask != 0 {
				return nil, Disjoint, ""
			}
			d.set(&t.field, t.mask, t.lo)
		}
	}
	// So far only what must be is settled: what cannot be now can never be.
	for i := range d.open {
		t := &d.open[i]
		m, v := d.get(&t.field)
		if _, ok := t.next(t.first(), m&t.mask, v&t.mask); !ok {
			return nil, Disjoint, ""
		}
	}
	slices.SortStableFunc(d.open, func(a, b test) int { return order(a.kind < b.kind, a.kind != b.kind) })
	if d.choose(0) && p.passes(d.bytes) {
		return d.bytes, Overlapping, ""
	}
	why = "no values were found, and none were ruled out, for"
	for i := range d.open {
		why += " " + d.open[i].field.String()
	}
	return nil, Unproven, why
}

// chooseLength is a length that the tests allow and that holds all their fields.
func chooseLength(p path) (int, Verdict, string) {
	lo, hi := uint64(0), uint64(1<<32-1)
	for i := range p {
		switch t := &p[i]; {
		case t.field != length:
			if t.field.off >= extensions {
				return 0, Disjoint, ""
			}
			lo = max(lo, uint64(t.field.off)+uint64(t.field.size))
		case t.kind != ne && t.mask == t.field.all():
			lo, hi = max(lo, uint64(t.lo)), min(hi, uint64(t.hi))
		}
	}
	for n := lo; n <= min(hi, maxWitness) && n-lo < maxLengths; n++ {
		if !slices.ContainsFunc(p, func(t test) bool { return t.field == length && !t.holds(uint32(n)) }) {
			return int(n), Overlapping, ""
		}
		if n == hi {
			return 0, Disjoint, ""
		}
	}
	switch {
	case lo > hi:
		return 0, Disjoint, ""
	case lo > maxWitness:
		return 0, Unproven, "a packet of " + decimal(lo) + " bytes or more would be needed"
	}
	return 0, Unproven, "no length was found, and not all were ruled out"
}

// choose settles values for the open tests from the i-th on: the smallest that will do, the largest, and then those between from
// below. What makes a later test fail is mostly that a value is too far from an end.
func (d *draft) choose(i int) bool {
	if i == len(d.open) {
		return true
	}
	t := &d.open[i]
	m, old := d.get(&t.field)
	low, ok := t.next(t.first(), m&t.mask, old&t.mask)
	if !ok {
		return false
	}
	if d.settle(i, low) {
		return true
	}
	if top, ok := t.last(m&t.mask, old&t.mask); ok && d.settle(i, top) {
		return true
	}
	for low < t.mask && d.tries > 0 {
		if low, ok = t.next(low+1, m&t.mask, old&t.mask); !ok {
			return false
		}
		if d.settle(i, low) {
			return true
		}
	}
	return false
}

// settle tries a value for the i-th open test. The draft is as before if that leads nowhere.
func (d *draft) settle(i int, v uint32) bool {
	if d.tries--; d.tries < 0 || !d.work.spend(1) {
		return false
	}
	t := &d.open[i]
	m, old := d.get(&t.field)
	d.set(&t.field, t.mask, v)
	if d.choose(i + 1) {
		return true
	}
	d.put(&t.field, m, old)
	return false
}

// get returns which bits of a field are settled, and their values.
func (d *draft) get(f *field) (mask, v uint32) {
	mask, _ = fetch(d.settled, f.off, f.size)
	v, _ = fetch(d.bytes, f.off, f.size)
	return mask, v
}

// set settles the bits in mask.
func (d *draft) set(f *field, mask, v uint32) {
	m, old := d.get(f)
	d.put(f, m|mask, old&^mask|v&mask)
}

func (d *draft) put(f *field, mask, v uint32) {
	for i := int(f.size) - 1; i >= 0; i-- {
		d.settled[f.off+uint32(i)], d.bytes[f.off+uint32(i)] = byte(mask), byte(v)
		mask, v = mask>>8, v>>8
	}
}

// first is the smallest value that a test could allow.
func (t *test) first() uint32 {
	if t.kind == ne {
		return 0
	}
	return t.lo
}

// next is the smallest value from "from" on that passes the test, has no bit outside its mask and agrees with what is settled.
func (t *test) next(from, settled, v uint32) (uint32, bool) {
	free := t.mask &^ settled
	for {
		n, ok := smallest(from, free, v)
		switch {
		case !ok || t.kind == in && n > t.hi:
			return 0, false
		case t.kind != ne || n != t.lo:
			return n, true
		case n == 1<<32-1:
			return 0, false
		}
		from = n + 1
	}
}

// last is the largest value that passes the test and agrees with what is settled, or, for an inequality, false if it is the one that does not.
func (t *test) last(settled, v uint32) (uint32, bool) {
	hi := t.mask
	if t.kind == in {
		hi = t.hi
	}
	free := t.mask &^ settled
	n, ok := smallest(^hi, free, ^(free | v)) // with all bits turned around, the largest is the smallest
	return ^n, ok && t.holds(^n)
}

// smallest is the smallest number of at least from whose bits are those of v and any of free. It is from itself, or agrees with from above
// some bit, has that bit where from has not, and is as small as it can be below.
func smallest(from, free, v uint32) (uint32, bool) {
	for i := -1; i < 32; i++ {
		above := uint32(uint64(0xffffffff) << uint(i+1))
		if (from&^(free|v)|v&^from)&above != 0 {
			continue
		}
		if i < 0 {
			return from, true
		}
		bit := uint32(1) << uint(i)
		if from&bit == 0 && (free|v)&bit != 0 {
			return from&above | bit | v&(bit-1), true
		}
	}
	return 0, false
}
