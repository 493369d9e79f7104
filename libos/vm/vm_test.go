//go:build !hardtack

package vm

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/internal/ram"
)

// machine puts a machine of 8 MiB beneath exo.
func machine(t testing.TB) {
	t.Helper()
	t.Cleanup(exo.Simulate(ram.New(2048)))
}

func pool(t testing.TB, n int) *Pool {
	t.Helper()
	p, err := NewPool(t.Name(), n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func reserve(t testing.TB, pages int, p Pager) *Region {
	t.Helper()
	r, err := Reserve(t.Name(), pages*PageSize, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// On the host a region's memory is ordinary memory, so what is in a page is looked up in its frame.

// disk is a backing that remembers, and fails where it is told to.
type disk struct {
	mu     sync.Mutex
	data   map[int]byte
	broken error
}

func (d *disk) ReadPage(page int, to []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range to {
		to[i] = d.data[page]
	}
	return d.broken
}

func (d *disk) WritePage(page int, from []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return d.broken
	}
	d.data[page] = from[0]
	return nil
}

// touch is an access, and what it does to the frame.
func touch(b *Backed, r *Region, page int, write bool, v byte) (byte, bool) {
	if !exo.Touch(r.pages, page, write) {
		return 0, false
	}
	f := b.pool.Frame(b.at[page])
	if write {
		f[0] = v
	}
	return f[0], true
}

// TestScan: a looping scan over more pages than frames, as theory has it: LRU misses always, MRU only for what does not fit.
func TestScan(t *testing.T) {
	machine(t)
	const pages, frames, passes = 64, 48, 20
	perPass := func(policy Policy) float64 {
		b := NewBacked(&disk{}, pool(t, frames), policy)
		r := reserve(t, pages, b)
		pass := func() {
			for page := range pages {
				if _, ok := touch(b, r, page, false, 0); !ok {
					t.Fatal("no page", page)
				}
			}
		}
		pass()
		first := b.stats.Reads
		for range passes {
			pass()
		}
		return float64(b.stats.Reads-first) / passes
	}
	lru, mru := perPass(new(LRU)), perPass(new(MRU))
	if lru != pages {
		t.Errorf("LRU brings in %v pages a pass, want %d", lru, pages)
	}
	if want := float64(pages - frames); mru < want || mru > want*1.1 {
		t.Errorf("MRU brings in %v pages a pass, want about %v", mru, want)
	}
}

// TestBackedRemembers writes to random pages through few frames and compares with an array.
func TestBackedRemembers(t *testing.T) {
	for name, policy := range map[string]Policy{"LRU": new(LRU), "MRU": new(MRU)} {
		t.Run(name, func(t *testing.T) {
			machine(t)
			const pages = 20
			d := &disk{data: map[int]byte{}}
			b := NewBacked(d, pool(t, 7), policy)
			r := reserve(t, pages, b)
			var want [pages]byte
			for i := range 5000 {
				page, write := rand.IntN(pages), rand.IntN(3) == 0
				if write {
					want[page] = byte(i)
				}
				if got, ok := touch(b, r, page, write, byte(i)); !ok || got != want[page] {
					t.Fatalf("step %d: page %d holds %d, want %d", i, page, got, want[page])
				}
				if rand.IntN(50) == 0 {
					if err := b.Sync(r); err != nil {
						t.Fatal(err)
					}
					for page := range pages {
						if d.data[page] != want[page] {
							t.Fatalf("step %d: after Sync page %d of the disk holds %d, want %d", i, page, d.data[page], want[page])
						}
					}
				}
			}
			if b.stats.Writes == 0 || len(b.at) != 7 || b.pool.Free() != 0 {
				t.Errorf("%+v, %d pages in, %d frames free", b.stats, len(b.at), b.pool.Free())
			}
		})
	}
}

// TestBrokenBacking: an error lets the fault stand and loses nothing.
func TestBrokenBacking(t *testing.T) {
	machine(t)
	d := &disk{data: map[int]byte{}}
	b := NewBacked(d, pool(t, 2), new(LRU))
	r := reserve(t, 4, b)
	touch(b, r, 0, true, 10)
	touch(b, r, 1, true, 11)
	d.broken = errors.New("head crash")
	if _, ok := touch(b, r, 2, false, 0); ok || r.Err() != d.broken {
		t.Fatal("a page that cannot be made room for came in:", r.Err())
	}
	if err := b.Sync(r); err != d.broken {
		t.Error(err)
	}
	d.broken = nil
	for page, want := range []byte{10, 11, 0, 0} {
		if got, ok := touch(b, r, page, false, 0); !ok || got != want {
			t.Errorf("page %d holds %d (%v), want %d", page, got, ok, want)
		}
	}
}

// liar is a policy that names pages that are not in.
type liar struct{ LRU }

func (*liar) Victim(func(int) bool) int { return 3 }

func TestLyingPolicy(t *testing.T) {
	machine(t)
	b := NewBacked(&disk{}, pool(t, 1), new(liar))
	r := reserve(t, 4, b)
	touch(b, r, 0, false, 0)
	var pe *PolicyError
	if _, ok := touch(b, r, 1, false, 0); ok || !errors.As(r.Err(), &pe) || pe.Page != 3 {
		t.Error(ok, r.Err())
	}
	if _, ok := touch(b, r, 0, false, 0); !ok {
		t.Error("the page that was in is lost")
	}
}

func TestZero(t *testing.T) {
	machine(t)
	p := pool(t, 3)
	copy(p.Frame(0), "what another left")
	r := reserve(t, 4, NewZero(p))
	if err := r.Populate(0, 3*PageSize, true); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		for _, v := range p.Frame(i) {
			if v != 0 {
				t.Fatal("a page is not zero")
			}
		}
	}
	if err := r.Populate(3*PageSize, 1, false); err != ErrNoFrame {
		t.Error(err)
	}
	if err := r.Drop(PageSize-1, PageSize+1); err != nil || p.Free() != 1 { // page 1 alone lies wholly in there
		t.Error(err, p.Free())
	}
	if !exo.Touch(r.pages, 3, true) || exo.Touch(r.pages, 1, false) {
		t.Error("the frame that was given back is not where it should be")
	}
	var re *RangeError
	for _, c := range [][2]int{{-1, 1}, {0, 4*PageSize + 1}, {4 * PageSize, 1}, {0, -1}} {
		if err := r.Populate(c[0], c[1], false); !errors.As(err, &re) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if err := r.Close(); err != nil || p.Free() != 3 {
		t.Error(err, p.Free())
	}
	if err := r.Populate(0, 1, false); err != ErrClosed || r.Close() != ErrClosed || exo.Touch(r.pages, 0, false) {
		t.Error(err)
	}
}

func TestLarge(t *testing.T) {
	t.Cleanup(exo.Simulate(ram.New(2048)))
	l, err := NewLarge(t.Name(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewLarge(t.Name(), 2); err == nil {
		t.Error("there is no memory for two more")
	}
	for _, f := range l.free {
		copy(f.Bytes()[LargeSize-3:], "what another left")
	}
	const tail = 3
	r := reserve(t, 2*exo.LargePages+tail, l)
	large := func(page int) bool {
		op := exo.Query(page)
		failed, err := r.apply(&op)
		return !failed && err == nil && op.Large()
	}
	if err := r.Populate(LargeSize-1, 1, true); err != nil || !large(0) || !large(511) || !exo.Touch(r.pages, 3, true) {
		t.Error(err)
	}
	if b := l.at[0].Bytes(); b[LargeSize-1] != 0 {
		t.Error("a page is not zero")
	}
	if !exo.Touch(r.pages, 2*exo.LargePages+1, true) || large(2*exo.LargePages+1) || !exo.Touch(r.pages, 2*exo.LargePages+2, false) {
		t.Error("the rest of the region is not there")
	}
	if exo.Touch(r.pages, exo.LargePages, false) || r.Err() != ErrNoFrame {
		t.Error("there is no third one", r.Err())
	}
	l.at[0].Bytes()[5*PageSize] = 7
	if err := r.Drop(0, LargeSize-1); err != nil || !large(0) || l.at[0].Bytes()[5*PageSize] != 7 {
		t.Error("part of a large page was dropped", err)
	}
	if err := r.Drop(0, LargeSize+1); err != nil || large(0) {
		t.Error("it was dropped whole", err)
	}
	if !exo.Touch(r.pages, exo.LargePages+5, false) || l.at[exo.LargePages].Bytes()[5*PageSize] != 0 {
		t.Error("another has its frames now, cleared")
	}
	l.at[exo.LargePages].Release() // as one who takes them back does
	if exo.Touch(r.pages, exo.LargePages+5, false) || r.Err() != ErrTaken {
		t.Error(r.Err())
	}
	if err := r.Close(); err != nil || len(l.free) != 2 {
		t.Error(err, len(l.free))
	}
}

// TestCopies has regions copied from one another and written at random, and compares each with an array of its own.
func TestCopies(t *testing.T) {
	machine(t)
	const pages = 6
	p := pool(t, 64)
	type one struct {
		r    *Region
		want [pages]byte
	}
	all := []*one{{r: reserve(t, pages, NewShared(p))}}
	for i := range 2000 {
		o := all[rand.IntN(len(all))]
		if i%200 == 199 {
			c, err := o.r.Copy("copy")
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, &one{c, o.want})
		}
		page, write := rand.IntN(pages), rand.IntN(2) == 0
		if !exo.Touch(o.r.pages, page, write) {
			t.Fatal(o.r.Err())
		}
		s := o.r.pager.(*Shared)
		if write {
			p.Frame(s.at[page])[0] = byte(i)
			o.want[page] = byte(i)
		}
		for k, o := range all {
			s := o.r.pager.(*Shared)
			for page, want := range o.want {
				if f, ok := s.at[page]; ok && p.Frame(f)[0] != want || !ok && want != 0 {
					t.Fatalf("step %d: page %d of region %d is not %d", i, page, k, want)
				}
			}
		}
	}
	for _, o := range all {
		if err := o.r.Close(); err != nil {
			t.Error(err)
		}
	}
	if p.Free() != 64 {
		t.Errorf("%d frames are free at the end", p.Free())
	}
	r := reserve(t, 1, NewZero(p))
	var pe *PagerError
	if _, err := r.Copy("copy"); !errors.As(err, &pe) {
		t.Error(err)
	}
}

// TestManyFaultAtOnce: goroutines that fault on the same pages bring each in once.
func TestManyFaultAtOnce(t *testing.T) {
	machine(t)
	b := NewBacked(&disk{}, pool(t, 8), new(LRU))
	r := reserve(t, 8, b)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for page := range 8 {
				if !exo.Touch(r.pages, page, false) {
					t.Error("no page", page)
				}
			}
		})
	}
	wg.Wait()
	if s := b.Stats(r); s.Reads != 8 {
		t.Errorf("%d pages were brought in", s.Reads)
	}
}

// wrong is a pager that does something else than it is asked for.
type wrong func(r *Region, page int) error

func (f wrong) Fault(r *Region, page int, _ bool) error { return f(r, page) }
func (wrong) Drop(*Region, int)                         {}

// TestWrongPager: a pager that brings in another page, another frame, or nothing, and says that all is well, ends the access with an error that says so.
func TestWrongPager(t *testing.T) {
	machine(t)
	f, err := exo.TakeFrames("wrong", 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := exo.TakeFrames("gone", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Release(); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		pager wrong
		want  string
	}{
		"nothing":            {func(*Region, int) error { return nil }, "page 3 of region r: its pager says that it is there for writing, and it is not"},
		"another page":       {func(r *Region, page int) error { return r.Map(page+1, f, 0, exo.ProtWrite) }, "page 3 of region r"},
		"only to read":       {func(r *Region, page int) error { return r.Map(page, f, 0, exo.ProtRead) }, "it is there for writing"},
		"a frame too far":    {func(r *Region, page int) error { return r.Map(page, f, 2, exo.ProtWrite) }, "the frames do not have that one, or are released"},
		"a frame it gave up": {func(r *Region, page int) error { return r.Map(page, gone, 0, exo.ProtWrite) }, "the frames do not have that one, or are released"},
		"a page too far":     {func(r *Region, page int) error { return r.Map(8, f, 0, exo.ProtWrite) }, "the range is shorter"},
	} {
		r, err := Reserve("r", 8*PageSize, c.pager)
		if err != nil {
			t.Fatal(err)
		}
		if exo.Touch(r.pages, 3, true) || r.Err() == nil || !strings.Contains(r.Err().Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, r.Err(), c.want)
		}
		if err := r.Populate(3*PageSize, 1, true); err == nil || err.Error() != r.Err().Error() {
			t.Errorf("%s: Populate says %v", what, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
