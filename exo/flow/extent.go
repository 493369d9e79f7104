package flow

import (
	"sync/atomic"

	"github.com/hardtack-os/hardtack/exo"
)

// Block is the number of a block on a disk, as the disk counts.
type Block uint64

// maxBlocks is how many blocks a disk may have, so that differences of block numbers have a sign.
const maxBlocks = 1 << 62

// A Disk is the space of blocks that extents are bound in.
type Disk struct {
	space  *exo.Space
	name   string // of the space
	blocks atomic.Uint64
}

// NewDisk is for a disk's driver. It gives the capability of all blocks, which the driver hands on, derives from and takes back.
//
// Error: *exo.RangeError for no blocks, or more than 2^62.
func NewDisk(name string, blocks uint64) (*Disk, exo.Cap, error) {
	d := &Disk{name: "block of " + name}
	d.blocks.Store(blocks)
	if blocks == 0 || blocks > maxBlocks {
		return nil, exo.Cap{}, &exo.RangeError{Space: d.name, Hi: blocks - 1, Last: maxBlocks - 1, Why: "a disk has 1 to 2^62 blocks"}
	}
	s, c, err := exo.NewSpace(d.name, name, 0, blocks-1)
	d.space = s
	return d, c, err
}

// Grow is for a disk's driver: the disk has so many blocks by now. The new ones are free, and of the capability of all blocks.
//
// Errors: *exo.RangeError for fewer blocks than before, as many, or more than 2^62; why that capability ended.
func (d *Disk) Grow(blocks uint64) error {
	if blocks == 0 || blocks > maxBlocks {
		return &exo.RangeError{Space: d.name, Hi: blocks - 1, Last: maxBlocks - 1, Why: "a disk has 1 to 2^62 blocks"}
	}
	if err := d.space.Grow(blocks - 1); err != nil {
		return err
	}
	d.blocks.Store(blocks)
	return nil
}

// Blocks is how many blocks the disk has. It becomes more only.
func (d *Disk) Blocks() uint64 { return d.blocks.Load() }

// An Extent is blocks of a disk that its holder may transfer. The zero Extent has none.
type Extent struct {
	lo          uint64
	hi          atomic.Uint64 // not included
	read, write atomic.Int64  // how many blocks may be: what the checks compare with. Below 0 without the right, and once the binding ended
	disk        *Disk
	holder      string
	bound       *exo.Binding
}

// Bind gives holder the blocks [lo, hi), out of those of c, these or none; rights are exo.Read, exo.Write or both.
//
// Errors: *exo.RangeError for blocks that c has not, and for an empty range; *exo.HeldError that names who has the first of them that is not
// free; *exo.RightsError; those of an ended c.
func (d *Disk) Bind(c exo.Cap, holder string, lo, hi Block, rights exo.Rights) (*Extent, error) {
	if hi <= lo {
		return nil, &exo.RangeError{Space: d.name, Lo: uint64(lo), Hi: uint64(hi), Last: d.Blocks() - 1, Why: "the end, which is not included, must be above the beginning"}
	}
	if rights == 0 || rights&^(exo.Read|exo.Write) != 0 {
		return nil, &exo.RightsError{Space: d.name, Holder: holder, Want: rights, Have: exo.Read | exo.Write, Why: "an extent is bound to be read, written or both"}
	}
	e := &Extent{lo: uint64(lo), disk: d, holder: holder}
	e.hi.Store(uint64(hi))
	e.read.Store(-1)
	e.write.Store(-1)
	if rights&exo.Read != 0 {
		e.read.Store(int64(hi - lo)) // of use to nobody before Bind returns; a range that is too long is refused below
	}
	if rights&exo.Write != 0 {
		e.write.Store(int64(hi - lo))
	}
	b, err := d.space.Bind(c, holder, uint64(lo), uint64(hi)-1, rights, func() {
		e.read.Store(-1)
		e.write.Store(-1)
	})
	if err != nil {
		return nil, err
	}
	e.bound = b
	return e, nil
}

// CheckRead tells whether the n blocks from block on may be read: nil, *exo.RangeError, *exo.RightsError, or why the binding ended. It is one
// comparison; success allocates nothing.
func (e *Extent) CheckRead(block Block, n uint32) error {
	if e.within(e.read.Load(), block, n) {
		return nil
	}
	return e.refuse(block, n, exo.Read, e.read.Load())
}

// CheckWrite is CheckRead for writing.
func (e *Extent) CheckWrite(block Block, n uint32) error {
	if e.within(e.write.Load(), block, n) {
		return nil
	}
	return e.refuse(block, n, exo.Write, e.write.Load())
}

// within is the comparison. With the distance d from the extent's beginning and what is left of it behind block, size - d, none of d,
// size - d and size - d - n may be negative: that is the or of their signs. Since no disk has more than 2^62 blocks, a block below the extent
// is a negative d, and a difference can only overflow where one before it is negative already.
func (e *Extent) within(size int64, block Block, n uint32) bool {
	d := int64(uint64(block) - e.lo)
	left := size - d
	return d|left|(left-int64(n)) >= 0
}

//go:noinline
func (e *Extent) refuse(block Block, n uint32, want exo.Rights, size int64) error {
	if err := e.bound.Err(); err != nil {
		return err
	}
	if size < 0 {
		return &exo.RightsError{Space: e.disk.name, Holder: e.holder, Want: want, Have: (exo.Read | exo.Write) &^ want}
	}
	return &exo.RangeError{Space: e.disk.name, Lo: uint64(block), Hi: uint64(block) + uint64(max(n, 1)) - 1, Have: e.lo, Last: e.hi.Load() - 1,
		Why: "the extent of " + e.holder + " ends there: transfer less, or bind more blocks"}
}

// Blocks are the extent's first block and the one behind its last, also when the binding has ended.
func (e *Extent) Blocks() (lo, hi Block) { return Block(e.lo), Block(e.hi.Load()) }

// Extend binds the blocks behind the extent up to hi, which is not included, as well, with the same rights, out of the capability that it came from. Transfers may be under way.
//
// Errors: as Bind, and *exo.RangeError where hi is not behind the extent; why the binding ended, if it has. Then nothing has changed.
func (e *Extent) Extend(hi Block) error {
	return e.bound.Extend(uint64(hi)-1, func() {
		for _, n := range []*atomic.Int64{&e.read, &e.write} {
			if n.Load() >= 0 {
				n.Store(int64(uint64(hi) - e.lo))
			}
		}
		e.hi.Store(uint64(hi))
	})
}

// Release gives the blocks back to the capability that they came from. No transfer may be under way: wait for the disk first. The error is
// why the binding ended, if it had before.
func (e *Extent) Release() error { return e.bound.Release() }
