//go:build !hardtack

package exo

import (
	"errors"
	"testing"
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

// FuzzPageOps compares batches with a list of what each page must be.
func FuzzPageOps(f *testing.F) {
	f.Add([]byte{0, 0, 3, 1, 0, 0, 3, 0, 0, 2, 0, 1})
	f.Add([]byte{0, 200, 1, 0, 1, 3, 4, 2, 2, 9, 9, 9})
	f.Fuzz(func(t *testing.T, script []byte) {
		simulated(t)
		const pages, frames = 8, 4
		r, fr := takeTest(t, pages, frames)
		type entry struct {
			mapped        bool
			frame         int
			prot          Prot
			read, written bool
		}
		var want [pages]entry
		for ; len(script) >= 3; script = script[3:] {
			verb, page, arg := script[0]%6, int(script[1])%(pages+1), int(script[2])
			if verb == 5 {
				if page < pages {
					e := &want[page]
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
			prot := []Prot{ProtNone, ProtRead, ProtWrite}[arg%3]
			frame := arg / 3 % (frames + 1)
			op := []PageOp{[]PageOp{Map(page, fr, frame, prot), Unmap(page), Protect(page, prot), Query(page), Clean(page)}[verb]}
			failed, err := r.Apply(op)
			if err != nil {
				t.Fatal(err)
			}
			ok := page < pages && (verb == 0 && frame < frames || verb != 0 && want[page].mapped)
			if ok != (failed == 0) || ok != (op[0].Err() == nil) {
				t.Fatalf("verb %d, page %d, frame %d: failed %d, %v", verb, page, frame, failed, op[0].Err())
			}
			if !ok {
				continue
			}
			e := &want[page]
			if verb != 0 && (op[0].Accessed() != e.read || op[0].Written() != e.written) {
				t.Fatalf("page %d was seen %v %v, want %+v", page, op[0].Accessed(), op[0].Written(), *e)
			}
			switch verb {
			case 0:
				*e = entry{mapped: true, frame: frame, prot: prot}
			case 1:
				*e = entry{}
			case 2:
				e.prot = prot
			default:
				if op[0].Prot() != e.prot || op[0].Frame() != fr.Base()+Phys(e.frame*PageSize) {
					t.Fatalf("page %d: %v %v, want %+v", page, op[0].Prot(), op[0].Frame(), *e)
				}
				if verb == 4 {
					e.read, e.written = false, false
				}
			}
		}
	})
}
