package fat_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/fat"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

const slot = pages.PerSlot * pages.Size

// volume is one that mkfs.vfat has made, in memory.
func volume(t testing.TB, width, kib int) *block.Memory {
	t.Helper()
	b, err := os.ReadFile(made(t, width, kib))
	if err != nil {
		t.Fatal(err)
	}
	return block.NewMemory(b)
}

func mount(t testing.TB, d block.Device, o fat.Options) (*fat.FS, *core.Tree) {
	t.Helper()
	o.Manual = true
	f, err := fat.Mount(d, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, core.NewTree("vfat", f)
}

func file(t testing.TB, tree *core.Tree, name string) *fat.File {
	t.Helper()
	root := tree.Root()
	defer root.Drop()
	p, e := tree.Open(root, name, syscall.O_CREAT|syscall.O_RDWR, 0o644, 0)
	if e != 0 {
		t.Fatal(name, e)
	}
	t.Cleanup(p.Drop)
	return p.Node.(*fat.File)
}

func random(n int) []byte {
	r, b := rand.New(rand.NewPCG(uint64(n), 1)), make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// all reads a file in pieces.
func all(t testing.TB, x core.File, size, piece int) []byte {
	t.Helper()
	b := make([]byte, size)
	for at := 0; at < size; at += piece {
		p := b[at:min(at+piece, size)]
		if n, e := x.ReadAt(p, int64(at)); n != len(p) || e != 0 {
			t.Fatal(at, n, e)
		}
	}
	return b
}

// idle waits until nothing is read ahead any more.
func idle(f *fat.FS, d *block.Memory) { f.Cached(d) }

// TestSecondPass reads and lends files of volumes with clusters of all sizes twice, and writes and reads one: what was read or written is not read from the disk again.
func TestSecondPass(t *testing.T) {
	const size = 700_000
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			d := volume(t, k.width, k.kib)
			f, tree := mount(t, d, fat.Options{})
			data := random(size)
			put(t, tree, "/f", data)
			f.Close()
			counted := &block.Faulty{Device: d}
			for _, piece := range []int{1000, 4096, 100_000, size} {
				f, tree := mount(t, counted, fat.Options{})
				x := file(t, tree, "/f")
				begin := counted.Requests()
				if !bytes.Equal(all(t, x, size, piece), data) {
					t.Fatal("other bytes")
				}
				idle(f, d)
				once := counted.Requests()
				if n := once - begin; n == 0 || n > size/(16*pages.Size)+8 {
					t.Errorf("by %d bytes: %d requests for the first pass", piece, n)
				}
				if !bytes.Equal(all(t, x, size, piece), data) {
					t.Fatal("other bytes")
				}
				for at := int64(0); at < size; {
					l, e := x.Lend(at, size)
					if e != 0 || len(l.Bytes) == 0 || !bytes.Equal(l.Bytes, data[at:at+int64(len(l.Bytes))]) {
						t.Fatal(at, len(l.Bytes), e)
					}
					at += int64(len(l.Bytes))
					l.Return()
				}
				idle(f, d)
				// What does not end with a page of the device's is read from it; so may the last page of a small volume be.
				if n := counted.Requests() - once; n > 2 {
					t.Errorf("by %d bytes: %d requests for the second and third pass", piece, n)
				}
				f.Close()
			}
			f, tree = mount(t, counted, fat.Options{})
			put(t, tree, "/g", data[:400_000])
			begin := counted.Requests()
			if !bytes.Equal(all(t, file(t, tree, "/g"), 400_000, 4096), data[:400_000]) {
				t.Fatal("other bytes")
			}
			if n := counted.Requests() - begin; n > 4 {
				t.Errorf("%d requests for what was written", n)
			}
		})
	}
}

// TestLargerThanMemory reads a file through a cache of eight slots, in order and not, also where others have all of them.
func TestLargerThanMemory(t *testing.T) {
	const size = 40 * slot
	d := volume(t, 0, 40<<10)
	f, tree := mount(t, d, fat.Options{})
	data := random(size)
	put(t, tree, "/f", data)
	f.Close()
	store := pages.New(pages.NewHeap(8 * slot))
	f, tree = mount(t, d, fat.Options{Pages: store})
	x := file(t, tree, "/f")
	look := func() {
		t.Helper()
		for range 2 {
			if !bytes.Equal(all(t, x, size, 50_000), data) {
				t.Fatal("other bytes")
			}
		}
		r, p := rand.New(rand.NewPCG(1, 1)), make([]byte, 9000)
		for range 200 {
			off := r.IntN(size - len(p))
			if n, e := x.ReadAt(p, int64(off)); n != len(p) || e != 0 || !bytes.Equal(p, data[off:off+n]) {
				t.Fatal(off, n, e)
			}
			l, e := x.Lend(int64(off), 9000)
			if e != 0 || !bytes.Equal(l.Bytes, data[off:off+len(l.Bytes)]) {
				t.Fatal(off, e)
			}
			l.Return()
		}
	}
	look()
	idle(f, d)
	if c := store.Counts(); c.Slots > 8 || c.Reused == 0 || c.Pinned > 1 {
		t.Errorf("%+v", c)
	}
	var taken []*pages.Slot
	for s := store.TakeKept(nobody{}); s != nil; s = store.TakeKept(nobody{}) {
		taken = append(taken, s)
	}
	if len(taken) < 7 {
		t.Fatalf("%d slots could be had", len(taken))
	}
	look()
	for _, s := range taken {
		s.Unpin()
	}
	f.Close()
	if c := store.Counts(); c.Pinned != 0 {
		t.Errorf("%+v", c)
	}
}

type nobody struct{}

func (nobody) Forget(*pages.Slot) {}

// TestCacheIsDevice has several goroutines write, read, lend, truncate and remove files of volumes with clusters of all sizes, and folders beside them, while memory is taken away by force and by asking: what is read is what was
// written, what is lent stays, pages are at all times what the device has, and in the end nobody has any pinned.
func TestCacheIsDevice(t *testing.T) {
	const files, rounds, most = 3, 120, 180_000
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			d := volume(t, k.width, k.kib)
			mem := pages.NewHeap(12 * slot)
			store := pages.New(mem)
			f, tree := mount(t, d, fat.Options{Pages: store})
			var end atomic.Bool
			var taker, users sync.WaitGroup
			taker.Go(func() {
				r := rand.New(rand.NewPCG(7, 8))
				for !end.Load() {
					if n := 1 + r.IntN(6); r.IntN(2) == 0 {
						mem.Allow(mem.Seize(n))
					} else {
						store.Shrink(n)
					}
					if e := f.Sync(); e != 0 {
						t.Error(e)
						return
					}
					if n, wrong := f.Cached(d); wrong > 0 {
						t.Errorf("%d of %d pages are not what the device has", wrong, n)
						return
					}
					runtime.Gosched()
				}
			})
			for begin := 0; !t.Failed(); begin += files { // until memory was taken in all ways
				for u := range files {
					users.Go(func() { use(t, tree, "/f"+strconv.Itoa(u), uint64(begin+u), rounds, most) })
				}
				users.Wait()
				if c := store.Counts(); c.Forced > 0 && c.Given > 0 && c.Hits > 0 && c.Misses > 0 && c.Read > 0 {
					break
				}
			}
			end.Store(true)
			taker.Wait()
			if n, wrong := f.Cached(d); wrong > 0 {
				t.Errorf("%d of %d pages are not what the device has", wrong, n)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if c := store.Counts(); c.Pinned != 0 || c.Kept != 0 {
				t.Errorf("%+v", c)
			}
			name := made(t, 12, 160)
			if err := os.WriteFile(name, d.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			fsck(t, name)
		})
	}
}

// use does things to one file that it alone uses, and to folders.
func use(t *testing.T, tree *core.Tree, name string, seed uint64, rounds, most int) {
	r := rand.New(rand.NewPCG(seed, 2))
	root := tree.Root()
	defer root.Drop()
	tree.Unlink(root, name)
	var is []byte // what is in the file
	buf := make([]byte, most)
	for i := range rounds {
		p, e := tree.Open(root, name, syscall.O_CREAT|syscall.O_RDWR, 0o644, 0)
		if e != 0 {
			t.Error(name, e)
			return
		}
		x := p.Node.(*fat.File)
		off, n := r.IntN(most), 1+r.IntN(40_000)
		switch r.IntN(8) {
		case 0, 1:
			n = min(n, most-off)
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			if k, _, e := x.WriteAt(b, int64(off)); k != n || e != 0 {
				t.Error(name, k, e)
			}
			if len(is) < off+n {
				is = append(is, make([]byte, off+n-len(is))...)
			}
			copy(is[off:], b)
		case 2:
			if e := x.Truncate(int64(off)); e != 0 {
				t.Error(name, e)
			}
			is = append(is, make([]byte, max(0, off-len(is)))...)[:off:off]
		case 3:
			if r.IntN(4) == 0 {
				if e := tree.Unlink(root, name); e != 0 {
					t.Error(name, e)
				}
				is = nil
			}
			dir := name + strconv.Itoa(i) // its clusters were a file's
			if e := tree.Mkdir(root, dir, 0o755); e != 0 {
				t.Error(dir, e)
			}
			tree.Rmdir(root, dir)
		case 4:
			if len(is) == 0 {
				break
			}
			off %= len(is)
			l, e := x.Lend(int64(off), n)
			if e != 0 || len(l.Bytes) == 0 || !bytes.Equal(l.Bytes, is[off:off+len(l.Bytes)]) {
				t.Errorf("%s: %d bytes lent from %d on are others than were written, or %v", name, len(l.Bytes), off, e)
				l.Return()
				break
			}
			was := bytes.Clone(l.Bytes)
			if _, _, e := x.WriteAt(make([]byte, len(was)), int64(off)); e != 0 {
				t.Error(name, e)
			}
			clear(is[off : off+len(was)])
			runtime.Gosched()
			if !bytes.Equal(l.Bytes, was) {
				t.Errorf("%s: what was lent has changed", name)
			}
			l.Return()
		default:
			want := is[min(off, len(is)):min(off+n, len(is))]
			if k, e := x.ReadAt(buf[:n], int64(off)); e != 0 || !bytes.Equal(buf[:k], want) {
				t.Errorf("%s: %d bytes read from %d on are not the %d that were written, or %v", name, k, off, len(want), e)
			}
		}
		p.Drop()
		if t.Failed() {
			return
		}
	}
}

// A badSector gives an error for one sector.
type badSector struct {
	block.Device
	at int64
}

func (b badSector) Read(vec [][]byte, off int64) error {
	n := 0
	for _, p := range vec {
		n += len(p)
	}
	if off <= b.at && b.at < off+int64(n) {
		return block.ErrInjected
	}
	return b.Device.Read(vec, off)
}

// TestBadSector: a sector that cannot be read is an error for who wants it, and for nobody else.
func TestBadSector(t *testing.T) {
	d := volume(t, 12, 1440)
	f, tree := mount(t, d, fat.Options{})
	mark := bytes.Repeat([]byte("find me!"), 64)
	data := append(append(bytes.Repeat([]byte("a"), 10*512), mark...), bytes.Repeat([]byte("b"), 50_000)...)
	put(t, tree, "/f", data)
	f.Close()
	bad := badSector{d, int64(bytes.Index(d.Bytes(), mark))}
	_, tree = mount(t, bad, fat.Options{})
	x := file(t, tree, "/f")
	p := make([]byte, 512)
	for off := int64(0); off+512 <= int64(len(data)); off += 512 {
		n, e := x.ReadAt(p, off)
		if off == 10*512 {
			if n != -1 || e != syscall.EIO {
				t.Error("the bad one:", n, e)
			}
		} else if n != 512 || e != 0 || !bytes.Equal(p, data[off:off+512]) {
			t.Error(off, n, e)
		}
	}
	if n, _ := x.ReadAt(make([]byte, len(data)), 0); n <= 0 || n > 10*512 {
		t.Errorf("%d bytes are read, up to the bad sector", n)
	}
	if _, e := x.Lend(10*512, 512); e != syscall.EIO {
		t.Error(e)
	}
}

// A torn device writes the first 1024 bytes only of larger writes, if it is to, and gives an error then.
type torn struct {
	block.Device
	now bool
}

func (d *torn) Write(vec [][]byte, off int64) error {
	if !d.now || block.Len(vec) <= 1024 {
		return d.Device.Write(vec, off)
	}
	d.Device.Write([][]byte{vec[0][:1024]}, off)
	return block.ErrInjected
}

// TestTornWrite: a write that fails on the way leaves no page in the cache that the device has not.
func TestTornWrite(t *testing.T) {
	d := volume(t, 0, 40<<10)
	bad := &torn{Device: d}
	f, tree := mount(t, bad, fat.Options{})
	put(t, tree, "/f", bytes.Repeat([]byte("o"), 60_000))
	x := file(t, tree, "/f")
	all(t, x, 60_000, 60_000)
	if n, _ := f.Cached(d); n < 10 {
		t.Fatalf("%d pages are in the cache", n)
	}
	bad.now = true
	if _, _, e := x.WriteAt(bytes.Repeat([]byte("n"), 50_000), 0); e != syscall.EIO {
		t.Error(e)
	}
	if n, wrong := f.Cached(d); wrong > 0 {
		t.Errorf("%d of %d pages are not what the device has", wrong, n)
	}
}

// A slow device has one read wait when it has read.
type slow struct {
	block.Device
	next atomic.Bool
	is   chan bool // a read has come
	goOn chan bool
}

func (s *slow) Read(vec [][]byte, off int64) error {
	err := s.Device.Read(vec, off)
	if s.next.Swap(false) {
		s.is <- true
		<-s.goOn
	}
	return err
}

// TestWriteBesideRead: while a read waits for the device others are served, and a write to the same pages is what is read afterwards.
func TestWriteBesideRead(t *testing.T) {
	d := &slow{Device: volume(t, 0, 40<<10), is: make(chan bool), goOn: make(chan bool)}
	f, tree := mount(t, d, fat.Options{})
	old, new := bytes.Repeat([]byte("o"), 9000), bytes.Repeat([]byte("n"), 6000)
	put(t, tree, "/f", old)
	put(t, tree, "/g", old)
	f.Close()
	_, tree = mount(t, d, fat.Options{})
	x, y := file(t, tree, "/f"), file(t, tree, "/g")
	b := make([]byte, len(old))
	if _, e := y.ReadAt(b, 0); e != 0 {
		t.Fatal(e)
	}
	d.next.Store(true)
	var reader, writer sync.WaitGroup
	reader.Go(func() {
		p := make([]byte, len(old))
		if n, e := x.ReadAt(p, 0); n != len(p) || e != 0 {
			t.Error(n, e)
		}
	})
	<-d.is
	if n, e := y.ReadAt(b, 0); n != len(b) || e != 0 || !bytes.Equal(b, old) {
		t.Error("a file that is in memory:", n, e)
	}
	written := make(chan bool)
	writer.Go(func() {
		defer close(written)
		if n, _, e := x.WriteAt(new, 1000); n != len(new) || e != 0 {
			t.Error(n, e)
		}
	})
	select { // it waits for the read; if it did not, this would give it time
	case <-written:
	case <-time.After(30 * time.Millisecond):
	}
	close(d.goOn)
	reader.Wait()
	writer.Wait()
	if n, e := x.ReadAt(b, 0); n != len(b) || e != 0 || !bytes.Equal(b, append(append(bytes.Clone(old[:1000]), new...), old[7000:]...)) {
		t.Error("what was written is not what is read:", n, e)
	}
}

// A meter notes the largest of what is read, the most slots that are pinned meanwhile, and how many reads there are at a time.
type meter struct {
	block.Device
	store   *pages.Store
	mu      sync.Mutex // guards all below
	most    int        // bytes
	slots   int
	now     int
	atATime int
}

func (m *meter) Read(vec [][]byte, off int64) error {
	m.mu.Lock()
	m.now++
	m.most, m.slots, m.atATime = max(m.most, int(block.Len(vec))), max(m.slots, m.store.Counts().Pinned), max(m.atATime, m.now)
	m.mu.Unlock()
	time.Sleep(100 * time.Microsecond) // so that others come meanwhile
	err := m.Device.Read(vec, off)
	m.mu.Lock()
	m.now--
	m.mu.Unlock()
	return err
}

func (m *meter) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.most, m.slots, m.atATime = 0, 0, 0
}

// TestAheadInParts reads a file that lies in one piece, in small parts and as a whole: no request is larger than pages.AtOnce, and a quarter of the cache at most is on its way beside what is waited for.
func TestAheadInParts(t *testing.T) {
	const size = 8 << 20
	d := volume(t, 0, 40<<10)
	f, tree := mount(t, d, fat.Options{})
	data := random(size)
	put(t, tree, "/f", data)
	f.Close()
	for _, piece := range []int{4096, 3 << 20, size} {
		store := pages.New(pages.NewHeap(16 << 20))
		m := &meter{Device: d, store: store}
		f, tree := mount(t, m, fat.Options{Pages: store})
		x := file(t, tree, "/f")
		m.begin()
		if !bytes.Equal(all(t, x, size, piece), data) {
			t.Fatal("other bytes")
		}
		idle(f, d)
		// 5 loads of 128 pages, each of which may begin and end within a slot, and what is copied from.
		if most := 5*(pages.AtOnce/pages.PerSlot+2) + 2; m.most > pages.AtOnce*pages.Size || m.slots > most || m.atATime < 2 {
			t.Errorf("by %d bytes: requests of %d bytes and less, %d at a time, %d slots pinned", piece, m.most, m.atATime, m.slots)
		}
		f.Close()
	}
}

// TestAheadInPieces reads a file no two clusters of which lie in a row: there are so many reads at a time, and no more.
func TestAheadInPieces(t *testing.T) {
	d := volume(t, 12, 1440)
	f, tree := mount(t, d, fat.Options{})
	data := random(700_000)
	x, y := file(t, tree, "/f"), file(t, tree, "/g")
	for at := 0; at < len(data); at += 512 {
		p := data[at:min(at+512, len(data))]
		for _, x := range []*fat.File{x, y} {
			if _, _, e := x.WriteAt(p, int64(at)); e != 0 {
				t.Fatal(e)
			}
		}
	}
	f.Close()
	for _, piece := range []int{4096, len(data)} {
		store := pages.New(pages.NewHeap(4 << 20))
		m := &meter{Device: d, store: store}
		f, tree := mount(t, m, fat.Options{Pages: store})
		x := file(t, tree, "/f")
		m.begin()
		if !bytes.Equal(all(t, x, len(data), piece), data) {
			t.Fatal("other bytes")
		}
		idle(f, d)
		if m.atATime < 2 || m.atATime > fat.MostAhead+1 {
			t.Errorf("by %d bytes: %d reads at a time", piece, m.atATime)
		}
		f.Close()
	}
}
