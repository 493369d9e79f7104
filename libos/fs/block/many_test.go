package block

import (
	"errors"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
)

// scripted is a disk whose requests end when the test says so.
type scripted struct {
	disk.Disk
	t     *testing.T
	start func(list []*disk.Request) // ends all of them
}

func (s *scripted) Info() disk.Info {
	return disk.Info{Sectors: 1 << 14, BlockSize: 512, MaxRuns: 8, MaxRun: 8 * exo.PageSize, Discard: true, MaxDiscard: 64}
}

func (s *scripted) Space() (*flow.Disk, exo.Cap) {
	d, all, err := flow.NewDisk("scripted", s.Info().Sectors)
	if err != nil {
		s.t.Fatal(err)
	}
	return d, all
}

func (s *scripted) Notify(func()) {}

func (s *scripted) Start(list ...*disk.Request) error {
	in := s.Info()
	if err := disk.Check(list, &in); err != nil {
		return err
	}
	s.start(list)
	return nil
}

func openScripted(t *testing.T, start func(list []*disk.Request)) *Disk {
	t.Helper()
	v, err := OpenDisk(&scripted{t: t, start: start})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestManyPieces writes a list of many times as many pieces as are under way at once: all are written, by a bounded number of requests at a time, and none behind those of which one failed.
func TestManyPieces(t *testing.T) {
	const pieces = 1500
	list := make([]Piece, pieces)
	for i := range list {
		list[i] = Piece{[][]byte{make([]byte, 512)}, int64(i) * 1024}
	}
	for _, bad := range []int{-1, 300} {
		most, next := 0, 0
		failed := &disk.IOError{}
		v := openScripted(t, func(list []*disk.Request) {
			most = max(most, len(list))
			for _, r := range list {
				if r.Op != disk.Write || r.Sector != flow.Block(2*next) || r.Size() != 512 {
					t.Errorf("request %d is %v of %d bytes at sector %d", next, r.Op, r.Size(), r.Sector)
				}
				var err error
				if next == bad {
					err = failed
				}
				next++
				r.Finish(err)
			}
		})
		err := v.WriteAll(list)
		want, began := error(nil), pieces
		if bad >= 0 {
			want, began = failed, 2*maxRequests
		}
		if !errors.Is(err, want) || next != began || most != maxRequests {
			t.Errorf("%v; %d requests, by %d at most; want %v, %d and %d", err, next, most, want, began, maxRequests)
		}
		next, most = 0, 0
		if err := v.WriteAll(append(list[:pieces:pieces], Piece{list[0].Vec, 1 << 40})); err != errRange || next != 0 {
			t.Errorf("with one that is not inside: %v, %d requests", err, next)
		}
	}
}

// TestPartitionCounts: what a partition of a disk counts is requests, each with its own time, and the disk counts the same.
func TestPartitionCounts(t *testing.T) {
	const late = 30 * time.Millisecond
	v := openScripted(t, func(list []*disk.Request) {
		for _, r := range list[1:] {
			r.Finish(nil)
		}
		time.Sleep(late)
		list[0].Finish(nil)
	})
	p := &Partition{Device: v, at: 1 << 20, size: 1 << 20, info: Info{Size: 1 << 20, BlockSize: 512}}
	var list []Piece
	for i := range 4 {
		list = append(list, Piece{[][]byte{make([]byte, 512)}, int64(i) * 1024})
	}
	if err := WriteAll(p, list); err != nil {
		t.Fatal(err)
	}
	if err := p.Discard(0, 2*64*512); err != nil {
		t.Fatal(err)
	}
	mine, whole := p.Use(), v.Use()
	for _, u := range []Use{mine, whole} {
		if u.Written.Requests != 4 || u.Written.Sectors != 4 || u.Discarded.Requests != 2 || u.Discarded.Sectors != 128 || u.Flying != 0 {
			t.Errorf("%+v", u)
		}
		if u.Written.Time < int64(late) || u.Busy < int64(late) {
			t.Errorf("too little time: %+v", u)
		}
	}
	if mine.Written != whole.Written || mine.Discarded != whole.Discarded {
		t.Errorf("4 requests took %d ns by the partition's count, and %d by the disk's", mine.Written.Time, whole.Written.Time)
	}
}
