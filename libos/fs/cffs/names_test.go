package cffs

import (
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
)

// ino is the number of what a path leads to, and 0 where it leads to nothing.
func ino(t *testing.T, tree *core.Tree, path string) uint64 {
	t.Helper()
	p, e := tree.Resolve(core.Place{}, path, core.NoFollow)
	if e == syscall.ENOENT || e == syscall.ENOTDIR {
		return 0
	}
	if e != 0 {
		t.Fatal(path, e)
	}
	defer p.Drop()
	return p.Attr().Ino
}

// TestNames changes names that were looked up before: what is remembered of them is never older than the tree.
func TestNames(t *testing.T) {
	f := mount(t, formatted(t, 4096), manual)
	tree := core.NewTree("cffs", f)
	at := tree.Root()
	defer at.Drop()
	for _, d := range []string{"/d", "/e"} {
		if e := tree.Mkdir(at, d, 0o755); e != 0 {
			t.Fatal(e)
		}
	}
	numbers := map[string]uint64{}
	for _, name := range []string{"/d/a", "/d/b", "/d/c", "/e/a"} {
		write(t, f, name, []byte(name))
		numbers[name] = ino(t, tree, name)
	}
	numbers["/d"], numbers["/e"] = ino(t, tree, "/d"), ino(t, tree, "/e")
	for _, step := range []struct {
		what string
		do   func() core.Errno
		is   map[string]string // what leads to what was at which path in the beginning
	}{
		{"unlink", func() core.Errno { return tree.Unlink(at, "/d/a") }, map[string]string{"/d/a": "", "/d/b": "/d/b"}},
		{"rename", func() core.Errno { return tree.Rename(at, "/d/b", at, "/d/a", 0) }, map[string]string{"/d/a": "/d/b", "/d/b": ""}},
		{"replace", func() core.Errno { return tree.Rename(at, "/d/c", at, "/e/a", 0) }, map[string]string{"/d/c": "", "/e/a": "/d/c"}},
		{"exchange", func() core.Errno { return tree.Rename(at, "/d/a", at, "/e/a", core.RenameExchange) }, map[string]string{"/d/a": "/d/c", "/e/a": "/d/b"}},
		{"link", func() core.Errno {
			p, e := tree.Resolve(at, "/e/a", 0)
			if e != 0 {
				return e
			}
			defer p.Drop()
			return tree.Link(p, at, "/e/b")
		}, map[string]string{"/e/a": "/d/b", "/e/b": "/d/b"}},
		{"unlink one of two", func() core.Errno { return tree.Unlink(at, "/e/a") }, map[string]string{"/e/a": "", "/e/b": "/d/b"}},
		{"rename a folder", func() core.Errno { return tree.Rename(at, "/e", at, "/d/e", 0) }, map[string]string{"/e": "", "/e/b": "", "/d/e": "/e", "/d/e/b": "/d/b"}},
		{"exchange folders with files", func() core.Errno { return tree.Rename(at, "/d/e", at, "/d/a", core.RenameExchange) }, map[string]string{"/d/e": "/d/c", "/d/a/b": "/d/b"}},
	} {
		for path := range step.is {
			ino(t, tree, path) // so that it is remembered
		}
		if e := step.do(); e != 0 {
			t.Fatal(step.what, e)
		}
		for path, was := range step.is {
			if got := ino(t, tree, path); got != numbers[was] {
				t.Errorf("after %s %s is inode %d, not what was %q, %d", step.what, path, got, was, numbers[was])
			}
		}
	}
}

// TestWalk follows paths of all kinds, whose names are remembered from the second time on: they lead where they do in memory, and to the same errors.
func TestWalk(t *testing.T) {
	f := mount(t, formatted(t, 4096), manual)
	mine, want := core.NewTree("cffs", f), oracle()
	for _, o := range []op{{kind: "mkdir", a: "d"}, {kind: "mkdir", a: "d/e"}, {kind: "write", a: "d/e/f", n: 11}, {kind: "write", a: "d/f", n: 12}, {kind: "mkdir", a: "mnt"}, {kind: "write", a: "mnt/f", n: 13}} {
		if a, b := o.do(mine), o.do(want); a != 0 || b != 0 {
			t.Fatal(o, a, b)
		}
	}
	for name, target := range map[string]string{"d/l": "e", "d/e/up": "../f", "abs": "/d/e/f", "none": "d/none", "loop": "loop"} {
		for _, tree := range []*core.Tree{mine, want} {
			root := tree.Root()
			if e := tree.Symlink(target, root, name); e != 0 {
				t.Fatal(e)
			}
			root.Drop()
		}
	}
	look := func(tree *core.Tree, from, path string, how core.How) string {
		at, e := tree.Resolve(core.Place{}, from, 0)
		if e != 0 {
			t.Fatal(e)
		}
		defer at.Drop()
		p, e := tree.Resolve(at, path, how)
		if e != 0 {
			return e.Error()
		}
		defer p.Drop()
		a := p.Attr()
		return strconv.Itoa(int(a.Mode)) + " " + strconv.Itoa(int(a.Size)*int(a.Mode&syscall.S_IFREG)) + " " + strconv.FormatBool(p.Mount.Path == "/")
	}
	all := func(when string) {
		for range 3 {
			for _, from := range []string{"/", "/d"} {
				for _, path := range []string{"/d/e/f", "//d//e///f", "/d/e/f/", "/d/e/", "/d/e/f/x", "/d/l/f", "/d/l", "/d/l/", "/d/e/up", "/d/e/up/x", "/d/./e/../f", "/d/e/../../d/e/f", "/abs", "/abs/", "/none", "/d/none/x", "/loop/x",
					"d/e", "e/f", "e", "e//f", "..", "../d/f", "/mnt/f", "/mnt/../d/f", "/d/" + longName(1)[2:], "/d/e/" + longName(1)[2:] + "x", "/", "//", "/d"} {
					for _, how := range []core.How{0, core.NoFollow, core.NoSymlinks, core.Beneath, core.InRoot, core.NoMounts} {
						if got, is := look(mine, from, path, how), look(want, from, path, how); got != is {
							t.Errorf("%s: %s from %s (%d): %s, and in memory %s", when, path, from, how, got, is)
						}
					}
				}
			}
		}
	}
	all("at first")
	for _, tree := range []*core.Tree{mine, want} {
		if _, e := tree.Mount("/mnt", "mem", mem.New(mem.Options{})); e != 0 {
			t.Fatal(e)
		}
	}
	all("with something mounted over a folder")
}

// TestNamesAreBounded has more names than inodes that are remembered.
func TestNamesAreBounded(t *testing.T) {
	const files = maxIdle + 1000
	f := mount(t, formatted(t, 8192), manual)
	tree := core.NewTree("cffs", f)
	for i := range files {
		write(t, f, "/"+strconv.Itoa(i), nil)
		if i%500 == 0 {
			f.Sync() // what was not committed is not let go
		}
	}
	for range 2 {
		for i := range files {
			if ino(t, tree, "/"+strconv.Itoa(i)) == 0 {
				t.Fatal(i, "is gone")
			}
		}
	}
	if n, m := len(f.nodes), len(f.nodes[rootIno].names); n > maxIdle+600 || m > n {
		t.Errorf("%d inodes and %d names are in memory", n, m)
	}
}

// TestLookupWaitsForNobody finds what was found before while somebody changes the volume, without allocating.
func TestLookupWaitsForNobody(t *testing.T) {
	f := mount(t, formatted(t, 1024), manual)
	tree := core.NewTree("cffs", f)
	write(t, f, "/f", nil)
	f.mu.Lock()
	done := make(chan core.Place)
	go func() {
		p, _ := tree.Resolve(core.Place{}, "/f", 0)
		done <- p
	}()
	select {
	case p := <-done:
		defer p.Drop()
	case <-time.After(time.Minute):
		t.Error("a name that is known waits for a change")
	}
	f.mu.Unlock()
	if n := testing.AllocsPerRun(100, func() {
		p, e := tree.Open(core.Place{}, "/f", syscall.O_CLOEXEC, 0, 0)
		if e != 0 {
			t.Fatal(e)
		}
		p.Attr()
		p.Drop()
	}); n != 0 {
		t.Errorf("finding a file allocates %v times", n)
	}
}

// always follows a path, twice at a time, while change is under way: it leads somewhere all the time.
func always(t *testing.T, tree *core.Tree, path string, change func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				p, e := tree.Resolve(core.Place{}, path, 0)
				if e != 0 {
					t.Error(e)
					return
				}
				p.Drop()
			}
		})
	}
	change()
	close(stop)
	wg.Wait()
}

// TestWalkInMovingFolders follows a path through folders that two goroutines exchange: it is always there, whichever they are.
func TestWalkInMovingFolders(t *testing.T) {
	f := mount(t, formatted(t, 4096), manual)
	tree := core.NewTree("cffs", f)
	root := tree.Root()
	defer root.Drop()
	for _, d := range []string{"/a", "/a/s", "/b", "/b/s"} {
		if e := tree.Mkdir(root, d, 0o755); e != 0 {
			t.Fatal(e)
		}
		write(t, f, d+"/f", nil)
	}
	always(t, tree, "/a/s/f", func() {
		for i := range 300 {
			at := []string{"", "/s"}[i%2]
			if e := tree.Rename(root, "/a"+at, root, "/b"+at, core.RenameExchange); e != 0 {
				t.Error(i, e)
			}
		}
	})
}

// TestRenameIsAtomic looks for a name that is replaced all the time: it is always there.
func TestRenameIsAtomic(t *testing.T) {
	f := mount(t, formatted(t, 4096), manual)
	tree := core.NewTree("cffs", f)
	write(t, f, "/f", nil)
	root := tree.Root()
	defer root.Drop()
	always(t, tree, "/f", func() {
		for i := range 300 {
			write(t, f, "/new", nil)
			if e := tree.Rename(root, "/new", root, "/f", 0); e != 0 {
				t.Error(i, e)
			}
		}
	})
}

// TestTempForGood: what is made without a name gets one only where it may.
func TestTempForGood(t *testing.T) {
	t.Parallel()
	f := mount(t, formatted(t, minBlocks), manual)
	root := f.Root()
	for linkable, want := range map[bool]core.Errno{true: 0, false: syscall.ENOENT} {
		n, e := root.(core.Temporary).Temp(syscall.S_IFREG|0o600, linkable)
		if e != 0 {
			t.Fatal(e)
		}
		if e := root.Link(strconv.FormatBool(linkable), n); e != want {
			t.Errorf("linkable %v: %v", linkable, e)
		}
		n.Unref()
	}
}

// TestWhiteout moves names and leaves whiteouts, in one folder and between two: both are there when the volume is mounted anew.
func TestWhiteout(t *testing.T) {
	t.Parallel()
	d := formatted(t, 4096)
	f := mount(t, d, manual)
	tree := core.NewTree("cffs", f)
	at := tree.Root()
	for _, dir := range []string{"/d", "/e", "/d/sub"} {
		if e := tree.Mkdir(at, dir, 0o755); e != 0 {
			t.Fatal(e)
		}
	}
	numbers := map[string]uint64{}
	for _, name := range []string{"/d/a", "/d/b", "/d/c", "/e/c"} {
		write(t, f, name, []byte(name))
		numbers[name] = ino(t, tree, name)
	}
	numbers["/d/sub"] = ino(t, tree, "/d/sub")
	for _, step := range []struct {
		from, to string
		flags    uint32
		want     core.Errno
	}{
		{"/d/a", "/d/x", 0, 0}, {"/d/b", "/e/b", core.RenameNoReplace, 0}, {"/d/c", "/e/c", core.RenameNoReplace, syscall.EEXIST}, {"/d/c", "/e/c", 0, 0}, {"/d/sub", "/e/sub", 0, 0},
		{"/d/none", "/e/none", 0, syscall.ENOENT}, {"/d/x", "/d/x", 0, 0},
	} {
		if e := tree.Rename(at, step.from, at, step.to, step.flags|core.RenameWhiteout); e != step.want {
			t.Fatal(step, e)
		}
	}
	at.Drop()
	look := func(f *FS) {
		t.Helper()
		tree := core.NewTree("cffs", f)
		for path, was := range map[string]string{"/d/x": "/d/a", "/e/b": "/d/b", "/e/c": "/d/c", "/e/sub": "/d/sub"} {
			if ino(t, tree, path) != numbers[was] {
				t.Errorf("%s is not what was %s", path, was)
			}
		}
		root := tree.Root()
		defer root.Drop()
		for _, path := range []string{"/d/a", "/d/b", "/d/c", "/d/sub"} {
			p, e := tree.Resolve(root, path, 0)
			if e != 0 {
				t.Fatal(path, e)
			}
			if a := p.Attr(); a.Mode != syscall.S_IFCHR || a.Rdev != 0 || a.Nlink != 1 {
				t.Errorf("%s: %+v", path, a)
			}
			p.Drop()
		}
	}
	look(f)
	f.Sync()
	f.Close()
	check(t, d)
	f = mount(t, d, manual)
	look(f)
	f.Close()
}
