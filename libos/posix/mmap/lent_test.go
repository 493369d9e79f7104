//go:build !hardtack

package mmap

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"unsafe"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/cffs"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
	"github.com/hardtack-os/hardtack/libos/fs/mem"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
	"github.com/hardtack-os/hardtack/libos/internal/ram"
)

// spoiling is a machine on which who looks at a frame that was freed sees it.
type spoiling struct{ *ram.Machine }

func (m spoiling) FreeFrames(phys, n uintptr) {
	b := m.frames(phys, n)
	for i := range b {
		b[i] = 0xEE
	}
	m.Machine.FreeFrames(phys, n)
}

func (m spoiling) frames(phys, n uintptr) []byte {
	at := m.DirectMap(phys, n*exo.PageSize)
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&at))), n*exo.PageSize)
}

// used is how many frames are anybody's, the page cache's, too.
func (m spoiling) used() int {
	free, total := m.CountFrames()
	return int(total - free)
}

// A volume is one of those whose pages can be mapped.
type volume interface {
	fs.FileSystem
	Close() error
}

func onCFFS(t *testing.T, store *pages.Store) volume {
	d := block.NewMemory(make([]byte, 4096*exo.PageSize))
	if err := cffs.Format(d, cffs.FormatOptions{}); err != nil {
		t.Fatal(err)
	}
	v, err := cffs.Mount(d, cffs.Options{Manual: true, Pages: store, Dirty: 64 * exo.PageSize})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// onFAT is a FAT16 volume whose clusters have so many sectors.
func onFAT(cluster int) func(t *testing.T, store *pages.Store) volume {
	return func(t *testing.T, store *pages.Store) volume {
		const clusters, reserved, table, root = 8192, 1, 33, 32 // the last three in sectors
		b := make([]byte, (reserved+table+root+clusters*cluster)*512)
		binary.LittleEndian.PutUint16(b[11:], 512)
		b[13], b[14], b[16], b[21] = byte(cluster), reserved, 1, 0xf8
		binary.LittleEndian.PutUint16(b[17:], root*512/32)
		binary.LittleEndian.PutUint32(b[32:], uint32(len(b)/512))
		binary.LittleEndian.PutUint16(b[22:], table)
		b[510], b[511] = 0x55, 0xaa
		copy(b[reserved*512:], "\xf8\xff\xff\xff")
		for i := (reserved + table + root) * 512; i < len(b); i++ {
			b[i] = 0xdd // what is behind the end of a file is anything
		}
		v, err := fat.Mount(block.NewMemory(b), fat.Options{Manual: true, Pages: store})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// volumes are all that there are.
var volumes = map[string]func(*testing.T, *pages.Store) volume{"cffs": onCFFS, "FAT, 512 bytes": onFAT(1), "FAT, 4096 bytes": onFAT(8), "FAT, 32768 bytes": onFAT(64)}

// cached is a file on a volume whose page cache has the machine's spare frames.
func cached(t *testing.T, frames int) (spoiling, *pages.Store, volume, fs.File) {
	return cachedOn(t, frames, onCFFS)
}

// cachedOn is cached on a volume of some kind.
func cachedOn(t *testing.T, frames int, on func(*testing.T, *pages.Store) volume) (spoiling, *pages.Store, volume, fs.File) {
	t.Helper()
	m := spoiling{ram.New(frames)}
	machineOf(t, m)
	mem, err := exo.OpenSpares(frames/pages.PerSlot, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	store := pages.New(mem)
	v := on(t, store)
	n, e := v.Root().Create("f", syscall.S_IFREG|0o644, 0)
	if e != 0 {
		t.Fatal(e)
	}
	f := n.(fs.File)
	t.Cleanup(func() { // before those of the machine
		f.Unref()
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		if c := store.Counts(); c.Mapped != 0 || c.Pinned != 0 || c.Kept != 0 {
			t.Errorf("in the end: %+v", c)
		}
	})
	return m, store, v, f
}

// shows is what a page of a view shows, by its entry: nil where nothing is mapped. The object's lock is held.
func (v *view) shows(m spoiling, page int) []byte {
	q := exo.Query(page)
	if !v.apply(&q) || q.Prot() == exo.ProtNone {
		return nil
	}
	return m.frames(uintptr(q.Frame()), 1)
}

func pattern(n, seed int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(uint64(seed), 9))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestOneCopy maps a file that is in the page cache: no frame more is used, writes are seen at once, and a mapping that is to be stored to has frames of its own.
func TestOneCopy(t *testing.T) {
	const n = 100
	m, store, v, f := cached(t, 1024)
	data := pattern(n*exo.PageSize-100, 1)
	write := func(p []byte, off int) {
		t.Helper()
		copy(data[off:], p)
		if k, _, e := fs.WriteAt(f, p, int64(off)); k != len(p) || e != 0 {
			t.Fatal(k, e)
		}
	}
	write(data, 0)
	v.Sync()
	fs.ReadAt(f, make([]byte, len(data)), 0)
	before := m.used()
	w := mapped(t, f, 0, n, mapShared, protRead)
	p := mapped(t, f, 0, n, mapPrivate, protRead|protWrite)
	right := func(when string, v *view) {
		t.Helper()
		for page := range n {
			if !exo.Touch(v.pages, page, false) {
				t.Fatal(when, "a load faults")
			}
			want := make([]byte, exo.PageSize)
			copy(want, data[page*exo.PageSize:])
			if !bytes.Equal(v.shows(m, page), want) {
				t.Fatalf("%s: page %d is another", when, page)
			}
		}
	}
	lent := func(when string, want int) {
		t.Helper()
		got := 0
		for _, f := range w.o.pages {
			if f.lent() {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d pages of %d are the page cache's", when, got, want)
		}
	}
	right("read", w)
	right("private", p)
	lent("read", n)
	if now := m.used(); now != before {
		t.Errorf("%d frames more are used for a mapping of %d pages", now-before, n)
	}
	if c := store.Counts(); c.Mapped < n/pages.PerSlot || c.Kept != 0 {
		t.Errorf("%+v", c)
	}

	// What is written is what is mapped, before and after a commit; the machine has it once, beside what is there of before.
	for range 3 {
		write(pattern(5*exo.PageSize, 2), 10*exo.PageSize-7)
		right("written", w)
		write(pattern(9, 3), 12*exo.PageSize)
		right("written again", p)
		v.Sync()
		right("committed", w)
		write(pattern(9, 4), 12*exo.PageSize+50)
		right("written after that", w)
	}
	lent("written", n)

	// A private copy is nobody else's.
	if !exo.Touch(p.pages, 3, true) {
		t.Fatal("a store faults")
	}
	p.shows(m, 3)[5]++
	right("copied", w)

	// Holes, and what is cut off.
	if e := fs.Allocate(f, fs.FallocPunchHole|fs.FallocKeepSize, 20*exo.PageSize+5, 2*exo.PageSize); e != 0 {
		t.Fatal(e)
	}
	clear(data[20*exo.PageSize+5:][:2*exo.PageSize])
	right("punched", w)
	write(pattern(100, 5), 21*exo.PageSize)
	right("filled", w)
	lent("filled", n)
	fs.Truncate(f, 30*exo.PageSize+10)
	fs.Truncate(f, int64(len(data)))
	clear(data[30*exo.PageSize+10:])
	right("cut", w)

	// A mapping that is stored to.
	write(pattern(exo.PageSize, 6), 40*exo.PageSize)
	s := mapped(t, f, 0, n, mapShared, protRead|protWrite)
	for page := range 31 {
		if q := exo.Query(page); !s.apply(&q) || q.Prot() != exo.ProtWrite {
			t.Fatal("the first store to a page that is there waits")
		}
	}
	right("by another mapping", w)
	for _, page := range []int{0, 13, 30, 50} {
		if !exo.Touch(s.pages, page, true) {
			t.Fatal("a store faults")
		}
		s.shows(m, page)[9]++
		data[page*exo.PageSize+9]++
	}
	right("stored", w)
	got := make([]byte, len(data))
	if k, e := fs.ReadAt(f, got, 0); k != len(got) || e != 0 || !bytes.Equal(got, data) {
		t.Error("what was stored is not read", k, e)
	}
	v.Sync()
	if e := fs.Sync(f, true); e != 0 {
		t.Error(e)
	}
	s.munmap()
	write(pattern(9, 7), 13*exo.PageSize)
	right("stored and closed", w)
	if !w.o.pages[13].lent() {
		t.Error("a page is not the page cache's again")
	}
	if k, e := f.ReadAt(got, 0); k != len(got) || e != 0 || !bytes.Equal(got, data) {
		t.Error("what was stored is not in the file", k, e)
	}
	w.munmap()
	p.munmap()
	if c := store.Counts(); c.Mapped != 0 || c.Pinned > 2 {
		t.Errorf("%+v", c)
	}
}

// TestOneCopyOfFAT is TestOneCopy on FAT volumes: what lies in one page of the cache is mapped there, whatever is behind the end of the file, and what does not is a copy. What is written, cut off, made longer, stored and given to
// another file is right either way.
func TestOneCopyOfFAT(t *testing.T) {
	for cluster, least := range map[int]int{1: 0, 8: 99, 64: 99} {
		t.Run(strconv.Itoa(cluster*512), func(t *testing.T) {
			const n = 100
			m, store, v, f := cachedOn(t, 1024, onFAT(cluster))
			data := pattern(n*exo.PageSize-100, 1)
			write := func(p []byte, off int) {
				t.Helper()
				copy(data[off:], p)
				if k, _, e := fs.WriteAt(f, p, int64(off)); k != len(p) || e != 0 {
					t.Fatal(k, e)
				}
			}
			write(data, 0)
			fs.ReadAt(f, make([]byte, len(data)), 0)
			before := m.used()
			w := mapped(t, f, 0, n, mapShared, protRead)
			right := func(when string) {
				t.Helper()
				lent := 0
				for page := range (len(data) + exo.PageSize - 1) / exo.PageSize {
					if !exo.Touch(w.pages, page, false) {
						t.Fatal(when, "a load faults")
					}
					want := make([]byte, exo.PageSize)
					copy(want, data[page*exo.PageSize:])
					if !bytes.Equal(w.shows(m, page), want) {
						t.Fatalf("%s: page %d is another", when, page)
					}
					if w.o.pages[int64(page)].lent() {
						lent++
					}
				}
				if lent < least {
					t.Errorf("%s: %d pages are the page cache's", when, lent)
				}
			}
			right("read")
			if now := m.used(); least > 0 && now > before+chunkFrames { // the last page is a copy
				t.Errorf("%d frames more are used for a mapping of %d pages", now-before, n)
			}
			for i := range 3 {
				write(pattern(5*exo.PageSize, 2), 10*exo.PageSize-7)
				right("written")
				write(pattern(9, 3+i), 12*exo.PageSize+50)
				right("written again")
				v.Sync()
				right("synced")
			}
			fs.Truncate(f, 30*exo.PageSize+10)
			c, e := v.Root().Create("other", syscall.S_IFREG|0o644, 0)
			if e != 0 {
				t.Fatal(e)
			}
			v.Sync() // what was given up is taken by others
			other := c.(fs.File)
			defer other.Unref()
			fs.WriteAt(other, pattern(200*exo.PageSize, 8), 0)
			fs.Truncate(f, int64(len(data)))
			clear(data[30*exo.PageSize+10:])
			right("cut and made longer")
			s := mapped(t, f, 0, n, mapShared, protRead|protWrite)
			for _, page := range []int{0, 13, n - 1} {
				if !exo.Touch(s.pages, page, true) {
					t.Fatal("a store faults")
				}
				s.shows(m, page)[9]++
				data[page*exo.PageSize+9]++
			}
			if e := fs.Sync(f, true); e != 0 {
				t.Error(e)
			}
			s.munmap()
			write(pattern(n*exo.PageSize-100, 7), 0)
			right("stored, closed and written")
			got := make([]byte, len(data))
			if k, e := f.ReadAt(got, 0); k != len(got) || e != 0 || !bytes.Equal(got, data) {
				t.Error("the file has other bytes", k, e)
			}
			w.munmap()
			if c := store.Counts(); c.Mapped != 0 || c.Pinned > 1 {
				t.Errorf("%+v", c)
			}
		})
	}
}

// TestTaken has memory taken from the page cache by force and by asking, and volumes commit, while a file is mapped, read and written: no frame that is mapped is ever another's, and all that is
// shown, read and stored is what was written last. The mappings have not enough memory, so that pages are put out.
func TestTaken(t *testing.T) {
	for name, on := range volumes {
		t.Run(name, func(t *testing.T) { taken(t, on) })
	}
}

func taken(t *testing.T, on func(*testing.T, *pages.Store) volume) {
	const n, steps = 150, 4000
	m, store, v, f := cachedOn(t, 360, on)
	_, sparse := f.(fs.Sparse) // which have holes to be punched
	data := make([]byte, n*exo.PageSize)
	if _, _, e := fs.WriteAt(f, data, 0); e != 0 {
		t.Fatal(e)
	}
	w := mapped(t, f, 0, n, mapShared, protRead)
	private := mapped(t, f, 0, 4, mapPrivate, protRead|protWrite)
	var s *view
	var end atomic.Bool
	var others sync.WaitGroup
	others.Go(func() {
		r := rand.New(rand.NewPCG(3, 4))
		for !end.Load() {
			switch r.IntN(4) {
			case 0:
				store.Shrink(1 + r.IntN(3))
			case 1:
				giveBack(1 + r.IntN(40))
			case 2:
				if f, err := exo.TakeFrames("others", 1+r.IntN(100), 0); err == nil {
					f.Release()
				}
			default:
				v.Sync()
			}
			runtime.Gosched()
		}
	})
	r := rand.New(rand.NewPCG(1, 2))
	shows := func(v *view, page int, f func(b []byte)) {
		for {
			if !exo.Touch(v.pages, page, false) {
				t.Fatal("a load faults")
			}
			v.o.mu.Lock()
			b := v.shows(m, page)
			if b != nil {
				f(b)
			}
			v.o.mu.Unlock()
			if b != nil {
				return
			}
		}
	}
	for i := range steps {
		page, off := r.IntN(n), r.IntN(exo.PageSize)
		at := page*exo.PageSize + off
		switch r.IntN(8) {
		case 0, 1, 2:
			shows(w, page, func(b []byte) {
				if want := data[page*exo.PageSize:][:exo.PageSize]; !bytes.Equal(b, want) {
					t.Fatalf("step %d: page %d shows other bytes", i, page)
				}
			})
		case 3:
			p := pattern(1+r.IntN(2*exo.PageSize), i)
			p = p[:min(len(p), len(data)-at)]
			k, _, e := fs.WriteAt(f, p, int64(at))
			if e != 0 {
				t.Fatal(e)
			}
			copy(data[at:], p[:k])
		case 4:
			p := make([]byte, 1+r.IntN(5*exo.PageSize))
			k, e := fs.ReadAt(f, p, int64(at))
			if e != 0 || !bytes.Equal(p[:k], data[at:at+k]) {
				t.Fatalf("step %d: %d bytes at %d are others (%v)", i, k, at, e)
			}
		case 5:
			switch e := fs.Allocate(f, fs.FallocPunchHole|fs.FallocKeepSize, int64(at), 5000); {
			case e != 0 && (sparse || e != syscall.EOPNOTSUPP):
				t.Fatal(e)
			case e == 0:
				clear(data[at:min(at+5000, len(data))])
			}
		case 6:
			page %= 4
			if !exo.Touch(private.pages, page, true) {
				t.Fatal("a store to a copy faults")
			}
		case 7:
			switch {
			case s == nil:
				s = mapped(t, f, 0, n, mapShared, protRead|protWrite)
			case r.IntN(20) == 0:
				s.munmap()
				s = nil
			default:
				if e := s.need(page, true, func() { s.o.pages[int64(page)].bytes()[off], s.o.dirty[int64(page)] = byte(i), true }); e != 0 {
					t.Fatal("a store:", e)
				}
				data[at] = byte(i)
			}
		}
	}
	end.Store(true)
	others.Wait()
	if s != nil {
		s.munmap()
	}
	w.munmap()
	private.munmap()
	got := make([]byte, len(data))
	if k, e := fs.ReadAt(f, got, 0); k != len(got) || e != 0 || !bytes.Equal(got, data) {
		t.Error("the file has other bytes", k, e)
	}
	if c := store.Counts(); c.Forced == 0 || c.Given == 0 {
		t.Errorf("not all happened: %+v", c)
	}
}

// TestLocked asks for the memory of mappings of which a part is locked: that part is brought in and stays, until it is not locked any more.
func TestLocked(t *testing.T) {
	const n = 200
	_, _, v, f := cached(t, 256)
	fs.WriteAt(f, pattern(n*exo.PageSize, 1), 0)
	v.Sync()
	w := mapped(t, f, 0, n, mapShared, protRead)
	p := mapped(t, f, 0, n, mapPrivate, protRead|protWrite)
	there := func(v *view, lo, hi int) (n int) {
		for page := lo; page < hi; page++ {
			q := exo.Query(page)
			if v.apply(&q) && q.Prot() != exo.ProtNone {
				n++
			}
		}
		return n
	}
	call := func(nr, at, size, flags uintptr, want syscall.Errno) {
		t.Helper()
		if _, e := serve(nr, [6]uintptr{at, size, flags}); e != want {
			t.Errorf("call %d: %v", nr, e)
		}
	}
	const lo, hi = n - 20, n - 10
	call(syscall.SYS_MLOCK, w.lo+lo*exo.PageSize+1, (hi-lo)*exo.PageSize-1, 0, 0)
	if there(w, lo, hi) != hi-lo {
		t.Error("what is locked is not there")
	}
	call(syscall.SYS_MLOCK, p.lo, 3*exo.PageSize, 0, 0)
	if len(p.own) != 3 {
		t.Errorf("%d copies", len(p.own))
	}
	giveBack(all)
	for range 3 { // what is mapped of the rest goes
		for page := range n {
			exo.Touch(w.pages, page, false)
		}
	}
	giveBack(all)
	if there(w, lo, hi) != hi-lo || there(p, 0, 3) != 3 {
		t.Error("what is locked went")
	}
	if there(w, 0, n) == n {
		t.Error("nothing went")
	}
	call(sysMlock2, w.lo, exo.PageSize, 2, syscall.EINVAL)
	call(sysMlock2, w.lo, n*exo.PageSize, lockOnFault, 0)
	call(syscall.SYS_MLOCK, p.lo+10*exo.PageSize, (n-10)*exo.PageSize, 0, syscall.EAGAIN) // copies of all: there is no room
	call(syscall.SYS_MUNLOCKALL, 0, 0, 0, 0)
	call(syscall.SYS_MLOCKALL, 8, 0, 0, syscall.EINVAL)
	call(syscall.SYS_MLOCKALL, lockLazily, 0, 0, syscall.EINVAL)
	call(syscall.SYS_MLOCKALL, lockFuture, 0, 0, 0)
	x := mapped(t, f, 0, 1, mapShared, protRead)
	if !x.locked(0) || w.locked(0) {
		t.Error("not what is mapped from now on is locked")
	}
	call(syscall.SYS_MUNLOCKALL, 0, 0, 0, 0)
	if x.locked(0) || mapped(t, f, 0, 1, mapShared, protRead).locked(0) {
		t.Error("still locked")
	}
	fs.Truncate(f, exo.PageSize)
	call(syscall.SYS_MLOCK, w.lo, 2*exo.PageSize, 0, syscall.ENOMEM)
	for _, v := range within(0, 1<<47) {
		v.munmap()
	}
}

// TestGiveBack asks for the memory of a mapping: all pages of a slot go together, those that were touched go last, and the page cache can do without them. A few stay.
func TestGiveBack(t *testing.T) {
	const n = 5 * pages.PerSlot
	_, store, v, f := cached(t, 64*pages.PerSlot)
	fs.WriteAt(f, pattern(n*exo.PageSize, 1), 0)
	v.Sync()
	w := mapped(t, f, 0, n, mapShared, protRead)
	slots := len(w.o.slots)
	if c := store.Counts(); c.Mapped != slots || slots < 5 {
		t.Fatalf("%d, %+v", slots, c)
	}
	free, _ := exo.CountFrames()
	exo.Touch(w.pages, 3, false)
	stays := w.o.pages[3].slot
	if given := giveBack((slots - 1) * pages.PerSlot); given != (slots-1)*pages.PerSlot {
		t.Errorf("%d pages were given back", given)
	}
	if len(w.o.slots) != 1 || w.o.slots[stays] == nil || len(w.o.pages) != len(w.o.slots[stays]) {
		t.Errorf("%d pages of %d slots stay", len(w.o.pages), len(w.o.slots))
	}
	if c := store.Counts(); c.Mapped != 1 {
		t.Errorf("%+v", c)
	}
	if now, _ := exo.CountFrames(); now < free+uint64(slots-3)*pages.PerSlot { // one slot is never taken, and one more is what the volume fills
		t.Errorf("%d frames could be had, and before %d", now, free)
	}
	if given := giveBack(n); given != 0 {
		t.Errorf("%d pages of the last ones were given back", given)
	}
	w.munmap()
}

// TestGiveBackOfSmallFiles has slots lend pages of many files: what is said to be given back is what the page cache has again.
func TestGiveBackOfSmallFiles(t *testing.T) {
	const n, want = 8 * pages.PerSlot, 4 * pages.PerSlot
	_, store, v, _ := cached(t, 512)
	var files []fs.File
	for i := range n {
		c, e := v.Root().Create("x"+strconv.Itoa(i), syscall.S_IFREG|0o644, 0)
		if e != 0 {
			t.Fatal(e)
		}
		f := c.(fs.File)
		defer f.Unref()
		fs.WriteAt(f, pattern(exo.PageSize, i), 0)
		files = append(files, f)
	}
	v.Sync()
	for _, f := range files {
		defer mapped(t, f, 0, 1, mapShared, protRead).munmap()
	}
	before := store.Counts().Mapped
	given := giveBack(want)
	if freed := before - store.Counts().Mapped; given < want || given != freed*pages.PerSlot {
		t.Errorf("%d pages are said to be given back, and %d slots are", given, freed)
	}
}

// TestStoreToLent has a mapping become one that may be stored to where memory is short: the copy that a store needs may have the very page put out that it is a copy of.
func TestStoreToLent(t *testing.T) {
	const n = 16
	_, _, v, f := cached(t, 256)
	fs.WriteAt(f, pattern(n*exo.PageSize, 1), 0)
	v.Sync()
	w := mapped(t, f, 0, n, mapShared, protRead)
	for {
		if free, _ := exo.CountFrames(); free <= 24 {
			break
		}
		h, err := exo.TakeFrames("hog", 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Release()
	}
	if _, e := serve(syscall.SYS_MPROTECT, [6]uintptr{w.lo, n * exo.PageSize, protRead | protWrite}); e != 0 {
		t.Fatal(e)
	}
	for page := range n {
		if !exo.Touch(w.pages, page, true) {
			t.Error("no store to page", page)
		}
	}
	w.munmap()
}

// seed is one file of an image, which lies in blocks.
type seed struct {
	fstest.MapFS
	data  []byte
	store *pages.Store
}

func (s seed) Pieces(string) mem.Pieces {
	b := pages.NewBlocks(s.store, int64(len(s.data)/pages.BlockSize+1), s, false)
	return b.Part(0, int64(len(s.data)))
}

func (s seed) ReadBlocks(vec [][]byte, first int64) (bool, error) {
	for i, v := range vec {
		clear(v)
		copy(v, s.data[(first+int64(i))*pages.BlockSize:])
	}
	return false, nil
}

// TestImageFile maps a file of the image: it shows the page cache's pages, and where something was written, what was.
func TestImageFile(t *testing.T) {
	const n = 50
	m := spoiling{ram.New(1024)}
	machineOf(t, m)
	spares, err := exo.OpenSpares(32, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	data := pattern(n*exo.PageSize-100, 1)
	root := mem.New(mem.Options{Limit: 1 << 20, Seed: seed{fstest.MapFS{"f": {Data: data}}, bytes.Clone(data), pages.New(spares)}}).Root()
	node, e := root.Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	f := node.(fs.File)
	defer f.Unref()
	v := mapped(t, f, 0, n, mapShared, protRead)
	defer v.munmap()
	right := func(when string, lent int) {
		t.Helper()
		for page := range n {
			want := make([]byte, exo.PageSize)
			copy(want, data[page*exo.PageSize:])
			if !exo.Touch(v.pages, page, false) || !bytes.Equal(v.shows(m, page), want) {
				t.Fatalf("%s: page %d is another", when, page)
			}
		}
		for _, f := range v.o.pages {
			if f.lent() {
				lent--
			}
		}
		if lent != 0 {
			t.Errorf("%s: %d pages fewer are the page cache's", when, lent)
		}
	}
	right("read", n)
	for _, at := range []int{0, 10*exo.PageSize - 3, len(data) - 5} {
		copy(data[at:], "other")
		if k, _, e := fs.WriteAt(f, []byte("other"), int64(at)); k != 5 || e != 0 {
			t.Fatal(k, e)
		}
	}
	right("written", n-4)
	if e := fs.Truncate(f, 20*exo.PageSize+100); e != 0 {
		t.Fatal(e)
	}
	clear(data[20*exo.PageSize+100:])
	if e := fs.Truncate(f, n*exo.PageSize); e != 0 {
		t.Fatal(e)
	}
	right("cut off and made longer", 20-3)
}
