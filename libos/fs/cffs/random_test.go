package cffs

import (
	"flag"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

var operations = flag.Int("operations", 20_000, "how many operations the random tester does")

// names are what random operations are about: few, so that they meet.
var names = []string{"a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/a", "f", "f/a", "a/x", "missing/x"}

var kinds = []string{"create", "write", "write", "write", "append", "append", "truncate", "punch", "allocate", "zero", "collapse", "insert", "fsync", "fdatasync", "sync", "mkdir", "mkdir", "rmdir", "unlink", "rename", "rename", "exchange",
	"symlink", "link", "chmod", "setxattr", "rmxattr"}

func randomOp(r *rand.Rand, most int64) op {
	o := op{kind: kinds[r.IntN(len(kinds))], a: names[r.IntN(len(names))], b: names[r.IntN(len(names))], fill: byte(r.IntN(26))}
	o.off = r.Int64N(most)
	o.n = 1 + r.IntN(3*BlockSize)
	if moves := o.kind == "collapse" || o.kind == "insert"; r.IntN(3) == 0 || moves && r.IntN(4) != 0 {
		o.off &^= BlockSize - 1
		o.n = BlockSize * (1 + r.IntN(3))
	}
	if o.kind == "rename" && o.n%8 == 0 { // few: who writes finds devices afterwards
		o.kind = "whiteout"
	}
	if o.kind == "symlink" {
		o.n = r.IntN(1000)
	}
	if o.kind == "setxattr" || o.kind == "rmxattr" {
		o.b = o.b[:1]
		o.n = r.IntN(2000)
	}
	return o
}

// check holds a volume that is not mounted to its rules.
func check(t testing.TB, d block.Device) {
	t.Helper()
	r, err := Check(d, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range r.Problems {
		if t.Error(p); i > 10 {
			break
		}
	}
}

// A twin is a file that is open in both trees.
type twin struct{ mine, want core.Place }

// A tester does the same things to a volume and to a filesystem in memory.
type tester struct {
	t          *testing.T
	r          *rand.Rand
	mine, want *core.Tree
	open       []twin
}

// do does one random thing, to a name or to an open file, which may have none any more. It fails the test where the two do not agree on its error, or on what is seen afterwards.
func (t *tester) do(most int64) op {
	t.t.Helper()
	x := randomOp(t.r, most)
	at, n := t.r.Int64N(most), t.r.Int64N(4*BlockSize)
	var got, right core.Errno
	var a, b string
	if k := t.r.IntN(4 * maxOpen); k < len(t.open) {
		f := t.open[k]
		switch x.kind {
		case "write", "append", "truncate", "punch", "allocate", "zero", "collapse", "insert", "setxattr", "rmxattr":
			got, right = x.file(f.mine.Node.(core.File)), x.file(f.want.Node.(core.File))
		case "link", "rename":
			got, right = linkTo(t.mine, f.mine, x.b), linkTo(t.want, f.want, x.b)
		default:
			x.kind = "close"
			t.close(k)
			return x
		}
		x.kind += " open file"
		a, b = look(f.mine.Node, at, n), look(f.want.Node, at, n)
	} else if x.kind == "create" && t.r.IntN(2) == 0 && len(t.open) < maxOpen {
		name, flags := x.a, syscall.O_RDWR|syscall.O_CREAT
		if x.kind = "open"; t.r.IntN(3) == 0 {
			x.kind, name, flags = "temporary", ".", syscall.O_RDWR|oTmpfile
		}
		var f twin
		f.mine, got = openFile(t.mine, name, flags)
		if f.want, right = openFile(t.want, name, flags); got == 0 && right == 0 {
			t.open = append(t.open, f)
		}
	} else {
		got, right = x.do(t.mine), x.do(t.want)
		a, b = lookAt(t.mine, x.a, at, n), lookAt(t.want, x.a, at, n)
	}
	if got != right {
		t.t.Fatalf("%v: %v, and in memory %v", x, got, right)
	}
	if a != b {
		t.t.Fatalf("%v: at %d+%d: %s, and in memory %s", x, at, n, a, b)
	}
	return x
}

// close closes one of the open files.
func (t *tester) close(k int) {
	t.open[k].mine.Drop()
	t.open[k].want.Drop()
	t.open[k] = t.open[len(t.open)-1]
	t.open = t.open[:len(t.open)-1]
}

const (
	maxOpen  = 6
	oTmpfile = 0x410000 // O_TMPFILE
)

func openFile(t *core.Tree, name string, flags int) (core.Place, core.Errno) {
	root := t.Root()
	defer root.Drop()
	p, e := t.Open(root, name, flags, 0o644, 0)
	if _, is := p.Node.(core.File); e == 0 && !is {
		p.Drop()
		return core.Place{}, syscall.EISDIR
	}
	return p, e
}

func linkTo(t *core.Tree, p core.Place, name string) core.Errno {
	root := t.Root()
	defer root.Drop()
	return t.Link(p, root, name)
}

// look tells what there is to see of a node, and, of a file, of a part of it, read and lent.
func look(x core.Node, at, n int64) string {
	a := x.Attr()
	s := fmt.Sprintf("mode %o nlink %d uid %d", a.Mode, a.Nlink, a.UID)
	f, is := x.(core.File)
	if !is {
		return s
	}
	k, e, h := hashed(f, at, n)
	s += fmt.Sprintf(" size %d read %d %v %x", a.Size, k, e, h)
	if k <= 0 {
		return s
	}
	l, e := core.Lend(f, at, k)
	if e != 0 || len(l.Bytes) == 0 {
		return s + fmt.Sprintf(" lent %d bytes, %v", len(l.Bytes), e)
	}
	defer l.Return()
	if _, _, h := hashed(f, at, int64(len(l.Bytes))); maphash.Bytes(hashSeed, l.Bytes) != h {
		s += " other bytes are lent"
	}
	return s
}

func lookAt(t *core.Tree, name string, at, n int64) string {
	root := t.Root()
	defer root.Drop()
	p, e := t.Resolve(root, name, core.NoFollow)
	if e != 0 {
		return e.Error()
	}
	defer p.Drop()
	return look(p.Node, at, n)
}

// TestAgainstMemory does random things to volumes and to a filesystem in memory: they agree about all that can be seen, now and after mounting anew, what is removed gives its space back, and a check
// finds nothing. Meanwhile the memory of the cache is taken away now and then.
func TestAgainstMemory(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		name string
		old  bool
		o    Options
	}{
		{"spills", false, Options{Manual: true, Cache: 64 << 10, Dirty: 64 << 10}},
		{"as it is by itself", false, Options{Cache: 16 << 20}},
		{"old format", true, Options{Manual: true, Cache: 256 << 10, Dirty: 256 << 10}},
		{"one page", false, Options{Manual: true, Cache: 1, Dirty: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := formatted(t, 8192)
			if c.old {
				d = formattedOld(t, 8192)
			}
			memory := pages.NewHeap(c.o.Cache)
			store := pages.New(memory)
			c.o.Pages = store
			f := mount(t, d, c.o)
			x := tester{t: t, r: rand.New(rand.NewPCG(uint64(i), 1)), mine: treeOf(f), want: oracle()}
			free := func() uint64 {
				var s core.Statfs
				f.Sync()
				f.Statfs(&s)
				return s.Free
			}
			empty := free()
			compare := func(when string) {
				t.Helper()
				if a, b := dump(x.mine), dump(x.want); a != b {
					t.Fatalf("%s: volume:\n%s\nmemory:\n%s", when, a, b)
				}
			}
			for k := 1; k <= *operations/4; k++ {
				if n := x.r.IntN(40); n < 8 {
					memory.Allow(memory.Seize(n))
				} else if n == 8 {
					store.Shrink(4)
				}
				did := x.do(40 * BlockSize)
				when := fmt.Sprintf("operation %d: %v", k, did)
				if t.Failed() {
					t.Fatal(when)
				}
				last := k == *operations/4
				if k%100 == 0 || last {
					compare(when)
				}
				if k%997 == 0 || last {
					for len(x.open) > 0 && x.r.IntN(4) != 0 {
						x.close(0)
					}
					if err := f.Close(); err != nil {
						t.Fatal(err)
					}
					for len(x.open) > 0 { // what has no name goes when the volume is mounted anew
						x.close(0)
					}
					check(t, d)
					unpinned(t, store)
					f = mount(t, d, c.o)
					x.mine = treeOf(f)
					compare(when + ", mounted anew")
				}
				// The trees become deep, for directories are moved into others.
				if k%(20*997) == 0 || last {
					removeAll(t, x.mine)
					removeAll(t, x.want)
					compare(when + ", all removed")
					if n := free(); n != empty {
						t.Fatalf("%s: %d blocks were free, and when all is removed %d", when, empty, n)
					}
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			check(t, d)
			unpinned(t, store)
		})
	}
}

// unpinned: nobody has anything of a store, but who reads ahead and is about to end.
func unpinned(t *testing.T, s *pages.Store) {
	t.Helper()
	for range 1000 {
		if c := s.Counts(); c.Pinned == 0 && c.Kept == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d slots are pinned, %d pages kept, and nobody has any", s.Counts().Pinned, s.Counts().Kept)
}

// TestSpaceComesBack removes all again.
func TestSpaceComesBack(t *testing.T) {
	d := formatted(t, 2048)
	f := mount(t, d, manual)
	var before, after core.Statfs
	f.Sync()
	f.Statfs(&before)
	tr := treeOf(f)
	for range 5 {
		for i := range 300 {
			name := string(rune('a'+i%26)) + string(rune('a'+i/26))
			if e := (op{kind: "write", a: name, n: 9000}).do(tr); e != 0 && e != 28 {
				t.Fatal(e)
			}
		}
		f.Sync()
		for i := range 300 {
			name := string(rune('a'+i%26)) + string(rune('a'+i/26))
			if e := (op{kind: "unlink", a: name}).do(tr); e != 0 {
				t.Fatal(name, e)
			}
		}
		f.Sync()
	}
	f.Statfs(&after)
	if before.Free != after.Free {
		t.Errorf("%d blocks were free, and %d are", before.Free, after.Free)
	}
	f.Close()
	check(t, d)
}
