package flow

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
)

// A device is a Disk with the capability of its blocks.
type device struct {
	*Disk
	all exo.Cap
}

func newDisk(t testing.TB, blocks uint64) device {
	d, c, err := NewDisk("disk", blocks)
	if err != nil {
		t.Fatal(err)
	}
	return device{d, c}
}

func (d device) bind(holder string, lo, hi Block) (*Extent, error) {
	return d.Bind(d.all, holder, lo, hi, exo.Read|exo.Write)
}

func (d device) take(t testing.TB, holder string, lo, hi Block) *Extent {
	t.Helper()
	e, err := d.bind(holder, lo, hi)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The checks agree with numbers that do not overflow, for blocks and extents at all ends.
func TestCheckAgainstOracle(t *testing.T) {
	d := newDisk(t, maxBlocks)
	r := rand.New(rand.NewPCG(3, 4))
	edges := []uint64{0, 1, 2, 1 << 31, 1 << 32, maxBlocks - 1, maxBlocks, maxBlocks + 1, 1<<63 - 1, 1 << 63, 1<<63 + 1, 1<<64 - 1, 1<<64 - 1<<32}
	counts := []uint32{0, 1, 2, 1 << 31, 1<<32 - 1}
	inside, outside := 0, 0
	for range 300 {
		ends := []uint64{edges[r.IntN(7)], r.Uint64N(maxBlocks), r.Uint64N(1000), edges[r.IntN(7)]}[r.IntN(3):]
		lo, hi := min(ends[0], ends[1]), max(ends[0], ends[1])
		e, err := d.bind("x", Block(lo), Block(hi))
		if lo == hi {
			if err == nil {
				t.Fatalf("an extent of no blocks at %d", lo)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		blocks := slices.Concat(edges, []uint64{lo - 1, lo, lo + 1, hi - 1, hi, hi + 1, lo + (hi-lo)/2, r.Uint64()})
		for _, block := range blocks {
			for _, n := range slices.Concat(counts, []uint32{uint32(hi - block), uint32(hi - block + 1), r.Uint32()}) {
				end := new(big.Int).Add(new(big.Int).SetUint64(block), big.NewInt(int64(n)))
				want := block >= lo && end.Cmp(new(big.Int).SetUint64(hi)) <= 0
				err := e.CheckRead(Block(block), n)
				if written := e.CheckWrite(Block(block), n); (written == nil) != (err == nil) {
					t.Fatalf("read: %v, written: %v", err, written)
				}
				if (err == nil) != want {
					t.Fatalf("[%d, %d): CheckRead(%d, %d) = %v", lo, hi, block, n, err)
				}
				var e *exo.RangeError
				if want {
					inside++
				} else if outside++; !errors.As(err, &e) {
					t.Fatalf("%v", err)
				}
			}
		}
		if err := e.Release(); err != nil {
			t.Fatal(err)
		}
		var released *exo.ReleasedError
		if err := e.CheckRead(Block(lo), 0); !errors.As(err, &released) {
			t.Fatalf("after Release: %v", err)
		}
	}
	t.Logf("%d inside, %d outside", inside, outside)
}

// Random extents against a list of who has each block.
func TestExtentsAgainstOracle(t *testing.T) {
	const blocks = 64
	d := newDisk(t, blocks)
	r := rand.New(rand.NewPCG(5, 6))
	var owner [blocks]*Extent
	var held []*Extent
	names := []string{"log", "data", "swap"}
	refused := 0
	for range 20_000 {
		if len(held) > 0 && r.IntN(3) == 0 {
			i := r.IntN(len(held))
			e := held[i]
			lo, hi := e.Blocks()
			if err := e.Release(); err != nil {
				t.Fatal(err)
			}
			for b := lo; b < hi; b++ {
				owner[b] = nil
			}
			held = slices.Delete(held, i, i+1)
			continue
		}
		lo := r.IntN(blocks)
		hi := lo + 1 + r.IntN(min(8, blocks-lo))
		e, err := d.bind(names[r.IntN(3)], Block(lo), Block(hi))
		at := slices.IndexFunc(owner[lo:hi], func(o *Extent) bool { return o != nil })
		var other *exo.HeldError
		switch {
		case at < 0 && err != nil:
			t.Fatal(err)
		case at < 0:
			for b := lo; b < hi; b++ {
				owner[b] = e
			}
			held = append(held, e)
		case !errors.As(err, &other):
			t.Fatalf("[%d, %d) was taken twice: %v", lo, hi, err)
		default:
			refused++
			if o := owner[lo+at]; other.Holder != o.holder || other.At != o.lo || other.To != o.hi.Load()-1 {
				t.Fatalf("%v, want %v", other, o)
			}
		}
	}
	if refused < 1000 {
		t.Errorf("only %d were refused", refused)
	}
}

func TestRefusedExtents(t *testing.T) {
	var e *exo.RangeError
	for _, blocks := range []uint64{0, maxBlocks + 1, 1<<64 - 1} {
		if _, _, err := NewDisk("disk", blocks); !errors.As(err, &e) {
			t.Errorf("%d blocks: %v", blocks, err)
		}
	}
	d := newDisk(t, 100)
	for _, c := range [][2]Block{{5, 5}, {5, 4}, {0, 0}, {0, 101}, {100, 101}, {1<<64 - 1, 0}, {0, 1<<64 - 1}, {1 << 63, 1<<63 + 1}} {
		if _, err := d.bind("x", c[0], c[1]); !errors.As(err, &e) {
			t.Errorf("[%d, %d): %v", c[0], c[1], err)
		} else if c == [2]Block{0, 101} && err.Error() != "exo: block of disk 0x0-0x64 is outside 0x0-0x63: the capability of disk does not have it" {
			t.Error(err)
		}
	}
	first, err := d.bind("log", 10, 20)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.bind("data", 19, 30)
	if want := "exo: block of disk 0x13-0x1d overlaps 0xa-0x13 held by log: that holder must release it first"; err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	if err := first.CheckRead(18, 3); err == nil || err.Error() != "exo: block of disk 0x12-0x14 is outside 0xa-0x13: the extent of log ends there: transfer less, or bind more blocks" {
		t.Error(err)
	}
	var released *exo.ReleasedError
	var empty *exo.EmptyError
	if err := new(Extent).CheckRead(0, 1); !errors.As(err, &empty) {
		t.Errorf("the empty extent: %v", err)
	}
	if err := new(Extent).Release(); !errors.As(err, &empty) {
		t.Errorf("the empty extent: %v", err)
	}
	if err := first.Release(); err != nil {
		t.Error(err)
	}
	if err := first.Release(); !errors.As(err, &released) {
		t.Errorf("released twice: %v", err)
	}
}

// TestGrow has a disk grow, and an extent with it, while it is in use.
func TestGrow(t *testing.T) {
	d := newDisk(t, 100)
	var e *exo.RangeError
	var held *exo.HeldError
	read, err := d.Bind(d.all, "reader", 50, 100, exo.Read)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{0, 99, 100, maxBlocks + 1} {
		if err := d.Grow(n); !errors.As(err, &e) || d.Blocks() != 100 {
			t.Errorf("to %d: %v", n, err)
		}
	}
	if err := read.Extend(101); !errors.As(err, &e) {
		t.Error(err)
	}
	if err := d.Grow(200); err != nil || d.Blocks() != 200 {
		t.Fatal(err)
	}
	if err := read.CheckRead(99, 2); !errors.As(err, &e) {
		t.Error(err)
	}
	d.take(t, "other", 180, 200)
	if err := read.Extend(181); !errors.As(err, &held) {
		t.Error(err)
	}
	if err := read.Extend(180); err != nil {
		t.Error(err)
	}
	if lo, hi := read.Blocks(); lo != 50 || hi != 180 || read.CheckRead(99, 81) != nil || read.CheckRead(99, 82) == nil || read.CheckWrite(60, 1) == nil {
		t.Error(lo, hi)
	}
	read.Release()
	if err := read.Extend(190); err == nil || read.CheckRead(60, 1) == nil {
		t.Error(err)
	}
}

func BenchmarkCheck(b *testing.B) {
	d := newDisk(b, 1<<30)
	e, err := d.bind("x", 1<<20, 1<<21)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := e.CheckRead(Block(1<<20+i&0xffff), 8); err != nil {
			b.Fatal(err)
		}
	}
}
