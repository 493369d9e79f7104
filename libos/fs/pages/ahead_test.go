package pages

import "testing"

// TestOrderOfMany: who looks at many pages, in order or not, is told of each that follows once, of none that he did not ask for, and never of more than may be on their way.
func TestOrderOfMany(t *testing.T) {
	const size, n = 10_000, 3000
	store := New(NewHeap(32 << 20))
	for _, begin := range []uint64{0, 1, 4000} {
		var o Order
		if begin == 1 { // in order
			o.Look(store, 0, 1, size, true)
		}
		from, to := o.Look(store, begin, n, size, true)
		asked := begin
		for i := begin; i < begin+n; i += 16 {
			if from < to {
				if from != asked && from != i || to > i+window(store) {
					t.Fatalf("from page %d, at %d: %d to %d, and %d was the last", begin, i, from, to, asked)
				}
				asked = to
			}
			if asked < min(i+16+window(store)/2, begin+n) {
				t.Fatalf("from page %d, at %d: nothing behind %d is on its way", begin, i, asked)
			}
			from, to = o.Further(store, i+16)
		}
		if begin == 1 && asked <= begin+n || begin != 1 && asked != begin+n {
			t.Errorf("from page %d: up to %d", begin, asked)
		}
	}
}
