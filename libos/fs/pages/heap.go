package pages

import (
	"sync"
	"sync/atomic"
)

// Heap is memory of Go's own heap: of a fixed size, for programs on a host, and for tests, which take slots by force as an image's allocator of frames does.
type Heap struct {
	words []atomic.Uint32
	taken atomic.Uint64
	kept  atomic.Uint32

	mu   sync.Mutex
	hand int // under mu
	left int // under mu: slots that may be filled
}

// NewHeap makes memory for so many bytes, in whole slots.
func NewHeap(bytes int) *Heap {
	n := max(bytes/(PerSlot*Size), 1)
	return &Heap{words: make([]atomic.Uint32, n), left: n}
}

// Slots implements Memory.
func (h *Heap) Slots() int { return len(h.words) }

// Word implements Memory.
func (h *Heap) Word(i int) *atomic.Uint32 { return &h.words[i] }

// Fill implements Memory.
func (h *Heap) Fill(i int) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.left == 0 {
		return nil
	}
	h.left--
	h.words[i].Store(Have | Busy)
	return make([]byte, PerSlot*Size)
}

// Drop implements Memory.
func (h *Heap) Drop(i int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.words[i].Store(0)
	h.left++
}

// Spare implements Memory.
func (h *Heap) Spare() bool { return false }

// Taken implements Memory.
func (h *Heap) Taken() uint64 { return h.taken.Load() }

// Kept implements Memory.
func (h *Heap) Kept() *atomic.Uint32 { return &h.kept }

// Seize takes n clean slots by force, or as many as there are, as who faults does: it asks nobody. They can be filled again after Allow.
func (h *Heap) Seize(n int) (got int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for tries := 2 * len(h.words); tries > 0 && got < n; tries-- {
		h.hand = (h.hand + 1) % len(h.words)
		switch w := h.words[h.hand].Load(); {
		case w == Have|Used:
			h.words[h.hand].CompareAndSwap(w, Have)
		case w == Have && h.words[h.hand].CompareAndSwap(w, Have|Busy):
			h.words[h.hand].Store(0)
			h.taken.Add(1)
			got++
		}
	}
	return got
}

// Allow has n slots that were taken be filled again.
func (h *Heap) Allow(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left += n
}
