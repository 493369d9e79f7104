package filter

// A value is what a register holds while a program is walked: a constant, a part of a field, or something that is not followed.
type value struct {
	what  what
	shift int8   // of a part: left, or right if negative
	mask  uint32 // of a part: the bits of the field that survive the shift
	add   uint32 // a constant, or what is added to a part
	field field
}

// A part is (field & mask) << shift + add, modulo 2^32.

type what uint8

const (
	constant what = iota // the zero value is the constant 0
	part
	unknown
)

func number(c uint32) value { return value{add: c} }

func whole(f field) value {
	return value{what: part, field: f, mask: f.all()}
}

// shiftBy is v shifted left, or right if by is negative. Bits that fall off on the way are taken out of the mask, so
// that what is left can be shifted back.
func (v value) shiftBy(by int) value {
	if v.add != 0 {
		return value{what: unknown}
	}
	to := int(v.shift) + by
	if to <= -32 || to >= 32 {
		return number(0)
	}
	v.shift = int8(to)
	return v.keep(0xffffffff)
}

// keep is v & mask, for v without anything added.
func (v value) keep(mask uint32) value {
	if v.add != 0 {
		return value{what: unknown}
	}
	v.mask &= shifted(mask, -v.shift)
	if v.mask == 0 {
		return number(0)
	}
	return v
}

// compute is what arithmetic makes of two values. It is exact or unknown. Division of anything by the constant 0 is for the caller.
func (a value) compute(op uint16, b value) value {
	op &^= byX
	if a.what == constant && b.what == constant {
		c, _ := compute(op, a.add, b.add)
		return number(c)
	}
	if a.what == constant && b.what == part && (op == AddK || op == AndK || op == MulK) {
		a, b = b, a
	}
	if a.what != part || b.what != constant {
		return value{what: unknown}
	}
	k := b.add
	power := k != 0 && k&(k-1) == 0
	switch {
	case op == AddK:
		a.add += k
		return a
	case op == SubK:
		a.add -= k
		return a
	case op == AndK:
		return a.keep(k)
	case op == LshK:
		return a.shiftBy(int(k & 31))
	case op == RshK:
		return a.shiftBy(-int(k & 31))
	case op == MulK && power:
		return a.shiftBy(log2(k))
	case op == DivK && power:
		return a.shiftBy(-log2(k))
	case op == ModK && power:
		return a.keep(k - 1)
	case (op == OrK || op == XorK) && k == 0:
		return a
	}
	return value{what: unknown}
}

func log2(k uint32) int {
	n := 0
	for k > 1 {
		k >>= 1
		n++
	}
	return n
}

// compare turns a conditional jump on v and a constant into a test that holds if it is taken, and one that holds if not.
// A part with something added can only be compared for equality: a range would wrap around.
func (v value) compare(op uint16, k uint32) (yes, no test, ok bool) {
	op &^= byX
	none := test{field: v.field, kind: in, mask: v.mask, lo: 1} // an empty range
	yes = test{field: v.field, mask: v.mask}
	no = yes
	if v.add != 0 && op != JeqK {
		return yes, no, false
	}
	k -= v.add
	switch op {
	case JeqK:
		back := shifted(k, -v.shift)
		if shifted(back&v.mask, v.shift) != k {
			return none, test{field: v.field, kind: has}, true // no value of the part is k
		}
		yes.kind, yes.lo, yes.hi = eq, back, back
		no.kind, no.lo, no.hi = ne, back, back
	case JsetK:
		bits := v.keep(k)
		if bits.what == constant {
			return none, test{field: v.field, kind: has}, true
		}
		yes.mask, no.mask = bits.mask, bits.mask
		yes.kind, no.kind = ne, eq
	case JgtK, JgeK:
		if op == JgeK {
			if k == 0 {
				return test{field: v.field, kind: has}, none, true
			}
			k--
		}
		// part > k: (field & mask) > k shifted back, with the bits below filled for a shift right.
		var back uint64
		if v.shift < 0 {
			back = (uint64(k)+1)<<uint(-v.shift) - 1
		} else {
			back = uint64(k >> uint(v.shift))
		}
		if back >= uint64(v.mask) {
			return none, test{field: v.field, kind: has}, true
		}
		yes.kind, yes.lo, yes.hi = in, uint32(back)+1, v.mask
		no.kind, no.lo, no.hi = in, 0, uint32(back)
	}
	return yes, no, true
}
