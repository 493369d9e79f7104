//go:build !hardtack

package exo

import (
	"errors"
	"slices"
	"testing"

	"github.com/hardtack-os/hardtack/exo/internal/sim"
)

// takeTest gives a range and frames of the simulated machine.
func takeTest(t *testing.T, pages, frames int) (*Pages, *Frames) {
	t.Helper()
	r, err := TakePages(t.Name(), pages)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Release() })
	f, err := TakeFrames(t.Name(), frames, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Release() })
	return r, f
}

func TestPagesRefused(t *testing.T) {
	simulated(t)
	var re *RangeError
	for _, n := range []int{0, -1, maxRange + 1} {
		if _, err := TakePages("test", n); !errors.As(err, &re) {
			t.Errorf("%d pages: %v", n, err)
		}
	}
	r, f := takeTest(t, 4, 2)
	var pe *PageError
	for name, op := range map[string]PageOp{
		"beyond": Map(4, f, 0, ProtRead), "negative": Map(-1, f, 0, ProtRead), "no frame": Map(0, f, 2, ProtRead),
		"nothing": Unmap(1), "nothing to ask": Query(1),
	} {
		ops := []PageOp{op}
		if failed, err := r.Apply(ops); failed != 1 || err != nil || !errors.As(ops[0].Err(), &pe) {
			t.Errorf("%s: %d, %v, %v", name, failed, err, ops[0].Err())
		}
	}
	if n := r.Dirty(0, 5, make([]uint64, 1)); n != 0 {
		t.Error("dirty pages beyond the range", n)
	}
	if n := r.Dirty(0, 4, nil); n != 0 {
		t.Error("dirty pages without room for them", n)
	}
	r.Release()
	var rel *ReleasedError
	if _, err := r.Apply([]PageOp{Query(0)}); !errors.As(err, &rel) {
		t.Error(err)
	}
	if err := r.Release(); !errors.As(err, &rel) {
		t.Error(err)
	}
}

// TestRevokedFramesLeavePages: frames whose binding ends are mapped nowhere, and an operation made before maps them no more.
func TestRevokedFramesLeavePages(t *testing.T) {
	simulated(t)
	r, f := takeTest(t, 4, 4)
	other, _ := takeTest(t, 4, 1)
	for i := range 4 {
		r.Apply([]PageOp{Map(i, f, i, ProtWrite)})
		other.Apply([]PageOp{Map(3-i, f, i, ProtRead)})
	}
	late := []PageOp{Map(0, f, 2, ProtRead)}
	f.Release()
	for i := range 4 {
		if Touch(r, i, false) || Touch(other, i, false) {
			t.Errorf("page %d is still mapped", i)
		}
	}
	if failed, err := r.Apply(late); failed != 1 || err != nil || late[0].Err() == nil {
		t.Error(failed, err, late[0].Err())
	}
}

// TestFaultsFindTheirRange has many ranges, each with a handler of its own, which come and go.
func TestFaultsFindTheirRange(t *testing.T) {
	simulated(t)
	_, f := takeTest(t, 1, 1)
	type held struct {
		r *Pages
		n int
	}
	var all []*held
	for i := range 20 {
		r, _ := takeTest(t, i+1, 1)
		h := &held{r: r}
		r.Handle(func(ft Fault) Verdict {
			if ft.Page != i {
				return Decline
			}
			h.n++
			r.Apply([]PageOp{Map(ft.Page, f, 0, ProtRead)})
			return Retry
		})
		all = append(all, h)
	}
	for i := 0; i < len(all); i += 3 {
		all[i].r.Release()
	}
	for i, h := range all {
		if released := i%3 == 0; Touch(h.r, i, false) == released || (h.n == 1) == released {
			t.Errorf("range %d: %d faults", i, h.n)
		}
		if i%3 != 0 && Touch(h.r, i, true) {
			t.Errorf("range %d: a write to a page for reading came through", i)
		}
	}
}

func TestPagerAfterHandler(t *testing.T) {
	simulated(t)
	r, f := takeTest(t, 2, 2)
	if Touch(r, 0, false) {
		t.Fatal("nothing is mapped, nobody handles it")
	}
	r.Handle(func(ft Fault) Verdict {
		if ft.Page == 0 {
			return Defer
		}
		return Decline
	})
	if Touch(r, 0, true) {
		t.Fatal("there is no pager")
	}
	paged := 0
	r.Pager(func(ft Fault) bool {
		paged++
		r.Apply([]PageOp{Map(ft.Page, f, ft.Page, ProtWrite)})
		return true
	})
	if !Touch(r, 0, true) || Touch(r, 1, true) || paged != 1 {
		t.Error("paged", paged)
	}
}

// simulatedLarge puts a machine with two large pages' frames beneath exo, and gives those and a range with room for both and eight pages more.
func simulatedLarge(t *testing.T) (*Pages, *Frames) {
	t.Helper()
	t.Cleanup(Simulate(sim.New(8 << 20)))
	r, err := TakePages(t.Name(), 2*LargePages+8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Release() })
	f, err := TakeFrames(t.Name(), 2*LargePages, LargePages*PageSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Release() })
	return r, f
}

func TestLargePages(t *testing.T) {
	r, f := simulatedLarge(t)
	var pe *PageError
	for name, op := range map[string]PageOp{
		"page between": MapLarge(1, f, 0, ProtRead), "frame between": MapLarge(0, f, 1, ProtRead), "frames beyond": MapLarge(0, f, LargePages+1, ProtRead),
		"negative": MapLarge(0, f, -1, ProtRead), "pages beyond": MapLarge(2*LargePages, f, 0, ProtRead), "negative page": MapLarge(-LargePages, f, 0, ProtRead),
	} {
		ops := []PageOp{op}
		for range 2 { // an operation that failed fails again
			if failed, err := r.Apply(ops); failed != 1 || err != nil || !errors.As(ops[0].Err(), &pe) {
				t.Errorf("%s: %d, %v, %v", name, failed, err, ops[0].Err())
			}
		}
	}
	do := func(op PageOp, ok bool) PageOp {
		t.Helper()
		ops := []PageOp{op}
		if failed, err := r.Apply(ops); err != nil || (failed == 0) != ok {
			t.Error(failed, err, ops[0].Err())
		}
		return ops[0]
	}
	do(Map(700, f, 3, ProtWrite), true)
	do(MapLarge(LargePages, f, 0, ProtWrite), false) // page 700 is there
	do(MapLarge(0, f, LargePages, ProtWrite), true)
	do(Unmap(700), true)
	do(MapLarge(LargePages, f, 0, ProtWrite), true)
	do(Map(700, f, 3, ProtWrite), false)
	for _, op := range []PageOp{Unmap(700), Protect(700, ProtRead), Clean(700)} {
		do(op, false)
	}
	if !Touch(r, 700, true) || !Touch(r, 0, false) {
		t.Error("not mapped")
	}
	if q := do(Query(701), true); !q.Large() || !q.Written() || q.Frame() != f.Base()+(701-LargePages)*PageSize || q.Prot() != ProtWrite {
		t.Errorf("%+v", q)
	}
	bits := make([]uint64, 16)
	if n := r.Dirty(1, 2*LargePages-1, bits); n != 1 || bits[(LargePages-1)/64] != 1<<((LargePages-1)%64) {
		t.Error("dirty", n, bits)
	}
	do(Protect(0, ProtNone), true)
	if q := do(Query(0), true); !q.Large() || !q.Accessed() || q.Written() || q.Prot() != ProtNone || Touch(r, 5, false) {
		t.Errorf("%+v", q)
	}
	do(MapLarge(0, f, 0, ProtRead), true) // in place of a large page
	if q := do(Unmap(0), true); q.Frame() != f.Base() || Touch(r, 0, false) {
		t.Errorf("%+v", q)
	}
	f.Release()
	if Touch(r, LargePages, false) {
		t.Error("the frames are gone, and mapped")
	}
	do(MapLarge(0, f, 0, ProtRead), false)
}

// TestPartOfALargePageIsTaken: one frame of a large page is asked back, and all of it is unmapped.
func TestPartOfALargePageIsTaken(t *testing.T) {
	t.Cleanup(Simulate(sim.New(8 << 20)))
	r, err := TakePages(t.Name(), LargePages)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	f, err := TakeFrames("holder", LargePages, LargePages*PageSize)
	if err != nil {
		t.Fatal(err)
	}
	ops := []PageOp{MapLarge(0, f, 0, ProtWrite)}
	if failed, err := r.Apply(ops); failed != 0 || err != nil || !Touch(r, 7, true) {
		t.Fatal(failed, err, ops[0].Err())
	}
	last := uint64(f.Base())/PageSize + LargePages - 1
	if err := Root().Caps(FrameSpace)[0].RevokeRange(last, last); err != nil {
		t.Fatal(err)
	}
	var rev *RevokedError
	if Touch(r, 7, false) || !errors.As(f.Err(), &rev) {
		t.Error("still mapped, or bound:", f.Err())
	}
	if failed, _ := r.Apply(ops); failed != 1 {
		t.Error("mapped again")
	}
}

// FuzzPageOps compares batches with a list of what each page must be.
func FuzzPageOps(f *testing.F) {
	f.Add([]byte{0, 0, 3, 2, 0, 0, 4, 0, 0, 3, 0, 1})
	f.Add([]byte{0, 200, 1, 0, 1, 3, 5, 2, 2, 9, 9, 9})
	f.Add([]byte{0, 8, 1, 1, 8, 2, 2, 8, 0, 1, 8, 2, 6, 10, 1, 4, 9, 0, 7, 0, 9, 5, 8, 0, 1, 8, 5})
	f.Fuzz(func(t *testing.T, script []byte) {
		r, fr := simulatedLarge(t)
		// Pages and frames at both ends of everything, and some that there are not.
		pages := []int{0, 1, 2, 3, 510, 511, 512, 513, 512 + 8, 1000, 1023, 1024, 1025, 1030, 1031, 1032, -1, maxRange}
		frames := []int{0, 1, 511, 512, 513, 1023, 1024, -1}
		type entry struct {
			mapped, large bool
			frame         int
			prot          Prot
			read, written bool
		}
		want := make([]entry, r.Pages())
		none := entry{}
		for ; len(script) >= 3; script = script[3:] {
			verb, page, arg := script[0]%8, pages[int(script[1])%len(pages)], int(script[2])
			inside := page >= 0 && page < len(want)
			first := page // of the entry
			e := &none
			if inside {
				if e = &want[page]; want[page&^(LargePages-1)].large {
					first = page &^ (LargePages - 1)
					e = &want[first]
				}
			}
			if verb == 6 {
				if inside {
					write := arg&1 != 0
					ok := e.mapped && e.prot != ProtNone && (!write || e.prot == ProtWrite)
					if Touch(r, page, write) != ok {
						t.Fatalf("touch of page %d (write %v): not %v", page, write, ok)
					}
					if ok {
						e.read = true
						e.written = e.written || write
					}
				}
				continue
			}
			if verb == 7 {
				n := pages[arg%len(pages)] - page
				bits := make([]uint64, len(want)/64+1)
				var sum []uint64
				count := 0
				sum = make([]uint64, len(bits))
				if inside && n > 0 && page+n <= len(want) {
					for i := range want[page : page+n] {
						if w := &want[page+i]; w.written {
							sum[i/64] |= 1 << (i % 64)
							w.written = false
							count++
						}
					}
				}
				if got := r.Dirty(page, n, bits); got != count || !slices.Equal(bits, sum) {
					t.Fatalf("dirty of %d pages from %d on: %d %x, want %d %x", n, page, got, bits, count, sum)
				}
				continue
			}
			prot := []Prot{ProtNone, ProtRead, ProtWrite}[arg%3]
			frame := frames[arg/3%len(frames)]
			op := []PageOp{[]PageOp{Map(page, fr, frame, prot), MapLarge(page, fr, frame, prot), Unmap(page), Protect(page, prot), Query(page), Clean(page)}[verb]}
			failed, err := r.Apply(op)
			if err != nil {
				t.Fatal(err)
			}
			ok := inside
			switch verb {
			case 0:
				ok = ok && frame >= 0 && frame < 2*LargePages && !e.large
			case 1:
				ok = ok && page%LargePages == 0 && page+LargePages <= len(want) && (frame == 0 || frame == LargePages)
				for i := 0; ok && i < LargePages && !e.large; i++ {
					ok = !want[page+i].mapped
				}
			case 4:
				ok = ok && e.mapped
			default:
				ok = ok && e.mapped && first == page
			}
			if ok != (failed == 0) || ok != (op[0].Err() == nil) {
				t.Fatalf("verb %d, page %d, frame %d: failed %d, %v", verb, page, frame, failed, op[0].Err())
			}
			if !ok {
				continue
			}
			if op[0].Large() != e.large || verb > 1 && (op[0].Accessed() != e.read || op[0].Written() != e.written) {
				t.Fatalf("page %d was seen %v %v %v, want %+v", page, op[0].Accessed(), op[0].Written(), op[0].Large(), *e)
			}
			if verb > 1 && op[0].Frame() != fr.Base()+Phys((e.frame+page-first)*PageSize) {
				t.Fatalf("page %d: %v, want %+v", page, op[0].Frame(), *e)
			}
			switch verb {
			case 0, 1:
				*e = entry{mapped: true, large: verb == 1, frame: frame, prot: prot}
			case 2:
				*e = entry{}
			case 3:
				e.prot = prot
			default:
				if op[0].Prot() != e.prot {
					t.Fatalf("page %d: %v, want %+v", page, op[0].Prot(), *e)
				}
				if verb == 5 {
					e.read, e.written = false, false
				}
			}
		}
	})
}
