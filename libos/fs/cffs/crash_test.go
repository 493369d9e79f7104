package cffs

import (
	"flag"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

var crashes = flag.Int("crashes", 60, "how many random workloads of the crash test there are")

// overlay is a device that keeps what is written to it apart from what lies below: so many states can be tried of one disk.
type overlay struct {
	base []byte
	mu   sync.RWMutex
	over map[int64][]byte // under mu: by block of 512
}

func (o *overlay) Info() block.Info {
	return block.Info{Name: "overlay", Size: int64(len(o.base)), BlockSize: 512, Discard: true}
}

func (o *overlay) Read(vec [][]byte, off int64) error {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, b := range vec {
		for i := 0; i < len(b); i += 512 {
			if s, ok := o.over[off/512]; ok {
				copy(b[i:i+512], s)
			} else {
				copy(b[i:i+512], o.base[off:])
			}
			off += 512
		}
	}
	return nil
}

func (o *overlay) Write(vec [][]byte, off int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range vec {
		for i := 0; i < len(b); i += 512 {
			o.over[off/512] = slices.Clone(b[i : i+512])
			off += 512
		}
	}
	return nil
}

func (o *overlay) Flush() error { return nil }
func (o *overlay) Close() error { return nil }

func (o *overlay) Discard(off, n int64) error {
	b := make([]byte, n)
	for i := range b {
		b[i] = 0xdd
	}
	return o.Write([][]byte{b}, off)
}

// apply does what an event did.
func (o *overlay) apply(e *block.Event) {
	switch {
	case e.Data != nil:
		o.Write([][]byte{e.Data}, e.Off)
	case e.Size != 0:
		o.Discard(e.Off, e.Size)
	}
}

// A crasher is a volume on a recorded disk, with what is to be seen of it after each operation.
type crasher struct {
	t      *testing.T
	base   []byte
	rec    *block.Recorder
	f      *FS
	mine   *core.Tree
	want   *core.Tree
	states []string // after so many operations
	ends   []int    // events when they had ended
	acked  []ack
	ops    []op
	tried  int
}

// An ack is an operation after which all before it was to be durable.
type ack struct{ events, ops int }

func newCrasher(t *testing.T, d *block.Memory, o Options, before ...op) *crasher {
	f := mount(t, d, o)
	c := &crasher{t: t, want: oracle()}
	for _, x := range before {
		if a, b := x.do(treeOf(f)), x.do(c.want); a != b {
			t.Fatal(x, a, b)
		}
	}
	f.Close()
	c.base = slices.Clone(d.Bytes())
	c.rec = block.NewRecorder(d)
	c.f = mount(t, c.rec, o)
	c.mine = treeOf(c.f)
	c.note()
	c.acked = append(c.acked, ack{0, 0})
	return c
}

func (c *crasher) note() {
	c.states = append(c.states, dump(c.want))
	c.ends = append(c.ends, len(c.rec.Log()))
}

func (c *crasher) do(o op) {
	if o.kind == "write" || o.kind == "append" {
		c.do(op{kind: "touch", a: o.a}) // to make a file and to write to it are two operations
	}
	a, b := o.do(c.mine), o.do(c.want)
	if a != b {
		c.t.Fatalf("%v: %v, and in memory %v", o, a, b)
	}
	c.ops = append(c.ops, o)
	c.note()
	if a == 0 && o.syncs() {
		c.acked = append(c.acked, ack{len(c.rec.Log()), len(c.states) - 1})
	}
}

// try mounts the disk as some events left it, of which the first n were done at least, and compares with what was promised.
func (c *crasher) try(n, started int, events []*block.Event, torn bool) {
	c.t.Helper()
	c.tried++
	o := &overlay{base: c.base, over: map[int64][]byte{}}
	for i, e := range events {
		if torn && i == len(events)-1 && len(e.Data) > 512 {
			half := *e
			half.Data = e.Data[:len(e.Data)/1024*512]
			o.apply(&half)
			break
		}
		o.apply(e)
	}
	least := 0
	for _, a := range c.acked {
		if a.events <= n {
			least = a.ops
		}
	}
	most := 0 // operations that had begun when so many events had
	for i, end := range c.ends {
		if end < started {
			most = i + 1
		}
	}
	most = min(most, len(c.states)-1)
	f, err := Mount(o, quiet(c.t))
	if err != nil {
		c.t.Fatalf("%v: after %d of %d events (torn %v): %v", c.ops, n, len(c.rec.Log()), torn, err)
	}
	got := dump(treeOf(f))
	if !slices.Contains(c.states[least:most+1], got) {
		c.t.Fatalf("%v: after %d of %d events (torn %v): the volume is as after none of the operations %d to %d:\n%s\n\nafter %d:\n%s\n\nafter %d:\n%s", c.ops, n, len(c.rec.Log()), torn, least, most, got, least, c.states[least], most, c.states[most])
	}
	if err := f.Close(); err != nil {
		c.t.Fatal(err)
	}
	r, err := Check(o, true)
	if err != nil || len(r.Problems) > 0 {
		c.t.Fatalf("%v: after %d of %d events (torn %v): %v, %v", c.ops, n, len(c.rec.Log()), torn, err, r.Problems)
	}
}

// crash tries every prefix of what was written, with its last write whole and torn, and at each some of the orders in which what was written since the last flush may have got there.
func (c *crasher) crash(r *rand.Rand, orders int) {
	c.t.Helper()
	log := c.rec.Log()
	var done []*block.Event // before the last flush
	var since []*block.Event
	c.try(0, 0, nil, false)
	for i := range log {
		e := &log[i]
		if e.Flush {
			done = append(done, since...)
			since = nil
			continue
		}
		since = append(since, e)
		all := slices.Concat(done, since)
		c.try(i+1, i+1, all, false)
		c.try(i, i+1, all, true)
		for k := range orders {
			some := slices.Clone(done)
			for j, e := range since {
				switch {
				case k < len(since) && k == j: // all but one
				case k < len(since), r.IntN(2) == 0:
					some = append(some, e)
				}
			}
			// What was not flushed may be missing, whatever had ended; what was flushed is whole.
			c.try(c.flushed(i), i+1, some, r.IntN(2) == 0 && len(some) > len(done))
		}
	}
}

// flushed is how many events there were up to the last flush before event i, it included.
func (c *crasher) flushed(i int) int {
	log := c.rec.Log()
	for i >= 0 && !log[i].Flush {
		i--
	}
	return i + 1
}

// workload are the operations of the exhaustive test, on few files.
func workload() []op {
	var list []op
	add := func(o ...op) { list = append(list, o...) }
	for _, n := range []string{"a", "d/a"} {
		add(op{kind: "create", a: n}, op{kind: "write", a: n, off: 100, n: 5000, fill: 1}, op{kind: "append", a: n, n: 4096, fill: 2}, op{kind: "truncate", a: n, off: 1000},
			op{kind: "unlink", a: n}, op{kind: "fsync", a: n}, op{kind: "fdatasync", a: n})
	}
	add(op{kind: "rename", a: "a", b: "b"}, op{kind: "rename", a: "d/a", b: "a"}, op{kind: "rename", a: "a", b: "d/b"}, op{kind: "link", a: "a", b: "d/l"}, op{kind: "link", a: "d/a", b: "b"},
		op{kind: "mkdir", a: "e"}, op{kind: "mkdir", a: "d/e"}, op{kind: "rename", a: "d", b: "g"}, op{kind: "fsync", a: "d"}, op{kind: "sync"})
	return list
}

// TestCrashesOfTwo tries all workloads of two operations, between which, and after which, nothing, or a sync, is done.
func TestCrashesOfTwo(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	before := []op{{kind: "mkdir", a: "d"}, {kind: "write", a: "a", n: 6000, fill: 9}, {kind: "write", a: "d/a", n: 3000, fill: 8}, {kind: "link", a: "d/a", b: "d/k"}}
	tried := 0
	list := workload()
	for i, x := range list {
		for k, y := range list {
			if testing.Short() && (i+k)%5 != 0 {
				continue
			}
			c := newCrasher(t, formatted(t, minBlocks), manual, before...)
			c.do(x)
			c.do(y)
			if !y.syncs() {
				c.do(op{kind: "sync"})
			}
			c.crash(r, 3)
			tried += c.tried
		}
	}
	t.Logf("%d workloads, %d crashes", len(list)*len(list), tried)
}

// TestCrashesOfMany tries random workloads, with commits that nobody asked for among them.
func TestCrashesOfMany(t *testing.T) {
	t.Parallel()
	tried, unasked := 0, 0
	for seed := range uint64(*crashes) {
		r := rand.New(rand.NewPCG(seed, 3))
		o := manual
		if seed%2 == 0 {
			o.Dirty = 4 * BlockSize // so that writes spill
		}
		if seed%3 == 0 {
			o.Watch, o.every = true, never // the next one asks
		}
		d := formatted(t, minBlocks+int(seed%3)*300)
		if seed%4 == 1 {
			d = formattedOld(t, minBlocks)
		}
		c := newCrasher(t, d, o)
		for range 3 + r.IntN(20) {
			x := randomOp(r, 12*BlockSize)
			if o.Dirty != 0 {
				// What is in one page is atomic; what is larger may be seen in part.
				x.n, x.off = min(x.n, BlockSize), x.off&^(BlockSize-1)
				if x.kind == "append" {
					x.kind = "write"
				}
			}
			c.do(x)
			if r.IntN(4) == 0 {
				before := c.f.sb.gen
				if c.f.tick(); c.f.sb.gen != before {
					unasked++
				}
			}
		}
		c.do(op{kind: "sync"})
		c.crash(r, 4)
		tried += c.tried
	}
	t.Logf("%d commits that nobody asked for, %d crashes", unasked, tried)
	if unasked == 0 {
		t.Error("all commits were asked for")
	}
}
