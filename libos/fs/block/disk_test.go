package block

import (
	"errors"
	"testing"

	"github.com/hardtack-os/hardtack/exo/disk"
)

// ends is a disk whose requests end as they are told to, once it has refused one.
type ends struct {
	errs []error // nil: refused
	on   []*disk.Request
}

var errRefused = errors.New("refused")

func (e *ends) Start(r *disk.Request) error {
	n := len(e.on)
	e.on = append(e.on, r)
	if e.errs[n] != nil {
		return nil
	}
	for i, r := range e.on[:n] {
		r.Err = e.errs[i]
		r.Done(r)
	}
	return errRefused
}

// TestHeldMemory gives pieces of one transfer to a disk that does not stop: the memory is kept out of use, whichever of the requests says so, and whatever ended first.
func TestHeldMemory(t *testing.T) {
	failed, held := &disk.IOError{}, &disk.GoneError{Held: true}
	for _, c := range []struct {
		errs []error
		kept int
	}{
		{[]error{held, nil}, 1},
		{[]error{failed, held, nil}, 1},
		{[]error{held, held, nil}, 1},
		{[]error{failed, &disk.GoneError{}, nil}, 0},
		{[]error{nil}, 0},
	} {
		v := &Disk{}
		all := batch{disk: v, vec: [][]byte{make([]byte, 512)}}
		d := &ends{errs: c.errs}
		for i := range c.errs {
			if err := all.start(d, &disk.Request{}); (err != nil) != (i == len(c.errs)-1) {
				t.Fatal(i, err)
			}
		}
		all.wait()
		if len(v.lost) != c.kept {
			t.Errorf("%v: %d kept", c.errs, len(v.lost))
		}
	}
}

// TestCounts: what a disk does is counted by kinds, what it refuses is not.
func TestCounts(t *testing.T) {
	v := &Disk{}
	all := batch{disk: v}
	d := &ends{errs: []error{&disk.IOError{}, &disk.IOError{}, &disk.IOError{}, nil}}
	for i, r := range []*disk.Request{{Op: disk.Discard, Count: 8}, {Op: disk.Read}, {Op: disk.Read}, {Op: disk.Write}} {
		if err := all.start(d, r); (err != nil) != (i == 3) {
			t.Fatal(i, err)
		}
		if i < 3 && v.Use().Flying != int64(i+1) {
			t.Errorf("%d are under way", v.Use().Flying)
		}
	}
	all.wait()
	u := v.Use()
	if u.Discarded.Requests != 1 || u.Discarded.Sectors != 8 || u.Read.Requests != 2 || u.Written.Requests != 0 || u.Flushed.Requests != 0 || u.Flying != 0 {
		t.Errorf("%+v", u)
	}
	if whole := u.Read.Time + u.Discarded.Time; u.Busy < 0 || u.Busy > whole {
		t.Errorf("busy for %d ns, with requests of %d", u.Busy, whole)
	}
}
