//go:build !hardtack

package exo

import (
	"testing"

	"github.com/hardtack-os/hardtack/exo/internal/sim"
)

// TestMapSpare maps a page of a slot: only while somebody uses the slot, only to be read, and whoever takes frames by force passes it over until nobody does.
func TestMapSpare(t *testing.T) {
	m := sim.New(1 << 20)
	t.Cleanup(Simulate(m))
	r, err := TakePages(t.Name(), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	apply := func(op PageOp) PageOp {
		ops := []PageOp{op}
		r.Apply(ops)
		return ops[0]
	}
	if op := apply(MapSpare(0, 0, 0, ProtRead)); op.Err() == nil {
		t.Error("a page of no slot was mapped")
	}
	s, err := OpenSpares(3, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSpares(3, 0, nil); err == nil {
		t.Error("there are two spares")
	}
	b := s.Fill(1)
	if b == nil {
		t.Fatal("no frames")
	}
	for name, word := range map[string]uint32{"taken": SpareHave | SpareBusy, "nobody's": SpareHave | SpareUsed, "empty": 0} {
		s.Word(1).Store(word)
		if op := apply(MapSpare(0, 1, 3, ProtRead)); op.Err() == nil {
			t.Error("mapped although the slot is", name)
		}
	}
	s.Word(1).Store(SpareHave | 1)
	for _, at := range [][2]int{{-1, 0}, {3, 0}, {1, -1}, {1, SpareFrames}} {
		if op := apply(MapSpare(0, at[0], at[1], ProtRead)); op.Err() == nil {
			t.Error("mapped:", at)
		}
	}
	if op := apply(MapSpare(2, 1, 3, ProtWrite)); op.Err() != nil {
		t.Fatal(op.Err())
	}
	if q := apply(Query(2)); q.Prot() != ProtRead || physBytes(uintptr(q.Frame()), 1) == nil || &physBytes(uintptr(q.Frame()), 1)[0] != &b[3*PageSize] {
		t.Error("another page, or more rights", q)
	}
	var all []*Frames
	for {
		f, err := TakeFrames("all", 1, 0)
		if err != nil {
			break
		}
		all = append(all, f)
	}
	if s.Taken() != 0 || s.Word(1).Load() != SpareHave|1 {
		t.Error("a slot in use was taken")
	}
	apply(Unmap(2))
	s.Word(1).Store(SpareHave)
	f, err := TakeFrames("one more", 1, 0)
	if err != nil || s.Taken() != 1 || s.Word(1).Load() != 0 {
		t.Error("the slot that nobody uses was not taken:", err)
	} else {
		f.Release()
	}
	for _, f := range all {
		f.Release()
	}
}
