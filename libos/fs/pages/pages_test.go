package pages

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

const slotBytes = PerSlot * Size

// A shelf is an owner that has one number in each slot.
type shelf struct {
	mu    sync.Mutex
	m     map[uint64]*Slot // under mu
	asked atomic.Int32
}

func (h *shelf) Forget(s *Slot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.m[s.Tags[0]] == s {
		delete(h.m, s.Tags[0])
	}
}

func (h *shelf) WriteBack() { h.asked.Add(1) }

// put keeps a number.
func (h *shelf) put(s *Store, n uint64) *Slot {
	x := s.Take(h)
	for b := x.Bytes(); len(b) > 0; b = b[Size:] {
		binary.NativeEndian.PutUint64(b, n)
	}
	if x.Kept() {
		h.mu.Lock()
		x.Tags[0] = n
		h.m[n] = x
		h.mu.Unlock()
	}
	return x
}

// get gives the slot of a number, pinned; nil where it is gone.
func (h *shelf) get(n uint64) *Slot {
	h.mu.Lock()
	defer h.mu.Unlock()
	if x := h.m[n]; x != nil && x.Pin() {
		return x
	}
	return nil
}

func newShelf() *shelf { return &shelf{m: map[uint64]*Slot{}} }

// has says which of the numbers below n are there, without using them.
func (h *shelf) has(n uint64) (list []uint64) {
	for i := range n {
		if x := h.m[i]; x != nil && x.There() {
			list = append(list, i)
		}
	}
	return list
}

// TestWhichGoes: the one that was not used for longest, never one that is pinned, whoever takes it.
func TestWhichGoes(t *testing.T) {
	mem := NewHeap(4 * slotBytes)
	s, h := New(mem), newShelf()
	pinned := h.put(s, 0)
	if pinned.Repin(); mem.Kept().Load() != PerSlot {
		t.Fatalf("%d pages are pinned", mem.Kept().Load())
	}
	pinned.Unpin()
	for i := uint64(1); i < 4; i++ {
		h.put(s, i).Unpin()
	}
	h.put(s, 4).Unpin() // 1 goes: all were used, and it comes first behind the hand
	if got := h.has(5); !slices.Equal(got, []uint64{0, 2, 3, 4}) {
		t.Fatalf("there are %v", got)
	}
	h.get(2).Unpin()
	h.put(s, 5).Unpin()
	if got := h.has(6); !slices.Equal(got, []uint64{0, 2, 4, 5}) {
		t.Fatalf("there are %v: 2 was used since, and 3 was not", got)
	}
	if n := mem.Seize(10); n != 3 {
		t.Fatalf("%d were taken by force", n)
	}
	if got := h.has(6); !slices.Equal(got, []uint64{0}) || h.get(2) != nil {
		t.Fatalf("there are %v", got)
	}
	// There is no memory: what is taken now is in no store.
	if x := h.put(s, 6); x.Kept() || len(x.Bytes()) != slotBytes {
		t.Fatal("a slot without memory")
	}
	mem.Allow(2)
	h.put(s, 7).Unpin()
	h.put(s, 8).Unpin()
	if got := h.has(9); !slices.Equal(got, []uint64{0, 7, 8}) {
		t.Fatalf("there are %v", got)
	}
	pinned.Unpin()
	s.Join(h)
	if n := s.Shrink(2); n != 2 || h.asked.Load() != 1 || len(h.has(9)) != 1 {
		t.Fatalf("%d given, asked %d times, %v are left", n, h.asked.Load(), h.has(9))
	}
	s.Leave(h)
	last := h.get(h.has(9)[0])
	if n := s.Shrink(2); n != 0 || h.asked.Load() != 1 {
		t.Fatalf("%d given, asked %d times", n, h.asked.Load())
	}
	last.Drop() // somebody has it
	if !last.There() {
		t.Fatal("dropped while it is pinned")
	}
	last.Unpin()
	last.Drop()
	if n := mem.Kept().Load(); n != 0 {
		t.Errorf("%d pages are pinned in the end", n)
	}
	if c := s.Counts(); c.Slots != 0 || c.Pinned != 0 || c.Forced != 3 || c.Given != 2 || c.Dropped != 1 || c.None != 1 || c.Reused != 2 || c.Filled != 6 {
		t.Errorf("%+v", c)
	}
}

// TestAllTakers: several owners use a store while its memory is taken by force, by asking and by dropping. Who has a slot pinned sees the number that it put there, and nobody's else.
func TestAllTakers(t *testing.T) {
	mem := NewHeap(16 * slotBytes)
	s := New(mem)
	var end atomic.Bool
	var takers, users sync.WaitGroup
	takers.Go(func() {
		r := rand.New(rand.NewPCG(1, 1))
		for !end.Load() {
			if n := 1 + r.IntN(8); r.IntN(2) == 0 {
				mem.Allow(mem.Seize(n))
			} else {
				s.Shrink(n)
			}
		}
	})
	for u := range 3 {
		users.Go(func() {
			h := newShelf()
			r := rand.New(rand.NewPCG(2, uint64(u)))
			for range 4_000 {
				n := uint64(u)<<32 | r.Uint64N(12)
				x := h.get(n)
				if x == nil {
					x = h.put(s, n)
				}
				if got := binary.NativeEndian.Uint64(x.Page(r.IntN(PerSlot))); got != n {
					t.Errorf("%x where %x was put", got, n)
					return
				}
				x.Unpin()
				if r.IntN(20) == 0 {
					x.Drop()
				}
			}
		})
	}
	users.Wait()
	end.Store(true)
	takers.Wait()
	c := s.Counts()
	if n := mem.Kept().Load(); n != 0 {
		t.Errorf("%d pages are pinned", int32(n))
	}
	if c.Slots > 16 || c.Pinned != 0 || c.Forced == 0 || c.Given == 0 || c.Reused == 0 || c.Dropped == 0 {
		t.Errorf("%+v", c)
	}
}
