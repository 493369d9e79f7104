package checked

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// mixed are blocks of text, of no pattern, and of zeroes.
func mixed(n int) []byte {
	b := make([]byte, n*BlockSize)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		switch i / BlockSize % 3 {
		case 0:
			b[i] = "some text, again "[i%17] + byte(i>>12&1)
		case 1:
			b[i] = byte(r.Uint32())
		}
	}
	return b
}

// TestPacked: several unpack blocks at random while memory is taken from them: they are as they were, and smaller packed. One place costs one block.
func TestPacked(t *testing.T) {
	data := mixed(30)
	packed := string(Pack(data))
	if len(packed) > len(data)/2 {
		t.Errorf("%d bytes are %d, packed", len(data), len(packed))
	}
	mem := pages.NewHeap(8 * BlockSize)
	store := pages.New(mem)
	blocks := Unpack(store, packed, Index{Sums: Sums(data)})
	p := blocks.Part(0, blocks.Size())
	if blocks.Size() != int64(len(data)) {
		t.Fatal(blocks.Size())
	}
	if h, err := p.Piece(21*BlockSize+5, 10); err != nil || !bytes.HasPrefix(data[21*BlockSize+5:], h.Data) || store.Counts().Read != pages.PerSlot {
		t.Error(err, store.Counts())
	} else {
		h.Release()
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 3))
			b := make([]byte, 3*BlockSize)
			for range 40 {
				mem.Allow(mem.Seize(r.IntN(4)))
				off := r.IntN(len(data) - len(b))
				if n, err := p.ReadAt(b, int64(off)); n != len(b) || err != nil || !bytes.Equal(b, data[off:off+n]) {
					t.Errorf("%d bytes at %d: %v", n, off, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestPackedDamage: whatever is changed, a block is what it was or damaged, and the others are what they were.
func TestPackedDamage(t *testing.T) {
	data := mixed(3)
	packed := Pack(data)
	x := Index{Sums: Sums(data)}
	read := func(packed string) (bad int) {
		t.Helper()
		blocks := Unpack(pages.New(pages.NewHeap(BlockSize)), packed, x)
		p := blocks.Part(0, blocks.Size())
		for i := int64(0); i < blocks.Size(); i += BlockSize {
			h, err := p.Piece(i, 1)
			damage := (*DamageError)(nil)
			switch {
			case err == nil && bytes.Equal(h.Data, data[i:i+BlockSize]):
			case errors.As(err, &damage) && damage.Block == i/BlockSize:
				bad++
			default:
				t.Fatalf("block %d: %v", i/BlockSize, err)
			}
			h.Release()
		}
		return bad
	}
	if read(string(packed)) != 0 {
		t.Error("damaged as it is")
	}
	for i := 0; i < len(packed); i += 1 + i/7 {
		b := bytes.Clone(packed)
		b[i] ^= 0x81
		if n := read(string(b)); n != 1 && (i >= 12 || n == 0) { // where a block ends the next one begins
			t.Errorf("byte %d is another: %d blocks are damaged", i, n)
		}
	}
	for _, n := range []int{0, 3, 11, 12, 100, len(packed) - 1} {
		if read(string(packed[:n])) == 0 && n >= 12 {
			t.Errorf("%d bytes are left, and nothing is damaged", n)
		}
	}
}
