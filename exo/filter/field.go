package filter

// A field is a number that a packet holds: size bytes at off, or at off plus what the index field says, modulo 2^32. Size 0 is the
// packet's length.
type field struct {
	index index // size 0: none
	off   uint32
	size  uint8
}

// An index is a field at a fixed offset that says where another begins: ((P[off:size] & mask) << shift), or >> -shift.
type index struct {
	off, mask uint32
	size      uint8
	shift     int8
}

var length = field{} // the packet's length

// load is the field's value; false if it is not in the packet.
func (f *field) load(packet []byte) (uint32, bool) {
	off := f.off
	if f.index.size != 0 {
		i, ok := fetch(packet, f.index.off, f.index.size)
		if !ok {
			return 0, false
		}
		off += shifted(i&f.index.mask, f.index.shift)
	}
	if f.size == 0 {
		return uint32(len(packet)), true
	}
	return fetch(packet, off, f.size)
}

// at is the field where its index has this value (before shifting).
func (f field) at(v uint32) field {
	return field{off: f.off + shifted(v, f.index.shift), size: f.size}
}

// where is the field that holds an index.
func (i index) where() field { return field{off: i.off, size: i.size} }

// all is the mask of all bits of a field.
func (f *field) all() uint32 {
	switch f.size {
	case 1:
		return 0xff
	case 2:
		return 0xffff
	}
	return 0xffffffff
}

// covers reports whether every packet that has f has g.
func (f *field) covers(g *field) bool {
	const far = 1 << 30 // below, no index makes an offset wrap around
	if f.index.size != 0 && g.index.size == 0 {
		if where := f.index.where(); where.covers(g) {
			return true
		}
	} else if f.index != g.index {
		return false
	}
	return f.size != 0 && f.off < far && shifted(f.index.mask, f.index.shift) < far &&
		uint64(g.off)+uint64(g.size) <= uint64(f.off)+uint64(f.size)
}

// before is the order in which fields are tested: as they lie in the packet, those behind an index after those that are fixed, the
// length last. It is what a program would do, so a packet that nobody wants is dropped early.
func (f *field) before(g *field) int {
	switch {
	case (f.size == 0) != (g.size == 0):
		return order(g.size == 0, f.size == 0)
	case f.index.size != g.index.size:
		return order(f.index.size < g.index.size, true)
	case f.index != g.index:
		a, b := f.index, g.index
		switch {
		case a.off != b.off:
			return order(a.off < b.off, true)
		case a.mask != b.mask:
			return order(a.mask < b.mask, true)
		}
		return order(a.shift < b.shift, true)
	case f.off != g.off:
		return order(f.off < g.off, true)
	case f.size != g.size:
		return order(f.size < g.size, true)
	}
	return 0
}

// order turns "a is less" into what slices.SortFunc wants; the two differ.
func order(less, differ bool) int {
	switch {
	case less:
		return -1
	case differ:
		return 1
	}
	return 0
}

func shifted(v uint32, by int8) uint32 {
	if by < 0 {
		return v >> uint(-by)
	}
	return v << uint(by)
}

// String names the field in an error: the bytes, counted from the packet's first.
func (f field) String() string {
	if f.size == 0 {
		return "length"
	}
	s := hex(uint64(f.off))
	if f.index.size != 0 {
		s = "(" + field{off: f.index.off, size: f.index.size}.String() + "&" + hex(uint64(f.index.mask)) + ")"
		switch {
		case f.index.shift > 0:
			s += "<<" + decimal(uint64(f.index.shift))
		case f.index.shift < 0:
			s += ">>" + decimal(uint64(-f.index.shift))
		}
		s += "+" + hex(uint64(f.off))
	}
	return "P[" + s + ":" + decimal(uint64(f.size)) + "]"
}
