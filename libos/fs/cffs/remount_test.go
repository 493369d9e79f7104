package cffs

import (
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// cachedDisk has what was written since the last flush in a cache: whoever reads sees it, and power loss takes any of it.
type cachedDisk struct {
	block.Device
	mu      sync.Mutex // writes come several at a time
	pending []*block.Event
	durable []byte
	left    int // flushes that end; the one behind them does not
}

func (d *cachedDisk) Write(vec [][]byte, off int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := off
	for _, b := range vec {
		for ; len(b) > 0; b, at = b[BlockSize:], at+BlockSize {
			d.pending = append(d.pending, &block.Event{Off: at, Data: slices.Clone(b[:BlockSize])})
		}
	}
	return d.Device.Write(vec, off)
}

func (d *cachedDisk) Discard(off, n int64) error { return nil }

func (d *cachedDisk) Info() block.Info {
	in := d.Device.Info()
	in.Discard = false
	return in
}

func (d *cachedDisk) Flush() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == 0 {
		return syscall.EIO
	}
	d.left--
	d.pending = nil
	d.durable = slices.Clone(d.Device.(*block.Memory).Bytes())
	return nil
}

// TestRemountOnCache: a machine is reset before the flush of a commit has ended, and boots again without loss of power; then power goes before the end of one
// of the mount's flushes. What was synced is there, whichever of the blocks that were not flushed are lost.
func TestRemountOnCache(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		v := &cachedDisk{Device: formatted(t, minBlocks), left: 1 << 30}
		f := mount(t, v, manual)
		for range 3 {
			write(t, f, "/b", []byte("durable"))
			if e := f.Sync(); e != 0 {
				t.Fatal(e)
			}
		}
		write(t, f, "/b", []byte("in the cache"))
		v.left = 0
		f.Sync()

		v.left = int(seed % 2)
		if _, err := Mount(v, manual); err == nil {
			t.Error("mounted with fewer than two flushes")
			continue
		}
		o := &overlay{base: v.durable, over: map[int64][]byte{}}
		for _, e := range v.pending {
			if r.IntN(2) == 0 {
				o.apply(e)
			}
		}
		again := mount(t, o, manual)
		if got := string(contents(t, again, "/b")); got != "durable" && got != "in the cache" {
			t.Errorf("seed %d: /b has %q", seed, got)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
		if c, err := Check(o, true); err != nil || len(c.Problems) > 0 {
			t.Errorf("seed %d: %v, %v", seed, err, c.Problems)
		}
	}
}

// TestRepairFlushesFirst: a repair writes nothing to a disk that cannot make durable what was found on it.
func TestRepairFlushesFirst(t *testing.T) {
	d := sample(t)
	f := mount(t, d, manual)
	f.al.take(7)
	f.change++
	f.Close()
	v := &cachedDisk{Device: d}
	if done, err := Repair(v, false); err != syscall.EIO || len(v.pending) != 0 {
		t.Error(done, err, len(v.pending))
	}
}
