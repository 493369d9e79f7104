package cffs

import (
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// TestWritesWhereItWrote changes some pages of a small file and syncs it, as databases do: copies on write go to few places of a disk that has room for each of them elsewhere.
func TestWritesWhereItWrote(t *testing.T) {
	const rounds, most = 1500, 2 * wrap
	rec := block.NewRecorder(formatted(t, 16*most))
	f := mount(t, rec, manual)
	tree := core.NewTree("mine", f)
	if e := (op{kind: "write", a: "f", n: 64 * BlockSize}).do(tree); e != 0 {
		t.Fatal(e)
	}
	begun := len(rec.Log())
	for i := range rounds {
		for k := range 4 {
			o := op{kind: "write", a: "f", off: int64((i*7+k*11)%64) * BlockSize, n: BlockSize, fill: byte(i)}
			if e := o.do(tree); e != 0 {
				t.Fatal(e)
			}
		}
		if e := (op{kind: "fdatasync", a: "f"}).do(tree); e != 0 {
			t.Fatal(e)
		}
	}
	places, written := map[int64]bool{}, 0
	for _, e := range rec.Log()[begun:] {
		for off := int64(0); off < int64(len(e.Data)); off += BlockSize {
			places[(e.Off+off)/BlockSize] = true
			written++
		}
	}
	t.Logf("%d blocks written, to %d places", written, len(places))
	if len(places) > most || written < 6*rounds {
		t.Errorf("%d blocks were written to %d places", written, len(places))
	}
}
