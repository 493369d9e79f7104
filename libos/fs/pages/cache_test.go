package pages

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
	"testing"
)

// A numbered source has each page's number in it.
type numbered struct{ fails, held atomic.Bool }

func (n *numbered) ReadPages(vec [][]byte, first uint64) (bool, error) {
	if n.fails.Load() {
		return n.held.Load(), errors.New("no")
	}
	for _, p := range vec {
		for ; len(p) > 0; p = p[Size:] {
			binary.NativeEndian.PutUint64(p, first)
			first++
		}
	}
	return false, nil
}

func (n *numbered) Sum(p []byte) uint32 { return uint32(binary.NativeEndian.Uint64(p)) }

// TestAheadOfClose: what is read ahead when a cache is closed already is not kept.
func TestAheadOfClose(t *testing.T) {
	store := New(NewHeap(8 * slotBytes))
	c := NewCache(store, &numbered{})
	c.Close()
	for _, n := range []uint64{5, PerSlot + 5} {
		l, first, n := c.BeginMissing(100, n)
		c.FetchAhead(l, first, n)
		if len(c.index.rows) > 0 || len(c.due) > 0 {
			t.Errorf("%d rows are kept, %d on their way", len(c.index.rows), len(c.due))
		}
	}
	if c := store.Counts(); c.Pinned != 0 {
		t.Errorf("%+v", c)
	}
}

// TestLoads: pages are read once however many want them, what is there is not read again, and what could not be read is nowhere.
func TestLoads(t *testing.T) {
	from, store := &numbered{}, New(NewHeap(8*slotBytes))
	c := NewCache(store, from)
	l, first, n := c.BeginMissing(10, 20)
	if first != 10 || n != 20 || c.Coming(1, 9) != nil || c.Coming(1, 10) != l || c.Coming(29, 5) != l || c.Coming(30, 5) != nil {
		t.Fatal(first, n)
	}
	if x, n := c.Begin(5, 30); x == nil || n != 5 {
		t.Fatal(x, n)
	} else {
		c.End(x)
	}
	if x, n := c.Begin(12, 30); x != nil || n != 1 {
		t.Fatal(x, n)
	}
	c.FetchAhead(l, first, n)
	<-l.Done
	sums := []uint32{12, 13, 14, 99, 16}
	h := c.Run(12, sums)
	if len(h.Data) != 3*Size || binary.NativeEndian.Uint64(h.Data[2*Size:]) != 14 || &h.Of.Page(h.Page)[0] != &h.Data[0] {
		t.Fatal(len(h.Data))
	}
	if !c.Alone(h) {
		t.Error("nobody else has it")
	}
	h.Of.Repin()
	if c.Alone(h) {
		t.Error("somebody has it")
	}
	h.Release()
	h.Release()
	if h := c.Run(15, sums[3:]); h.Data != nil {
		t.Error("a page with another sum")
	}
	if l, first, n = c.BeginMissing(8, 30); first != 8 || n != 2 {
		t.Fatal(first, n)
	}
	for _, held := range []bool{false, true} {
		from.fails.Store(true)
		from.held.Store(held)
		h, err := c.Fetch(l, first, c.Room(2, true))
		if err == nil || h.Data != nil || c.Run(8, []uint32{8}).Data != nil {
			t.Error("what cannot be read is there")
		}
		l, first, n = c.BeginMissing(8, 30)
	}
	c.End(l)
	from.fails.Store(false)
	c.Drop(10, 1)
	if c.Run(10, []uint32{10}).Data != nil || c.Run(11, []uint32{11}).Data == nil {
		t.Error("not the one that was dropped is gone")
	}
}
