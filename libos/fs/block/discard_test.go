package block

import (
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
)

// discards is a disk that only discards, a few blocks at a time.
type discards struct {
	disk.Disk
	t       *testing.T
	sectors uint64
	next    flow.Block // where the next request begins
	most    int        // requests in a list
}

func (d *discards) Info() disk.Info {
	return disk.Info{Sectors: d.sectors, BlockSize: 512, MaxRuns: 8, MaxRun: 8 * exo.PageSize, Discard: true, MaxDiscard: 64}
}

func (d *discards) Space() (*flow.Disk, exo.Cap) {
	space, all, err := flow.NewDisk("discards", d.sectors)
	if err != nil {
		d.t.Fatal(err)
	}
	return space, all
}

func (d *discards) Notify(func()) {}

func (d *discards) Start(list ...*disk.Request) error {
	d.most = max(d.most, len(list))
	for _, r := range list {
		if r.Op != disk.Discard || r.Sector != d.next || r.Count == 0 || r.Count > 64 {
			d.t.Errorf("%v of %d sectors from %d on, where %d is next", r.Op, r.Count, r.Sector, d.next)
		}
		d.next += flow.Block(r.Count)
		r.Finish(nil)
	}
	return nil
}

// TestDiscardOfMany: an extent of many times what the disk discards at once is discarded as a whole, by a bounded number of requests at a time.
func TestDiscardOfMany(t *testing.T) {
	d := &discards{t: t, sectors: 1 << 20}
	v, err := OpenDisk(d)
	if err != nil {
		t.Fatal(err)
	}
	const last = 1<<20 - 3
	if err := v.Discard(0, last*512); err != nil {
		t.Fatal(err)
	}
	if d.next != last || d.most != maxRequests {
		t.Errorf("discarded up to sector %d, by %d requests at most; want %d and %d", d.next, d.most, last, maxRequests)
	}
}
