package extent_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
	"github.com/hardtack-os/hardtack/libos/vm"
	"github.com/hardtack-os/hardtack/libos/vm/extent"
)

// recorder is a disk that notes where transfers go. ci/image TestExtentPager has a real one.
type recorder struct {
	disk.Disk
	info  disk.Info
	space *flow.Disk
	all   exo.Cap
	seen  []flow.Block
}

func (d *recorder) Info() disk.Info              { return d.info }
func (d *recorder) Space() (*flow.Disk, exo.Cap) { return d.space, d.all }
func (d *recorder) Start(list ...*disk.Request) error {
	if err := disk.Check(list, &d.info); err != nil {
		return err
	}
	for _, r := range list {
		d.seen = append(d.seen, r.Sector)
		r.Finish(nil)
	}
	return nil
}

func newRecorder(t *testing.T, block int) *recorder {
	t.Helper()
	d := &recorder{info: disk.Info{Name: "d", Sectors: 1000, BlockSize: block, PhysicalBlock: block, MaxRuns: 4, MaxRun: 1 << 20, Queues: 1}}
	var err error
	if d.space, d.all, err = flow.NewDisk("d", d.info.Sectors); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestPlaces: a page is where its number says, inside of the extent only, and no longer than that is held.
func TestPlaces(t *testing.T) {
	d := newRecorder(t, disk.SectorSize)
	e, err := d.space.Bind(d.all, "pages", 100, 125, exo.Read|exo.Write) // three pages and a sector
	if err != nil {
		t.Fatal(err)
	}
	b, err := extent.New(d, e)
	if err != nil || b.Pages() != 3 {
		t.Fatal(b.Pages(), err)
	}
	page := make([]byte, vm.PageSize)
	for i := range 3 {
		if err := errors.Join(b.ReadPage(i, page), b.WritePage(i, page)); err != nil {
			t.Error(err)
		}
	}
	if err := b.Flush(); err != nil {
		t.Error(err)
	}
	if want := []flow.Block{100, 100, 108, 108, 116, 116, 0}; !slices.Equal(d.seen, want) {
		t.Errorf("sectors %v, want %v", d.seen, want)
	}
	for _, i := range []int{3, -1, 1 << 40, 1 << 60, -1 << 62} {
		for _, f := range []func(int, []byte) error{b.ReadPage, b.WritePage} {
			if err, want := f(i, page), (*exo.RangeError)(nil); !errors.As(err, &want) {
				t.Errorf("page %d: %v", i, err)
			}
		}
	}
	if err := e.Release(); err != nil {
		t.Fatal(err)
	}
	if err, want := b.ReadPage(0, page), (*exo.ReleasedError)(nil); !errors.As(err, &want) {
		t.Errorf("after Release: %v", err)
	}
}

// TestLargeBlocks: a disk whose blocks no page holds is refused.
func TestLargeBlocks(t *testing.T) {
	d := newRecorder(t, 2*vm.PageSize)
	e, err := d.space.Bind(d.all, "pages", 0, 64, exo.Read)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := extent.New(d, e); !errors.As(err, new(*extent.SizeError)) {
		t.Error(err)
	}
}

// TestBeginsAmidBlock: the disk would refuse each page of such an extent.
func TestBeginsAmidBlock(t *testing.T) {
	d := newRecorder(t, vm.PageSize)
	e, err := d.space.Bind(d.all, "pages", 4, 64, exo.Read)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := extent.New(d, e); !errors.As(err, new(*exo.RangeError)) {
		t.Error(err)
	}
}
