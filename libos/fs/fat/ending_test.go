package fat_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
)

// TestEnding: what is open and has no name when the program ends, because it was removed or another took its place, takes up no room on the disk afterwards; until then it is what it was.
func TestEnding(t *testing.T) {
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			d := volume(t, k.width, k.kib)
			f, tree := mount(t, d, fat.Options{})
			var empty, s core.Statfs
			f.Statfs(&empty)
			root := tree.Root()
			defer root.Drop()
			data := bytes.Repeat([]byte("removed. "), 20_000)
			for _, n := range []string{"/a", "/b", "/c"} {
				if e := put(t, tree, n, data); e != 0 {
					t.Fatal(n, e)
				}
			}
			a, b := file(t, tree, "/a"), file(t, tree, "/b")
			if e := tree.Mkdir(root, "/folder", 0o755); e != 0 {
				t.Fatal(e)
			}
			folder, e := tree.Resolve(root, "/folder", 0)
			if e != 0 {
				t.Fatal(e)
			}
			defer folder.Drop()
			for _, e := range []core.Errno{tree.Unlink(root, "/a"), tree.Rename(root, "/c", root, "/b", 0), tree.Rmdir(root, "/folder"), f.Sync()} {
				if e != 0 {
					t.Fatal(e)
				}
			}
			// lost is how many clusters of the disk nobody would find, as the table says, and as fsck.vfat does.
			lost := func(clean bool) int64 {
				t.Helper()
				if clean {
					image := filepath.Join(t.TempDir(), "v")
					if err := os.WriteFile(image, d.Bytes(), 0o600); err != nil {
						t.Fatal(err)
					}
					fsck(t, image)
				}
				cut, tree := mount(t, d, fat.Options{ReadOnly: true})
				if got, e := get(tree, "/b"); e != 0 || !bytes.Equal(got, data) {
					t.Errorf("/b has %d bytes, %v", len(got), e)
				}
				cut.Statfs(&s)
				return int64(empty.Free) - int64(s.Free) - (int64(len(data))+s.BlockSize-1)/s.BlockSize
			}
			if n := lost(false); n == 0 {
				t.Error("what is open has no room")
			}
			f.Ending()
			if e := f.Sync(); e != 0 {
				t.Fatal(e)
			}
			if n := lost(false); n != 0 {
				t.Errorf("%d clusters are lost when all is synced that the program leaves", n)
			}
			// Who runs on meanwhile sees nothing of it.
			if n, _, e := a.WriteAt([]byte("again"), core.Append); n != 5 || e != 0 {
				t.Error(n, e)
			}
			if e := put(t, tree, "/d", data); e != 0 {
				t.Error(e)
			}
			got := make([]byte, len(data)+10)
			if n, e := a.ReadAt(got, 0); e != 0 || string(got[:n]) != string(data)+"again" {
				t.Errorf("%d bytes, %v", n, e)
			}
			if n, e := b.ReadAt(got, 0); e != 0 || !bytes.Equal(got[:n], data) {
				t.Errorf("%d bytes, %v", n, e)
			}
			if e := tree.Unlink(root, "/d"); e != 0 {
				t.Error(e)
			}
			if e := f.Sync(); e != 0 {
				t.Fatal(e)
			}
			if n := lost(false); n != 0 {
				t.Errorf("%d clusters are lost when more was written", n)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if n := lost(true); n != 0 {
				t.Errorf("%d clusters are lost behind Close", n)
			}
			if _, _, e := a.WriteAt([]byte("x"), 0); e != syscall.EROFS {
				t.Error(e)
			}
		})
	}
}

// TestEndingShared: two open files without names have the same clusters, on a damaged volume. They keep them until they are closed, whatever is written when the end is near.
func TestEndingShared(t *testing.T) {
	p := fat.NewProbe(peopled(t, "FAT12", 160))
	a, _ := p.Entry("/README.TXT")
	b, _ := p.Entry("/d/in there/B.TXT")
	p.PutFirst(b, p.First(a))
	v, err := fat.Mount(block.NewMemory(p.B), fat.Options{Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	tree := core.NewTree("vfat", v)
	root := tree.Root()
	defer root.Drop()
	var held []core.Place
	for _, name := range []string{"/README.TXT", "/d/in there/B.TXT"} {
		f, e := tree.Open(root, name, syscall.O_RDONLY, 0, 0)
		if e != 0 {
			t.Fatal(e)
		}
		if _, e := f.Node.(core.File).ReadAt(make([]byte, 1), 0); e != 0 { // it knows its clusters from now on
			t.Fatal(e)
		}
		held = append(held, f)
	}
	tree.Unlink(root, "/README.TXT")
	tree.Unlink(root, "/d/in there/B.TXT")
	v.Ending()
	if e := v.Sync(); e != 0 {
		t.Fatal(e)
	}
	put(t, tree, "/all", bytes.Repeat([]byte("z"), 160<<10))
	got := make([]byte, 20000)
	if n, e := held[0].Node.(core.File).ReadAt(got, 0); n != len(got) || e != 0 || bytes.Count(got, []byte("r")) != n {
		t.Errorf("%d bytes, %d of them its own, %v", n, bytes.Count(got, []byte("r")), e)
	}
	for _, f := range held {
		f.Drop()
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

// TestBehindTheEnd: what lies behind the end of a folder is no name when the end moves there.
func TestBehindTheEnd(t *testing.T) {
	p := fat.NewProbe(peopled(t, "FAT12", 160))
	copy(p.B[p.At(p.Chain("/d/in there/DEEP")[0])+5*32:], "BEHIND     \x20") // the folder ends with entry 4
	v, err := fat.Mount(block.NewMemory(p.B), fat.Options{Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	tree := core.NewTree("vfat", v)
	if e := put(t, tree, "/d/in there/DEEP/X", []byte("x")); e != 0 {
		t.Fatal(e)
	}
	if _, e := get(tree, "/d/in there/DEEP/BEHIND"); e != syscall.ENOENT {
		t.Error(e)
	}
	if e := v.Sync(); e != 0 {
		t.Fatal(e)
	}
	if at, _ := fat.NewProbe(p.B).Entry("/d/in there/DEEP/X"); p.B[at+32] != 0 {
		t.Error("the name behind the end is one now")
	}
}
