//go:build !hardtack

package exo

import (
	"sync"
	"unsafe"
)

// hostSpare is the hosted twin of spare memory, in frames of the machine beneath: what cannot be had otherwise is taken from slots that nobody uses. A host without a machine has none: caches
// there are of a fixed size (libos/fs/pages has a stand-in for tests).
type hostSpare struct {
	mu    sync.Mutex
	mem   []uint64 // as the bottom half has it: addresses, and words behind them
	s     *Spares  // over mem
	held  int      // slots that have frames
	least int      // of them, those that stay
	hand  int
	taken uint64
}

var hostSpares = new(hostSpare)

func hwSpareOpen(slots, least uintptr, _ func(int) int) uintptr {
	h := hostSpares
	h.mu.Lock()
	defer h.mu.Unlock()
	if host == nil || h.mem != nil {
		return 0
	}
	h.mem = make([]uint64, slots+slots/2+1)
	at := uintptr(unsafe.Pointer(&h.mem[0]))
	h.s = &Spares{wordsAt(at+8*slots, slots+1), numbersAt(at, slots)}
	h.least = int(least)
	return at + 8*slots + 4
}

func hwSpareFill(i uintptr) uintptr {
	h := hostSpares
	h.mu.Lock()
	defer h.mu.Unlock()
	free, total := host.CountFrames()
	if free <= total>>3+total>>6+SpareFrames {
		return 0
	}
	pa := host.Frames(SpareFrames, SpareFrames*PageSize)
	if pa != 0 {
		h.s.frames[i].Store(pa)
		h.s.Word(int(i)).Store(SpareHave | SpareBusy)
		h.held++
	}
	return pa
}

func hwSpareDrop(i uintptr) {
	h := hostSpares
	h.mu.Lock()
	defer h.mu.Unlock()
	h.empty(int(i))
}

// empty frees the frames of a slot that is busy. mu is held.
func (h *hostSpare) empty(i int) {
	h.s.Word(i).Store(0)
	h.held--
	host.FreeFrames(h.s.frames[i].Load(), SpareFrames)
}

func hwSpareTaken() uint64 {
	hostSpares.mu.Lock()
	defer hostSpares.mu.Unlock()
	return hostSpares.taken
}

// seize takes a slot that nobody uses.
func (h *hostSpare) seize() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mem == nil {
		return false
	}
	for n := 2 * h.s.Slots(); n > 0 && h.held > h.least; n-- {
		h.hand = (h.hand + 1) % h.s.Slots()
		p := h.s.Word(h.hand)
		switch w := p.Load(); w {
		case SpareHave | SpareUsed:
			p.CompareAndSwap(w, SpareHave)
		case SpareHave:
			if p.CompareAndSwap(w, SpareHave|SpareBusy) {
				h.empty(h.hand)
				h.taken++
				return true
			}
		}
	}
	return false
}

// free is how many frames seize could take.
func (h *hostSpare) free() uintptr {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mem == nil {
		return 0
	}
	return uintptr(max((h.held-h.least)*SpareFrames-int(h.s.Kept().Load()), 0))
}
