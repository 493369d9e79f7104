//go:build !hardtack

package exo

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// The hosted twin of a range has entries and no page tables: its memory can be touched at any time, and Touch says what a machine would
// do about it.

type hostRange struct {
	mem     []byte
	entries map[uint32]*PageOp // as mapped, with what was seen
}

var hostRanges struct {
	mu     sync.Mutex
	at     map[uintptr]*hostRange
	handle func(addr, pc uintptr, write bool) int
	page   func(addr uintptr, write bool) bool
}

func hwRange(pages uintptr) uintptr {
	h := &hostRanges
	h.mu.Lock()
	defer h.mu.Unlock()
	mem := make([]byte, (pages+1)*PageSize)
	lo := (uintptr(unsafe.Pointer(&mem[0])) + PageSize - 1) &^ (PageSize - 1)
	if h.at == nil {
		h.at = map[uintptr]*hostRange{}
	}
	h.at[lo] = &hostRange{mem: mem, entries: map[uint32]*PageOp{}}
	return lo
}

// Addresses on a host are the host's to choose.
func hwRangeAt(_, _ uintptr, _ bool) bool { return false }

func hwDropRange(lo, pages uintptr) bool {
	h := &hostRanges
	h.mu.Lock()
	defer h.mu.Unlock()
	ok := h.at[lo] != nil
	delete(h.at, lo)
	return ok
}

func hwPages(b *pageBatch) bool {
	h := &hostRanges
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.at[b.lo]
	if r == nil {
		return false
	}
	ops := unsafe.Slice(b.ops, b.n)
	for i := range ops {
		if ops[i].fail < failFrame {
			ops[i].fail = 0
			r.do(&ops[i], uint32(b.pages))
		}
		if ops[i].fail != 0 {
			b.failed++
		}
	}
	return true
}

func (r *hostRange) do(op *PageOp, pages uint32) {
	old := r.find(op.page)
	mapping := op.verb == verbMap || op.verb == verbMapLarge
	large := old != nil && old.large()
	switch {
	case op.verb == 0 || op.verb > verbClean:
		op.fail = failVerb
	case op.page >= pages || op.verb == verbMapLarge && pages-op.page < LargePages:
		op.fail = failOutside
	case large && (op.verb == verbMap || op.page != old.page && op.verb != verbQuery), op.verb == verbMapLarge && !large && r.any(op.page):
		op.fail = failMixed
	case mapping && atomic.LoadUintptr(op.live) == 0:
		op.fail = failFrame
	case !mapping && old == nil:
		op.fail = failAbsent
	}
	if op.fail != 0 {
		return
	}
	if op.seen = 0; old != nil {
		op.seen = old.seen
		if large {
			op.seen |= seenLarge
		}
	}
	if mapping {
		e := *op
		e.seen = 0
		r.entries[op.page] = &e
		return
	}
	op.frame = old.frame + uintptr(op.page-old.page)*PageSize
	switch op.verb {
	case verbUnmap:
		delete(r.entries, op.page)
	case verbProtect:
		old.prot = op.prot
	case verbClean:
		old.seen = 0
		fallthrough
	case verbQuery:
		op.prot = old.prot
	}
}

func (op *PageOp) large() bool { return op.verb == verbMapLarge }

// find gives the entry that maps a page.
func (r *hostRange) find(page uint32) *PageOp {
	if e := r.entries[page&^(LargePages-1)]; e != nil && e.large() {
		return e
	}
	return r.entries[page]
}

// any says whether one of the pages that a large page at page would take is mapped.
func (r *hostRange) any(page uint32) bool {
	for i := range uint32(LargePages) {
		if r.entries[page+i] != nil {
			return true
		}
	}
	return false
}

func hwUnmapFrames(lo, pages uintptr, frames *[2]uintptr) {
	h := &hostRanges
	h.mu.Lock()
	defer h.mu.Unlock()
	for base, r := range h.at {
		if lo < base || lo >= base+uintptr(len(r.mem)) {
			continue
		}
		for page, e := range r.entries {
			n := uintptr(PageSize)
			if e.large() {
				n *= LargePages
			}
			if e.frame+n > frames[0] && e.frame < frames[1] {
				delete(r.entries, page)
			}
		}
	}
}

// On the host an address is as good as a physical one.
func hwPhysical(va, n uintptr) (phys, run uintptr) { return va, n }

// What a program on a host has elsewhere than in ranges is the host's affair.
func hwResident(_, pages uintptr, _ *uint64) int { return int(pages) }

func hwDirty(lo, pages uintptr, bits *uint64) (found int) {
	h := &hostRanges
	h.mu.Lock()
	defer h.mu.Unlock()
	for base, r := range h.at {
		if lo < base || lo >= base+uintptr(len(r.mem)) {
			continue
		}
		words := unsafe.Slice(bits, (pages+63)/64)
		first := uint32((lo - base) / PageSize)
		for page, e := range r.entries {
			if i := page - first; page >= first && i < uint32(pages) && e.seen&seenWrite != 0 {
				e.seen &^= seenWrite
				words[i/64] |= 1 << (i % 64)
				found++
			}
		}
	}
	return found
}

func hwUpcalls(handle func(addr, pc uintptr, write bool) int, page func(addr uintptr, write bool) bool) {
	hostRanges.handle, hostRanges.page = handle, page
}

// Touch does to a range on the host what an access to a page does on a machine: the processor notes it, or the range's holder sees a fault. It
// reports whether the access came through. Tests only.
func Touch(r *Pages, page int, write bool) bool {
	h := &hostRanges
	for range 100 {
		h.mu.Lock()
		hr := h.at[r.lo]
		var e *PageOp
		if hr != nil {
			e = hr.find(uint32(page))
		}
		if e != nil && e.prot != ProtNone && (!write || e.prot == ProtWrite) {
			e.seen |= seenAccess
			if write {
				e.seen |= seenWrite
			}
			h.mu.Unlock()
			return true
		}
		h.mu.Unlock()
		addr := r.lo + uintptr(page)*PageSize
		if h.handle == nil {
			return false
		}
		switch Verdict(h.handle(addr, 0, write)) {
		case Decline, Bus:
			return false
		case Defer:
			if !h.page(addr, write) {
				return false
			}
		}
	}
	return false
}
