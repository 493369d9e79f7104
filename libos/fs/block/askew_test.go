package block

import (
	"bytes"
	"slices"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
)

// words is a disk that takes memory as NVMe does, and nothing else. On the host what it is told is where the memory lies.
type words struct {
	disk.Disk
	t    *testing.T
	info disk.Info
	runs int       // requests
	at   []exo.Run // their memory
}

func (w *words) Info() disk.Info {
	if w.info.Sectors != 0 {
		return w.info
	}
	return disk.Info{Sectors: 64, BlockSize: 512, MaxRuns: 8, MaxRun: 8 * exo.PageSize, MaxBytes: 8 * exo.PageSize, Pages: true}
}

func (w *words) Space() (*flow.Disk, exo.Cap) {
	d, all, err := flow.NewDisk("words", w.Info().Sectors)
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
		w.at = append(w.at, r.Memory...)
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

// TestNotCopied writes pieces of all shapes, which a disk is to take from where they lie, also where a request's most bytes or pieces end inside of one.
func TestNotCopied(t *testing.T) {
	const most = 4 * exo.PageSize
	for _, x := range []struct {
		name   string
		info   disk.Info
		pieces []int // lengths; 8 bytes are between two
		want   int   // requests
	}{
		{"bytes", disk.Info{MaxRuns: 8, MaxBytes: most}, []int{1, 510, 1}, 1},
		{"words", disk.Info{MaxRuns: 8, MaxBytes: most, Words: true}, []int{100, 400, 12}, 1},
		{"more than the most bytes, where that is inside of a piece", disk.Info{MaxRuns: 8, MaxBytes: most}, []int{100, 2 * most, 412}, 3},
		{"more than the most pieces, where these are no blocks", disk.Info{MaxRuns: 3, MaxBytes: most}, []int{600, 600, 600, 600, 160}, 2},
		{"pages", disk.Info{MaxRuns: 8, MaxBytes: most, Pages: true}, []int{3 * exo.PageSize}, 1},
	} {
		x.info.Sectors, x.info.BlockSize, x.info.MaxRun = 256, 512, most
		w := &words{t: t, info: x.info}
		v, err := OpenDisk(w)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 16*exo.PageSize)
		var vec [][]byte
		at := 0
		for _, n := range x.pieces {
			vec = append(vec, b[at:at+n])
			at += n + 8
		}
		if err := v.Write(vec, 0); err != nil || w.runs != x.want {
			t.Errorf("%s: %v, %d requests of %d", x.name, err, w.runs, x.want)
		}
		var want []exo.Run
		for _, p := range vec {
			r, err := exo.PhysicalRuns(p)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, r...)
		}
		if a, b := bytesOf(w.at), bytesOf(want); !slices.Equal(a, b) {
			t.Errorf("%s: %v was given to the disk, not %v", x.name, a, b)
		}
	}
}

// bytesOf joins what lies in a row.
func bytesOf(runs []exo.Run) (list []exo.Run) {
	for _, r := range runs {
		if n := len(list) - 1; n >= 0 && list[n].Base+exo.Phys(list[n].Len) == r.Base {
			list[n].Len += r.Len
			continue
		}
		list = append(list, r)
	}
	return list
}
