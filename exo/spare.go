package exo

import "sync/atomic"

// Spares is memory that its holder can do without at any moment: a cache of what is also somewhere else. It lies in slots of SpareFrames frames each.
//
// A slot has a word, by which the holder has said beforehand what may be taken: SpareHave, and the number of those who use it in the bits below SpareBusy. Where that is 0, whoever makes the
// word SpareHave|SpareBusy by compare-and-swap has the slot: the holder, to put something else there or to Drop it, or the allocator of frames, when it has none left for who faults. That is
// revocation without a question, for the one case that cannot wait for an answer: who faults may hold any lock, also the holder's, and the runtime's own. Where there is time, the holder is asked
// (short). SpareUsed has the allocator pass a slot over once. The record of what was taken is the count of Taken and the words, which are 0.
//
// As the heap's, these frames are nobody's by capability: the bottom half has lent them, and takes them.
type Spares struct {
	words  []atomic.Uint32  // the first is Kept
	frames []atomic.Uintptr // physical address of each slot's first; right while the slot has some
}

// spares is the machine's.
var spares *Spares

// Bits of a slot's word.
const (
	SpareHave = 1 << 31
	SpareUsed = 1 << 30
	SpareBusy = 1 << 29
)

// SpareFrames is how many frames a slot has.
const SpareFrames = 16

// OpenSpares makes so many slots, empty ones, of which least are never taken once they have frames. The machine has one Spares; it stays. short is called, by one goroutine of the
// runtime's, when few frames are left: it gives so many back by Drop, as far as it can, and says how many.
//
// Errors: *ExhaustedError where there is one already, or the machine has none to give, as a program on a host.
func OpenSpares(slots, least int, short func(frames int) (given int)) (*Spares, error) {
	if slots <= 0 || slots > maxFrames*64 || least < 0 {
		return nil, outside("spare slots", uint64(slots), uint64(slots), 1, maxFrames*64, "there must be some")
	}
	va := hwSpareOpen(uintptr(slots), uintptr(least), short)
	if va == 0 {
		return nil, &ExhaustedError{Space: "spare memory", Want: uint64(slots), Why: "somebody has it already, or the machine keeps none"}
	}
	spares = &Spares{wordsAt(va-4, uintptr(slots)+1), numbersAt(va-4-8*uintptr(slots), uintptr(slots))}
	return spares, nil
}

// MapSpare enters page i of a slot at a page of a range, in place of what was mapped there, to be read only: it is the holder's to change. The slot is in use, and stays so until the page is
// mapped nowhere any more; no force unmaps it. Where nobody uses it, the operation fails.
func MapSpare(page, slot, i int, p Prot) PageOp {
	op := PageOp{page: pageNumber(page), verb: verbMap, prot: min(p, ProtRead), fail: failFrame}
	if s := spares; s != nil && uint(slot) < uint(s.Slots()) && uint(i) < SpareFrames {
		if w := s.Word(slot).Load(); w&SpareHave != 0 && w&SpareBusy == 0 && w&(SpareBusy-1) != 0 {
			op.frame, op.live, op.fail = s.frames[slot].Load()+uintptr(i)*PageSize, &spareLive, 0
		}
	}
	return op
}

// spareLive is what keeps a page of a slot mapped: nothing but its holder ends that.
var spareLive = uintptr(1)

// Slots is how many there are.
func (s *Spares) Slots() int { return len(s.words) - 1 }

// Word is a slot's.
func (s *Spares) Word(i int) *atomic.Uint32 { return &s.words[i+1] }

// Kept is how many pages the holder has that must not be taken: what is counted as free by CountFrames is less by so many.
func (s *Spares) Kept() *atomic.Uint32 { return &s.words[0] }

// Fill gives an empty slot frames with anything in them, and makes its word SpareHave|SpareBusy. nil: so many frames are not free that the rest could do without them; for the least slots twice as many as
// those have are enough. Then the runtime's heap gives back a piece of what it has, does not use and is to give back anyhow, which may make it enough. It waits for nobody but the runtime's locks. The caller is
// on a goroutine.
func (s *Spares) Fill(i int) []byte {
	pa := hwSpareFill(uintptr(s.check(i)))
	if pa == 0 {
		return nil
	}
	return physBytes(pa, SpareFrames*PageSize)
}

// Drop gives the frames of a slot back, whose word is SpareHave|SpareBusy by the caller's doing, and makes it empty. It does not block.
func (s *Spares) Drop(i int) { hwSpareDrop(uintptr(s.check(i))) }

// Spare says that MapSpare knows the slots by their numbers.
func (s *Spares) Spare() bool { return s == spares }

// check is i, which is a slot's number.
func (s *Spares) check(i int) int {
	_ = &s.words[1:][i]
	return i
}

// Taken is how many slots were taken. It becomes more only.
func (s *Spares) Taken() uint64 { return hwSpareTaken() }
