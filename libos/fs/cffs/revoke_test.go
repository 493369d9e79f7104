package cffs

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// TestRevoked takes the memory of the cache away, by force and by asking, while files are read, written and lent: what is read is what was written, what is lent stays as it is, and in
// the end nobody has anything pinned.
func TestRevoked(t *testing.T) {
	const blocks, files, rounds = 150, 4, 100
	mem := pages.NewHeap(24 * pages.PerSlot * pages.Size)
	store := pages.New(mem)
	f := mount(t, formatted(t, 8192), Options{Pages: store, Dirty: 64 * BlockSize})
	var end atomic.Bool
	var bad sync.WaitGroup
	bad.Go(func() {
		r := rand.New(rand.NewPCG(7, 8))
		for !end.Load() {
			n := 1 + r.IntN(12)
			if r.IntN(2) == 0 {
				mem.Allow(mem.Seize(n))
			} else {
				store.Shrink(n)
			}
			runtime.Gosched()
		}
	})
	var wg sync.WaitGroup
	for k := range files {
		name := "/f" + strconv.Itoa(k)
		write(t, f, name, make([]byte, blocks*BlockSize))
		n, e := f.Root().Lookup(name[1:])
		if e != 0 {
			t.Fatal(e)
		}
		x := n.(*File)
		wg.Go(func() {
			defer x.Unref()
			r := rand.New(rand.NewPCG(uint64(k), 2))
			is := make([]byte, blocks*BlockSize) // what is written
			buf := make([]byte, len(is))
			for range rounds {
				off := r.IntN(len(is))
				p := is[off:min(len(is), off+1+r.IntN(40*BlockSize))]
				switch r.IntN(4) {
				case 0:
					for i := range p {
						p[i] = byte(r.Uint32())
					}
					for left := p; len(left) > 0; {
						n, _, e := x.WriteAt(left, int64(off+len(p)-len(left)))
						if e != 0 {
							t.Error(name, e)
							return
						}
						left = left[n:]
					}
				case 1:
					l, e := x.Lend(int64(off), len(p))
					if e != 0 || len(l.Bytes) == 0 {
						t.Error(name, "lend:", e)
						return
					}
					was := bytes.Clone(p[:len(l.Bytes)])
					x.WriteAt(make([]byte, len(was)), int64(off)) // a lent block is not the one that is written to
					clear(p[:len(was)])
					runtime.Gosched()
					if !bytes.Equal(l.Bytes, was) {
						t.Errorf("%s: %d bytes lent from %d on are others than were written, or have changed", name, len(was), off)
					}
					l.Return()
				default:
					n, e := x.ReadAt(buf[:len(p)], int64(off))
					if e != 0 || n != len(p) || !bytes.Equal(buf[:n], p) {
						t.Errorf("%s: %d bytes from %d on: %d, %v, or others than were written", name, len(p), off, n, e)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	end.Store(true)
	bad.Wait()
	c := store.Counts()
	if c.Forced == 0 || c.Given == 0 || c.Hits == 0 || c.Misses == 0 || c.Read == 0 {
		t.Errorf("not all happened: %+v", c)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	unpinned(t, store)
}

// TestShared: volumes that share a store have of it what they use: one that is read takes the memory of another that is not.
func TestShared(t *testing.T) {
	const slots = 24
	store := pages.New(pages.NewHeap(slots * pages.PerSlot * pages.Size))
	data := bytes.Repeat([]byte("0123456789abcdef"), 15*pages.PerSlot*pages.Size/16)
	var list []*FS
	for range 2 {
		f := mount(t, formatted(t, 4096), Options{Pages: store, Manual: true})
		write(t, f, "/f", data)
		f.Sync()
		list = append(list, f)
	}
	for round := range 3 {
		for _, f := range list {
			for range 2 {
				if !bytes.Equal(contents(t, f, "/f"), data) {
					t.Fatal("other bytes")
				}
			}
			was := store.Counts().Read
			contents(t, f, "/f")
			if now := store.Counts().Read; now != was {
				t.Errorf("round %d: %d pages of %d were read again of a file that was read before", round, now-was, len(data)/BlockSize)
			}
		}
	}
	if c := store.Counts(); c.Slots > slots || c.Reused == 0 {
		t.Errorf("%+v", c)
	}
}

// nobody is an owner who looks for nothing again.
type nobody struct{}

func (nobody) Forget(*pages.Slot) {}

// TestAheadWithoutMemory: where the cache has no memory left, nothing is read ahead, for nobody would find it.
func TestAheadWithoutMemory(t *testing.T) {
	const slots, blocks = 8, 100
	d := formatted(t, 4096)
	f := mount(t, d, manual)
	write(t, f, "/f", make([]byte, 3*blocks*BlockSize))
	f.Close()
	store := pages.New(pages.NewHeap(slots * pages.PerSlot * pages.Size))
	f = mount(t, d, Options{Pages: store, ReadOnly: true})
	defer f.Close()
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	defer n.Unref()
	var all []*pages.Slot
	for range slots {
		all = append(all, store.TakeKept(nobody{}))
	}
	if store.TakeKept(nobody{}) != nil {
		t.Fatal("there are more slots")
	}
	p := make([]byte, BlockSize)
	for i := range int64(blocks) {
		if n, e := n.(*File).ReadAt(p, i*BlockSize); n != len(p) || e != 0 {
			t.Fatal(n, e)
		}
	}
	for l := f.cache.Coming(0, f.sb.blocks); l != nil; l = f.cache.Coming(0, f.sb.blocks) {
		<-l.Done
	}
	if c := store.Counts(); c.Read != blocks {
		t.Errorf("%d pages were read from the disk for %d", c.Read, blocks)
	}
	for _, s := range all {
		s.Unpin()
	}
}
