package pages

import (
	"io"
	"sync/atomic"
)

// BlockSize is that of a block of Blocks, in bytes: a slot's memory.
const BlockSize = PerSlot * Size

// Blocks are pages that come into memory a slot at a time, because what they are made from is of no use in smaller parts: a sum is of so many bytes, or so many were compressed together. They are
// numbered from 0 on, and only read. Its methods may be called by several goroutines at a time.
type Blocks struct {
	cache  *Cache // block i has the pages from i*PerSlot+1 on
	n      int64
	ahead  bool         // what lies behind is read before anybody asks, if it is read in order
	coming atomic.Int32 // loads for nobody yet
}

// A BlockSource is what blocks are read from.
type BlockSource interface {
	// ReadBlocks fills vec with blocks from one on. It may park. held: it failed, and a device may write to that memory still.
	ReadBlocks(vec [][]byte, first int64) (held bool, err error)
}

const (
	blocksAtOnce = AtOnce / PerSlot // that are asked for together
	mostComing   = 16               // loads of Blocks that may be on their way for nobody yet
)

// noSums are those of a block's pages: whoever fills it has looked.
var noSums [PerSlot]uint32

// NewBlocks makes n blocks, none of which is in memory. ahead: it pays to have more read than was asked for, as from a disk, which works by itself.
func NewBlocks(store *Store, n int64, from BlockSource, ahead bool) *Blocks {
	return &Blocks{cache: NewCache(store, blockPages{from}), n: n, ahead: ahead}
}

// blockPages is a Source whose loads are whole blocks.
type blockPages struct{ of BlockSource }

// ReadPages implements Source.
func (b blockPages) ReadPages(vec [][]byte, first uint64) (held bool, err error) {
	return b.of.ReadBlocks(vec, int64(first-1)/PerSlot)
}

// Sum implements Source.
func (blockPages) Sum([]byte) uint32 { return 0 }

// Size is how many bytes there are.
func (b *Blocks) Size() int64 { return b.n * BlockSize }

// page is the number of a block's first page.
func page(block int64) uint64 { return uint64(block)*PerSlot + 1 }

// A Part is some bytes in a row among those of Blocks, as a file's.
type Part struct {
	of       *Blocks
	at, size int64
	order    Order
}

// Part gives size bytes from an offset on, which lie inside.
func (b *Blocks) Part(at, size int64) *Part { return &Part{of: b, at: at, size: size} }

// Piece returns bytes from an offset on, pinned: one at least, up to the end of their block or the part. n are wanted: where it pays, their blocks are read together. It parks
// while the source works.
// Errors: io.EOF behind the end, and the source's for the block that has the first byte; what is wrong with another its reader will hear.
func (p *Part) Piece(off, n int64) (Hold, error) {
	if off < 0 || off >= p.size {
		return Hold{}, io.EOF
	}
	n = max(1, min(n, p.size-off))
	b, at := p.of, p.at+off
	block, in := at/BlockSize, at%BlockSize
	want := int64(1)
	if b.ahead {
		want = min((in+n+BlockSize-1)/BlockSize, blocksAtOnce)
	}
	h := b.cache.Run(page(block), noSums[:])
	if b.ahead {
		p.ahead(off, n, h.Data == nil)
	}
	if h.Data != nil {
		b.cache.Store.Hit(PerSlot)
	} else {
		b.cache.Store.Miss()
		var err error
		if h, err = b.fetch(block, want); err != nil {
			return Hold{}, err
		}
	}
	return Hold{h.Of.Bytes()[in:min(BlockSize, in+p.size-off)], h.Of, int(in / Size)}, nil
}

// ReadAt implements io.ReaderAt.
func (p *Part) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		h, err := p.Piece(off+int64(n), int64(len(b)-n))
		if err != nil {
			return n, err
		}
		n += copy(b[n:], h.Data)
		h.Release()
	}
	return n, nil
}

// Cached says whether the page that begins at off is in memory.
func (p *Part) Cached(off int64) bool {
	if off < 0 || off >= p.size {
		return false
	}
	first, last := p.at+off, p.at+min(off+Size, p.size)-1
	return p.of.cache.Has(uint64(first/Size)+1) && p.of.cache.Has(uint64(last/Size)+1)
}

// fetch gives a block that is not in memory, and reads up to want along with it, as far as the store has memory for them.
func (b *Blocks) fetch(block, want int64) (Hold, error) {
	for {
		if l := b.cache.Coming(page(block), 1); l != nil {
			<-l.Done
		}
		if h := b.cache.Run(page(block), noSums[:]); h.Data != nil {
			return h, nil
		}
		l, n := b.cache.Begin(page(block), uint64(want*PerSlot))
		if l == nil {
			continue
		}
		room := b.cache.RoomFor(int(n), PerSlot)
		h, err := b.cache.Fetch(l, page(block), room)
		if err == nil || len(room) == 1 {
			return h, err
		}
		want = 1 // which of them?
	}
}

// ahead is told that n bytes are looked at, and whether the first are missing: what lies behind may be read before anybody asks.
func (p *Part) ahead(off, n int64, missing bool) {
	b, store := p.of, p.of.cache.Store
	i := uint64(off) / Size
	from, to := p.order.Look(store, i, uint64(off+n+Size-1)/Size-i, uint64(p.size+Size-1)/Size, missing)
	if to == 0 {
		from, to = p.order.Further(store, i)
	}
	if to == 0 {
		return
	}
	end := (p.at + min(int64(to)*Size, p.size) + BlockSize - 1) / BlockSize
	for block := (p.at + int64(from)*Size) / BlockSize; block < end; {
		if b.coming.Load() >= mostComing {
			p.order.Stop(uint64(max(block*BlockSize-p.at, 0)) / Size)
			return
		}
		l, n := b.cache.Begin(page(block), uint64(min(end-block, blocksAtOnce)*PerSlot))
		if l == nil {
			block++
			continue
		}
		b.coming.Add(1)
		go b.fetchAhead(l, page(block), n)
		block += int64(n / PerSlot)
	}
}

// fetchAhead reads n pages from one on for nobody yet.
func (b *Blocks) fetchAhead(l *Load, first, n uint64) {
	b.cache.FetchAhead(l, first, n)
	b.coming.Add(-1)
}
