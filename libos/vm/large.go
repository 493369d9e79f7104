package vm

import (
	"errors"

	"github.com/hardtack-os/hardtack/exo"
)

// LargeSize is the size of a large page in bytes: 2 MiB.
const LargeSize = exo.LargePages * PageSize

// Large is a pager of large pages that are zero at first touch: one fault, and one entry of what the processor remembers of page tables, for 2 MiB.
// What is left of a region behind its last whole 2 MiB has small pages, which come all together.
//
// Of what is dropped only whole large pages go; a part of one keeps what it holds.
type Large struct {
	free []*exo.Frames       // 2 MiB each
	at   map[int]*exo.Frames // by the first page
}

// NewLarge takes n large pages for a holder. It serves one region, and has them until Close.
//
// Errors: of exo.TakeFrames: there may be enough memory, and too little in whole 2 MiB.
func NewLarge(holder string, n int) (*Large, error) {
	l := &Large{at: map[int]*exo.Frames{}}
	for range n {
		f, err := exo.TakeFrames(holder, exo.LargePages, LargeSize)
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		l.free = append(l.free, f)
	}
	return l, nil
}

// Fault implements Pager.
func (l *Large) Fault(r *Region, page int, _ bool) error {
	first := page / exo.LargePages * exo.LargePages
	f := l.at[first]
	if f == nil {
		k := len(l.free) - 1
		if k < 0 {
			return ErrNoFrame
		}
		f, l.free = l.free[k], l.free[:k]
		clear(f.Bytes())
		l.at[first] = f
	}
	if f.Err() != nil {
		return ErrTaken
	}
	var ops []exo.PageOp
	if n := r.Pages() - first; n >= exo.LargePages {
		ops = append(ops, exo.MapLarge(first, f, 0, exo.ProtWrite))
	} else {
		for i := range n {
			ops = append(ops, exo.Map(first+i, f, i, exo.ProtWrite))
		}
	}
	_, err := r.pages.Apply(ops)
	for i := range ops {
		err = errors.Join(err, ops[i].Err())
	}
	return err
}

// Drop implements Pager, for a single page, which is part of a large one.
func (l *Large) Drop(*Region, int) {}

// DropRange implements RangePager.
func (l *Large) DropRange(r *Region, page, n int) {
	for first := (page + exo.LargePages - 1) / exo.LargePages * exo.LargePages; first < page+n; first += exo.LargePages {
		f, whole := l.at[first], min(exo.LargePages, r.Pages()-first)
		if f == nil || first+whole > page+n {
			continue
		}
		if whole == exo.LargePages {
			r.Unmap(first)
		} else {
			for i := range whole {
				r.Unmap(first + i)
			}
		}
		delete(l.at, first)
		l.free = append(l.free, f)
	}
}

// Close gives the frames back to exo. The region is closed first.
func (l *Large) Close() (err error) {
	for _, f := range l.free {
		err = errors.Join(err, f.Release())
	}
	l.free = nil
	return err
}
