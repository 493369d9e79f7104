package pages

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// device is a source of blocks in memory, one of which may be bad; it counts how many it was asked for.
type device struct {
	data []byte
	bad  atomic.Int64 // 0: none, 1: the first
	read atomic.Int64
	held atomic.Bool
}

var errBad = errors.New("bad")

func (d *device) ReadBlocks(vec [][]byte, first int64) (held bool, err error) {
	for i, b := range vec {
		if first+int64(i)+1 == d.bad.Load() {
			return d.held.Load(), errBad
		}
		if copy(b, d.data[(first+int64(i))*BlockSize:]) != BlockSize || len(b) != BlockSize {
			panic("not a block")
		}
		d.read.Add(1)
	}
	return false, nil
}

func newDevice(blocks int) *device {
	d := &device{data: make([]byte, blocks*BlockSize)}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range d.data {
		d.data[i] = byte(r.Uint32())
	}
	return d
}

// TestBlocks has several read parts at random and in order while the memory is taken from them by force: they read what is there.
func TestBlocks(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		d, mem := newDevice(49), NewHeap(16*BlockSize)
		b := NewBlocks(New(mem), 49, d, ahead)
		stop := make(chan struct{})
		var taker, readers sync.WaitGroup
		taker.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					mem.Allow(mem.Seize(3))
				}
			}
		})
		for i := range 4 {
			readers.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), 3))
				at := r.IntN(BlockSize)
				p := b.Part(int64(at), b.Size()-int64(at)-5)
				data := d.data[at : len(d.data)-5]
				buf := make([]byte, 3*BlockSize)
				for range 40 {
					off := r.IntN(len(data))
					n, err := p.ReadAt(buf[:r.IntN(len(buf)>>r.IntN(9))], int64(off))
					if err != nil && err != io.EOF || !bytes.Equal(buf[:n], data[off:off+n]) {
						t.Errorf("%d bytes at %d: %v", n, off, err)
					}
				}
				for off := 0; off < len(data); {
					h, err := p.Piece(int64(off), int64(r.IntN(len(buf))))
					if err != nil || len(h.Data) == 0 || len(h.Data) > BlockSize || !bytes.Equal(h.Data, data[off:off+len(h.Data)]) || &h.Of.Page(h.Page)[0] != &h.Data[0] && h.Whole() {
						t.Fatal(off, err)
					}
					off += len(h.Data)
					h.Release()
				}
			})
		}
		readers.Wait()
		close(stop)
		taker.Wait()
	}
}

// TestBlocksOnce: what is in memory is not read again, nor by who comes while it is read; what was taken is read anew, alone. Behind who reads in order is read ahead, from a device.
func TestBlocksOnce(t *testing.T) {
	d, mem := newDevice(30), NewHeap(64*BlockSize)
	b := NewBlocks(New(mem), 30, d, false)
	p := b.Part(100, b.Size()-100)
	whole := func() {
		t.Helper()
		got := make([]byte, b.Size()-100)
		if n, err := p.ReadAt(got, 0); n != len(got) || err != nil || !bytes.Equal(got, d.data[100:]) {
			t.Error(n, err)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(whole)
	}
	wg.Wait()
	if n := d.read.Load(); n != 30 {
		t.Errorf("%d blocks were read, of 30", n)
	}
	if !p.Cached(5 * BlockSize) {
		t.Error("it is not in memory")
	}
	if n := mem.Seize(30); n != 30 || p.Cached(5*BlockSize) {
		t.Error(n, "slots were taken, and it is in memory")
	}
	mem.Allow(30)
	if h, err := p.Piece(7*BlockSize, 1); err != nil || d.read.Load() != 31 {
		t.Error(err, d.read.Load())
	} else {
		h.Release()
	}
	whole()
	if n := d.read.Load(); n != 60 {
		t.Errorf("%d blocks were read, of 60", n)
	}
	for _, off := range []int64{-1, b.Size() - 100, 1 << 62} {
		if _, err := p.Piece(off, 1); err != io.EOF || p.Cached(off) {
			t.Errorf("at %d: %v", off, err)
		}
	}

	d = newDevice(30)
	b = NewBlocks(New(NewHeap(64*BlockSize)), 30, d, true)
	p = b.Part(0, b.Size())
	for off := range int64(40) {
		h, err := p.Piece(off*Size, Size)
		if err != nil {
			t.Fatal(err)
		}
		h.Release()
	}
	for try := 0; b.coming.Load() != 0; try++ {
		if time.Sleep(time.Millisecond); try == 10000 {
			t.Fatal("what is read ahead does not end")
		}
	}
	if n := d.read.Load(); n < 8 || n > 30 {
		t.Errorf("%d blocks were read for 3 that were looked at in order", n)
	}
}

// TestBadBlock: a block that cannot be read is an error for who wants it, and makes no other unreadable, also of those that are read with it; it is there once it can be read.
func TestBadBlock(t *testing.T) {
	for bad := range int64(12) {
		d := newDevice(12)
		d.bad.Store(bad + 1)
		b := NewBlocks(New(NewHeap(64*BlockSize)), 12, d, true)
		p := b.Part(0, b.Size())
		got := make([]byte, b.Size())
		n, err := p.ReadAt(got, 0)
		if int64(n) != bad*BlockSize || err != errBad || !bytes.Equal(got[:n], d.data[:n]) {
			t.Fatalf("block %d is bad: %d, %v", bad, n, err)
		}
		behind := got[n+BlockSize:]
		if k, err := p.ReadAt(behind, int64(n+BlockSize)); k != len(behind) || err != nil || !bytes.Equal(behind, d.data[n+BlockSize:]) {
			t.Fatalf("behind block %d: %d, %v", bad, k, err)
		}
		d.bad.Store(0)
		if n, err := p.ReadAt(got, 0); n != len(got) || err != nil || !bytes.Equal(got, d.data) {
			t.Fatalf("block %d is well again: %d, %v", bad, n, err)
		}
	}
	d := newDevice(1)
	d.bad.Store(1)
	d.held.Store(true)
	mem := NewHeap(BlockSize)
	if _, err := NewBlocks(New(mem), 1, d, true).Part(0, 1).Piece(0, 1); err != errBad || mem.Seize(1) != 0 {
		t.Error("memory that a device may write to is somebody else's:", err)
	}
}

// TestBlocksAllPinned reads in order where the store has nothing to give: each block is read once. Where it has a few slots they are not read ahead into again and again.
func TestBlocksAllPinned(t *testing.T) {
	const slots, blocks = 4, 24
	for spare := range slots {
		d := newDevice(slots + blocks)
		b := NewBlocks(New(NewHeap(slots*BlockSize)), slots+blocks, d, true)
		p := b.Part(0, b.Size())
		var held []Hold
		for i := range slots - spare { // as what is mapped or lent
			h, err := b.Part(int64(i)*BlockSize, BlockSize).Piece(0, 1)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, h)
		}
		before := d.read.Load()
		got := make([]byte, blocks*BlockSize)
		if n, err := p.ReadAt(got, slots*BlockSize); n != len(got) || err != nil || !bytes.Equal(got, d.data[slots*BlockSize:]) {
			t.Fatalf("%d slots to give: %d, %v", spare, n, err)
		}
		for try := 0; b.coming.Load() != 0; try++ {
			if time.Sleep(time.Millisecond); try == 10000 {
				t.Fatal("what is read ahead does not end")
			}
		}
		if n := d.read.Load() - before; spare == 0 && n != blocks || n > 3*blocks { // one to give may be lost to what is read ahead
			t.Errorf("%d slots to give: %d blocks were read for %d", spare, n, blocks)
		}
		for _, h := range held {
			h.Release()
		}
	}
}
