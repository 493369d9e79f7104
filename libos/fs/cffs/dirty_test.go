package cffs

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// TestDirties compares dirty pages with a map of them, at random.
func TestDirties(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	of := &pages.Slot{}
	for round := range 200 {
		var d dirties
		want := map[uint64]page{}
		span := uint64(1) << (2 + round%12)
		for range 300 {
			switch i := r.Uint64N(span); r.IntN(8) {
			case 0:
				b := i + r.Uint64N(span/4+1)
				d.cut(i, b, func(p page) {
					if p.of == nil {
						t.Fatal("a page without memory was taken out")
					}
				})
				for k := range want {
					if k >= i && k <= b {
						delete(want, k)
					}
				}
			default:
				if _, there := want[i]; !there {
					p := page{of: of, at: uint8(r.IntN(pages.PerSlot)), fresh: r.IntN(2) == 0}
					d.put(i, p)
					want[i] = p
				}
			}
			i := r.Uint64N(span)
			p, ok := d.get(i)
			if q, there := want[i]; ok != there || p != q || d.has(i) != there {
				t.Fatalf("page %d: %v, %v; want %v, %v", i, p, ok, q, there)
			}
		}
		var order []uint64
		for i, p := range d.all() {
			if order = append(order, i); p != want[i] {
				t.Fatalf("page %d is %v, want %v", i, p, want[i])
			}
		}
		if !slices.IsSorted(order) || len(order) != len(want) || d.n != len(want) {
			t.Fatalf("%d pages in the order %v, and %d counted; want %d", len(order), order, d.n, len(want))
		}
		if len(order) > 0 && d.last() != order[len(order)-1] {
			t.Fatalf("the last is %d, want %d", d.last(), order[len(order)-1])
		}
		d.cut(0, 1<<51, func(page) {})
		if d.n != 0 || len(d.list) != 0 {
			t.Fatalf("%d pages and %d windows are left", d.n, len(d.list))
		}
	}
}

// TestCoveredSinceCommit: what no extent covered when it was written first is covered once it was committed, so that a write of a part keeps the rest.
func TestCoveredSinceCommit(t *testing.T) {
	f := mount(t, formatted(t, 4096), Options{Manual: true})
	defer f.Close()
	want := bytes.Repeat([]byte("covered!"), 3*BlockSize/8)
	write(t, f, "/f", want)
	f.Sync()
	in, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	file := in.(*File)
	defer file.Unref()
	want[BlockSize+1] = 'O'
	if _, _, e := file.WriteAt(want[BlockSize+1:][:1], BlockSize+1); e != 0 {
		t.Fatal(e)
	}
	got := make([]byte, len(want))
	if n, e := file.ReadAt(got, 0); e != 0 || !bytes.Equal(got[:n], want) {
		t.Fatalf("%d bytes were read, error %d, which differ from those written", n, e)
	}
}
