package mmap

import (
	"slices"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// placed is what the program has mapped that is no file's: where it may put something else. Nothing overlaps, or ends where another one begins. Go's own memory is not in it.
var placed struct {
	sync.Mutex // taken before all locks of this package
	list       []stretch
}

// A stretch is addresses, hi not included.
type stretch struct{ lo, hi uintptr }

// without are stretches less one, in a list of their own.
func without(list []stretch, cut stretch) (left []stretch) {
	for _, s := range list {
		for _, p := range []stretch{{s.lo, min(s.hi, cut.lo)}, {max(s.lo, cut.hi), s.hi}} {
			if p.lo < p.hi {
				left = append(left, p)
			}
		}
	}
	return left
}

// note adds a stretch. placed is locked.
func note(s stretch) {
	list := without(placed.list, s)
	for i := len(list) - 1; i >= 0; i-- {
		if p := list[i]; p.hi == s.lo || p.lo == s.hi {
			s = stretch{min(p.lo, s.lo), max(p.hi, s.hi)}
			list = slices.Delete(list, i, i+1)
		}
	}
	placed.list = append(list, s)
}

// own says whether all of a stretch is what the program has mapped itself: memory that is no file's, and whole mappings of files, which it gives. placed is locked.
func own(s stretch) (whole []*view, all bool) {
	left := []stretch{s}
	for _, p := range placed.list {
		left = without(left, p)
	}
	for _, v := range within(s.lo, s.hi-s.lo) {
		r := stretch{v.lo, v.lo + uintptr(v.n())*exo.PageSize}
		if r.lo < s.lo || r.hi > s.hi {
			return nil, false
		}
		whole = append(whole, v)
		left = without(left, r)
	}
	return whole, len(left) == 0
}

// empty unmaps all of a view, and gives what ends it when others have its addresses.
func (v *view) empty() (end func()) {
	v.o.mu.Lock()
	if v.closed {
		v.o.mu.Unlock()
		return func() {}
	}
	v.unmap(0, v.n())
	if v.writes() {
		v.o.writeBack(v.first, v.first+int64(v.n())) // what cannot be is tried again
	}
	v.leaveAll()
	v.o.mu.Unlock()
	return func() {
		v.o.mu.Lock()
		v.end()
	}
}

// fixed has take map something at a stretch that the flags name: in place of what the program has there itself, or where nothing is. EPERM where somebody else has it, EEXIST where it may not be
// replaced, ENOMEM where it was replaced by nothing. placed is locked.
func fixed(s stretch, flags uintptr, take func(replace bool) bool) syscall.Errno {
	switch {
	case s.lo%exo.PageSize != 0:
		return syscall.EINVAL
	case s.hi <= s.lo || s.hi > userEnd:
		return syscall.ENOMEM
	}
	if flags&mapFixedNoReplace != 0 {
		if !take(false) {
			return syscall.EEXIST
		}
		return 0
	}
	whole, all := own(s)
	var ends []func()
	if all {
		for _, v := range whole {
			ends = append(ends, v.empty())
		}
		placed.list = without(placed.list, s) // also if take fails: then others may come to be there
	}
	ok := take(all)
	for _, end := range ends {
		end()
	}
	switch {
	case ok:
		return 0
	case all:
		return syscall.ENOMEM
	}
	return syscall.EPERM
}

// anonymous is mmap(2) of memory that is no file's.
func anonymous(a [6]uintptr) (r uintptr, e syscall.Errno) {
	placed.Lock()
	defer placed.Unlock()
	size := (a[1] + exo.PageSize - 1) &^ (exo.PageSize - 1)
	if a[3]&(mapFixed|mapFixedNoReplace) == 0 {
		if r, e = mapAnonymous(a); e == 0 {
			note(stretch{r, r + size})
		}
		return r, e
	}
	if a[1] == 0 || a[2]&protExec != 0 { // before anything is taken out
		return 0, syscall.EINVAL
	}
	var failed syscall.Errno
	s := stretch{a[0], a[0] + size}
	e = fixed(s, a[3], func(replace bool) bool {
		if a[3] &^= mapFixed | mapFixedNoReplace; replace {
			a[3] |= mapFixed
		}
		r, failed = mapAnonymous(a)
		if failed == 0 && r != a[0] {
			posix.RawCall(syscall.SYS_MUNMAP, [6]uintptr{r, size})
			return false
		}
		return true
	})
	if e == 0 {
		e = failed
	}
	if e != 0 {
		return 0, e
	}
	note(s)
	return r, 0
}

// mapAnonymous maps memory that is no file's.
var mapAnonymous = posix.Anonymous

// beside does a call to what the program has mapped between views, or around them. placed is locked.
func beside(nr uintptr, a [6]uintptr) syscall.Errno {
	all := stretch{a[0], a[0] + (a[1]+exo.PageSize-1)&^(exo.PageSize-1)}
	for _, s := range placed.list {
		if s = (stretch{max(s.lo, all.lo), min(s.hi, all.hi)}); s.lo >= s.hi {
			continue
		}
		if _, e := posix.RawCall(nr, [6]uintptr{s.lo, s.hi - s.lo, a[2]}); e != 0 {
			return e
		}
	}
	if nr == syscall.SYS_MUNMAP {
		placed.list = without(placed.list, all)
	}
	return 0
}

// unplaced is told what was unmapped. placed is locked.
func unplaced(at, n uintptr) {
	placed.list = without(placed.list, stretch{at, at + (n+exo.PageSize-1)&^(exo.PageSize-1)})
}
