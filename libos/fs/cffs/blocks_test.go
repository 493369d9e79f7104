package cffs

import (
	"bytes"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// TestBlocks counts what a file takes, those of its pages included that no commit has written: at any moment as many as after the next commit.
func TestBlocks(t *testing.T) {
	f := mount(t, formatted(t, 1024), manual)
	write(t, f, "/f", bytes.Repeat([]byte("x"), 5*BlockSize))
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	x := n.(*File)
	put := func(block int64) core.Errno {
		_, _, e := x.WriteAt([]byte("y"), block*BlockSize)
		return e
	}
	for _, c := range []struct {
		what string
		do   func() core.Errno
		want int64 // blocks
	}{
		{"written", func() core.Errno { return 0 }, 5},
		{"written twice", func() core.Errno { return put(1) }, 5},
		{"a hole, and one behind it", func() core.Errno { return put(9) }, 6},
		{"cut before a commit", func() core.Errno { return x.Truncate(3 * BlockSize) }, 3},
		{"synced", f.Sync, 3},
		{"overwritten", func() core.Errno { return put(0) }, 3},
		{"longer", func() core.Errno { return put(3) }, 4},
		{"one that waits and one that does not punched", func() core.Errno {
			return x.Allocate(core.FallocPunchHole|core.FallocKeepSize, 2*BlockSize, 2*BlockSize)
		}, 2},
		{"the hole filled", func() core.Errno { return x.Allocate(core.FallocKeepSize, 0, 4*BlockSize) }, 4},
		{"empty", func() core.Errno { return x.Truncate(0) }, 0},
		{"one more", func() core.Errno { return put(0) }, 1},
		{"synced again", f.Sync, 1},
	} {
		if e := c.do(); e != 0 {
			t.Fatal(c.what, e)
		}
		if a := n.Attr(); a.Blocks != c.want*BlockSize/512 {
			t.Errorf("%s: %d sectors, want %d blocks", c.what, a.Blocks, c.want)
		}
	}
	n.Unref()
}

// TestSetAside reads what was set aside, in pages of memory that held something else: zeroes.
func TestSetAside(t *testing.T) {
	f := mount(t, formatted(t, 1024), Options{Manual: true, Cache: 4 * pages.PerSlot * BlockSize})
	const blocks = 2 * pages.PerSlot
	write(t, f, "/full", bytes.Repeat([]byte("z"), 6*pages.PerSlot*BlockSize))
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	write(t, f, "/f", nil)
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	defer n.Unref()
	if e := n.(*File).Allocate(0, 0, blocks*BlockSize); e != 0 {
		t.Fatal(e)
	}
	if b := contents(t, f, "/f"); len(b) != blocks*BlockSize || len(bytes.Trim(b, "\x00")) != 0 {
		t.Errorf("%d bytes, %d of them not zero", len(b), len(bytes.Trim(b, "\x00")))
	}
}
