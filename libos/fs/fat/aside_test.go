package fat_test

import (
	"math"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
)

// TestAside holds fallocate to what Linux's vfat does: room behind the end is the file's until it is closed, or truncated, and is taken by nobody else; what becomes part of the file is zero.
func TestAside(t *testing.T) {
	image := made(t, 12, 1440)
	tree, unmount := mounted(t, image)
	root := tree.Root()
	free := func() (bytes int64) {
		var s core.Statfs
		root.Mount.FS.Statfs(&s)
		return int64(s.Free) * s.BlockSize
	}
	all := free()
	open := func(name string) (core.Place, core.File) {
		t.Helper()
		p, e := tree.Open(root, name, syscall.O_CREAT|syscall.O_RDWR, 0o644, 0)
		if e != 0 {
			t.Fatal(e)
		}
		return p, p.Node.(core.File)
	}
	is := func(what string, e, want core.Errno, f core.File, size, taken int64) {
		t.Helper()
		if e != want {
			t.Errorf("%s: %v, want %v", what, e, want)
		}
		if a := f.Attr(); a.Size != size || a.Blocks*512 != taken || all-free() != taken {
			t.Errorf("%s: %d bytes, %d of the file and %d taken; want %d and %d", what, a.Size, a.Blocks*512, all-free(), size, taken)
		}
	}
	p, f := open("/f")
	is("behind the end", core.Allocate(f, core.FallocKeepSize, 0, 100<<10), 0, f, 0, 100<<10)
	is("less", core.Allocate(f, core.FallocKeepSize, 5, 10), 0, f, 0, 100<<10)
	is("too much", core.Allocate(f, core.FallocKeepSize, 0, 2<<20), syscall.ENOSPC, f, 0, 100<<10)
	is("too much, and longer", core.Allocate(f, 0, 0, 2<<20), syscall.ENOSPC, f, 0, 100<<10)
	is("larger than any file", core.Allocate(f, 0, 5, 1<<32-1), syscall.EFBIG, f, 0, 100<<10)
	is("larger than any, kept", core.Allocate(f, core.FallocKeepSize, 5, 1<<32-1), syscall.EFBIG, f, 0, 100<<10)
	is("a hole", core.Allocate(f, core.FallocKeepSize|core.FallocPunchHole, 0, 10), syscall.EOPNOTSUPP, f, 0, 100<<10)
	is("zeroes", core.Allocate(f, core.FallocZero, 0, 10), syscall.EOPNOTSUPP, f, 0, 100<<10)
	_, _, e := f.WriteAt([]byte("some bytes"), 0)
	is("written", e, 0, f, 10, 100<<10)
	is("longer", core.Allocate(f, 0, 0, 3000), 0, f, 3000, 100<<10)
	b := make([]byte, 3001)
	if n, e := f.ReadAt(b, 0); n != 3000 || e != 0 || string(b) != "some bytes"+string(make([]byte, 2991)) {
		t.Errorf("%d bytes, %v, %q", n, e, b[:20])
	}
	is("shorter", core.Allocate(f, 0, 0, 10), 0, f, 3000, 100<<10)
	g, other := open("/g")
	if n, _, e := other.WriteAt(make([]byte, 2<<20), 0); e != 0 || int64(n) != all-100<<10 {
		t.Errorf("another wrote %d bytes of %d, %v", n, all-100<<10, e)
	}
	if e := other.Truncate(0); e != 0 {
		t.Error(e)
	}
	is("truncated", f.Truncate(2500), 0, f, 2500, 2560)
	is("aside once more", core.Allocate(f, core.FallocKeepSize, 0, 10<<10), 0, f, 2500, 10<<10)
	is("truncated to more", f.Truncate(3000), 0, f, 3000, 3072)
	is("and once more", core.Allocate(f, core.FallocKeepSize, 0, 10<<10), 0, f, 3000, 10<<10)
	p.Drop()
	if n := all - free(); n != 3072 {
		t.Errorf("%d bytes are taken when it is closed", n)
	}
	if e := core.Allocate(other, core.FallocKeepSize, 0, 10<<10); e != 0 || all-free() != 13<<10 {
		t.Errorf("%v, and %d bytes are taken with an empty one's", e, all-free())
	}
	root.Drop()
	unmount() // with one that is open
	fsck(t, image)
	g.Drop()
}

// TestStamps: a time that FAT does not have becomes the nearest that it has, and is told so at once, as it is when the file is opened anew.
func TestStamps(t *testing.T) {
	first, last := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2107, 12, 31, 23, 59, 58, 0, time.UTC)
	at := time.Date(2026, 11, 30, 12, 0, 1, 999, time.UTC)
	_, tree := mount(t, volume(t, 12, 1440), fat.Options{Now: func() time.Time { return at }})
	root := tree.Root()
	defer root.Drop()
	even := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	look := func(what string, f core.Node, want time.Time) {
		t.Helper()
		if a := f.Attr(); time.Unix(a.Mtime.Unix()) != want.Local() {
			t.Errorf("%s: %v, want %v", what, time.Unix(a.Mtime.Unix()).UTC(), want)
		}
	}
	for _, c := range []struct {
		set  int64
		want time.Time
	}{{last.Unix(), last}, {last.Unix() + 1, last}, {last.Unix() + 2, last}, {time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), last}, {math.MaxInt64, last}, {first.Unix(), first}, {first.Unix() - 1, first}, {0, first}, {-1, first}, {math.MinInt64, first}, {at.Unix(), even}} {
		p, e := tree.Open(root, "/f", syscall.O_CREAT|syscall.O_RDWR, 0o644, 0)
		if e != 0 {
			t.Fatal(e)
		}
		f := p.Node.(core.File)
		if _, _, e := f.WriteAt([]byte("x"), 0); e != 0 {
			t.Fatal(e)
		}
		look("written", f, even)
		if e := f.SetAttr(&core.Change{Set: core.SetMtime, Mtime: syscall.Timespec{Sec: c.set, Nsec: 5}}); e != 0 {
			t.Fatal(e)
		}
		look("open", f, c.want)
		p.Drop()
		if p, e = tree.Resolve(root, "/f", 0); e != 0 {
			t.Fatal(e)
		}
		look("opened anew", p.Node, c.want)
		p.Drop()
	}
}
