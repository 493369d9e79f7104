package fat_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

func tool(t testing.TB, name, pkg string) string {
	t.Helper()
	for _, dir := range []string{"", "/sbin/", "/usr/sbin/"} {
		if p, err := exec.LookPath(dir + name); err == nil {
			return p
		}
	}
	t.Fatalf("%s is missing: run ci/install, or apt-get install %s", name, pkg)
	return ""
}

// fsck has dosfstools' judge look at a volume.
func fsck(t testing.TB, file string) {
	t.Helper()
	if out, err := exec.Command(tool(t, "fsck.vfat", "dosfstools"), "-n", "-v", file).CombinedOutput(); err != nil {
		t.Fatalf("fsck.vfat: %v\n%s", err, out)
	}
}

// made is a volume that mkfs.vfat has made, or, width 0, Format.
func made(t testing.TB, width, kib int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "v")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, int64(kib)<<10); err != nil {
		t.Fatal(err)
	}
	if width == 0 {
		dev, err := block.OpenFile(file, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(fat.Format(dev, fat.FormatOptions{Label: "mine", ID: 0x1234abcd}), dev.Close()); err != nil {
			t.Fatal(err)
		}
		return file
	}
	if out, err := exec.Command(tool(t, "mkfs.vfat", "dosfstools"), "-F", fmt.Sprint(width), file).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.vfat: %v\n%s", err, out)
	}
	return file
}

// mounted gives the volume in a file, and what unmounts it.
func mounted(t testing.TB, file string) (*core.Tree, func()) {
	t.Helper()
	return mountedWith(t, file, fat.Options{Manual: true})
}

func mountedWith(t testing.TB, file string, o fat.Options) (*core.Tree, func()) {
	t.Helper()
	dev, err := block.OpenFile(file, false)
	if err != nil {
		t.Fatal(err)
	}
	f, err := fat.Mount(dev, o)
	if err != nil {
		t.Fatal(err)
	}
	return core.NewTree("vfat", f), func() {
		t.Helper()
		if err := errors.Join(f.Close(), dev.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

var kinds = map[string]struct{ width, kib int }{"FAT12": {12, 1440}, "FAT16": {16, 16 << 10}, "FAT32": {32, 64 << 10}, "Format": {0, 40 << 10}}

func put(t testing.TB, tree *core.Tree, name string, data []byte) core.Errno {
	root := tree.Root()
	defer root.Drop()
	p, e := tree.Open(root, name, syscall.O_CREAT|syscall.O_WRONLY|syscall.O_TRUNC, 0o644, 0)
	if e != 0 {
		return e
	}
	defer p.Drop()
	n, _, e := p.Node.(core.File).WriteAt(data, 0)
	if e == 0 && n < len(data) {
		return syscall.ENOSPC
	}
	return e
}

func get(tree *core.Tree, name string) ([]byte, core.Errno) {
	root := tree.Root()
	defer root.Drop()
	p, e := tree.Resolve(root, name, 0)
	if e != 0 {
		return nil, e
	}
	defer p.Drop()
	f, ok := p.Node.(core.File)
	if !ok {
		return nil, syscall.EISDIR
	}
	a := f.Attr()
	b := make([]byte, min(a.Size, 1<<20)) // a damaged volume may say anything
	n, e := f.ReadAt(b, 0)
	return b[:max(n, 0)], e
}

var operations = flag.Int("operations", 8000, "how many operations TestAgainstMemory does")

// TestAgainstMemory does random things to volumes and to files in memory, as far as FAT can do what memory does: to names, and to files that are open, and have no name any more perhaps. They agree about what each gives and
// what is read afterwards, and about all that is there when a volume is mounted anew, which fsck.vfat has judged. Meanwhile the memory of the cache is taken away now and then. Now and then all is removed: all space is there again.
func TestAgainstMemory(t *testing.T) {
	names := []string{"a", "B.TXT", "a long name with spaces.text", "Ünïcödé ☃ 😀", "x.y.z", ".hidden", strings.Repeat("n", 200), "D", "dir.d"}
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := made(t, k.width, k.kib)
			fsck(t, file)
			r := rand.New(rand.NewPCG(3, uint64(k.width)))
			want := core.NewTree("tmpfs", mem.New(mem.Options{}))
			path := func() string {
				p := ""
				for range 1 + r.IntN(3) {
					p += "/" + names[r.IntN(len(names))]
				}
				return p
			}
			// change does something to a file, and gives what is read of it then.
			change := func(x core.Node, r *rand.Rand) (core.Errno, string) {
				f, ok := x.(core.File)
				if !ok {
					return syscall.EISDIR, ""
				}
				e := core.Errno(0)
				switch r.IntN(5) {
				case 4:
					e = core.Allocate(f, uint32(r.IntN(2)), int64(r.IntN(9000)), 1+int64(r.IntN(20_000)))
				case 0:
					e = f.Truncate(int64(r.IntN(20_000)))
				case 1, 2:
					_, _, e = f.WriteAt(bytes.Repeat([]byte{byte(r.Uint32())}, 1+r.IntN(9000)), int64(r.IntN(9000))-1)
				}
				off, p := int64(r.IntN(10_000)), make([]byte, 1+r.IntN(12_000))
				n, no := f.ReadAt(p, off)
				if l, no := core.Lend(f, off, 1); no == 0 && len(l.Bytes) > 0 {
					if l.Bytes[0] != p[0] {
						t.Errorf("%q is lent, and %q read", l.Bytes[0], p[0])
					}
					l.Return()
				}
				return e, fmt.Sprint(f.Attr().Size, n, no, crc32.ChecksumIEEE(p[:max(n, 0)]))
			}
			for done, round := 0, 0; done < *operations/len(kinds); round++ {
				memory := pages.NewHeap(2 * slot)
				got, unmount := mountedWith(t, file, fat.Options{Manual: true, Pages: pages.New(memory)})
				open := map[*core.Tree][]core.Place{}
				free := func() uint64 {
					var s core.Statfs
					root := got.Root()
					defer root.Drop()
					root.Mount.FS.Statfs(&s)
					return s.Free * uint64(s.BlockSize)
				}
				if empty := free(); round%5 == 4 || empty < uint64(k.kib)<<9 { // trees become deep, for folders are moved into others
					for _, tree := range []*core.Tree{want, got} {
						root := tree.Root()
						for _, name := range list(t, tree, "/") {
							removeAll(t, tree, root, "/"+name)
						}
						root.Drop()
					}
					if n := free(); n < uint64(k.kib)<<10*9/10 {
						t.Fatalf("round %d: %d bytes are free of an empty volume", round, n)
					}
				}
				for step := 0; step < 1000 && done < *operations/len(kinds) && free() > 256<<10; step, done = step+1, done+1 {
					a, b := path(), path()
					do := func(tree *core.Tree, r *rand.Rand) (core.Errno, string) {
						root := tree.Root()
						defer root.Drop()
						if i := r.IntN(20); i < len(open[tree]) {
							if r.IntN(5) > 0 {
								return change(open[tree][i].Node, r)
							}
							open[tree][i].Drop()
							open[tree] = slices.Delete(open[tree], i, i+1)
							return 0, ""
						}
						switch r.IntN(10) {
						case 0, 1:
							return tree.Mkdir(root, a, 0o755), ""
						case 2, 3:
							return tree.Unlink(root, a), ""
						case 4:
							return tree.Rmdir(root, a), ""
						case 5:
							return tree.Rename(root, a, root, b, uint32(r.IntN(2))), ""
						}
						p, e := tree.Open(root, a, syscall.O_CREAT|syscall.O_RDWR, 0o644, 0)
						if e != 0 {
							return e, ""
						}
						if _, is := p.Node.(core.File); is && len(open[tree]) < 6 && r.IntN(3) == 0 {
							open[tree] = append(open[tree], p)
						} else {
							defer p.Drop()
						}
						return change(p.Node, r)
					}
					if n := r.IntN(8); n < 2 {
						memory.Allow(memory.Seize(n + 1))
					}
					seed := r.Uint64()
					e1, saw1 := do(want, rand.New(rand.NewPCG(seed, 1)))
					e2, saw2 := do(got, rand.New(rand.NewPCG(seed, 1)))
					if e1 != e2 || saw1 != saw2 {
						t.Fatalf("round %d step %d %s %s: %v %s, in memory %v %s", round, step, a, b, e2, saw2, e1, saw1)
					}
				}
				for _, list := range open {
					for _, p := range list {
						p.Drop()
					}
				}
				compare(t, want, got, "/")
				unmount()
				fsck(t, file)
			}
			got, unmount := mounted(t, file)
			defer unmount()
			compare(t, want, got, "/")
		})
	}
}

// removeAll removes what has a name, and what is in it.
func removeAll(t testing.TB, tree *core.Tree, root core.Place, name string) {
	t.Helper()
	e := tree.Unlink(root, name)
	if e == syscall.EISDIR {
		for _, in := range list(t, tree, name) {
			removeAll(t, tree, root, name+"/"+in)
		}
		e = tree.Rmdir(root, name)
	}
	if e != 0 {
		t.Fatal(name, e)
	}
}

func list(t testing.TB, tree *core.Tree, name string) (names []string) {
	root := tree.Root()
	defer root.Drop()
	p, e := tree.Resolve(root, name, 0)
	if e != 0 {
		t.Fatal(name, e)
	}
	defer p.Drop()
	d, ok := p.Node.(core.Dir)
	if !ok {
		return nil
	}
	if e := d.ReadDir(0, func(e *core.Entry) bool { names = append(names, e.Name); return true }); e != 0 {
		t.Fatal(name, e)
	}
	slices.Sort(names)
	return names
}

func compare(t testing.TB, want, got *core.Tree, dir string) {
	t.Helper()
	a, b := list(t, want, dir), list(t, got, dir)
	if !slices.Equal(a, b) {
		t.Fatalf("%s has %q, want %q", dir, b, a)
	}
	for _, n := range a {
		p := strings.TrimSuffix(dir, "/") + "/" + n
		x, e1 := get(want, p)
		y, e2 := get(got, p)
		if e1 != e2 || !bytes.Equal(x, y) {
			t.Fatalf("%s: %d bytes %v, want %d bytes %v", p, len(y), e2, len(x), e1)
		}
		if e1 == syscall.EISDIR {
			compare(t, want, got, p)
		}
	}
}

// TestMtools has files go to and fro between us and mtools.
func TestMtools(t *testing.T) {
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			file := made(t, k.width, k.kib)
			tree, unmount := mounted(t, file)
			data := bytes.Repeat([]byte("hello, "), 3000)
			root := tree.Root()
			if e := tree.Mkdir(root, "/A Folder", 0o755); e != 0 {
				t.Fatal(e)
			}
			root.Drop()
			if e := put(t, tree, "/A Folder/Some File.text", data); e != 0 {
				t.Fatal(e)
			}
			unmount()
			run := func(args ...string) string {
				cmd := exec.Command(tool(t, args[0], "mtools"), args[1:]...)
				cmd.Env = append(os.Environ(), "MTOOLS_SKIP_CHECK=1")
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %v\n%s", args, err, out)
				}
				return string(out)
			}
			if out := run("mtype", "-i", file, "::/A Folder/Some File.text"); out != string(data) {
				t.Errorf("mtype gives %d bytes", len(out))
			}
			host := filepath.Join(t.TempDir(), "From Outside.bin")
			if err := os.WriteFile(host, data, 0o600); err != nil {
				t.Fatal(err)
			}
			run("mcopy", "-i", file, host, "::/A Folder/")
			tree, unmount = mounted(t, file)
			defer unmount()
			if b, e := get(tree, "/a folder/FROM OUTSIDE.bin"); e != 0 || !bytes.Equal(b, data) {
				t.Errorf("%d bytes, %v", len(b), e)
			}
		})
	}
}

// TestNames holds the rules of names.
func TestNames(t *testing.T) {
	file := made(t, 0, 40<<10)
	tree, unmount := mounted(t, file)
	for name, want := range map[string]core.Errno{
		strings.Repeat("ü", 127): 0, strings.Repeat("x", 255): 0, "bad\xffname": syscall.EINVAL, "a:b": syscall.EINVAL, "q?": syscall.EINVAL, "end.": syscall.EINVAL, "end ": syscall.EINVAL,
		"tab\t": syscall.EINVAL, "del\x7f": 0, "\x7f": 0, "...x": 0, "a b.c d.e": 0, "COM~1.TXT": 0, "LOWER.TXT": 0, "Mixed.Txt": 0,
	} {
		if e := put(t, tree, "/"+name, []byte(name)); e != want {
			t.Errorf("%q: %v, want %v", name, e, want)
		}
		if b, e := get(tree, "/"+strings.ToUpper(name)); want == 0 && (e != 0 || string(b) != name) {
			t.Errorf("%q: %q %v", name, b, e)
		}
	}
	root := tree.Root()
	if e := tree.Rename(root, "/Mixed.Txt", root, "/mIXED.tXT", 0); e != 0 || !slices.Contains(list(t, tree, "/"), "mIXED.tXT") {
		t.Error("another case:", e, list(t, tree, "/"))
	}
	if e := tree.Symlink("x", root, "/link"); e != syscall.EPERM {
		t.Error(e)
	}
	for i := range 300 {
		if e := put(t, tree, fmt.Sprintf("/many of the same beginning %d.text", i), nil); e != 0 {
			t.Fatal(i, e)
		}
	}
	root.Drop()
	unmount()
	fsck(t, file)
}

// TestClusters: Format gives a volume clusters as large as pages where FAT32 has enough of them, and fsck.vfat agrees.
func TestClusters(t *testing.T) {
	for kib, want := range map[int]int64{40 << 10: 512, 259 << 10: 512, 261 << 10: 4096, 9 << 20: 8192} {
		v := made(t, 0, kib)
		tree, unmount := mounted(t, v)
		root := tree.Root()
		if got := root.Node.Attr().Blksize; got != want {
			t.Errorf("%d MiB: clusters of %d bytes, not %d", kib>>10, got, want)
		}
		root.Drop()
		put(t, tree, "/a file", random(10_000))
		unmount()
		fsck(t, v)
	}
}

// TestFolderSize has a folder be as large as its clusters, also when it was not looked into yet.
func TestFolderSize(t *testing.T) {
	v := made(t, 0, 40<<10)
	tree, unmount := mounted(t, v)
	root := tree.Root()
	if e := tree.Mkdir(root, "/folder", 0o755); e != 0 {
		t.Fatal(e)
	}
	root.Drop()
	unmount()
	tree, unmount = mounted(t, v)
	defer unmount()
	root = tree.Root()
	defer root.Drop()
	folder, e := tree.Resolve(root, "/folder", 0)
	if e != 0 {
		t.Fatal(e)
	}
	defer folder.Drop()
	for range 2 {
		if a := folder.Attr(); a.Size != a.Blksize || a.Blocks != a.Blksize/512 {
			t.Errorf("a folder of one cluster of %d bytes has %d bytes, %d blocks", a.Blksize, a.Size, a.Blocks)
		}
	}
}

// TestFull fills a volume: what was there stays, and all space comes back.
func TestFull(t *testing.T) {
	file := made(t, 12, 1440)
	tree, unmount := mounted(t, file)
	var before, after core.Statfs
	root := tree.Root()
	root.Mount.FS.Statfs(&before)
	n := 0
	for ; n < 10_000; n++ {
		if e := put(t, tree, fmt.Sprintf("/file %d", n), bytes.Repeat([]byte{byte(n)}, 5000)); e == syscall.ENOSPC {
			break
		} else if e != 0 {
			t.Fatal(e)
		}
	}
	for i := range n {
		name := fmt.Sprintf("/file %d", i)
		if b, e := get(tree, name); e != 0 || !bytes.Equal(b, bytes.Repeat([]byte{byte(i)}, 5000)) {
			t.Fatal(name, e)
		}
		tree.Unlink(root, name)
	}
	tree.Unlink(root, fmt.Sprintf("/file %d", n))
	root.Mount.FS.Statfs(&after)
	if n < 100 || before.Free != after.Free {
		t.Errorf("%d files; %d clusters free, %d before", n, after.Free, before.Free)
	}
	root.Drop()
	unmount()
	fsck(t, file)
}

// TestFS has testing/fstest look at a volume.
func TestFS(t *testing.T) {
	file := made(t, 0, 40<<10)
	tree, unmount := mounted(t, file)
	defer unmount()
	root := tree.Root()
	defer root.Drop()
	tree.Mkdir(root, "/dir", 0o755)
	put(t, tree, "/dir/file", []byte("x"))
	put(t, tree, "/another file", []byte("y"))
	if err := fstest.TestFS(view{t, tree}, "dir/file", "another file"); err != nil {
		t.Error(err)
	}
}

// view is a tree as an io/fs.FS.
type view struct {
	t    *testing.T
	tree *core.Tree
}

func (v view) Open(name string) (fs.File, error) {
	fail := func(e error) (fs.File, error) { return nil, &fs.PathError{Op: "open", Path: name, Err: e} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	root := v.tree.Root()
	defer root.Drop()
	p, e := v.tree.Resolve(root, "/"+name, 0)
	if e != 0 {
		return fail(e)
	}
	defer p.Drop()
	m := fstest.MapFS{}
	a := p.Attr()
	info := &fstest.MapFile{Mode: fs.FileMode(a.Mode & 0o777), ModTime: time.Unix(a.Mtime.Sec, 0)}
	if _, ok := p.Node.(core.Dir); !ok {
		info.Data, _ = get(v.tree, "/"+name)
		m[name] = info
		return m.Open(name)
	}
	info.Mode |= fs.ModeDir
	m[name] = info
	for _, n := range list(v.t, v.tree, "/"+name) {
		full := strings.TrimPrefix(strings.TrimSuffix(name, "/")+"/"+n, "./")
		q, e := v.tree.Resolve(root, "/"+full, 0)
		if e != 0 {
			return fail(e)
		}
		a := q.Attr()
		c := &fstest.MapFile{Mode: fs.FileMode(a.Mode & 0o777), ModTime: time.Unix(a.Mtime.Sec, 0)}
		if _, ok := q.Node.(core.Dir); ok {
			c.Mode |= fs.ModeDir
		} else {
			c.Data, _ = get(v.tree, "/"+full)
		}
		q.Drop()
		m[full] = c
	}
	return m.Open(name)
}

// TestRefused has what is no volume refused, and nothing written to it.
func TestRefused(t *testing.T) {
	good, err := os.ReadFile(made(t, 12, 1440))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(b []byte) []byte{
		"zeroes": func(b []byte) []byte { clear(b); return b }, "short": func(b []byte) []byte { return b[:64<<10] }, "no table": func(b []byte) []byte { b[22] = 0; return b },
		"tiny": func(b []byte) []byte { return b[:512] }, "odd sectors": func(b []byte) []byte { b[11] = 3; return b },
	} {
		b := change(bytes.Clone(good))
		dev := block.NewMemory(bytes.Clone(b))
		var no *fat.MountError
		if _, err := fat.Mount(dev, fat.Options{}); !errors.As(err, &no) {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(dev.Bytes(), b) {
			t.Errorf("%s: it was written to", name)
		}
	}
}

// FuzzDamage changes bytes of a volume and does what can be done to it: errors, but no panic and no end that never comes.
func FuzzDamage(f *testing.F) {
	file := made(f, 12, 160)
	tree, unmount := mounted(f, file)
	root := tree.Root()
	tree.Mkdir(root, "/d", 0o755)
	tree.Mkdir(root, "/d/e", 0o755)
	put(f, tree, "/d/a long name", bytes.Repeat([]byte("x"), 3000))
	put(f, tree, "/f", []byte("y"))
	root.Drop()
	unmount()
	good, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{11, 0, 1, 13, 0, 9}, uint16(0))
	f.Add([]byte{0, 2, 3, 5, 2, 0xff, 9, 2, 1}, uint16(0))
	f.Add([]byte{0x1a, 0, 0xff, 0x20, 4, 0}, uint16(0x1000))
	f.Fuzz(func(t *testing.T, change []byte, base uint16) {
		b := bytes.Clone(good)
		for ; len(change) >= 3; change = change[3:] {
			b[(int(base)+int(change[0])+int(change[1])<<8)%(20<<10)] = change[2]
		}
		v, err := fat.Mount(block.NewMemory(b), fat.Options{Manual: true})
		if err != nil {
			return
		}
		tree := core.NewTree("vfat", v)
		root := tree.Root()
		defer root.Drop()
		seen := 0
		var walk func(dir string, depth int)
		walk = func(dir string, depth int) {
			p, e := tree.Resolve(root, dir, 0)
			if e != 0 {
				return
			}
			defer p.Drop()
			d, ok := p.Node.(core.Dir)
			if !ok {
				get(tree, dir)
				put(t, tree, dir, []byte("z"))
				return
			}
			var names []string
			d.ReadDir(0, func(e *core.Entry) bool { names = append(names, e.Name); return len(names) < 50 })
			for _, n := range names {
				if seen++; seen < 200 && depth < 10 {
					walk(strings.TrimSuffix(dir, "/")+"/"+n, depth+1)
				}
			}
			put(t, tree, strings.TrimSuffix(dir, "/")+"/new file", []byte("w"))
			for _, n := range names {
				tree.Unlink(root, strings.TrimSuffix(dir, "/")+"/"+n)
			}
		}
		walk("/", 0)
		v.Close()
	})
}

// TestSmallWrites: a write of less than a block, where the file has the cluster and the cache the page, allocates nothing.
func TestSmallWrites(t *testing.T) {
	_, tree := mount(t, volume(t, 0, 40<<10), fat.Options{})
	x := file(t, tree, "/f")
	p, off := []byte("I will not allocate when passed a string longer than 32 bytes.\n"), int64(0)
	write := func() {
		if n, _, e := x.WriteAt(p, off%4096); n != len(p) || e != 0 {
			t.Fatal(n, e)
		}
		off += int64(len(p))
	}
	for range 100 {
		write()
	}
	if n := testing.AllocsPerRun(100, write); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
