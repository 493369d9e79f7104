package cffs

import (
	"bytes"
	"errors"
	"sync/atomic"
	"testing"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// slow is a device on which writes wait until they are let go.
type slow struct {
	block.Device
	gate    atomic.Pointer[chan struct{}] // nil: open
	fail    atomic.Bool
	flushes atomic.Int64
}

func (s *slow) Write(vec [][]byte, off int64) error {
	if g := s.gate.Load(); g != nil {
		<-*g
	}
	if s.fail.Load() {
		return block.ErrInjected
	}
	return s.Device.Write(vec, off)
}

func (s *slow) Flush() error {
	s.flushes.Add(1)
	return s.Device.Flush()
}

// TestSpill has more written than may wait in memory: it goes to the disk without a commit, is read while it is on its way, and is durable when Sync returns.
func TestSpill(t *testing.T) {
	for _, fail := range []bool{false, true} {
		m := formatted(t, 4096)
		d := &slow{Device: m}
		f := mount(t, d, Options{Manual: true, Cache: 16 * BlockSize, Dirty: 64 * BlockSize})
		gate := make(chan struct{})
		d.gate.Store(&gate)
		before := d.flushes.Load()
		data := make([]byte, 40*BlockSize)
		for i := range data {
			data[i] = byte(i / 7)
		}
		write(t, f, "/f", data) // 32 pages of it are on their way now
		if f.air.Load() == nil {
			t.Fatal("nothing was spilled")
		}
		if got := contents(t, f, "/f"); !bytes.Equal(got, data) {
			t.Fatalf("fail %v: what is on its way reads as something else", fail)
		}
		if n := d.flushes.Load() - before; n != 0 {
			t.Errorf("a spill flushed %d times", n)
		}
		d.fail.Store(fail)
		close(gate)
		if e := f.Sync(); (e != 0) != fail {
			t.Fatalf("fail %v: Sync says %v", fail, e)
		}
		if got := contents(t, f, "/f"); !bytes.Equal(got, data) {
			t.Errorf("fail %v: afterwards it reads as something else", fail)
		}
		if err := f.Close(); fail != errors.Is(err, block.ErrInjected) {
			t.Errorf("fail %v: Close says %v", fail, err)
		}
		g := mount(t, m, manual)
		tree := core.NewTree("cffs", g)
		if _, e := tree.Resolve(tree.Root(), "/f", 0); (e != 0) != fail {
			t.Errorf("fail %v: after a mount the file is there or not: %v", fail, e)
		}
		if r, err := Check(m, true); err != nil || len(r.Problems) > 0 {
			t.Errorf("fail %v: %v %v", fail, r.Problems, err)
		}
	}
}

// TestSpillOfTheLast has one who mounted a volume write so much that it spills, after another one has mounted it and had data acknowledged: nothing of that is written over.
func TestSpillOfTheLast(t *testing.T) {
	m := formatted(t, 4096)
	first := mount(t, m, Options{Manual: true, Cache: 16 * BlockSize, Dirty: 64 * BlockSize})
	second := mount(t, m, manual)
	data := bytes.Repeat([]byte("acknowledged"), 20*BlockSize/12)
	write(t, second, "/f", data)
	if e := second.Sync(); e != 0 {
		t.Fatal(e)
	}
	tree := treeOf(first)
	if e := (op{kind: "write", a: "/g", n: 40 * BlockSize}).do(tree); e == 0 {
		t.Error("who has lost the volume still writes")
	}
	if first.Close() == nil {
		t.Error("Close says nothing")
	}
	second.Close()
	g := mount(t, m, manual)
	if got := contents(t, g, "/f"); !bytes.Equal(got, data) {
		t.Error("what was acknowledged is gone")
	}
	g.Close()
	if r, err := Check(m, true); err != nil || len(r.Problems) > 0 {
		t.Error(r.Problems, err)
	}
}

// TestAhead reads a file in order, which is on its way before it is asked for, on a device that fails now and then.
func TestAhead(t *testing.T) {
	m := formatted(t, 8192)
	f := mount(t, m, Options{Manual: true, Cache: 4096 * BlockSize})
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i / 3)
	}
	write(t, f, "/f", data)
	f.Close()
	for at := range int64(12) {
		d := &block.Faulty{Device: m, At: at + 20, Last: at + 22}
		f := mount(t, d, Options{ReadOnly: true, Cache: 1024 * BlockSize})
		tree := core.NewTree("cffs", f)
		p, e := tree.Resolve(tree.Root(), "/f", 0)
		if e != 0 {
			t.Fatal(e)
		}
		got := make([]byte, 0, len(data))
		for tries := 0; len(got) < len(data) && tries < 5000; tries++ {
			b := make([]byte, 1000)
			if n, e := p.Node.(core.File).ReadAt(b, int64(len(got))); e == 0 {
				got = append(got, b[:n]...)
			}
		}
		if !bytes.Equal(got, data) {
			t.Fatalf("request %d fails: other bytes", at)
		}
	}
}

// TestAheadOf has a file looked at in order in several ways, each of which has what lies behind read ahead, and at places that are not in order, where nothing is.
func TestAheadOf(t *testing.T) {
	const size, far = 1024, 200
	m := formatted(t, 8192)
	f := mount(t, m, Options{Manual: true})
	write(t, f, "/f", make([]byte, size*BlockSize))
	f.Close()
	open := func() *File {
		f := mount(t, m, Options{ReadOnly: true, Cache: 8192 * BlockSize})
		t.Cleanup(func() { f.Close() })
		n, e := f.Root().Lookup("f")
		if e != 0 {
			t.Fatal(e)
		}
		t.Cleanup(n.Unref)
		return n.(*File)
	}
	for _, piece := range []int{1000, BlockSize, 5000, 3 * BlockSize, 100_000, 1 << 20} {
		x, p := open(), make([]byte, piece)
		for off := 0; off < far/2*BlockSize; off += piece {
			if n, e := x.ReadAt(p, int64(off)); n != piece || e != 0 {
				t.Fatal(piece, off, n, e)
			}
		}
		if n := x.inode.order.Asked(); n < far {
			t.Errorf("read by %d bytes: asked for up to block %d", piece, n)
		}
	}
	x := open()
	for off := int64(0); off < far/2*BlockSize; {
		l, e := x.Lend(off, 1<<20)
		if e != 0 {
			t.Fatal(off, e)
		}
		off += int64(len(l.Bytes))
		if l.Of != nil {
			l.Return()
		}
	}
	if n := x.inode.order.Asked(); n < far {
		t.Errorf("lent: asked for up to block %d", n)
	}
	for off := 0; off < far/2*BlockSize; off += 100_000 { // once more: all is in memory
		if _, e := x.ReadAt(make([]byte, 100_000), int64(off)); e != 0 {
			t.Fatal(off, e)
		}
	}
	if n := x.inode.order.Asked(); n != 0 {
		t.Errorf("in memory: asked for up to block %d", n)
	}
	x = open()
	for i := range int64(10) {
		for range 2 { // missing, and there
			if _, e := x.ReadAt(make([]byte, 3*BlockSize), (i*7919%size)/4*4*BlockSize); e != 0 {
				t.Fatal(i, e)
			}
			if n := x.inode.order.Asked(); n != 0 {
				t.Errorf("place %d: asked for up to block %d", i, n)
			}
		}
	}
}
