package pages

import (
	"math/rand/v2"
	"testing"
)

// TestIndex holds an index against a map, with pages alone and in rows, until all are gone.
func TestIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	x, want := index{rows: map[uint64]*row{}}, map[uint64]place{}
	equal := func() {
		t.Helper()
		n := 0
		for page := range x.all {
			if n++; want[page] == 0 {
				t.Fatalf("page %d is nowhere", page)
			}
		}
		if n != len(want) {
			t.Fatalf("%d pages, want %d", n, len(want))
		}
	}
	for range 300 {
		first, n := r.Uint64N(500), r.Uint64N(3*PerSlot)
		gone := r.IntN(2) == 0
		for page := first; page < first+n; page++ {
			if p := x.find(page); p != want[page] {
				t.Fatalf("page %d at %d, want %d", page, p, want[page])
			} else if p != 0 && gone {
				x.remove(page)
				delete(want, page)
			} else if p == 0 && !gone {
				p = 1 + place(r.Uint32N(1000))
				x.add(page, p)
				want[page] = p
			}
		}
		equal()
	}
	for page := range x.all {
		x.remove(page)
		delete(want, page)
	}
	if equal(); len(x.rows) > 0 || x.find(7) != 0 {
		t.Errorf("%d rows are left", len(x.rows))
	}
}
