//go:build !hardtack

package vm

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
)

func revocablePool(t testing.TB, n, least int) *Pool {
	t.Helper()
	p, err := NewRevocablePool(t.Name(), n, least)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func demand(n int, patience int64) exo.Demand {
	return exo.Demand{Names: uint64(n), Deadline: exo.Now() + patience, Why: "a test"}
}

const ages = 3600e9 // more than a test has

// TestHolderChoosesPages: a cache that is asked for frames gives up what its policy holds least dear, and nothing is lost.
func TestHolderChoosesPages(t *testing.T) {
	machine(t)
	const pages, least = 300, 40 // 64 in whole chunks
	d := &disk{data: map[int]byte{}}
	b := NewBacked(d, revocablePool(t, pages, least), new(LRU))
	r := reserve(t, pages, b)
	for page := range pages {
		touch(b, r, page, page%3 == 0, byte(page))
	}
	for page := range pages { // a second round, so that the next look finds all used but these
		r.Used(page)
	}
	dear := func(page int) bool { return page%2 == 0 }
	for page := range pages {
		if dear(page) {
			r.pages.Apply([]exo.PageOp{exo.Query(page)})
			exo.Touch(r.pages, page, false)
		}
	}
	if got := Reclaim(demand(100, ages)); got < 100 || got >= 100+chunkFrames || Revocable() != pages-got {
		t.Fatalf("%d frames came back, %d are left", got, Revocable())
	}
	for page := range pages {
		if _, in := b.at[page]; dear(page) && !in {
			t.Fatalf("page %d went before others that nobody used", page)
		}
	}
	if b.stats.Moved == 0 || b.stats.Taken != 0 || d.data[3] != 3 {
		t.Errorf("%+v, page 3 on disk is %d", b.stats, d.data[3])
	}
	if got := Reclaim(demand(pages, ages)); Revocable() != 64 {
		t.Errorf("%d more came back, %d are left", got, Revocable())
	}
	check := func() {
		t.Helper()
		for page := range pages {
			want := byte(0)
			if page%3 == 0 {
				want = byte(page)
			}
			if got, ok := touch(b, r, page, false, 0); !ok || got != want {
				t.Fatalf("page %d holds %d (%v), want %d: %v", page, got, ok, want, r.Err())
			}
		}
	}
	check()
	if got := Regrow(1000); got != pages-64 || Revocable() != pages {
		t.Errorf("%d frames were taken again, %d in all", got, Revocable())
	}
	check()
	reads := b.stats.Reads
	if check(); b.stats.Reads != reads {
		t.Errorf("%d pages were read though there is room for all", b.stats.Reads-reads)
	}
}

// stuck is a backing that does not get anything written.
type stuck struct {
	disk
	until chan struct{}
}

func (s *stuck) WritePage(page int, from []byte) error {
	<-s.until
	return s.disk.WritePage(page, from)
}

// TestTakenByForce: a cache that cannot give up in time loses frames. What was only read is read again, what was written is reported.
func TestTakenByForce(t *testing.T) {
	machine(t)
	const pages = 128
	s := &stuck{disk{data: map[int]byte{}}, make(chan struct{})}
	p := revocablePool(t, pages, 0)
	b := NewBacked(s, p, new(LRU))
	r := reserve(t, pages, b)
	for page := range pages {
		touch(b, r, page, page%2 == 0, 7)
	}
	if got := Reclaim(demand(40, 20e6)); got < 40 {
		t.Errorf("%d frames came back", got)
	}
	close(s.until)
	lost := 0
	for page := range pages {
		got, ok := touch(b, r, page, false, 0)
		switch {
		case !ok && page%2 == 0 && r.Err() == ErrTaken:
			lost++
			if err := r.Drop(page*PageSize, PageSize); err != nil {
				t.Error(err)
			}
			if _, ok := touch(b, r, page, true, 9); !ok {
				t.Errorf("page %d cannot be written again after Drop: %v", page, r.Err())
			}
		case !ok:
			t.Errorf("page %d: %v", page, r.Err())
		case page%2 == 0 && got != 7 || page%2 == 1 && got != 0:
			t.Errorf("page %d holds %d", page, got)
		}
	}
	if lost == 0 || lost > 32 || p.Free() != 0 || Revocable() != pages-40 {
		t.Errorf("%d written pages lost, %d frames left, %d free", lost, Revocable(), p.Free())
	}
}

// TestZeroTakenByForce: what is nowhere else is not made up.
func TestZeroTakenByForce(t *testing.T) {
	machine(t)
	p := revocablePool(t, 64, 0)
	z, s := NewZero(p), NewShared(p)
	r, q := reserve(t, 20, z), reserve(t, 20, s)
	for page := range 20 {
		exo.Touch(r.pages, page, true)
		exo.Touch(q.pages, page, true)
	}
	if got := Reclaim(demand(64, ages)); got != 64 {
		t.Errorf("%d frames came back", got)
	}
	if exo.Touch(r.pages, 3, false) || r.Err() != ErrTaken || exo.Touch(q.pages, 3, false) || q.Err() != ErrTaken {
		t.Error(r.Err(), q.Err())
	}
	if exo.Touch(r.pages, 19, true) || !errors.Is(r.Err(), ErrTaken) {
		t.Error(r.Err())
	}
}

// TestReclaimUnderLoad: pages come and go, are written and synchronised while frames are asked back and taken again.
func TestReclaimUnderLoad(t *testing.T) {
	machine(t)
	const pages = 200
	d := &disk{data: map[int]byte{}}
	b := NewBacked(d, revocablePool(t, 160, 32), new(LRU))
	r := reserve(t, pages, b)
	done := make(chan struct{})
	var users sync.WaitGroup
	for range 3 {
		users.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if !exo.Touch(r.pages, rand.IntN(pages), rand.IntN(3) == 0) {
					t.Error(r.Err())
					return
				}
				if rand.IntN(500) == 0 {
					b.Sync(r)
				}
			}
		})
	}
	for range 60 {
		Reclaim(demand(rand.IntN(200), ages))
		if n := Revocable(); n < 32 {
			t.Errorf("%d frames left", n)
		}
		Regrow(rand.IntN(100))
	}
	close(done)
	users.Wait()
	if b.Stats(r).Taken != 0 {
		t.Errorf("%+v", b.stats)
	}
}
