package checked

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
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

// TestDamage: a bit that is another is found wherever it is, and makes no other block unreadable; nor does a request that fails.
func TestDamage(t *testing.T) {
	data := blocksOf(8)
	blocks := func(dev block.Device) *pages.Part {
		b := Blocks(pages.New(pages.NewHeap(len(data))), Sums(data), func() (block.Device, error) { return dev, nil })
		return b.Part(0, b.Size())
	}
	for i := range 24 {
		at := (i*65537*3 + i) % len(data)
		bad := bytes.Clone(data)
		bad[at] ^= 1 << (i % 8)
		r := blocks(block.NewMemory(bad))
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
		r := blocks(dev)
		got := make([]byte, len(data))
		if n, err := r.ReadAt(got, 0); n != len(data) || err != nil { // the blocks are asked for again, one by one
			t.Errorf("request %d fails: %d, %v", at, n, err)
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
	b := Blocks(pages.New(pages.NewHeap(BlockSize)), Sums(data), func() (block.Device, error) {
		tries++
		return block.NewMemory(data), err
	})
	r := b.Part(0, b.Size())
	if tries != 0 || b.Size() != BlockSize {
		t.Errorf("opened %d times, %d bytes", tries, b.Size())
	}
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
