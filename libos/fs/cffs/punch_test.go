package cffs

import (
	"bytes"
	"slices"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// TestPunchIsAtomic cuts and punches files on a volume with so little room that something has to be committed on the way. Whatever prefix of the writes a crash leaves, the file is as it
// was, or as it was to be.
func TestPunchIsAtomic(t *testing.T) {
	old := bytes.Repeat([]byte("old."), 5*BlockSize/4)
	for _, x := range []struct {
		name string
		do   func(x *File) core.Errno
		then func(b []byte) []byte
	}{
		{"punch", func(x *File) core.Errno {
			return x.Allocate(core.FallocPunchHole|core.FallocKeepSize, 100, 3*BlockSize)
		}, func(b []byte) []byte { clear(b[100 : 100+3*BlockSize]); return b }},
		{"punch inside of a block", func(x *File) core.Errno {
			return x.Allocate(core.FallocPunchHole|core.FallocKeepSize, 100, 200)
		}, func(b []byte) []byte { clear(b[100:300]); return b }},
		{"punch two halves", func(x *File) core.Errno {
			return x.Allocate(core.FallocPunchHole|core.FallocKeepSize, BlockSize-10, 20)
		}, func(b []byte) []byte { clear(b[BlockSize-10 : BlockSize+10]); return b }},
		{"truncate", func(x *File) core.Errno { return x.Truncate(BlockSize + 1) }, func(b []byte) []byte { return b[:BlockSize+1] }},
	} {
		d := formatted(t, 1024)
		f := mount(t, d, manual)
		write(t, f, "/f", old)
		write(t, f, "/g", old)
		write(t, f, "/h", old)
		f.Sync()
		base := slices.Clone(d.Bytes())
		rec := block.NewRecorder(d)
		f.dev = rec
		write(t, f, "/g", []byte("dirty"))
		write(t, f, "/h", []byte("dirty"))
		n, e := f.Root().Lookup("f")
		if e != 0 {
			t.Fatal(e)
		}
		// One page and its way have room beside what waits, a second has not.
		f.al.used += f.al.free() - uint64(f.t.dirty+f.owed+2+13*f.t.height())
		if e := x.do(n.(*File)); e != 0 {
			t.Fatal(x.name, e)
		}
		n.Unref()
		if e := f.Sync(); e != 0 {
			t.Fatal(x.name, e)
		}
		now := x.then(slices.Clone(old))
		if got := contents(t, f, "/f"); !bytes.Equal(got, now) {
			t.Errorf("%s: the file is another", x.name)
		}
		news := 0
		events := rec.Log()
		for i := range len(events) + 1 {
			if i > 0 {
				events[i-1].Apply(base)
			}
			g, err := Mount(block.NewMemory(slices.Clone(base)), Options{ReadOnly: true})
			if err != nil {
				t.Fatal(x.name, err)
			}
			switch got := contents(t, g, "/f"); {
			case bytes.Equal(got, now):
				news++
			case news > 0 || !bytes.Equal(got, old):
				t.Fatalf("%s: after %d of %d events the file is neither as it was nor as it was to be", x.name, i, len(events))
			}
		}
		if news == 0 {
			t.Errorf("%s: it never came to the disk", x.name)
		}
	}
}
