//go:build !hardtack

package mmap

import (
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs"
)

// TestPlaced notes and takes out stretches at random: what is in the list is what a bit for each address says, and no more stretches than it takes.
func TestPlaced(t *testing.T) {
	defer func(old []stretch) { placed.list = old }(placed.list)
	placed.list = nil
	const n = 64
	var want [n]bool
	r := rand.New(rand.NewPCG(1, 2))
	for step := range 3000 {
		lo := uintptr(r.IntN(n))
		s := stretch{lo, lo + 1 + uintptr(r.IntN(n-int(lo)))}
		if s.hi > s.lo+8 {
			s.hi = s.lo + 8
		}
		in := r.IntN(2) == 0
		if in {
			note(s)
		} else {
			placed.list = without(placed.list, s)
		}
		for i := s.lo; i < s.hi; i++ {
			want[i] = in
		}
		var got [n]bool
		for _, p := range placed.list {
			for i := p.lo; i < p.hi; i++ {
				if got[i] {
					t.Fatalf("step %d: %d is there twice: %v", step, i, placed.list)
				}
				got[i] = true
			}
		}
		runs := 0
		for i := range want {
			if want[i] && (i == 0 || !want[i-1]) {
				runs++
			}
		}
		if got != want || len(placed.list) != runs {
			t.Fatalf("step %d: %v", step, placed.list)
		}
		lo = uintptr(r.IntN(n - 4))
		if _, all := own(stretch{lo, lo + 4}); all != (want[lo] && want[lo+1] && want[lo+2] && want[lo+3]) {
			t.Fatalf("step %d: of %d it says %v", step, lo, all)
		}
	}
}

// TestFixedFails asks for memory over a mapping: what is refused changes nothing; where it is taken out and there is no memory for what comes in its place, the file has what was stored, and
// the addresses are nobody's.
func TestFixedFails(t *testing.T) {
	machine(t, 256)
	defer func(old []stretch) { placed.list = old }(placed.list)
	defer func(old func([6]uintptr) (uintptr, syscall.Errno)) { mapAnonymous = old }(mapAnonymous)
	placed.list = nil
	f := file(t)
	fs.WriteAt(f, make([]byte, 2*exo.PageSize), 0)
	v := mapped(t, f, 0, 2, mapShared, protRead|protWrite)
	if !exo.Touch(v.pages, 1, true) {
		t.Fatal("a store faults")
	}
	v.frameAt(1)[0] = 7
	const page, kind = exo.PageSize, mapPrivate | 0x20 | mapFixed
	for _, c := range []struct {
		at, n, prot, kind uintptr
		want              syscall.Errno
	}{
		{v.lo, 2 * page, protRead | protExec, kind, syscall.EINVAL},
		{v.lo, 0, protRead, kind, syscall.EINVAL},
		{v.lo + 1, page, protRead, kind, syscall.EINVAL},
		{v.lo, ^uintptr(0), protRead, kind, syscall.ENOMEM},
		{^uintptr(page - 1), 2 * page, protRead, kind, syscall.ENOMEM},
		{v.lo, page, protRead, kind, syscall.EPERM}, // a part of it
		{v.lo, page, protRead, kind | mapFixedNoReplace, syscall.EEXIST},
		{v.lo, 2 * page, protRead, kind | mapFixedNoReplace, syscall.EEXIST},
	} {
		if at, e := anonymous([6]uintptr{c.at, c.n, c.prot, c.kind, ^uintptr(0)}); e != c.want {
			t.Errorf("%+v: %#x, %v", c, at, e)
		}
	}
	if list := within(v.lo, 1); len(list) != 1 || list[0] != v || len(placed.list) != 0 || !exo.Touch(v.pages, 1, true) {
		t.Fatal("what was refused changed the mapping")
	}

	note(stretch{v.lo + 2*page, v.lo + 5*page})
	mapAnonymous = func(a [6]uintptr) (uintptr, syscall.Errno) {
		if a[0] != v.lo || a[3]&mapFixed == 0 {
			t.Errorf("%#x is asked for", a)
		}
		return 0, syscall.ENOMEM
	}
	if at, e := anonymous([6]uintptr{v.lo, 4 * page, protRead, kind, ^uintptr(0)}); e != syscall.ENOMEM {
		t.Errorf("without memory: %#x, %v", at, e)
	}
	if want := (stretch{v.lo + 4*page, v.lo + 5*page}); len(within(v.lo, 1)) != 0 || len(placed.list) != 1 || placed.list[0] != want {
		t.Error("what is left:", placed.list)
	}
	b := make([]byte, 1)
	if n, e := f.File.ReadAt(b, page); n != 1 || e != 0 || b[0] != 7 {
		t.Error("what was stored:", n, e, b)
	}
}
