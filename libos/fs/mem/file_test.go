package mem

import (
	"bytes"
	"flag"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// pieced is a seed whose files lie in a page cache, which is small, each in blocks of its own from a place on.
type pieced struct {
	fstest.MapFS
	at    int
	cache spare
}

// spare is memory whose pages could be mapped.
type spare struct{ *pages.Heap }

func (spare) Spare() bool { return true }

func (p pieced) Pieces(name string) Pieces {
	data := append(make([]byte, p.at), p.MapFS[name].Data...)
	b := pages.NewBlocks(pages.New(p.cache), int64(len(data)/pages.BlockSize+1), blocks(data), false)
	return b.Part(int64(p.at), int64(len(data)-p.at))
}

// blocks are a pages.BlockSource.
type blocks []byte

func (b blocks) ReadBlocks(vec [][]byte, first int64) (bool, error) {
	for i, v := range vec {
		clear(v)
		copy(v, b[(first+int64(i))*pages.BlockSize:])
	}
	return false, nil
}

// fileOf is a node that is a file.
func fileOf(n core.Node) *File {
	if c, ok := n.(*cached); ok {
		return &c.File
	}
	return n.(*File)
}

var operations = flag.Int("operations", 2400, "how many calls TestFileOracle makes")

// TestFileOracle runs random calls on a file and on a slice of bytes. Loans must stay what they were.
func TestFileOracle(t *testing.T) {
	shared := 0
	for seed := range uint64(*operations / 150) {
		r := rand.New(rand.NewPCG(seed, 1))
		begin := make([]byte, r.IntN(3*pageSize<<(seed%4%2*3)))
		for i := range begin {
			begin[i] = byte(r.Uint32())
		}
		if seed%2 == 0 {
			begin = nil
		}
		var from fs.FS = fstest.MapFS{"f": {Data: bytes.Clone(begin)}}
		cache := spare{pages.NewHeap(2 * pages.BlockSize)}
		if seed%4 == 1 {
			at := r.IntN(2 * pages.BlockSize)
			if seed%8 == 1 {
				at &^= pageSize - 1
			}
			from = pieced{from.(fstest.MapFS), at, cache}
		}
		m := New(Options{Seed: from, Limit: 1 << 20})
		n, e := m.root.Lookup("f")
		if e != 0 {
			t.Fatal(e)
		}
		f := fileOf(n)
		want := bytes.Clone(begin)
		type loan struct {
			core.Loan
			was []byte
		}
		var loans []loan
		grow := func(size int) {
			if size > len(want) {
				want = append(want, make([]byte, size-len(want))...)
			}
		}
		for range 150 {
			off, size := r.IntN(40*pageSize), r.IntN(3*pageSize)
			if r.IntN(2) == 0 {
				off = off / pageSize * pageSize
			}
			switch r.IntN(8) {
			case 0, 1:
				p := make([]byte, size)
				for i := range p {
					p[i] = byte(r.Uint32())
				}
				at := int64(off)
				if r.IntN(3) == 0 {
					off, at = len(want), core.Append
				}
				n, where, e := f.WriteAt(p, at)
				if n != size || where != int64(off) || e != 0 {
					t.Fatalf("seed %d: wrote %d of %d at %d for %d: %v", seed, n, size, where, off, e)
				}
				if size > 0 {
					grow(off + size)
					copy(want[off:], p)
				}
			case 2:
				if e := f.Truncate(int64(off)); e != 0 {
					t.Fatal(e)
				}
				grow(off)
				want = want[:off]
			case 3:
				if e := f.Allocate(core.FallocKeepSize|core.FallocPunchHole, int64(off), int64(size)+1); e != 0 {
					t.Fatal(e)
				}
				if off < len(want) {
					clear(want[off:min(len(want), off+size+1)])
				}
			case 4:
				if r.IntN(8) > 0 {
					break
				}
				if e := f.Allocate(0, int64(off), int64(size)+1); e != 0 {
					t.Fatal(e)
				}
				grow(off + size + 1)
			case 5:
				l, e := f.Lend(int64(off), size+1)
				if e != 0 || (len(l.Bytes) == 0) != (off >= len(want)) || len(l.Bytes) > size+1 {
					t.Fatalf("seed %d: lent %d at %d of %d: %v", seed, len(l.Bytes), off, len(want), e)
				}
				if !bytes.Equal(l.Bytes, want[min(off, len(want)):min(len(want), off+len(l.Bytes))]) {
					t.Fatalf("seed %d: lent other bytes", seed)
				}
				loans = append(loans, loan{l, bytes.Clone(l.Bytes)})
			case 6:
				from, e := f.SeekData(int64(off), false)
				if e == 0 && (from < int64(off) || len(bytes.Trim(want[min(off, len(want)):from], "\x00")) > 0) || e == syscall.ENXIO && off < len(want) && len(bytes.Trim(want[off:], "\x00")) > 0 {
					t.Fatalf("seed %d: data at %d from %d: %v", seed, from, off, e)
				}
			}
			if x, ok := n.(*cached); ok {
				shared += shares(t, x, want)
			}
			cache.Allow(cache.Seize(r.IntN(2)))
			got := make([]byte, len(want)+10)
			n, e := f.ReadAt(got, 0)
			if e != 0 || n != len(want) || !bytes.Equal(got[:n], want) {
				t.Fatalf("seed %d: read %d of %d bytes, %v; differ", seed, n, len(want), e)
			}
			for _, l := range loans {
				if !bytes.Equal(l.Bytes, l.was) {
					t.Fatalf("seed %d: a loan changed", seed)
				}
			}
		}
		for _, l := range loans {
			l.Return()
		}
		if cache.Kept().Load() != 0 {
			t.Errorf("seed %d: pages are pinned", seed)
		}
		if e := m.root.Unlink("f"); e != 0 {
			t.Fatal(e)
		}
		f.Unref()
		if p, i := m.pages.Load(), m.inodes.Load(); p != 0 || i != 0 {
			t.Fatalf("seed %d: %d pages and %d inodes are left", seed, p, i)
		}
	}
	if shared < 20 {
		t.Errorf("%d pages could be mapped", shared)
	}
}

// shares looks at all pages of a file that can be mapped where they lie, and says how many there are.
func shares(t *testing.T, x *cached, want []byte) (n int) {
	t.Helper()
	for off := 0; off < len(want)+pageSize; off += pageSize {
		s, page, e := x.Share(int64(off))
		if e != 0 {
			t.Fatal(e)
		}
		if s == nil {
			continue
		}
		n++
		if rest := want[min(off, len(want)):]; len(rest) == 0 || !bytes.HasPrefix(s.Page(page), rest[:min(len(rest), pageSize)]) || !x.Cached(int64(off)) {
			t.Fatalf("the page at %d of %d bytes is another", off, len(want))
		}
		s.Unpin()
	}
	return n
}

// TestSparse has a file of 16 TiB, and the largest there may be.
func TestSparse(t *testing.T) {
	m := New(Options{Limit: 1 << 20})
	n, _ := m.root.Create("f", syscall.S_IFREG, 0)
	f := fileOf(n)
	for _, off := range []int64{0, 16<<40 - 1, core.MaxSize - 1} {
		if n, at, e := f.WriteAt([]byte("x"), off); n != 1 || at != off || e != 0 {
			t.Fatalf("%d at %d: %v", n, at, e)
		}
	}
	if _, _, e := f.WriteAt([]byte("x"), core.MaxSize); e != syscall.EFBIG {
		t.Error(e)
	}
	if a := f.Attr(); a.Size != core.MaxSize || a.Blocks != 3*8 {
		t.Errorf("%+v", a)
	}
	for off, want := range map[int64]int64{1: 1, pageSize: 16<<40 - pageSize, 16 << 40: core.MaxSize - pageSize + 1} {
		if got, e := f.SeekData(off, false); e != 0 || got != want {
			t.Errorf("data from %d: %d, want %d: %v", off, got, want, e)
		}
	}
	if got, e := f.SeekData(0, true); e != 0 || got != pageSize {
		t.Error(got, e)
	}
	start := time.Now()
	if e := f.Allocate(core.FallocKeepSize|core.FallocPunchHole, 0, core.MaxSize); e != 0 {
		t.Error(e)
	}
	if f.Truncate(0); m.pages.Load() != 0 || time.Since(start) > time.Minute { // page by page it would be hours
		t.Error(m.pages.Load(), time.Since(start))
	}
}

// TestLimit fills the filesystem up: a write tells how far it came, and what is removed comes back.
func TestLimit(t *testing.T) {
	m := New(Options{Limit: 10 * pageSize, Inodes: 2})
	n, _ := m.root.Create("f", syscall.S_IFREG, 0)
	f := fileOf(n)
	if n, _, e := f.WriteAt(make([]byte, 20*pageSize), 0); n != 10*pageSize || e != 0 {
		t.Error(n, e)
	}
	if n, _, e := f.WriteAt([]byte("x"), 10*pageSize); n != -1 || e != syscall.ENOSPC {
		t.Error(n, e)
	}
	if e := f.Allocate(0, 10*pageSize, 1); e != syscall.ENOSPC {
		t.Error(e)
	}
	var s core.Statfs
	if m.Statfs(&s); s.Blocks != 10 || s.Free != 0 {
		t.Errorf("%+v", s)
	}
	if _, e := m.root.Create("g", syscall.S_IFREG, 0); e != 0 {
		t.Error(e)
	}
	if _, e := m.root.Create("h", syscall.S_IFREG, 0); e != syscall.ENOSPC {
		t.Error(e)
	}
	m.root.Unlink("f")
	if m.Statfs(&s); s.Free != 0 {
		t.Error("what is open went away")
	}
	f.Unref()
	if m.Statfs(&s); s.Free != 10 || s.FilesFree != 1 {
		t.Errorf("%+v", s)
	}
}

// TestRoom: where there is no memory for more, a write tells how far it came, and what is removed comes back.
func TestRoom(t *testing.T) {
	left := int64(100 * pageSize)
	var asked []int64
	m := New(Options{Room: func(n int64) bool { asked = append(asked, n); left -= n; return left >= 0 }})
	n, _ := m.root.Create("f", syscall.S_IFREG, 0)
	f := fileOf(n)
	defer f.Unref()
	if n, _, e := f.WriteAt(make([]byte, 200*pageSize), 0); n != 127*pageSize || e != 0 { // 63 without asking, and 64
		t.Error(n, e)
	}
	if n, _, e := f.WriteAt(make([]byte, 1), 127*pageSize); n != -1 || e != syscall.ENOSPC {
		t.Error(n, e)
	}
	if e := f.Allocate(core.FallocKeepSize, 1<<30, 70*pageSize); e != syscall.ENOSPC || asked[len(asked)-1] != 70*pageSize {
		t.Error(e, asked)
	}
	if n, _, e := f.WriteAt(make([]byte, 1), 5*pageSize); n != 1 || e != 0 {
		t.Error("what is there:", n, e)
	}
	left = 200 * pageSize
	if e := f.Allocate(core.FallocKeepSize, 1<<30, 70*pageSize); e != 0 || m.pages.Load() != 197 {
		t.Error(e, m.pages.Load())
	}
	if e := f.Truncate(0); e != 0 || m.pages.Load() != 0 {
		t.Error(e, m.pages.Load())
	}
}

// TestFullForTwo has several want the last pages and inodes at once: as many as fit have them, whole, and none is lost.
func TestFullForTwo(t *testing.T) {
	const users, most = 4, 40
	m := New(Options{Limit: 2 * most * pageSize, Inodes: users + 2})
	for round := range 500 {
		var wg sync.WaitGroup
		var whole atomic.Int64
		var files [users]*File
		for i := range files {
			n, e := m.root.Create(string(rune('a'+i)), syscall.S_IFREG, 0)
			if e != 0 {
				t.Fatal(e)
			}
			files[i] = fileOf(n)
		}
		for i, f := range files {
			wg.Go(func() {
				f.SetXattr("x", make([]byte, 3*pageSize), 0)
				e := f.Allocate(0, 0, most*pageSize)
				if e == 0 {
					whole.Add(1)
				}
				if a := f.Attr(); e != 0 && (e != syscall.ENOSPC || a.Size != 0 || a.Blocks != 0) {
					t.Errorf("%v, and there are %+v", e, a)
				}
				f.SetXattr("x", nil, 0)
				for range 2 {
					if e := m.root.Link(string(rune('k'+i)), f); e == 0 {
						m.root.Unlink(string(rune('k' + i)))
					}
				}
				f.Truncate(0)
				f.RemoveXattr("x")
			})
		}
		wg.Wait()
		for i, f := range files {
			m.root.Unlink(string(rune('a' + i)))
			f.Unref()
		}
		if m.pages.Load() != 0 || m.inodes.Load() != 0 || whole.Load() == 0 {
			t.Fatalf("round %d: %d files were whole, and %d pages and %d inodes are in use", round, whole.Load(), m.pages.Load(), m.inodes.Load())
		}
	}
}

// TestLimitOfNames has names and extended attributes count, and come back.
func TestLimitOfNames(t *testing.T) {
	m := New(Options{Limit: 2 * pageSize, Inodes: 3})
	n, _ := m.root.Create("f", syscall.S_IFREG, 0)
	f := fileOf(n)
	for i, want := range []syscall.Errno{0, 0, syscall.ENOSPC} {
		if e := m.root.Link(string(rune('g'+i)), f); e != want {
			t.Errorf("link %d: %v", i, e)
		}
	}
	for i, want := range []syscall.Errno{0, syscall.ENOSPC} {
		if e := f.SetXattr(string(rune('a'+i)), make([]byte, 2*pageSize-2), 0); e != want {
			t.Errorf("attribute %d: %v", i, e)
		}
	}
	if _, _, e := f.WriteAt([]byte("x"), 0); e != syscall.ENOSPC {
		t.Error(e)
	}
	if e := f.SetXattr("a", nil, 0); e != 0 {
		t.Error(e)
	}
	if _, _, e := f.WriteAt([]byte("x"), 0); e != 0 {
		t.Error(e)
	}
	for _, name := range []string{"f", "g", "h"} {
		if e := m.root.Unlink(name); e != 0 {
			t.Error(e)
		}
	}
	f.Unref()
	var s core.Statfs
	if m.Statfs(&s); s.Free != 2 || s.FilesFree != 3 {
		t.Errorf("%+v", s)
	}
}

// TestSeed has folders, links and files of an io/fs.FS.
func TestSeed(t *testing.T) {
	m := New(Options{Seed: fstest.MapFS{
		"a/b/c": {Data: []byte("text"), Mode: 0o640},
		"a/l":   {Data: []byte("b/c"), Mode: fs.ModeSymlink},
	}})
	tree := core.NewTree("tmpfs", m)
	root := tree.Root()
	p, e := tree.Resolve(root, "a/l", 0)
	if e != 0 {
		t.Fatal(e)
	}
	a := p.Attr()
	got := make([]byte, 10)
	n, e := p.Node.(core.File).ReadAt(got, 1)
	if a.Mode != syscall.S_IFREG|0o640 || a.Size != 4 || n != 3 || string(got[:n]) != "ext" || e != 0 {
		t.Errorf("%+v, %q, %v", a, got[:n], e)
	}
	if e := tree.Rename(root, "a/b", root, "b", 0); e != 0 {
		t.Error(e)
	}
	if _, e := tree.Resolve(root, "b/c", 0); e != 0 {
		t.Error(e)
	}
	if e := tree.Rmdir(root, "a"); e != syscall.ENOTEMPTY {
		t.Error(e)
	}
}

// renamed is a seed that calls files otherwise: Q stands for a byte that is not UTF-8.
type renamed struct{ fstest.MapFS }

func (renamed) Name(name string) string { return strings.ReplaceAll(name, "Q", "\xff") }

// TestSeedNames: of folders, files and links of a seed that has names of its own.
func TestSeedNames(t *testing.T) {
	tree := core.NewTree("tmpfs", New(Options{Seed: renamed{fstest.MapFS{"Qd/fQ": {Data: []byte("text")}, "Ql": {Data: []byte("\xffd/f\xff"), Mode: fs.ModeSymlink}}}}))
	for _, name := range []string{"\xffd/f\xff", "\xffl"} {
		p, e := tree.Resolve(tree.Root(), name, 0)
		if e != 0 {
			t.Fatalf("%q: %v", name, e)
		}
		got := make([]byte, 10)
		if n, e := p.Node.(core.File).ReadAt(got, 0); n != 4 || string(got[:n]) != "text" || e != 0 {
			t.Errorf("%q: %q, %v", name, got[:max(n, 0)], e)
		}
	}
	if _, e := tree.Resolve(tree.Root(), "Qd", 0); e != syscall.ENOENT {
		t.Error(e)
	}
}

// failing is a seed that cannot be read, at first.
type failing struct {
	fstest.MapFS
	times int
}

func (f *failing) Pieces(string) Pieces { return f }

func (f *failing) Cached(int64) bool { return false }

func (f *failing) Piece(off, n int64) (pages.Hold, error) {
	if f.times--; f.times >= 0 {
		return pages.Hold{}, fs.ErrInvalid
	}
	return pages.Hold{Data: []byte("text")[off:]}, nil
}

// TestSeedFails: a piece that cannot be read is EIO, however it is asked for, and is asked for again.
func TestSeedFails(t *testing.T) {
	m := New(Options{Seed: &failing{fstest.MapFS{"f": {Data: []byte("text")}}, 3}})
	n, e := m.root.Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	f := fileOf(n)
	b := make([]byte, 4)
	if n, e := f.ReadAt(b, 0); n != -1 || e != syscall.EIO {
		t.Error(n, e)
	}
	if _, e := f.Lend(0, 4); e != syscall.EIO {
		t.Error(e)
	}
	if _, _, e := f.WriteAt([]byte("x"), 1); e != syscall.EIO {
		t.Error(e)
	}
	if n, e := f.ReadAt(b, 0); n != 4 || e != 0 || string(b) != "text" {
		t.Errorf("%q, %v", b, e)
	}
}

// TestSeedLooks looks at a folder of a seed before and after its names are read, and at one with a folder below.
func TestSeedLooks(t *testing.T) {
	tree := core.NewTree("tmpfs", New(Options{Seed: fstest.MapFS{"a/b": {}, "a/c/d": {}}}))
	p, e := tree.Resolve(tree.Root(), "a", 0)
	if e != 0 {
		t.Fatal(e)
	}
	before := p.Attr()
	if _, e := tree.Resolve(tree.Root(), "a/b", 0); e != 0 {
		t.Fatal(e)
	}
	if after := p.Attr(); before != after || before.Size != 4*20 || before.Nlink != 3 {
		t.Errorf("%+v, then %+v", before, after)
	}
}

// TestGreatestOffsets does to a file of nearly the greatest size what rounds offsets up.
func TestGreatestOffsets(t *testing.T) {
	m := New(Options{Seed: fstest.MapFS{"f": {Data: []byte("seeded")}}, Limit: 1 << 20})
	n, e := m.root.Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	f := fileOf(n)
	if e := f.Truncate(core.MaxSize); e != 0 {
		t.Fatal(e)
	}
	if l, e := f.Lend(0, 6); e != 0 || string(l.Bytes) != "seeded" {
		t.Errorf("lent %q, %v", l.Bytes, e)
	}
	const last = core.MaxSize - 100
	for _, at := range []int64{pageSize, last} {
		if n, _, e := f.WriteAt([]byte("kept"), at); n != 4 || e != 0 {
			t.Fatal(n, e)
		}
	}
	pages := m.pages.Load()
	if e := f.Allocate(0, core.MaxSize-10, 10); e != 0 || m.pages.Load() != pages {
		t.Errorf("allocated what is there: %v, %d pages and then %d", e, pages, m.pages.Load())
	}
	if e := f.Allocate(0, 0, core.MaxSize); e != syscall.ENOSPC || m.pages.Load() != pages {
		t.Errorf("allocated everything: %v, %d pages and then %d", e, pages, m.pages.Load())
	}
	if e := f.Truncate(core.MaxSize - 5); e != 0 {
		t.Fatal(e)
	}
	b := make([]byte, 4)
	for _, at := range []int64{pageSize, last} {
		if n, e := f.ReadAt(b, at); n != 4 || e != 0 || string(b) != "kept" {
			t.Errorf("at %d: %q, %v", at, b[:max(n, 0)], e)
		}
	}
	if e := f.Allocate(core.FallocPunchHole|core.FallocKeepSize, last, 4); e != 0 {
		t.Fatal(e)
	}
	if n, e := f.ReadAt(b, last); n != 4 || e != 0 || string(b) != "\x00\x00\x00\x00" {
		t.Errorf("in the hole: %q, %v", b[:max(n, 0)], e)
	}
}
