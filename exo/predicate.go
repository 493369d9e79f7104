package exo

import "sync/atomic"

// A Predicate is a condition on memory that a goroutine waits for: a wakeup predicate (Engler, Kaashoek and O'Toole, SOSP 1995, 5.1; Kaashoek et al., SOSP 1997, 5.3).
// It is made once, and is true while one of its alternatives is: all terms of it. Who waits uses no CPU meanwhile.
//
// Terms are looked at after each interrupt that a device raises for a Vector, and by [Poke], which follows a program's own stores. The scheduler may look earlier, when it
// looks for work. What changes memory without either, as a device does that was asked for no interrupts, is not seen before the next.
type Predicate struct {
	terms  []term
	ends   []int // of alternatives, in terms
	wait   func(deadline int64)
	inside atomic.Bool // a goroutine is in Wait
}

// An Op is what a Term compares by. Numbers are unsigned.
type Op uint8

// The comparisons of the masked word with Value.
const (
	Equal Op = iota
	NotEqual
	AtLeast
	Below
	ops
)

// A Term is one comparison of a 32-bit word of memory: of Frames, which devices write, or of the program's own.
type Term struct {
	Frames *Frames
	Off    uintptr        // of the word in Frames, a multiple of 4
	Word   *atomic.Uint32 // or this one; Frames is nil
	Mask   uint32         // bits of the word that count; 0: all
	Op     Op
	Value  uint32
}

type term struct {
	frames *Frames // nil: the program's word
	word   *atomic.Uint32
	mask   uint32
	op     Op
	value  atomic.Uint32
}

// MaxTerms is how many terms a Predicate may have: it is looked at with others waiting.
const MaxTerms = 16

// NewPredicate makes a predicate of alternatives, each of terms that must all be true.
//
// Errors: *RangeError for too few or too many terms, a word outside of its frames, an unknown Op or a Value that the mask can never give; *EmptyError for a term without a word;
// those of Frames.Err. It allocates; Wait and Set do not.
func NewPredicate(alternatives ...[]Term) (*Predicate, error) {
	p := new(Predicate)
	n := 0
	for _, all := range alternatives {
		if len(all) == 0 {
			return nil, outside("terms of an alternative", 0, 0, 1, MaxTerms, "one without terms would always be true")
		}
		n += len(all)
	}
	if n == 0 || n > MaxTerms {
		return nil, outside("terms of a predicate", uint64(n), uint64(n), 1, MaxTerms, "split it, or wait for less")
	}
	p.terms = make([]term, n)
	i := 0
	for _, all := range alternatives {
		for _, t := range all {
			if err := p.terms[i].set(t); err != nil {
				return nil, err
			}
			i++
		}
		p.ends = append(p.ends, i)
	}
	p.wait = hwPredicate(p.look)
	return p, nil
}

// set checks a term and takes it over.
func (x *term) set(t Term) error {
	x.mask, x.op = t.Mask, t.Op
	if x.mask == 0 {
		x.mask = ^uint32(0)
	}
	if t.Op >= ops {
		return outside("comparison", uint64(t.Op), uint64(t.Op), 0, uint64(ops-1), "Equal, NotEqual, AtLeast and Below are all")
	}
	if t.Value&^x.mask != 0 {
		return outside("value of a term", uint64(t.Value), uint64(t.Value), 0, uint64(x.mask), "it has bits that the mask takes away")
	}
	x.value.Store(t.Value)
	if (t.Frames == nil) == (t.Word == nil) {
		return &EmptyError{}
	}
	if x.word = t.Word; t.Word != nil {
		return nil
	}
	if err := t.Frames.Err(); err != nil {
		return err
	}
	size := t.Frames.n * PageSize
	if t.Off%4 != 0 || t.Off > size-4 {
		return outside("word of frames", uint64(t.Off), uint64(t.Off)+3, 0, uint64(size-1), "a word stays inside and is aligned")
	}
	x.frames, x.word = t.Frames, t.Frames.at.word(t.Off)
	return nil
}

// holds looks at one word.
func (x *term) holds() bool {
	v, want := x.word.Load()&x.mask, x.value.Load()
	switch x.op {
	case Equal:
		return v == want
	case NotEqual:
		return v != want
	case AtLeast:
		return v >= want
	default:
		return v < want
	}
}

// first is the first alternative that is true; -1: none.
func (p *Predicate) first() int {
	from := 0
	for i, end := range p.ends {
		all := true
		for k := from; k < end && all; k++ {
			all = p.terms[k].holds()
		}
		if all {
			return i
		}
		from = end
	}
	return -1
}

// look says whether who waits has something to do: the predicate is true, or memory that it is about has ended. It runs where nothing may allocate, park or store a pointer.
func (p *Predicate) look() bool {
	for i := range p.terms {
		if f := p.terms[i].frames; f != nil && atomic.LoadUintptr(&f.size) == 0 {
			return true
		}
	}
	return p.first() >= 0
}

// err is why memory that it is about has ended.
func (p *Predicate) err() error {
	for i := range p.terms {
		if f := p.terms[i].frames; f != nil && atomic.LoadUintptr(&f.size) == 0 {
			return f.b.err()
		}
	}
	return nil
}

// Wait parks the calling goroutine until the predicate is true and gives the first alternative that is, or -1 at the deadline (nanoseconds as Now gives them; 0: none). A
// predicate that is true already does not park. A word that is true for a moment only may be missed.
//
// Errors: *BusyError if another goroutine is in Wait; those of Frames.Err, also when frames end meanwhile.
func (p *Predicate) Wait(deadline int64) (alternative int, err error) {
	if !p.inside.CompareAndSwap(false, true) {
		return -1, &BusyError{"predicate"}
	}
	defer p.inside.Store(false)
	for {
		if err := p.err(); err != nil {
			return -1, err
		}
		if i := p.first(); i >= 0 {
			// The memory may have been another's while it was looked at.
			if err := p.err(); err != nil {
				return -1, err
			}
			return i, nil
		}
		if deadline != 0 && Now() >= deadline {
			return -1, nil
		}
		p.wait(deadline)
	}
}

// Set changes what term i of the predicate, counted through all alternatives, compares with; it panics if there is no such term. Bits that the mask takes away are cut off. It does not
// wake: who sets what is true pokes.
func (p *Predicate) Set(i int, value uint32) { p.terms[i].value.Store(value & p.terms[i].mask) }

// Poke has all predicates that somebody waits for looked at now, on the calling CPU. It costs a load where nobody waits.
func Poke() { hwPoke() }
