package buf

import "sync/atomic"

// A Block is contiguous memory with a count of the Refs to it.
type Block struct {
	mem  []byte
	phys uint64 // what devices call mem[0]; 0 where that is not known or not one run
	refs atomic.Int32
	home home
}

// home is who has a block when nobody refers to it any more.
type home interface{ takeBack(*Block) }

// Size is how much memory the block holds on to, used or not: what accounting counts.
func (b *Block) Size() int { return len(b.mem) }

// A Ref is some bytes of a block and one of its references. The zero Ref has no bytes and need not be released.
type Ref struct {
	block  *Block
	lo, hi uint32
}

// Bytes are the bytes. They are valid until the Ref is released.
func (r Ref) Bytes() []byte {
	if r.block == nil {
		return nil
	}
	return r.block.mem[r.lo:r.hi:r.hi]
}

// Len is the number of bytes.
func (r Ref) Len() int { return int(r.hi - r.lo) }

// Block is what the bytes lie in, nil for the zero Ref.
func (r Ref) Block() *Block { return r.block }

// Phys is a device's address of the first byte. ok is false where it is not known: hosted, or in lent memory, which is contiguous by pages only.
func (r Ref) Phys() (addr uint64, ok bool) {
	if r.block == nil || r.block.phys == 0 {
		return 0, false
	}
	return r.block.phys + uint64(r.lo), true
}

// Front is how many bytes of the block lie before the Ref's own.
func (r Ref) Front() int { return int(r.lo) }

// Back is how many bytes of the block lie behind the Ref's own.
func (r Ref) Back() int {
	if r.block == nil {
		return 0
	}
	return len(r.block.mem) - int(r.hi)
}

// Share is how much of the memory of r's pool one holder may have: an eighth of what is left. So however many keep what they have received, none takes the rest, and
// who has nothing yet finds some (dynamic thresholds, Choudhury and Hahne 1998). It is 0 for the last 64th, which is for what is not kept. ok is false where r is of no pool.
func (r Ref) Share() (bytes int, ok bool) {
	if r.block == nil {
		return 0, false
	}
	p, ok := r.block.home.(*Pool)
	if !ok {
		return 0, false
	}
	if p.Free() < p.limit*p.size/64 {
		return 0, true
	}
	return p.Share(), true
}

// Clone is another reference to the same bytes.
func (r Ref) Clone() Ref {
	if r.block != nil {
		r.block.refs.Add(1)
	}
	return r
}

// Part is another reference, to bytes [lo, hi) of r. It panics if these are not in order or not in r, which is a bug of the caller.
func (r Ref) Part(lo, hi int) Ref {
	_ = r.Bytes()[lo:hi]
	if lo == hi {
		return Ref{}
	}
	c := r.Clone()
	c.lo, c.hi = r.lo+uint32(lo), r.lo+uint32(hi)
	return c
}

// Release gives up the reference and makes r the zero Ref. The block goes home with the last one.
func (r *Ref) Release() {
	b := r.block
	*r = Ref{}
	if b == nil {
		return
	}
	switch n := b.refs.Add(-1); {
	case n == 0:
		b.home.takeBack(b)
	case n < 0:
		panic("buf: a reference was released twice")
	}
}

// TrimFront drops the first n bytes; it panics if there are not so many.
func (r *Ref) TrimFront(n int) {
	_ = r.Bytes()[n:]
	r.lo += uint32(n)
}

// Truncate keeps the first n bytes; it panics if there are not so many.
func (r *Ref) Truncate(n int) {
	_ = r.Bytes()[:n]
	r.hi = r.lo + uint32(n)
}

// Grow makes the Ref begin n bytes earlier and end m bytes later in its block. These bytes must be nobody else's: it is for who filled the block.
// It panics if the block is not so large.
func (r *Ref) Grow(n, m int) {
	if n < 0 || m < 0 || n > r.Front() || m > r.Back() {
		panic("buf: a reference was grown beyond its block")
	}
	r.lo -= uint32(n)
	r.hi += uint32(m)
}

// lent is memory of the program's that comes back by a call.
type lent struct{ done func() }

func (l *lent) takeBack(*Block) {
	if l.done != nil {
		l.done()
	}
}

// Lend makes a Ref of memory that stays the program's. It must not be changed until done is called, which happens once, on any goroutine and
// perhaps under a protocol's locks: it may not block. Lend allocates. It panics for more than 1 GiB.
func Lend(p []byte, done func()) Ref {
	if len(p) > 1<<30 {
		panic("buf: more than 1 GiB was lent at once")
	}
	b := &Block{mem: p, home: &lent{done}}
	b.refs.Store(1)
	return Ref{block: b, hi: uint32(len(p))}
}
