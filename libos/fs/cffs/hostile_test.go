package cffs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// TestNewestSuperblock damages the block that the last commit wrote: its copy counts, not the commit before.
func TestNewestSuperblock(t *testing.T) {
	d := formatted(t, minBlocks)
	f := mount(t, d, manual)
	for i := range 5 {
		x := op{kind: "write", a: fmt.Sprint("f", i), n: 100}
		if x.do(treeOf(f)) != 0 || f.Sync() != 0 {
			t.Fatal(x)
		}
		disk := slices.Clone(d.Bytes())
		disk[int(f.sb.gen&1)*BlockSize+2000] ^= 1
		g := mount(t, block.NewMemory(disk), manual)
		if a, b := dump(treeOf(g)), dump(treeOf(f)); a != b {
			t.Fatalf("what was acknowledged is gone:\n%s\nwas:\n%s", a, b)
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		check(t, block.NewMemory(disk))
	}
	// A copy that another volume left there does not count.
	disk := slices.Clone(d.Bytes())
	other := f.sb
	other.gen, other.uuid[0] = other.gen+100, ^other.uuid[0]
	copy(disk[f.sb.backup*BlockSize:], other.encode())
	if g := mount(t, block.NewMemory(disk), manual); dump(treeOf(g)) != dump(treeOf(f)) {
		t.Error("the copy of another volume counts")
	}
}

// TestHostileVolumes mounts volumes whose sums are right and that make no sense.
func TestHostileVolumes(t *testing.T) {
	for name, change := range map[string]func(f *FS){
		"a copy behind all numbers":    func(f *FS) { f.sb.backup = 1<<64 - 1 },
		"a copy in the bitmaps":        func(f *FS) { f.sb.backup = 5 },
		"more blocks than any":         func(f *FS) { f.sb.blocks = 1 << 63 },
		"an attribute without a name":  func(f *FS) { f.put(key(firstFile(f), kindXattr), []byte("x")) },
		"an attribute without a chunk": func(f *FS) { f.put(append(key(firstFile(f), kindXattr), 'x'), []byte("x")) },
		"an extent where no group is": func(f *FS) {
			x := extent{last: 0, block: groupBlocks, sums: []uint32{0}}
			f.put(keyNumber(firstFile(f), kindExtent, 0), x.encode())
		},
		"an extent on the superblock": func(f *FS) {
			x := extent{last: 0, block: 0, sums: []uint32{0}}
			f.put(keyNumber(firstFile(f), kindExtent, 0), x.encode())
		},
		"a path for a name": func(f *FS) {
			e := entry{name: "../x", ino: 77, kind: syscall.S_IFREG}
			f.put(keyNumber(rootIno, kindEntry, cookieBase(&f.sb.uuid, e.name)), e.encode())
		},
	} {
		d := block.NewMemory(make([]byte, (groupBlocks+3)*BlockSize)) // its last blocks are in no group
		if err := Format(d, FormatOptions{}); err != nil {
			t.Fatal(err)
		}
		f := mount(t, d, manual)
		if e := (op{kind: "setxattr", a: "f", b: "n", n: 10}).do(treeOf(f)); e != syscall.ENOENT {
			t.Fatal(e)
		}
		n, e := f.Root().Create("f", syscall.S_IFREG|0o600, 0)
		if e != 0 {
			t.Fatal(e)
		}
		n.Unref()
		change(f)
		f.change++
		f.Sync()
		Check(d, true)
		use(d)
		if f, err := Mount(d, manual); err == nil {
			tr := treeOf(f)
			if s := dump(tr); strings.Contains(s, "/../") {
				t.Errorf("%s: %s", name, s)
			}
			for _, x := range []op{{kind: "setxattr", a: "f", b: "n", n: 10}, {kind: "truncate", a: "f"}, {kind: "unlink", a: "f"}} {
				x.do(tr)
			}
			f.Close()
		}
	}
}

// firstFile is the number of the file that was made first.
func firstFile(*FS) uint64 { return rootIno + 1 }

// A sized device says that it is larger than it is.
type sized struct {
	block.Device
	size int64
}

func (s sized) Info() block.Info {
	in := s.Device.Info()
	in.Size = s.size
	return in
}

// TestSizes mounts and formats devices that say of themselves to be of sizes that no device has.
func TestSizes(t *testing.T) {
	for _, size := range []int64{-1 << 63, -4096, -1, 0, 1} {
		d := formatted(t, minBlocks)
		if _, err := Mount(sized{d, size}, manual); err == nil {
			t.Errorf("mounted at %d bytes", size)
		}
		if err := Format(sized{d, size}, FormatOptions{Force: true}); err == nil {
			t.Errorf("formatted at %d bytes", size)
		}
	}
	if n := blocksOf(sized{formatted(t, minBlocks), 1<<63 - 1}); n != maxBlocks {
		t.Errorf("%d blocks", n)
	}
}

// A scratched device cannot read some of its blocks.
type scratched struct {
	block.Device
	bad map[int64]bool
}

func (s *scratched) Read(vec [][]byte, off int64) error {
	for b := off / BlockSize; b < (off+block.Len(vec)+BlockSize-1)/BlockSize; b++ {
		if s.bad[b] {
			return errors.New("it cannot be read")
		}
	}
	return s.Device.Read(vec, off)
}

// TestBadSectorNearby reads blocks next to one that cannot be read: only that one gives an error.
func TestBadSectorNearby(t *testing.T) {
	d := formatted(t, minBlocks)
	f := mount(t, d, manual)
	if e := (op{kind: "write", a: "f", n: 40 * BlockSize}).do(treeOf(f)); e != 0 || f.Close() != nil {
		t.Fatal(e)
	}
	s := &scratched{d, map[int64]bool{}}
	f = mount(t, s, manual)
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	x := n.(*File)
	f.mu.RLock()
	ext, err := f.extentAt(x.rec.ino, 20)
	f.mu.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	s.bad[int64(ext.block+20-ext.first())] = true
	b := make([]byte, BlockSize)
	for i := range int64(40) { // in order, so that it reads ahead
		n, e := x.ReadAt(b, i*BlockSize)
		if bad := i == 20; bad != (e == syscall.EIO) || !bad && n != BlockSize {
			t.Errorf("block %d: %d, %v", i, n, e)
		}
	}
}

// TestFormatSpares has Format leave alone what does not show in the first two blocks, and finish what it had begun itself.
func TestFormatSpares(t *testing.T) {
	for _, off := range []int{0x8001, 0x10040, 127<<10 + 1000} {
		disk := make([]byte, minBlocks*BlockSize)
		copy(disk[off:], "_BHRfS_M")
		var found *NotEmptyError
		if err := Format(block.NewMemory(disk), FormatOptions{}); !errors.As(err, &found) {
			t.Errorf("formatted over what is at %d: %v", off, err)
		}
	}
	for at := int64(1); ; at++ {
		d := block.NewMemory(make([]byte, minBlocks*BlockSize))
		faulty := &block.Faulty{Device: d, At: at, Last: 1 << 60}
		if Format(faulty, FormatOptions{}) == nil {
			break
		}
		if _, err := Mount(d, manual); err != nil {
			if err := Format(d, FormatOptions{}); err != nil {
				t.Errorf("after request %d failed: %v", at, err)
			}
		}
	}
}

// TestBoundedTree makes more names than may wait for a commit.
func TestBoundedTree(t *testing.T) {
	d := formatted(t, 32000)
	f := mount(t, d, manual)
	root := f.Root()
	most := 0
	for i := range 45_000 {
		n, e := root.Create(fmt.Sprintf("%0250d", i), syscall.S_IFREG|0o600, 0)
		if e != 0 {
			t.Fatal(i, e)
		}
		n.Unref()
		most = max(most, f.t.dirty)
	}
	if most > maxNodes+100 {
		t.Errorf("%d changed nodes in memory", most)
	}
	f.Close()
	check(t, d)
}

// TestAtOnce has goroutines do all kinds of things to one volume, with commits for want of room among them. The race detector looks on.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	d := formatted(t, 3000)
	f := mount(t, d, Options{Cache: 16 * BlockSize, Dirty: 16 * BlockSize})
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 11))
			tr := treeOf(f)
			for range 300 {
				x := randomOp(r, 20*BlockSize)
				if e := x.do(tr); e == syscall.EIO {
					t.Errorf("%v: %v", x, e)
					return
				}
				switch r.IntN(20) {
				case 0:
					dump(tr)
				case 1:
					f.Label()
					f.UUID()
					var s core.Statfs
					f.Statfs(&s)
				case 2:
					lend(tr, names[r.IntN(len(names))])
				}
			}
		})
	}
	wg.Wait()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, d)
}

func lend(tr *core.Tree, name string) {
	root := tr.Root()
	defer root.Drop()
	p, e := tr.Resolve(root, name, 0)
	if e != 0 {
		return
	}
	defer p.Drop()
	if x, ok := p.Node.(*File); ok {
		for off := int64(0); ; {
			l, e := x.Lend(off, 1<<20)
			if e != 0 || len(l.Bytes) == 0 {
				return
			}
			sum(l.Bytes)
			off += int64(len(l.Bytes))
			l.Return()
		}
	}
}

// TestMountThatFails leaves nothing behind that writes later.
func TestMountThatFails(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for as long as a change may wait")
	}
	d := formatted(t, minBlocks)
	f := mount(t, d, manual)
	if _, e := f.Root().(core.Temporary).Temp(syscall.S_IFREG, true); e != 0 {
		t.Fatal(e)
	}
	f.Sync()
	// Each request that mounting makes fails in turn.
	logs := map[*block.Recorder]int{}
	for at := int64(1); ; at++ {
		rec := block.NewRecorder(block.NewMemory(bytes.Clone(d.Bytes())))
		faulty := &block.Faulty{Device: rec, At: at}
		g, err := Mount(faulty, Options{})
		switch {
		case err != nil:
			logs[rec] = len(rec.Log())
		default:
			g.Close()
		}
		if faulty.Requests() < at {
			break
		}
	}
	if len(logs) < 5 {
		t.Fatalf("%d mounts failed", len(logs))
	}
	time.Sleep(Interval + Interval/5)
	for rec, n := range logs {
		if k := len(rec.Log()); k != n {
			t.Errorf("%d requests after Mount had failed", k-n)
		}
	}
}

// TestTwiceReached: a tree of few blocks that are reached by many ways, whose bitmap is damaged, is refused at once.
func TestTwiceReached(t *testing.T) {
	d := formatted(t, minBlocks)
	f := mount(t, d, manual)
	f.Close()
	sb := f.sb
	at := sb.blocks - 20
	put := func(n *node) *ref {
		b := n.encode(make([]byte, BlockSize), sb.gen, at, &sb.uuid)
		r := &ref{addr: at, sum: seal(b)}
		copy(d.Bytes()[at*BlockSize:], b)
		at++
		return r
	}
	root, err := f.t.load(f.t.root, -1)
	if err != nil || root.level != 0 {
		t.Fatal(err)
	}
	r := put(root)
	for level := range byte(12) {
		n := &node{level: level + 1}
		for i := range uint64(100) {
			n.keys, n.kids = append(n.keys, keyNumber(1<<40, kindExtent, i)), append(n.kids, r)
		}
		r = put(n)
	}
	sb.gen++
	sb.root, sb.rootSum, sb.rootLevel, sb.wrote = r.addr, r.sum, 12, nil
	for _, b := range []uint64{sb.gen & 1, sb.backup + sb.gen&1} {
		copy(d.Bytes()[b*BlockSize:], sb.encode())
	}
	d.Bytes()[bitmapAt*BlockSize+1000] ^= 1
	d.Bytes()[(bitmapAt+1)*BlockSize+1000] ^= 1
	done := make(chan error)
	go func() {
		_, err := Mount(d, manual)
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("mounted")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on for ever")
	}
}
