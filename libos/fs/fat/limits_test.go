package fat_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
)

var entries = flag.Int("entries", 600, "how many names TestManyNames puts into one folder; from 65 536 on, until it is full")

// TestManyNames puts names into one folder, until it has all that FAT allows where so many are asked for: then ENOSPC, and one that goes is room for another. All are found and listed once, fsck.vfat finds nothing, and all go.
func TestManyNames(t *testing.T) {
	d := volume(t, 0, 40<<10)
	f, tree := mount(t, d, fat.Options{})
	root := tree.Root()
	if e := tree.Mkdir(root, "/d", 0o755); e != 0 {
		t.Fatal(e)
	}
	name := func(i int) string {
		if *entries < 65536 && i%3 == 0 {
			return fmt.Sprintf("/d/%0*d ü", 250, i)
		}
		return fmt.Sprintf("/d/F%d", i) // one slot of the folder
	}
	n := 0
	for ; n < *entries; n++ {
		p, e := tree.Open(root, name(n), syscall.O_CREAT|syscall.O_EXCL, 0o644, 0)
		if e == syscall.ENOSPC && n == 65534 { // with "." and ".."
			break
		}
		if e != 0 {
			t.Fatal(n, e)
		}
		p.Drop()
	}
	if n == 65534 {
		if e := tree.Unlink(root, name(100)); e != 0 {
			t.Error(e)
		}
		p, e := tree.Open(root, name(100), syscall.O_CREAT|syscall.O_EXCL, 0o644, 0)
		if e != 0 {
			t.Fatal(e)
		}
		p.Drop()
	} else if n != *entries {
		t.Fatalf("%d names", n)
	}
	root.Drop()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	v := made(t, 12, 160)
	if err := os.WriteFile(v, d.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	fsck(t, v)
	f, tree = mount(t, d, fat.Options{})
	root = tree.Root()
	defer root.Drop()
	seen := map[string]bool{}
	for _, name := range list(t, tree, "/d") {
		seen["/d/"+name] = true
	}
	for i := range n {
		if !seen[name(i)] {
			t.Fatal(name(i), "is not listed")
		}
	}
	if len(seen) != n {
		t.Errorf("%d names are listed, not %d", len(seen), n)
	}
	for i := range n {
		if e := tree.Unlink(root, name(i)); e != 0 {
			t.Fatal(name(i), e)
		}
	}
	if e := tree.Rmdir(root, "/d"); e != 0 {
		t.Error(e)
	}
}

// TestLimits: names of 255 units of UTF-16, paths of 4095 bytes, and what files cannot be is refused as by Linux.
func TestLimits(t *testing.T) {
	f, tree := mount(t, volume(t, 0, 40<<10), fat.Options{})
	root := tree.Root()
	defer root.Drop()
	path := ""
	for _, n := range []string{strings.Repeat("a", 255), strings.Repeat("ä", 127), strings.Repeat("☃", 85)} {
		path += "/" + n
		if e := tree.Mkdir(root, path, 0o755); e != 0 {
			t.Errorf("%q: %v", n, e)
		}
	}
	for name, want := range map[string]core.Errno{
		strings.Repeat("x", 256): syscall.ENAMETOOLONG, strings.Repeat("./", 2047) + "p": 0, strings.Repeat("./", 2047) + "qq": syscall.ENAMETOOLONG,
	} {
		if e := tree.Mkdir(root, name, 0o755); e != want {
			t.Errorf("%d bytes: %v, want %v", len(name), e, want)
		}
	}
	x := file(t, tree, "/f")
	if n, _, e := x.WriteAt([]byte("kept"), 0); n != 4 || e != 0 {
		t.Fatal(n, e)
	}
	var before, after core.Statfs
	f.Statfs(&before)
	for _, size := range []int64{1 << 32, 16 << 40, core.MaxSize} {
		if n, _, e := x.WriteAt([]byte("x"), size); n != -1 || e != syscall.EFBIG {
			t.Errorf("written at %d: %d %v", size, n, e)
		}
		if e := x.Truncate(size); e != syscall.EFBIG {
			t.Errorf("made %d long: %v", size, e)
		}
	}
	if n, _, e := x.WriteAt([]byte("x"), 3<<30); n != -1 || e != syscall.ENOSPC { // there are no holes
		t.Error(n, e)
	}
	if f.Statfs(&after); after.Free != before.Free {
		t.Errorf("%d clusters are free, not %d", after.Free, before.Free)
	}
	if b, e := get(tree, "/f"); e != 0 || !bytes.Equal(b, []byte("kept")) {
		t.Errorf("%q %v", b, e)
	}
}
