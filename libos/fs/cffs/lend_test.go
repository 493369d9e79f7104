package cffs

import (
	"bytes"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
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

// TestReadAllPinned reads a file by large reads where all of the page cache is lent: a block is read for who asks for it, and not for who asks for one before.
func TestReadAllPinned(t *testing.T) {
	const blocks = 64
	d := &amount{Memory: formatted(t, 1024)}
	f := mount(t, d, Options{Manual: true, Cache: 2 * pages.PerSlot * BlockSize})
	data := make([]byte, blocks*BlockSize)
	for i := range data {
		data[i] = byte(i / 1000)
	}
	write(t, f, "/f", data)
	write(t, f, "/lent", data)
	f.Sync()
	lent, _ := f.Root().Lookup("lent")
	defer lent.Unref()
	n, _ := f.Root().Lookup("f")
	defer n.Unref()
	for i := int64(0); i < blocks; i++ {
		l, e := lent.(*File).Lend(i*BlockSize, BlockSize)
		if e != 0 {
			t.Fatal(e)
		}
		if l.Of != nil {
			defer l.Of.Return(l.Bytes)
		}
	}
	d.read.Store(0)
	got := make([]byte, len(data))
	if k, e := n.(*File).ReadAt(got, 0); k != len(got) || e != 0 || !bytes.Equal(got, data) {
		t.Fatal(k, e)
	}
	if n := d.read.Load() / BlockSize; n > 2*blocks { // some may be on their way ahead of who lent them
		t.Errorf("%d blocks were read for %d", n, blocks)
	}
}

// An amount is a disk that counts the bytes that are read of it.
type amount struct {
	*block.Memory
	read atomic.Int64
}

func (a *amount) Read(vec [][]byte, off int64) error {
	a.read.Add(block.Len(vec))
	return a.Memory.Read(vec, off)
}
