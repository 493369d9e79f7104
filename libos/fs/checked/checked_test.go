package checked

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// blocksOf are n blocks of no pattern.
func blocksOf(n int) []byte {
	b := make([]byte, n*BlockSize)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestReader reads pieces at random, by several goroutines: they are those of the data. Few blocks stay in memory, and what is there is not read again.
func TestReader(t *testing.T) {
	data := blocksOf(3*kept + 1)
	dev := &block.Faulty{Device: block.NewMemory(bytes.Clone(data))}
	opened := 0
	r := NewReader(Sums(data), func() (block.Device, error) { opened++; return dev, nil })
	if opened != 0 || r.Size() != int64(len(data)) {
		t.Errorf("opened %d times, %d bytes", opened, r.Size())
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 3))
			for range 100 {
				off := rnd.IntN(len(data))
				p := make([]byte, rnd.IntN(5*BlockSize>>rnd.IntN(12)))
				n, err := r.ReadAt(p, int64(off))
				if want := min(len(p), len(data)-off); n != want || (err == io.EOF) != (want < len(p)) || !bytes.Equal(p[:n], data[off:off+n]) {
					t.Errorf("%d bytes at %d: %d, %v", len(p), off, n, err)
				}
			}
		})
	}
	wg.Wait()
	if opened != 1 || len(r.blocks) > kept {
		t.Errorf("opened %d times, %d blocks in memory", opened, len(r.blocks))
	}
	before := dev.Requests()
	for range 10 {
		if b, err := r.Piece(5, 1); err != nil || len(b) != BlockSize-5 {
			t.Error(len(b), err)
		}
	}
	if n := dev.Requests() - before; n > 1 {
		t.Errorf("%d requests for one block", n)
	}
	if _, err := r.ReadAt(make([]byte, atOnce*BlockSize), BlockSize); err != nil {
		t.Error(err)
	}
	for _, off := range []int64{-1, int64(len(data)), 1 << 62} {
		if _, err := r.Piece(off, 1); err != io.EOF {
			t.Errorf("at %d: %v", off, err)
		}
	}
}

// TestDamage: a bit that is another is found wherever it is, and makes no other block unreadable; nor does a request that fails.
func TestDamage(t *testing.T) {
	data := blocksOf(atOnce)
	for i := range 24 {
		at := (i*65537*3 + i) % len(data)
		bad := bytes.Clone(data)
		bad[at] ^= 1 << (i % 8)
		r := NewReader(Sums(data), func() (block.Device, error) { return block.NewMemory(bad), nil })
		got := make([]byte, len(data))
		n, err := r.ReadAt(got, 0)
		var damage *DamageError
		if !errors.As(err, &damage) || int(damage.Block) != at/BlockSize || n != at/BlockSize*BlockSize || !bytes.Equal(got[:n], data[:n]) {
			t.Fatalf("damage at %d: %d, %v", at, n, err)
		}
		after := data[n+BlockSize:]
		if n, err := r.ReadAt(got[:len(after)], int64(n+BlockSize)); n != len(after) || err != nil || !bytes.Equal(got[:n], after) {
			t.Fatalf("behind the damage at %d: %d, %v", at, n, err)
		}
	}
	for at := int64(1); at <= 2; at++ {
		dev := &block.Faulty{Device: block.NewMemory(data), At: at}
		r := NewReader(Sums(data), func() (block.Device, error) { return dev, nil })
		got := make([]byte, len(data))
		if n, err := r.ReadAt(got, 0); n != len(data) || err != nil { // the blocks are asked for again, one by one
			t.Errorf("request %d fails: %d, %v", at, n, err)
		}
	}
	broken := errors.New("no such device")
	r := NewReader(Sums(data), func() (block.Device, error) { return nil, broken })
	for range 2 {
		if _, err := r.Piece(0, 1); err != broken {
			t.Error(err)
		}
	}
}

// FuzzIndex: what is decoded is what was encoded; what is no index is an error, and nothing panics.
func FuzzIndex(f *testing.F) {
	x := Index{Partition: [16]byte{1, 2}, Members: BlockSize + 1, Sums: "12345678", Directory: "the rest"}
	f.Add(string(x.Encode()))
	f.Add("HTFILES1")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := Decode(text)
		if err != nil {
			return
		}
		if got := string(x.Encode()); got != text || int64(len(x.Sums)/4)*BlockSize < x.Members {
			t.Errorf("%q is encoded as %q", text, got)
		}
	})
}

// TestOpensAgain: a device that cannot be opened at first is there once it can be.
func TestOpensAgain(t *testing.T) {
	data := blocksOf(1)
	busy := errors.New("busy")
	err := busy
	tries := 0
	r := NewReader(Sums(data), func() (block.Device, error) {
		tries++
		return block.NewMemory(data), err
	})
	p := make([]byte, 10)
	for range 2 {
		if n, e := r.ReadAt(p, 5); n != 0 || e != busy {
			t.Errorf("%d bytes, %v", n, e)
		}
	}
	err = nil
	for range 2 {
		if n, e := r.ReadAt(p, 5); n != 10 || e != nil || !bytes.Equal(p, data[5:15]) {
			t.Errorf("%d bytes, %v", n, e)
		}
	}
	if tries != 3 {
		t.Errorf("opened %d times", tries)
	}
}
