package flow

import (
	"sync/atomic"

	"github.com/hardtack-os/hardtack/exo"
)

// Block is the number of a block on a disk, as the disk counts.
type Block uint64

// maxBlocks is how many blocks a disk may have, so that differences of block numbers have a sign.
const maxBlocks = 1 << 62

// A Disk is the range of blocks that extents are taken from.
type Disk struct{ blocks names }

// NewDisk is for a disk's driver. Error: *exo.RangeError for no blocks, or more than 2^62.
func NewDisk(name string, blocks uint64) (*Disk, error) {
	space := "block of " + name
	if blocks == 0 || blocks > maxBlocks {
		return nil, &exo.RangeError{Space: space, Hi: blocks - 1, Last: maxBlocks - 1, Why: "a disk has 1 to 2^62 blocks"}
	}
	return &Disk{blocks: names{space: space, hi: blocks - 1}}, nil
}

// An Extent is blocks of a disk that its holder may transfer. The zero Extent has none.
type Extent struct {
	lo    uint64
	size  atomic.Int64 // in blocks; what Check compares with: below 0 once it is released
	bound *binding
}

// TakeExtent gives holder the blocks [lo, hi): these or none.
//
// Errors: *exo.RangeError for blocks that the disk has not, and for an empty range; *exo.HeldError that names who has the first of them that is held.
func (d *Disk) TakeExtent(holder string, lo, hi Block) (*Extent, error) {
	e := &Extent{lo: uint64(lo)}
	if hi == 0 || hi <= lo {
		return nil, &exo.RangeError{Space: d.blocks.space, Lo: uint64(lo), Hi: uint64(hi), Last: d.blocks.hi, Why: "the end, which is not included, must be above the beginning"}
	}
	e.size.Store(int64(hi - lo)) // not published yet; a range that is too long is refused below
	b, err := d.blocks.bind(holder, uint64(lo), uint64(hi)-1, func() { e.size.Store(-1) })
	if err != nil {
		return nil, err
	}
	e.bound = b
	return e, nil
}

// Check tells whether the n blocks from block on are the extent's: nil, *exo.RangeError or *exo.ReleasedError. It is one comparison; success
// allocates nothing.
//
// With the distance d from the extent's beginning and what is left of it behind block, size - d, all of d, size - d and
// size - d - n must not be negative: the or of their signs. Since no disk has more than 2^62 blocks, a block below the extent is a negative d, and a
// difference can only overflow where an earlier one is negative already.
func (e *Extent) Check(block Block, n uint32) error {
	d := int64(uint64(block) - e.lo)
	left := e.size.Load() - d
	if d|left|(left-int64(n)) >= 0 {
		return nil
	}
	return e.refuse(block, n)
}

//go:noinline
func (e *Extent) refuse(block Block, n uint32) error {
	size := e.size.Load()
	if e.bound == nil || size < 0 {
		space := "block"
		if e.bound != nil {
			space = e.bound.of.space
		}
		return &exo.ReleasedError{Space: space}
	}
	return &exo.RangeError{Space: e.bound.of.space, Lo: uint64(block), Hi: uint64(block) + uint64(max(n, 1)) - 1, Have: e.lo, Last: e.lo + uint64(size) - 1,
		Why: "the extent of " + e.bound.holder + " ends there: transfer less, or take more blocks"}
}

// Blocks are the extent's first block and the one behind its last. They say so after Release, too.
func (e *Extent) Blocks() (lo, hi Block) {
	if e.bound == nil {
		return 0, 0
	}
	return Block(e.lo), Block(e.bound.hi + 1)
}

// Release gives the blocks back. No transfer may be under way: wait for the disk first. Error: *exo.ReleasedError if it was released
// before.
func (e *Extent) Release() error { return e.bound.release() }
