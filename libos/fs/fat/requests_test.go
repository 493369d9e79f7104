package fat_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
)

// TestEveryRequestFails has each request of a script fail in turn, that one alone and all from it on. Nothing panics; who asked is told, if not all is as it should be; what was durable before and is not touched stays, and
// the volume can be mounted.
func TestEveryRequestFails(t *testing.T) {
	disk, err := os.ReadFile(made(t, 12, 160))
	if err != nil {
		t.Fatal(err)
	}
	kept := bytes.Repeat([]byte("kept "), 1000)
	f, err := fat.Mount(block.NewMemory(disk), fat.Options{Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	tree := core.NewTree("vfat", f)
	for _, dir := range []string{"/full", "/empty", "/full/DIR", "/safe"} {
		tree.Mkdir(tree.Root(), dir, 0o755)
	}
	put(t, tree, "/safe/kept", kept)
	put(t, tree, "/a", bytes.Repeat([]byte("a"), 2500))
	for i := range 20 {
		put(t, tree, fmt.Sprintf("/full/F%d", i), []byte("x"))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	// run gives what is there in the end, and whether anybody was told of an error.
	run := func(at int64, forever bool) (end string, told bool, requests int64) {
		d := block.NewMemory(bytes.Clone(disk))
		faulty := &block.Faulty{Device: d, At: at}
		if forever {
			faulty.Last = 1 << 60
		}
		if f, err := fat.Mount(faulty, fat.Options{Manual: true}); err == nil {
			tree := core.NewTree("vfat", f)
			root := tree.Root()
			for i, x := range steps() {
				e := x.do(tree, root)
				if !slices.Contains([]core.Errno{0, syscall.EIO, syscall.ENOENT, syscall.EEXIST, syscall.EISDIR, syscall.ENOTDIR, syscall.ENOTEMPTY}, e) {
					t.Errorf("%s: %v", x.name, e)
				}
				told = told || e == syscall.EIO
				if i%3 == 2 {
					told = f.Sync() != 0 || told
					b, e := get(tree, "/safe/kept")
					if told = told || e != 0 || len(b) < len(kept); !bytes.HasPrefix(kept, b) || e != 0 && e != syscall.EIO {
						t.Errorf("%s: other bytes are read, or %v", x.name, e)
					}
				}
			}
			told = f.Close() != nil || told
		} else {
			told = true
		}
		requests = faulty.Requests()
		again, err := fat.Mount(block.NewMemory(d.Bytes()), fat.Options{Manual: true})
		if err != nil {
			t.Fatal(err)
		}
		tree := core.NewTree("vfat", again)
		if b, e := get(tree, "/safe/kept"); e != 0 || !bytes.Equal(b, kept) {
			t.Errorf("what was durable is gone: %v", e)
		}
		if !told { // else the table and folders may not agree: that is FAT
			end = fmt.Sprint(seen(t, tree, "/"))
		}
		again.Close()
		return end, told, requests
	}
	right, told, n := run(0, false)
	if told || n < 50 {
		t.Fatalf("%d requests without an error: told %v", n, told)
	}
	for _, forever := range []bool{false, true} {
		for at := range n {
			if end, told, _ := run(at+1, forever); !told && end != right {
				t.Errorf("nobody is told of an error, and there is\n%s\nnot\n%s", end, right)
			}
			if t.Failed() {
				t.Fatalf("request %d of %d fails (forever %v)", at+1, n, forever)
			}
		}
	}
	t.Logf("%d requests", n)
}

// TestRequestsOfFolders: a folder that lies in a row is written by few requests, with its part of the table, and read by few.
func TestRequestsOfFolders(t *testing.T) {
	d := volume(t, 0, 40<<10)
	counted := &block.Faulty{Device: d}
	f, tree := mount(t, counted, fat.Options{})
	root := tree.Root()
	tree.Mkdir(root, "/d", 0o755)
	for i := range 500 { // of three entries: 94 sectors, which are as many clusters
		p, e := tree.Open(root, fmt.Sprintf("/d/some long name %d", i), syscall.O_CREAT, 0o644, 0)
		if e != 0 {
			t.Fatal(e)
		}
		p.Drop()
	}
	before := counted.Requests()
	if e := f.Sync(); e != 0 {
		t.Fatal(e)
	}
	if n := counted.Requests() - before; n > 12 { // two flushes; free space, read and written; two tables; the root; the folder
		t.Errorf("%d requests write a folder of 500 names", n)
	}
	root.Drop()
	f.Close()
	_, tree = mount(t, counted, fat.Options{})
	before = counted.Requests()
	if n := len(list(t, tree, "/d")); n != 500 {
		t.Errorf("%d names", n)
	}
	if n := counted.Requests() - before; n > 4 {
		t.Errorf("%d requests read a folder of 500 names", n)
	}
}
