package cffs

import (
	"bytes"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// TestOldSums has volumes without word sums written, read, checked and damaged as others.
func TestOldSums(t *testing.T) {
	for _, old := range []bool{false, true} {
		m := block.NewMemory(make([]byte, minBlocks*BlockSize))
		if err := Format(m, FormatOptions{old: old}); err != nil {
			t.Fatal(err)
		}
		data := bytes.Repeat([]byte("some bytes of a file that is found again; "), 1000)
		f := mount(t, m, manual)
		if (f.sb.readNeeds == 0) != old {
			t.Fatalf("old %v: features %x", old, f.sb.readNeeds)
		}
		write(t, f, "/f", data)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		f = mount(t, m, manual)
		if got := contents(t, f, "/f"); !bytes.Equal(got, data) {
			t.Fatalf("old %v: %d bytes are read, or others", old, len(got))
		}
		f.Close()
		at := bytes.Index(m.Bytes(), data[:100])
		m.Bytes()[at+50] ^= 1
		r, err := Check(m, true)
		if err != nil || len(r.Problems) != 1 {
			t.Errorf("old %v: Check says %v, %v", old, r.Problems, err)
		}
		f = mount(t, m, manual)
		tree := core.NewTree("cffs", f)
		p, _ := tree.Resolve(tree.Root(), "/f", 0)
		if _, e := p.Node.(core.File).ReadAt(make([]byte, 10), 0); e != syscall.EIO {
			t.Errorf("old %v: damaged data is read with %v", old, e)
		}
	}
}

// TestWordSum holds the sum to what FORMAT.md says, written down another way, and to its promise: one word that differs is seen before the sum is cut.
func TestWordSum(t *testing.T) {
	b := make([]byte, BlockSize)
	for i := range b {
		b[i] = byte(i * i)
	}
	h := uint64(0xcbf29ce484222325)
	for i := 0; i < len(b); i += 8 {
		w := uint64(0)
		for k := 7; k >= 0; k-- {
			w = w<<8 | uint64(b[i+k])
		}
		h = (h ^ w) * 0x9e3779b97f4a7c15
		h ^= h / (1 << 32)
	}
	if got := wordSum(b); got != uint32(h%(1<<32)) {
		t.Errorf("%x, want %x", got, uint32(h))
	}
	for n := 0; n <= len(b); n += 8 { // whatever is left behind the last turn of the loop
		h := uint64(1)
		for i := 0; i < n; i += 8 {
			h = mix(h, le.Uint64(b[i:]))
		}
		if got := words(1, b[:n]); got != h {
			t.Errorf("%d bytes: %x, want %x", n, got, h)
		}
	}
	right := wordSum(b)
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if wordSum(b) == right {
				t.Errorf("bit %d of byte %d makes no difference", bit, i)
			}
			b[i] ^= 1 << bit
		}
	}
}

func write(t *testing.T, f *FS, name string, data []byte) {
	t.Helper()
	tree := core.NewTree("cffs", f)
	p, e := tree.Open(tree.Root(), name, syscall.O_CREAT|syscall.O_RDWR, 0o644, 0)
	if e != 0 {
		t.Fatal(e)
	}
	defer p.Drop()
	if n, _, e := p.Node.(core.File).WriteAt(data, 0); n != len(data) || e != 0 {
		t.Fatal(n, e)
	}
}

func contents(t *testing.T, f *FS, name string) []byte {
	t.Helper()
	tree := core.NewTree("cffs", f)
	p, e := tree.Resolve(tree.Root(), name, 0)
	if e != 0 {
		t.Fatal(e)
	}
	b := make([]byte, max(p.Node.Attr().Size, 1))
	n, e := p.Node.(core.File).ReadAt(b, 0)
	if e != 0 {
		t.Fatal(e)
	}
	return b[:n]
}
