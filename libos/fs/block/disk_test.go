package block

import (
	"errors"
	"testing"

	"github.com/hardtack-os/hardtack/exo/disk"
)

// ends is a disk whose requests end at once, as they are told to. It refuses them where it is told nothing.
type ends []error

var errRefused = errors.New("refused")

func (e ends) Start(list ...*disk.Request) error {
	if len(e) == 0 {
		return errRefused
	}
	for i, r := range list {
		r.Err = e[i]
		r.Done(r)
	}
	return nil
}

// TestHeldMemory gives pieces of one transfer to a disk that does not stop: the memory is kept out of use, whichever of the requests says so, and whatever ended first.
func TestHeldMemory(t *testing.T) {
	failed, held := &disk.IOError{}, &disk.GoneError{Held: true}
	for _, c := range []struct {
		errs ends
		kept int
	}{
		{ends{held}, 2},
		{ends{failed, held}, 2},
		{ends{held, nil, held}, 2},
		{ends{failed, &disk.GoneError{}}, 0},
		{nil, 0},
	} {
		v := &Disk{}
		all := batch{disk: v, vec: [][][]byte{{make([]byte, 512)}, {make([]byte, 512)}}}
		for range max(1, len(c.errs)) {
			all.list = append(all.list, &disk.Request{})
		}
		if err := all.start(c.errs); (err != nil) != (c.errs == nil) {
			t.Fatal(err)
		}
		if err := all.wait(); c.errs != nil && err != c.errs[0] {
			t.Error(err)
		}
		if len(v.lost) != c.kept || v.Use().Flying != 0 {
			t.Errorf("%v: %d kept, %d flying", c.errs, len(v.lost), v.Use().Flying)
		}
	}
}

// TestCounts: what a disk does is counted by kinds, what it refuses is not.
func TestCounts(t *testing.T) {
	v := &Disk{}
	failed := &disk.IOError{}
	all := batch{disk: v, list: []*disk.Request{{Op: disk.Discard, Count: 8}, {Op: disk.Read}, {Op: disk.Read}}}
	if err := all.start(ends{failed, failed, failed}); err != nil {
		t.Fatal(err)
	}
	all.wait()
	refused := batch{disk: v, list: []*disk.Request{{Op: disk.Write}}}
	if err := refused.start(ends(nil)); err != errRefused {
		t.Fatal(err)
	}
	u := v.Use()
	if u.Discarded.Requests != 1 || u.Discarded.Sectors != 8 || u.Read.Requests != 2 || u.Written.Requests != 0 || u.Flushed.Requests != 0 || u.Flying != 0 {
		t.Errorf("%+v", u)
	}
	if whole := u.Read.Time + u.Discarded.Time; u.Busy < 0 || u.Busy > whole {
		t.Errorf("busy for %d ns, with requests of %d", u.Busy, whole)
	}
}
