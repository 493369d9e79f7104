package pages

// An index says where the pages of a cache are, by their numbers on the device. They are kept by rows of PerSlot, since pages that lie in a row there come and go together: of those only the first looks into the map.
//
// There is a pointer for each row, and none for each page: collections look at all of a large cache's, and a large file written makes many of those.
type index struct {
	rows map[uint64]*row // by the pages' number divided by PerSlot
	last *row            // the one that was asked for last, nil for none
	key  uint64          // whose it is
}

// A row is where PerSlot pages are, 0 for those that are not there; n are.
type row struct {
	at [PerSlot]place
	n  int
}

// row gives the one of a page, nil for none.
func (x *index) row(page uint64) *row {
	if k := page / PerSlot; x.last == nil || x.key != k {
		r := x.rows[k]
		if r == nil {
			return nil
		}
		x.last, x.key = r, k
	}
	return x.last
}

// find says where a page is; 0 for nowhere.
func (x *index) find(page uint64) place {
	if r := x.row(page); r != nil {
		return r.at[page%PerSlot]
	}
	return 0
}

// add says where a page is that is nowhere yet. It allocates for the first of a row.
func (x *index) add(page uint64, p place) {
	r := x.row(page)
	if r == nil {
		r = new(row)
		x.rows[page/PerSlot], x.last, x.key = r, r, page/PerSlot
	}
	r.at[page%PerSlot] = p
	r.n++
}

// remove says that a page, which is somewhere, is nowhere any more.
func (x *index) remove(page uint64) {
	r := x.row(page)
	r.at[page%PerSlot] = 0
	if r.n--; r.n == 0 {
		delete(x.rows, page/PerSlot)
		x.last = nil
	}
}

// all gives the pages that are somewhere. The one given may be removed meanwhile.
func (x *index) all(yield func(page uint64) bool) {
	for k, r := range x.rows {
		for i, p := range r.at {
			if p != 0 && !yield(k*PerSlot+uint64(i)) {
				return
			}
		}
	}
}
