package cffs

import (
	"bytes"
	"math/rand/v2"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// TestLend reads a file by loans, at any place and of any length, while parts of it are dirty, clean, holes and not in memory: they are what reading gives, and stay so.
func TestLend(t *testing.T) {
	const size = 300 * BlockSize
	r := rand.New(rand.NewPCG(1, 2))
	f := mount(t, formatted(t, 4096), Options{Manual: true, Cache: 64 * BlockSize})
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	write(t, f, "/f", data)
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	x := n.(*File)
	defer x.Unref()
	type kept struct{ is, was []byte }
	var old []kept
	for round := range 40 {
		off := r.Int64N(size - 1)
		p := data[off:min(off+1+r.Int64N(3*BlockSize), size)]
		switch round % 3 {
		case 0:
			f.Sync()
		case 1:
			for i := range p {
				p[i]++
			}
			x.WriteAt(p, off)
		case 2:
			clear(p)
			x.Allocate(core.FallocPunchHole|core.FallocKeepSize, off, int64(len(p)))
		}
		for at := int64(0); at < size; {
			l, e := x.Lend(at, 1+r.IntN(40*BlockSize))
			if e != 0 || len(l.Bytes) == 0 {
				t.Fatal(round, at, e)
			}
			if !bytes.Equal(l.Bytes, data[at:at+int64(len(l.Bytes))]) {
				t.Fatalf("round %d: %d bytes lent from %d on are others than were written", round, len(l.Bytes), at)
			}
			if r.IntN(50) == 0 {
				old = append(old, kept{l.Bytes, bytes.Clone(l.Bytes)})
			}
			at += int64(len(l.Bytes))
		}
	}
	for _, k := range old {
		if !bytes.Equal(k.is, k.was) {
			t.Fatal("what was lent has changed")
		}
	}
	if l, e := x.Lend(size, 1); e != 0 || len(l.Bytes) != 0 {
		t.Error("behind the end", len(l.Bytes), e)
	}
	// What lies in a row in memory comes in one piece.
	f.Sync()
	for range 2 {
		if _, e := x.ReadAt(make([]byte, 32*BlockSize), 0); e != 0 {
			t.Fatal(e)
		}
	}
	few := 0
	for at := int64(0); at < 32*BlockSize; few++ {
		l, _ := x.Lend(at, 32*BlockSize)
		at += int64(len(l.Bytes))
	}
	if few > 20 {
		t.Errorf("32 blocks come in %d pieces", few)
	}
}
