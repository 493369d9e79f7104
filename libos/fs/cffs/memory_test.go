package cffs

import (
	"runtime"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// gathered is a device in memory that takes a commit's writes at once, and allocates nothing for them.
type gathered struct{ *block.Memory }

func (g gathered) WriteAll(list []block.Piece) error {
	for _, p := range list {
		if err := g.Write(p.Vec, p.Off); err != nil {
			return err
		}
	}
	return nil
}

// TestCommitMemory: a commit of one page uses the blocks of the one before again. It allocates 7 KB so, and 15 KB without.
func TestCommitMemory(t *testing.T) {
	f := mount(t, gathered{formatted(t, 2048)}, manual)
	defer f.Close()
	page := make([]byte, BlockSize)
	write(t, f, "/f", page)
	tree := core.NewTree("cffs", f)
	p, e := tree.Open(tree.Root(), "/f", syscall.O_RDWR, 0, 0)
	if e != 0 {
		t.Fatal(e)
	}
	defer p.Drop()
	commit := func() {
		page[0]++
		if _, _, e := p.Node.(core.File).WriteAt(page, 0); e != 0 {
			t.Fatal(e)
		}
		if e := f.Sync(); e != 0 {
			t.Fatal(e)
		}
	}
	for range 10 {
		commit()
	}
	const commits, most = 200, 10 << 10
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range commits {
		commit()
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / commits; n > most {
		t.Errorf("a commit of one page allocates %d bytes, %d at most", n, most)
	} else {
		t.Logf("%d bytes a commit", n)
	}
}
