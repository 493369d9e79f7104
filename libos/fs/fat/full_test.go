package fat_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
)

// seen is all that is in a volume below a folder: files with what they hold, and folders.
func seen(t testing.TB, tree *core.Tree, dir string) map[string]string {
	all := map[string]string{}
	for _, name := range list(t, tree, dir) {
		path := strings.TrimSuffix(dir, "/") + "/" + name
		b, e := get(tree, path)
		if e == syscall.EISDIR {
			all[path] = "a folder"
			for k, v := range seen(t, tree, path) {
				all[k] = v
			}
			continue
		}
		all[path] = fmt.Sprintf("%v, %d bytes, %x", e, len(b), b)
	}
	return all
}

// A step is one thing done to a volume. What a write leaves when the volume is full on the way may be a part of it.
type step struct {
	name string
	do   func(t *core.Tree, at core.Place) core.Errno
	part bool
}

func steps() []step {
	long := "/full/" + strings.Repeat("n", 200)
	open := func(t *core.Tree, at core.Place, name string, do func(f core.File) core.Errno) core.Errno {
		p, e := t.Open(at, name, syscall.O_CREAT|syscall.O_RDWR, 0o644, 0)
		if e != 0 {
			return e
		}
		defer p.Drop()
		return do(p.Node.(core.File))
	}
	write := func(name string, off int64, n int) step {
		return step{fmt.Sprintf("write %s %d+%d", name, off, n), func(t *core.Tree, at core.Place) core.Errno {
			return open(t, at, name, func(f core.File) core.Errno {
				if k, _, e := f.WriteAt(bytes.Repeat([]byte("w"), n), off); e != 0 || k == n {
					return e
				}
				return syscall.ENOSPC
			})
		}, true}
	}
	return []step{
		{"create", func(t *core.Tree, at core.Place) core.Errno {
			return open(t, at, long, func(core.File) core.Errno { return 0 })
		}, false},
		{"mkdir", func(t *core.Tree, at core.Place) core.Errno { return t.Mkdir(at, "/new", 0o755) }, false},
		{"mkdir in a full folder", func(t *core.Tree, at core.Place) core.Errno { return t.Mkdir(at, long, 0o755) }, false},
		write("/new", 0, 3000), write("/a", 1000, 3000), write("/a", 9000, 100), write("/b", 0, 10),
		{"truncate", func(t *core.Tree, at core.Place) core.Errno {
			return open(t, at, "/a", func(f core.File) core.Errno { return f.Truncate(6000) })
		}, false},
		{"truncate to less", func(t *core.Tree, at core.Place) core.Errno {
			return open(t, at, "/a", func(f core.File) core.Errno { return f.Truncate(600) })
		}, false},
		{"rename", func(t *core.Tree, at core.Place) core.Errno { return t.Rename(at, "/a", at, long, 0) }, false},
		{"rename over another", func(t *core.Tree, at core.Place) core.Errno { return t.Rename(at, "/a", at, "/full/F1", 0) }, false},
		{"rename over one in other letters", func(t *core.Tree, at core.Place) core.Errno { return t.Rename(at, "/a", at, "/full/f1", 0) }, false},
		{"rename a folder over another", func(t *core.Tree, at core.Place) core.Errno { return t.Rename(at, "/empty", at, "/full/DIR", 0) }, false},
		{"unlink", func(t *core.Tree, at core.Place) core.Errno { return t.Unlink(at, "/a") }, false},
		{"rmdir", func(t *core.Tree, at core.Place) core.Errno { return t.Rmdir(at, "/empty") }, false},
	}
}

// TestFullAtEveryPoint does each thing to volumes with every number of free clusters from none to enough: what finds no room gives ENOSPC and has changed nothing, but for a write, what was there stays, fsck.vfat finds
// nothing, and when all is removed all space is back.
func TestFullAtEveryPoint(t *testing.T) {
	fresh, err := os.ReadFile(made(t, 12, 160))
	if err != nil {
		t.Fatal(err)
	}
	open := func(disk []byte) (*core.Tree, core.Place, *fat.FS) {
		t.Helper()
		f, err := fat.Mount(block.NewMemory(disk), fat.Options{Manual: true})
		if err != nil {
			t.Fatal(err)
		}
		tree := core.NewTree("vfat", f)
		return tree, tree.Root(), f
	}
	var empty, s core.Statfs
	disk := bytes.Clone(fresh)
	tree, root, f := open(disk)
	f.Statfs(&empty)
	for _, dir := range []string{"/full", "/empty", "/full/DIR"} {
		tree.Mkdir(root, dir, 0o755)
	}
	put(t, tree, "/a", bytes.Repeat([]byte("a"), 2500))
	put(t, tree, "/b", nil)
	for i := range int(empty.BlockSize/32) - 3 { // its cluster is full, with "." and ".."
		put(t, tree, fmt.Sprintf("/full/F%d", i), nil)
	}
	f.Statfs(&s)
	had := s.Free
	f.Close()
	for _, x := range steps() {
		refused := false
		for free := range uint64(12) {
			disk := bytes.Clone(disk)
			tree, root, f := open(disk)
			if e := put(t, tree, "/filler", bytes.Repeat([]byte("f"), int(had-free)*int(empty.BlockSize))); e != 0 {
				t.Fatal(e)
			}
			if f.Statfs(&s); s.Free != free {
				t.Fatalf("%d clusters are free, not %d", s.Free, free)
			}
			before := fmt.Sprint(seen(t, tree, "/"))
			e := x.do(tree, root)
			if refused = e == syscall.ENOSPC; refused {
				if f.Statfs(&s); !x.part && (s.Free != free || fmt.Sprint(seen(t, tree, "/")) != before) {
					t.Errorf("%s, %d clusters free: there was no room, and %d are free:\n%s\nbefore:\n%s", x.name, free, s.Free, fmt.Sprint(seen(t, tree, "/")), before)
				}
			} else if e != 0 {
				t.Errorf("%s, %d clusters free: %v", x.name, free, e)
			}
			now := fmt.Sprint(seen(t, tree, "/"))
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			file := filepath.Join(t.TempDir(), "v")
			if err := os.WriteFile(file, disk, 0o600); err != nil {
				t.Fatal(err)
			}
			fsck(t, file)
			tree, root, f = open(disk)
			if again := fmt.Sprint(seen(t, tree, "/")); again != now {
				t.Errorf("%s, %d clusters free: mounted anew it is\n%s\nand was\n%s", x.name, free, again, now)
			}
			for clear := true; clear; {
				clear = false
				for path := range seen(t, tree, "/") {
					if e := tree.Unlink(root, path); e == syscall.EISDIR {
						e = tree.Rmdir(root, path)
						clear = clear || e == syscall.ENOTEMPTY
					}
				}
			}
			if f.Statfs(&s); s.Free != empty.Free {
				t.Errorf("%s, %d clusters free: %d are free when all is removed, and were %d", x.name, free, s.Free, empty.Free)
			}
			f.Close()
			if t.Failed() {
				return
			}
		}
		if refused {
			t.Errorf("%s: there is never room", x.name)
		}
	}
}
