package block

import (
	"bytes"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
)

// words is a disk that takes memory as NVMe does, and nothing else. On the host what it is told is where the memory lies.
type words struct {
	disk.Disk
	t    *testing.T
	runs int // requests
}

func (w *words) Info() disk.Info {
	return disk.Info{Sectors: 64, BlockSize: 512, MaxRuns: 8, MaxRun: 8 * exo.PageSize, MaxBytes: 8 * exo.PageSize, Pages: true}
}

func (w *words) Space() (*flow.Disk, exo.Cap) {
	d, all, err := flow.NewDisk("words", 64)
	if err != nil {
		w.t.Fatal(err)
	}
	return d, all
}

func (w *words) Notify(func()) {}

func (w *words) Start(list ...*disk.Request) error {
	w.runs += len(list)
	in := w.Info()
	if err := disk.Check(list, &in); err != nil {
		return err
	}
	for _, r := range list {
		r.Finish(nil)
	}
	return nil
}

// TestAskew writes memory that lies at no multiple of 4 to a disk that wants one: it is copied.
func TestAskew(t *testing.T) {
	w := &words{t: t}
	v, err := OpenDisk(w)
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.Repeat([]byte{1}, 4097)
	for at := range 4 {
		w.runs = 0
		if err := v.Write([][]byte{b[at : at+1024], b[at+1024 : at+2048]}, 512); err != nil || w.runs == 0 {
			t.Errorf("at %d: %v, %d requests", at, err, w.runs)
		}
	}
}
