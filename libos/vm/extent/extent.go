// Package extent has the pages of a region on a disk: a pager vm.Backed, with a policy of the program's, brings them in from an extent and puts them out there. A page goes
// straight between the disk and its frame.
//
// It knows no files and keeps no order but that of its calls. What was written lasts when Flush has returned.
package extent

import (
	"fmt"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
	"github.com/hardtack-os/hardtack/libos/vm"
)

// perPage is how many sectors a page has.
const perPage = vm.PageSize / disk.SectorSize

// Backing is a vm.Backing: page n is the sectors [8n, 8n+8) of an extent.
type Backing struct {
	disk  disk.Disk
	in    *flow.Extent
	lo    flow.Block
	pages int
}

// New gives such a backing. The extent is the caller's, who releases it after the region is closed.
//
// Errors: *SizeError for a disk whose blocks are larger than a page; *exo.RangeError for an extent that begins amid a block.
func New(d disk.Disk, in *flow.Extent) (*Backing, error) {
	info := d.Info()
	if info.BlockSize > vm.PageSize {
		return nil, &SizeError{info.Name, info.BlockSize}
	}
	lo, hi := in.Blocks()
	if sectors := flow.Block(info.BlockSize / disk.SectorSize); lo%sectors != 0 {
		return nil, &exo.RangeError{Space: "sector of disk " + info.Name, Lo: uint64(lo), Hi: uint64(hi), Last: info.Sectors - 1, Why: fmt.Sprintf("a block has %d sectors: the extent begins at one", sectors)}
	}
	return &Backing{disk: d, in: in, lo: lo, pages: int((hi - lo) / perPage)}, nil
}

// SizeError says that a disk is of blocks that no page holds.
type SizeError struct {
	Disk      string
	BlockSize int
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("extent: disk %s has blocks of %d bytes: pages have %d", e.Disk, e.BlockSize, vm.PageSize)
}

// Pages is how many pages the extent holds whole.
func (b *Backing) Pages() int { return b.pages }

// ReadPage implements vm.Backing. Errors: *exo.RangeError for a page behind the extent's end; those of disk.Do. It parks.
func (b *Backing) ReadPage(page int, to []byte) error { return b.do(disk.Read, page, to) }

// WritePage implements vm.Backing, likewise.
func (b *Backing) WritePage(page int, from []byte) error { return b.do(disk.Write, page, from) }

func (b *Backing) do(op disk.Op, page int, memory []byte) error {
	if uint(page) >= uint(b.pages) {
		return &exo.RangeError{Space: "page of the extent", Lo: uint64(page), Hi: uint64(page), Last: uint64(b.pages) - 1, Why: "the extent is shorter"}
	}
	runs, err := exo.PhysicalRuns(memory)
	if err != nil {
		return err
	}
	return disk.Do(b.disk, &disk.Request{Op: op, Extent: b.in, Sector: b.lo + flow.Block(page)*perPage, Memory: runs})
}

// Flush makes stable what was written: vm.Backed.Sync first, then this. Errors: those of disk.Do. It parks.
func (b *Backing) Flush() error { return disk.Do(b.disk, &disk.Request{Op: disk.Flush}) }
