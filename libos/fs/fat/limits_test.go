package fat_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
)

var entries = flag.Int("entries", 3000, "how many names TestManyNames puts into one folder; from 65 536 on, until it is full")

// TestManyNames puts names into one folder, until it has all that FAT allows where so many are asked for: then ENOSPC, and one that goes is room for another. All are found and listed once, fsck.vfat finds nothing, and all go.
func TestManyNames(t *testing.T) {
	for _, c := range []struct {
		kind  string
		name  func(i int) string
		slots int // that a name takes
	}{
		{"short", func(i int) string { return fmt.Sprintf("F%d", i) }, 1},
		{"long", func(i int) string { return fmt.Sprintf("a long name, %05d.ext", i) }, 3}, // short ones that differ in their numbers only
		{"longest", func(i int) string { return fmt.Sprintf("%0*d ü", 250, i) }, 21},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			manyNames(t, func(i int) string { return "/d/" + c.name(i) }, (65536-2)/c.slots) // "." and ".." are there
		})
	}
}

func manyNames(t *testing.T, name func(i int) string, most int) {
	d := volume(t, 0, 40<<10)
	f, tree := mount(t, d, fat.Options{})
	root := tree.Root()
	if e := tree.Mkdir(root, "/d", 0o755); e != 0 {
		t.Fatal(e)
	}
	began := time.Now()
	did := func(what string, n int) {
		t.Logf("%s: %d names in %v", what, n, time.Since(began).Round(time.Millisecond))
		began = time.Now()
	}
	create := func(i int) core.Errno {
		p, e := tree.Open(root, name(i), syscall.O_CREAT|syscall.O_EXCL, 0o644, 0)
		p.Drop()
		return e
	}
	n := 0
	for ; n < *entries; n++ {
		if e := create(n); e == syscall.ENOSPC && n == most {
			break
		} else if e != 0 {
			t.Fatal(n, e)
		}
	}
	did("created", n)
	if n == most {
		if e := tree.Unlink(root, name(100)); e != 0 {
			t.Error(e)
		}
		if e := create(100); e != 0 {
			t.Fatal(e)
		}
	} else if n != *entries {
		t.Fatalf("%d names", n)
	}
	if e := create(n / 2); e != syscall.EEXIST {
		t.Error(e)
	}
	root.Drop()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	v := made(t, 12, 160)
	if err := os.WriteFile(v, d.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	fsck(t, v)
	did("checked by fsck.vfat", n)
	counted := &block.Faulty{Device: d}
	f, tree = mount(t, counted, fat.Options{})
	root = tree.Root()
	defer root.Drop()
	began = time.Now()
	seen := map[string]bool{}
	for _, name := range list(t, tree, "/d") {
		seen["/d/"+name] = true
	}
	did("listed", len(seen))
	if len(seen) != n {
		t.Errorf("%d names are listed, not %d", len(seen), n)
	}
	for i := range n {
		if !seen[name(i)] {
			t.Fatal(name(i), "is not listed")
		}
	}
	began = time.Now()
	requests := counted.Requests()
	for i := range n {
		p, e := tree.Resolve(root, name(i), 0)
		if e != 0 {
			t.Fatal(name(i), e)
		}
		p.Drop()
	}
	did("found", n)
	if k := counted.Requests() - requests; k > 0 {
		t.Errorf("%d requests find names that were listed", k)
	}
	for i := range n {
		if e := tree.Unlink(root, name(i)); e != 0 {
			t.Fatal(name(i), e)
		}
	}
	did("removed", n)
	if e := tree.Rmdir(root, "/d"); e != 0 {
		t.Error(e)
	}
}

// TestWorkOfANewName: what is done for a name does not grow with the names that are there, nor with those of one short name but for its number. Allocations are what can be counted of it.
func TestWorkOfANewName(t *testing.T) {
	_, tree := mount(t, volume(t, 0, 40<<10), fat.Options{})
	root := tree.Root()
	defer root.Drop()
	n := 0
	create := func(name string) {
		p, e := tree.Open(root, name, syscall.O_CREAT|syscall.O_EXCL, 0o644, 0)
		if e != 0 {
			t.Fatal(name, e)
		}
		p.Drop()
	}
	work := func() float64 {
		return testing.AllocsPerRun(10, func() {
			name := fmt.Sprintf("/some name %d", n)
			n++
			create(name)
			p, e := tree.Resolve(root, name, 0)
			if e != 0 {
				t.Fatal(e)
			}
			p.Drop()
			if e := tree.Unlink(root, name); e != 0 {
				t.Fatal(e)
			}
			create(name)
		})
	}
	few := work()
	for range 2000 {
		create(fmt.Sprintf("/some name %d", n))
		n++
	}
	if many := work(); many > 2*few {
		t.Errorf("%v allocations for a name among 2000, %v among 10", many, few)
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
