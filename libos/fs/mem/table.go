package mem

// A page is some bytes of a file.
type page [pageSize]byte

// A table finds pages by their number. It is a tree of arrays, as high as the greatest number needs: a small file has one array, one with holes of terabytes
// a few.
type table struct {
	root   *branch
	height uint // levels above the lowest
}

const (
	fanBits = 6
	fan     = 1 << fanBits
)

// A branch has branches below it, or, on the lowest level, pages.
type branch struct {
	below []*branch // nil, or fan of them
	pages []*page
	lent  uint64 // a bit for each page
	used  int    // how many of below or pages are there
}

func newBranch(level uint) *branch {
	if level == 0 {
		return &branch{pages: make([]*page, fan)}
	}
	return &branch{below: make([]*branch, fan)}
}

// span is how many pages a branch of a level has below it.
func span(level uint) int64 { return 1 << ((level + 1) * fanBits) }

// leaf finds the lowest branch for page i; nil where there is none.
func (t *table) leaf(i int64) *branch {
	if t.root == nil || i >= span(t.height) {
		return nil
	}
	b := t.root
	for level := t.height; level > 0 && b != nil; level-- {
		b = b.below[i>>(level*fanBits)&(fan-1)]
	}
	return b
}

// at is page i; nil where there is none.
func (t *table) at(i int64) *page {
	b := t.leaf(i)
	if b == nil {
		return nil
	}
	return b.pages[i&(fan-1)]
}

// look is at, and tells whether the page was lent.
func (t *table) look(i int64) (p *page, lent bool) {
	b := t.leaf(i)
	if b == nil {
		return nil, false
	}
	return b.pages[i&(fan-1)], b.lent>>(i&(fan-1))&1 != 0
}

// lend is at, and marks the page.
func (t *table) lend(i int64) *page {
	b := t.leaf(i)
	if b == nil || b.pages[i&(fan-1)] == nil {
		return nil
	}
	b.lent |= 1 << (i & (fan - 1))
	return b.pages[i&(fan-1)]
}

// set makes p page i, not lent.
func (t *table) set(i int64, p *page) {
	if t.root == nil {
		t.root, t.height = newBranch(0), 0
	}
	for i >= span(t.height) {
		t.height++
		up := newBranch(t.height)
		up.below[0], up.used = t.root, 1
		t.root = up
	}
	b := t.root
	for level := t.height; level > 0; level-- {
		next := &b.below[i>>(level*fanBits)&(fan-1)]
		if *next == nil {
			*next = newBranch(level - 1)
			b.used++
		}
		b = *next
	}
	k := i & (fan - 1)
	if b.pages[k] == nil {
		b.used++
	}
	b.pages[k] = p
	b.lent &^= 1 << k
}

// drop takes the pages from one up to another out, and returns how many there were.
func (t *table) drop(from, to int64) int64 {
	if t.root == nil {
		return 0
	}
	n := t.root.drop(t.height, 0, from, to)
	if t.root.used == 0 {
		*t = table{}
	}
	return n
}

// drop does that below a branch of a level whose first page is number first.
func (b *branch) drop(level uint, first, from, to int64) (n int64) {
	if level == 0 {
		for k := max(from-first, 0); k < min(to-first, fan); k++ {
			if b.pages[k] != nil {
				b.pages[k] = nil
				b.lent &^= 1 << k
				b.used--
				n++
			}
		}
		return n
	}
	each := span(level - 1)
	for k, c := range b.below {
		start := first + int64(k)*each
		if c == nil || start+each <= from || start >= to {
			continue
		}
		n += c.drop(level-1, start, from, to)
		if c.used == 0 {
			b.below[k] = nil
			b.used--
		}
	}
	return n
}

// count is how many pages there are from one up to another.
func (t *table) count(from, to int64) (n int64) {
	for i := t.next(from - 1); i < to; i = t.next(i) {
		n++
	}
	return n
}

// next is the first page behind i that is there; one beyond all where there is none.
func (t *table) next(i int64) int64 {
	for i++; t.root != nil && i < span(t.height); {
		b := t.root
		level := t.height
		for level > 0 && b != nil {
			b = b.below[i>>(level*fanBits)&(fan-1)]
			level--
		}
		if b == nil { // nothing in the whole span that this would have
			each := span(level)
			i = i/each*each + each
			continue
		}
		if b.pages[i&(fan-1)] != nil {
			return i
		}
		i++
	}
	return nowhere
}

// nowhere is the number of a page that cannot be.
const nowhere = 1 << 51
