package fs_test

import (
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
)

// plant makes a tree of folders (names that end with a slash), files, and links ("name -> target").
func plant(t *testing.T, names ...string) (*fs.Tree, fs.Place) {
	t.Helper()
	tree := fs.NewTree("tmpfs", mem.New(mem.Options{}))
	root := tree.Root()
	for _, n := range names {
		name, target, link := strings.Cut(n, " -> ")
		var e fs.Errno
		switch {
		case link:
			e = tree.Symlink(target, root, name)
		case strings.HasSuffix(n, "/"):
			e = tree.Mkdir(root, n, 0o755)
		default:
			e = tree.Mknod(root, n, syscall.S_IFREG|0o644, 0)
		}
		if e != 0 {
			t.Fatal(n, e)
		}
	}
	return tree, root
}

func TestWalk(t *testing.T) {
	long := strings.Repeat("n", fs.MaxName)
	tree, root := plant(t, "d/", "d/e/", "d/f", "l -> d", "d/up -> ../d/e", "d/abs -> /d/f", "loop -> loop", "dangling -> nowhere", "d/slash -> e/", "fslash -> d/f/", long, "out -> ../../d", "d/root -> /")
	d, e := tree.Resolve(root, "d", 0)
	if e != 0 {
		t.Fatal(e)
	}
	const (
		isDir = fs.Errno(1000 + iota)
		isFile
		isLink
	)
	for _, c := range []struct {
		at   fs.Place
		path string
		how  fs.How
		want fs.Errno
	}{
		{root, "", 0, syscall.ENOENT},
		{root, "/", 0, isDir},
		{root, "///", 0, isDir},
		{root, "..", 0, isDir},
		{root, "d/f", 0, isFile},
		{root, "d//f", 0, isFile},
		{root, "d/f/", 0, syscall.ENOTDIR},
		{root, "d/f/.", 0, syscall.ENOTDIR},
		{root, "d/./e/../f", 0, isFile},
		{root, "../../d/f", 0, isFile},
		{root, "l/f", 0, isFile},
		{root, "l", fs.NoFollow, isLink},
		{root, "l/", fs.NoFollow, isDir},
		{root, "l", fs.NoSymlinks, syscall.ELOOP},
		{root, "l/f", fs.NoSymlinks, syscall.ELOOP},
		{root, "d/up", 0, isDir},
		{root, "d/up/..", 0, isDir},
		{root, "d/abs", 0, isFile},
		{root, "d/slash", 0, isDir},
		{root, "fslash", 0, syscall.ENOTDIR},
		{root, "loop", 0, syscall.ELOOP},
		{root, "loop", fs.NoFollow, isLink},
		{root, "dangling", 0, syscall.ENOENT},
		{root, "dangling/x", 0, syscall.ENOENT},
		{root, "missing", 0, syscall.ENOENT},
		{root, "d/f/x", 0, syscall.ENOTDIR},
		{root, long, 0, isFile},
		{root, long + "n", 0, syscall.ENAMETOOLONG},
		{root, strings.Repeat("d/../", 818) + "d/f", 0, isFile},
		{root, strings.Repeat("d/../", 819) + "d", 0, syscall.ENAMETOOLONG},
		{d, "/d/f", fs.Beneath, syscall.EXDEV},
		{d, "..", fs.Beneath, syscall.EXDEV},
		{d, "e/../../d/f", fs.Beneath, syscall.EXDEV},
		{d, "e/../f", fs.Beneath, isFile},
		{d, "up", fs.Beneath, syscall.EXDEV},
		{d, "abs", fs.Beneath, syscall.EXDEV},
		{d, "root/f", fs.InRoot, isFile},
		{d, "../../f", fs.InRoot, isFile},
		{d, "/f", fs.InRoot, isFile},
		{d, "/d", fs.InRoot, syscall.ENOENT},
	} {
		p, got := tree.Resolve(c.at, c.path, c.how)
		if got == 0 {
			switch p.Node.(type) {
			case fs.Dir:
				got = isDir
			case fs.File:
				got = isFile
			case fs.Link:
				got = isLink
			}
		}
		p.Drop()
		if got != c.want {
			t.Errorf("%.40q, %b: %v, want %v", c.path, c.how, got, c.want)
		}
	}
}

// TestMounts walks into what is mounted and out again.
func TestMounts(t *testing.T) {
	tree, root := plant(t, "a/", "a/m/", "a/m/hidden", "a/f")
	if _, e := tree.Mount("/a/f", "tmpfs", mem.New(mem.Options{})); e != syscall.ENOTDIR {
		t.Error(e)
	}
	m, e := tree.Mount("/a/m", "tmpfs", mem.New(mem.Options{}))
	if e != 0 {
		t.Fatal(e)
	}
	if e := tree.Mkdir(root, "a/m/in", 0o755); e != 0 {
		t.Fatal(e)
	}
	in, e := tree.Resolve(root, "a/m/in", 0)
	if e != 0 || in.Mount != m {
		t.Fatal(in, e)
	}
	if path, e := tree.PathTo(in); path != "/a/m/in" || e != 0 {
		t.Error(path, e)
	}
	for path, want := range map[string]fs.Errno{"a/m/hidden": syscall.ENOENT, "a/m/../f": 0, "a/m/in/../../f": 0} {
		if _, e := tree.Resolve(root, path, 0); e != want {
			t.Error(path, e)
		}
	}
	if _, e := tree.Resolve(root, "a/m", fs.NoMounts); e != syscall.EXDEV {
		t.Error(e)
	}
	if _, e := tree.Resolve(in, "../..", fs.NoMounts); e != syscall.EXDEV {
		t.Error(e)
	}
	for _, e := range []fs.Errno{tree.Rmdir(root, "a/m"), tree.Rename(root, "a/m", root, "b", 0), tree.Rename(root, "a", root, "a/m", fs.RenameExchange)} {
		if e != syscall.EBUSY && e != syscall.EXDEV && e != syscall.EINVAL {
			t.Error(e)
		}
	}
	if e := tree.Rename(root, "a/f", root, "a/m/f", 0); e != syscall.EXDEV {
		t.Error(e)
	}
	if n := len(tree.Mounts()); n != 2 {
		t.Error(n)
	}
}

// TestMountsInRoot walks into folders of the root that are mounted over, which absolute paths do without a look at the root, by all that such a path may look like.
func TestMountsInRoot(t *testing.T) {
	tree, root := plant(t, "m/", "m/hidden", "m2/", "m2/x", "f")
	if e := tree.Symlink("m", root, "l"); e != 0 {
		t.Fatal(e)
	}
	var mounts []*fs.Mount
	for _, path := range []string{"/m", "/m", "/l"} { // over one another
		m, e := tree.Mount(path, "tmpfs", mem.New(mem.Options{}))
		if e != 0 {
			t.Fatal(e)
		}
		mounts = append(mounts, m)
	}
	if e := tree.Mkdir(fs.Place{}, "/m/in", 0o755); e != 0 {
		t.Fatal(e)
	}
	for _, c := range []struct {
		path string
		how  fs.How
		want fs.Errno
	}{
		{"/m/in", 0, 0}, {"//m/in", 0, 0}, {"/m//in/", 0, 0}, {"/l/in", 0, 0}, {"/m/./in", 0, 0}, {"/m/../m/in", 0, 0}, {"/m/in/../in", 0, 0}, {"/m2/../m/in", 0, 0},
		{"/m/../m2/x", 0, 0}, {"/m2/x", 0, 0}, {"/m/../f", 0, 0},
		{"/m/hidden", 0, syscall.ENOENT}, {"/m2/in", 0, syscall.ENOENT}, {"/m/in/x", 0, syscall.ENOENT}, {"/f/in", 0, syscall.ENOTDIR},
		{"/m/in", fs.NoMounts, syscall.EXDEV}, {"/m/in", fs.Beneath, syscall.EXDEV}, {"/m/in", fs.InRoot, 0}, {"/m/in", fs.NoSymlinks, 0},
	} {
		p, e := tree.Resolve(root, c.path, c.how)
		if e != c.want {
			t.Errorf("%s, %b: %v", c.path, c.how, e)
		}
		if e == 0 && strings.HasSuffix(strings.TrimRight(c.path, "/"), "/in") && p.Mount != mounts[2] {
			t.Errorf("%s leads to %s", c.path, p.Mount.Path)
		}
		p.Drop()
	}
	for path, want := range map[string]*fs.Mount{"/m": mounts[2], "/m/": mounts[2], "/m//": mounts[2], "/m/.": mounts[2], "/m/..": root.Mount} {
		if p, e := tree.Resolve(root, path, 0); e != 0 || p.Mount != want {
			t.Errorf("%s: %v", path, e)
		}
	}
	for i, e := range []fs.Errno{tree.Rename(root, "/m", root, "/n", 0), tree.Rename(root, "/m2", root, "/m", 0), tree.Rename(root, "/m2", root, "/m", fs.RenameExchange), tree.Rmdir(root, "/m"), tree.Rmdir(root, "/m//")} {
		if e != syscall.EBUSY {
			t.Error(i, e)
		}
	}
	if p, e := tree.Open(root, "/m/new", syscall.O_CREAT|syscall.O_EXCL, 0o644, 0); e != 0 || p.Mount != mounts[2] {
		t.Error(e)
	}
	// What covers the root hides all of it.
	if _, e := tree.Mount("/", "tmpfs", mem.New(mem.Options{})); e != 0 {
		t.Fatal(e)
	}
	if _, e := tree.Resolve(root, "/m/in", 0); e != syscall.ENOENT {
		t.Error(e)
	}
}

// TestReadOnly refuses every change to a mount that cannot be written to.
func TestReadOnly(t *testing.T) {
	tree, root := plant(t, "m/")
	if _, e := tree.Mount("/m", "rom", mem.New(mem.Options{Sealed: true})); e != 0 {
		t.Fatal(e)
	}
	_, open := tree.Open(root, "m/x", syscall.O_CREAT|syscall.O_RDWR, 0o644, 0)
	for i, e := range []fs.Errno{open, tree.Mkdir(root, "m/x", 0o755), tree.Symlink("y", root, "m/x"), tree.Unlink(root, "m/x"), tree.Rmdir(root, "m/x"),
		tree.Rename(root, "m/x", root, "m/y", 0), tree.Mknod(root, "m/x", syscall.S_IFIFO, 0)} {
		if e != syscall.EROFS {
			t.Error(i, e)
		}
	}
}

// TestRemovedFolder has a folder that is held, and gone.
func TestRemovedFolder(t *testing.T) {
	tree, root := plant(t, "d/")
	d, _ := tree.Resolve(root, "d", 0)
	if e := tree.Rmdir(root, "d"); e != 0 {
		t.Fatal(e)
	}
	if e := tree.Mkdir(d, "x", 0o755); e != syscall.ENOENT {
		t.Error(e)
	}
	if _, e := tree.PathTo(d); e != syscall.ENOENT {
		t.Error(e)
	}
	up, e := tree.Resolve(d, "..", 0)
	if e != 0 || up != root {
		t.Error(up, e)
	}
}

// TestWalkBesideRenames walks below a folder while what is there moves out: the walk may not follow.
func TestWalkBesideRenames(t *testing.T) {
	tree, root := plant(t, "in/", "in/a/", "in/a/b/", "in/a/b/c/", "secret")
	in, _ := tree.Resolve(root, "in", 0)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			tree.Rename(root, "in/a/b", root, "b", 0)
			tree.Rename(root, "b", root, "in/a/b", 0)
		}
	})
	for range 20000 {
		if p, e := tree.Resolve(in, "a/b/c/../../../secret", fs.Beneath); e == 0 {
			t.Fatal("it got out")
		} else if e != syscall.ENOENT && e != syscall.EAGAIN && e != syscall.EXDEV {
			t.Fatal(p, e)
		}
	}
	close(stop)
	wg.Wait()
}
