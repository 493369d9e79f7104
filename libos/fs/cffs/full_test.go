package cffs

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
)

// TestFull fills volumes of many sizes, by writing, making names, links, attributes, then does everything there is to a full one: the errors are ENOSPC, what was there stays, and when all is removed the space is back.
func TestFull(t *testing.T) {
	t.Parallel()
	for _, blocks := range []int{minBlocks, 600, 1000} {
		for seed := range uint64(6) {
			d := formatted(t, blocks)
			f := mount(t, d, manual)
			r := rand.New(rand.NewPCG(seed, 7))
			var before core.Statfs
			f.Sync()
			f.Statfs(&before)
			mine, want := treeOf(f), oracle()
			full := 0
			for i := range 1500 {
				x := randomOp(r, 200*BlockSize)
				if x.kind == "write" && i%3 == 0 {
					x.n = 30 * BlockSize
				}
				if x.kind == "write" && r.IntN(2) == 0 {
					x.a = fmt.Sprintf("%.*d", 1+r.IntN(200), i)
				}
				if strings.HasPrefix(x.kind, "unlink") && r.IntN(4) != 0 {
					continue
				}
				got := x.do(mine)
				if got == syscall.EIO || f.failed != nil {
					t.Fatalf("%d blocks, seed %d, operation %d: %v: %v, %v", blocks, seed, i, x, got, f.failed)
				}
				if got == syscall.ENOSPC {
					full++
					if x.kind == "write" || x.kind == "append" || x.kind == "allocate" || x.kind == "zero" {
						// Such a one may be done in part: the oracle gets what is there.
						copyFile(t, mine, want, x.a)
						continue
					}
					if x.syncs() || x.kind == "unlink" || x.kind == "rmdir" {
						t.Fatalf("%d blocks, seed %d, operation %d: %v: %v", blocks, seed, i, x, got)
					}
					continue
				}
				if right := x.do(want); right != got {
					t.Fatalf("%d blocks, seed %d, operation %d: %v: %v, and in memory %v", blocks, seed, i, x, got, right)
				}
			}
			if full < 10 {
				t.Errorf("%d blocks, seed %d: it was full only %d times", blocks, seed, full)
			}
			if a, b := dump(mine), dump(want); a != b {
				t.Fatalf("%d blocks, seed %d: volume:\n%s\nmemory:\n%s", blocks, seed, a, b)
			}
			if e := f.Sync(); e != 0 {
				t.Fatal(e)
			}
			f.Close()
			check(t, d)
			f = mount(t, d, manual)
			if a, b := dump(treeOf(f)), dump(want); a != b {
				t.Fatalf("%d blocks, seed %d, mounted anew: volume:\n%s\nmemory:\n%s", blocks, seed, a, b)
			}
			removeAll(t, treeOf(f))
			f.Sync()
			var after core.Statfs
			f.Statfs(&after)
			if after.Free != before.Free {
				t.Errorf("%d blocks, seed %d: %d were free, and when all is removed %d", blocks, seed, before.Free, after.Free)
			}
			f.Close()
			check(t, d)
			if t.Failed() {
				return
			}
		}
	}
}

// copyFile makes a file of one tree what it is in another.
func copyFile(t *testing.T, from, to *core.Tree, name string) {
	root := from.Root()
	defer root.Drop()
	p, e := from.Resolve(root, name, 0)
	if e != 0 {
		return // it was not even made
	}
	defer p.Drop()
	x, ok := p.Node.(core.File)
	if !ok {
		return
	}
	a := x.Attr()
	b := make([]byte, a.Size)
	x.ReadAt(b, 0)
	at := to.Root()
	defer at.Drop()
	q, e := to.Open(at, name, syscall.O_CREAT|syscall.O_RDWR, 0o644, 0)
	if e != 0 {
		t.Fatal(e)
	}
	defer q.Drop()
	y := q.Node.(core.File)
	y.Truncate(a.Size)
	if len(b) > 0 {
		y.WriteAt(b, 0)
	}
}

func removeAll(t *testing.T, tr *core.Tree) {
	root := tr.Root()
	defer root.Drop()
	var clear func(d core.Dir)
	clear = func(d core.Dir) {
		var names []string
		d.ReadDir(0, func(e *core.Entry) bool { names = append(names, e.Name); return true })
		for _, name := range names {
			n, e := d.Lookup(name)
			if e != 0 {
				t.Fatal(name, e)
			}
			if c, ok := n.(core.Dir); ok {
				clear(c)
				e = d.Rmdir(name)
			} else {
				e = d.Unlink(name)
			}
			n.Unref()
			if e != 0 {
				t.Fatal(name, e)
			}
		}
	}
	clear(root.Node.(core.Dir))
}

var everyPoint = flag.Bool("every-point", false, "TestFullAtEveryPoint leaves out no number of free blocks")

// starve takes blocks away until so many are free: a row of them, or, scattered, each alone. What it returns gives the others back.
func starve(f *FS, free uint64, scattered bool) (giveBack func()) {
	f.lock()
	defer f.unlock()
	var taken []span
	take := func(step uint64) {
		for b := uint64(1); b < f.al.blocks && f.al.free() > free; b += step {
			if !f.al.is(b) {
				f.al.set(b)
				f.al.used++
				f.al.groups[b/groupBlocks].dirty = true
				taken = append(taken, span{b, 1})
			}
		}
	}
	if scattered {
		take(2)
	}
	take(1)
	return func() {
		f.lock()
		defer f.unlock()
		for _, s := range taken {
			f.al.giveUp(s)
		}
		f.change++
	}
}

// write is do of a write or append, and tells how far it came.
func (o op) write(t *core.Tree) (n int, e core.Errno) {
	root := t.Root()
	defer root.Drop()
	p, e := t.Open(root, o.a, syscall.O_RDWR, 0, 0)
	if e != 0 {
		return 0, e
	}
	defer p.Drop()
	off := o.off
	if o.kind == "append" {
		off = core.Append
	}
	n, _, e = p.Node.(core.File).WriteAt(slices.Repeat([]byte{'a' + o.fill%26}, o.n), off)
	return max(n, 0), e
}

// frees says whether an operation gives space back, for which there always is room.
func (o op) frees() bool {
	return slices.Contains([]string{"unlink", "rmdir", "truncate", "punch", "rmxattr", "sync"}, o.kind)
}

// fullOps are what is done to something before it is full, and then: scripts of many operations, and each that there is.
func fullOps() (before []op, lists [][]op) {
	long := func(c string) string { return strings.Repeat(c, 255) }
	before = []op{{kind: "mkdir", a: "d"}, {kind: "mkdir", a: "d/empty"}, {kind: "write", a: "d/a", n: 12 * BlockSize, fill: 3}, {kind: "write", a: "b", n: 3000}, {kind: "link", a: "b", b: "d/l"},
		{kind: "write", a: "sparse", off: 20 * BlockSize, n: 100}, {kind: "setxattr", a: "b", b: "x", n: 1500}, {kind: "write", a: "e", n: 1}}
	for i := range 30 {
		before = append(before, op{kind: "create", a: fmt.Sprintf("d/%0200d", i)})
	}
	lists = [][]op{script()}
	for _, x := range []op{
		{kind: "create", a: "n"}, {kind: "create", a: "d/" + long("n")}, {kind: "mkdir", a: "n"}, {kind: "symlink", a: "n", n: 10}, {kind: "symlink", a: "n", n: 3000},
		{kind: "link", a: "d/a", b: long("l")}, {kind: "link", a: "b", b: "n"}, {kind: "rename", a: "b", b: "d/" + long("r")}, {kind: "rename", a: "e", b: "d/a"}, {kind: "rename", a: "d/empty", b: "n"},
		{kind: "exchange", a: "b", b: "d/a"}, {kind: "exchange", a: "d/empty", b: "e"}, {kind: "write", a: "n", n: 100}, {kind: "write", a: "n", n: 100 * BlockSize}, {kind: "write", a: "d/a", off: 5000, n: 20_000},
		{kind: "write", a: "sparse", off: 9000, n: 9000}, {kind: "append", a: "b", n: 9000}, {kind: "truncate", a: "d/a", off: 5000}, {kind: "truncate", a: "d/a"}, {kind: "truncate", a: "b", off: 1 << 30},
		{kind: "punch", a: "d/a", off: 4096, n: 8192}, {kind: "punch", a: "d/a", off: 100, n: 30_000}, {kind: "zero", a: "d/a", off: 100, n: 30_000}, {kind: "zero", a: "d/a", off: 4096, n: 8192},
		{kind: "collapse", a: "d/a", off: 4096, n: 8192}, {kind: "insert", a: "d/a", off: 4096, n: 8192},
		{kind: "zero", a: "sparse", off: 5, n: 150_000}, {kind: "allocate", a: "sparse", off: 0, n: 50 * BlockSize}, {kind: "setxattr", a: "e", b: long("x")[:200], n: 10}, {kind: "setxattr", a: "b", b: "x", n: 20_000},
		{kind: "setxattr", a: "b", b: "x", n: 1}, {kind: "rmxattr", a: "b", b: "x"}, {kind: "chmod", a: "d/a", n: 0o600}, {kind: "unlink", a: "d/a"}, {kind: "unlink", a: "b"}, {kind: "rmdir", a: "d/empty"},
	} {
		lists = append(lists, []op{x})
	}
	return before, lists
}

// TestFree fills volumes bit by bit: as long as Statfs says that a block is free a file can be made, and gets it; when nothing can be made or written any more none is free.
func TestFree(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, 3 * BlockSize} { // many names, and much data
		f := mount(t, formatted(t, 1000), manual)
		tree := treeOf(f)
		root := tree.Root()
		defer root.Drop()
		free := func() uint64 {
			var s core.Statfs
			f.Statfs(&s)
			return s.Free
		}
		made, full := 0, 0
		for i := 0; full < 50; i++ {
			had := free()
			p, e := tree.Open(root, fmt.Sprintf("/%0200d", i), syscall.O_CREAT|syscall.O_RDWR, 0o644, 0)
			if e != 0 {
				if full++; e != syscall.ENOSPC || had > 0 {
					t.Fatalf("file %d: %v, and %d blocks are free", i, e, had)
				}
				continue
			}
			made++
			had = free()
			n, _, e := p.Node.(core.File).WriteAt(make([]byte, size), 0)
			p.Drop()
			if e == syscall.ENOSPC && had > 0 || e == 0 && n < size && uint64(n/BlockSize) < had {
				t.Fatalf("file %d: %d bytes of %d, %v, and %d blocks are free", i, n, size, e, had)
			}
		}
		if n := free(); n != 0 {
			t.Errorf("%d blocks are free of a full volume with %d files", n, made)
		}
		if f.Close() != nil {
			t.Error("close")
		}
	}
}

// TestFullAtEveryPoint does each operation, and scripts of many, to volumes with every number of free blocks from none to enough, in a row or each alone: what finds no room gives ENOSPC and has changed
// nothing, but for a write, which tells how far it came; a sync succeeds; what gives space back does where nothing else would; all that was there stays, and when all is removed all space is back.
func TestFullAtEveryPoint(t *testing.T) {
	t.Parallel()
	before, lists := fullOps()
	base := formatted(t, minBlocks)
	f := mount(t, base, manual)
	for _, x := range before {
		if e := x.do(treeOf(f)); e != 0 {
			t.Fatal(x, e)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	tried, full := 0, 0
	for i, list := range lists {
		for _, scattered := range []bool{false, true} {
			refused := 0 // how often something was, which was not for the last numbers
			for free := uint64(0); free <= 450 && (free < spare || refused > 0 || free < 200); free++ {
				if !*everyPoint && (free+uint64(i))%23 != 0 {
					continue
				}
				refused = fullAt(t, base, before, list, free, scattered)
				if full += refused; t.Failed() {
					t.Fatalf("%v, with %d blocks free, scattered %v", list, free, scattered)
				}
				tried++
			}
			if refused > 0 && i > 0 {
				t.Errorf("%v: it does not succeed whatever is free", list)
			}
		}
	}
	t.Logf("%d volumes, %d refusals", tried, full)
	if full < tried/10 {
		t.Errorf("%d volumes, only %d refusals", tried, full)
	}
}

// fullAt does a list of operations to a volume with so many free blocks, and says how many there was no room for.
func fullAt(t *testing.T, base *block.Memory, before, list []op, free uint64, scattered bool) (refused int) {
	d := block.NewMemory(slices.Clone(base.Bytes()))
	f := mount(t, d, manual)
	mine, want := treeOf(f), oracle()
	for _, x := range before {
		x.do(want)
	}
	f.Sync()
	giveBack := starve(f, free, scattered)
	refused = doAll(t, mine, want, list, free >= spare)
	same := func(when string, tr *core.Tree) {
		t.Helper()
		if a, b := dump(tr), dump(want); a != b {
			t.Errorf("%s: volume:\n%s\nmemory:\n%s", when, a, b)
		}
	}
	same("at once", mine)
	if e := f.Sync(); e != 0 || f.failed != nil {
		t.Error("sync:", e, f.failed)
	}
	same("after a sync", mine)
	giveBack()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	check(t, d)
	f = mount(t, d, manual)
	same("mounted anew", treeOf(f))
	removeAll(t, treeOf(f))
	if e := f.Sync(); e != 0 {
		t.Error(e)
	}
	var s core.Statfs
	f.Statfs(&s)
	empty := mount(t, formatted(t, minBlocks), manual)
	empty.Sync()
	var right core.Statfs
	if empty.Statfs(&right); s.Free != right.Free {
		t.Errorf("%d blocks are free when all is removed, and of a new volume %d", s.Free, right.Free)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	check(t, d)
	return refused
}

// doAll does a list of operations to a tree that may be full, and to one that has room for all, and says how many there was no room for; frees: for what gives space back there must be.
func doAll(t *testing.T, mine, want *core.Tree, list []op, frees bool) (refused int) {
	for _, x := range list {
		if x.kind == "write" {
			touch := op{kind: "touch", a: x.a}
			if got := touch.do(mine); got == syscall.ENOSPC {
				refused++
				continue
			}
			touch.do(want)
		}
		var got core.Errno
		if x.kind == "write" || x.kind == "append" {
			n, e := x.write(mine)
			if e == 0 && n < x.n || e == syscall.ENOSPC {
				if refused++; n == 0 {
					continue
				}
				x.n, e = n, 0
			}
			got = e
		} else {
			got = x.do(mine)
		}
		if got == syscall.ENOSPC {
			if refused++; x.frees() && frees {
				t.Errorf("%v: %v", x, got)
			}
			continue
		}
		if right := x.do(want); right != got {
			t.Errorf("%v: %v, and in memory %v", x, got, right)
		}
	}
	return refused
}

// TestFullMemory does to files in memory what TestFullAtEveryPoint does to volumes, with every number of free pages, and of inodes: what finds no room gives ENOSPC and has changed nothing, but for a write, what gives space
// back always does, and no page and no inode is in use that would not be if nothing had been refused.
func TestFullMemory(t *testing.T) {
	t.Parallel()
	before, lists := fullOps()
	roomy := func() *mem.FS { return mem.New(mem.Options{Limit: 1 << 40, Inodes: 1 << 30}) }
	used := func(f *mem.FS) [2]uint64 {
		var s core.Statfs
		f.Statfs(&s)
		return [2]uint64{s.Blocks - s.Free, s.Files - s.FilesFree}
	}
	prepared := roomy()
	for _, x := range before {
		if e := x.do(core.NewTree("mem", prepared)); e != 0 {
			t.Fatal(x, e)
		}
	}
	begin := used(prepared)
	full := 0
	for _, list := range lists {
		for _, scarce := range []string{"pages", "inodes"} {
			refused := 1
			for free := uint64(0); free < 300 && (refused > 0 || free < 4); free++ {
				o := mem.Options{Limit: 1 << 40, Inodes: 1 << 30}
				if scarce == "pages" {
					o.Limit = int64(begin[0]+free) * BlockSize
				} else {
					o.Inodes = int64(begin[1] + free)
				}
				f, right := mem.New(o), roomy()
				mine, want := core.NewTree("mem", f), core.NewTree("mem", right)
				for _, x := range before {
					if a, b := x.do(mine), x.do(want); a != 0 || b != 0 {
						t.Fatal(x, a, b)
					}
				}
				refused = doAll(t, mine, want, list, true)
				full += refused
				if a, b := dump(mine), dump(want); a != b {
					t.Errorf("it is\n%s\nwith room:\n%s", a, b)
				}
				if a, b := used(f), used(right); a != b {
					t.Errorf("pages and inodes in use: %d, with room %d", a, b)
				}
				removeAll(t, mine)
				if n := used(f); n != [2]uint64{} {
					t.Errorf("pages and inodes in use when all is removed: %d", n)
				}
				if t.Failed() {
					t.Fatalf("%v, with %d %s free", list, free, scarce)
				}
			}
			if refused > 0 {
				t.Errorf("%v: it does not succeed whatever is free", list)
			}
		}
	}
	if full < 200 {
		t.Errorf("only %d refusals", full)
	}
	t.Logf("%d refusals", full)
}
