package cffs

import (
	"bytes"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// TestShiftIsAtomic takes a range out of a file of many extents, with holes and with pages that wait, and puts one in, on volumes with few and with many free blocks. Whatever prefix of the writes a crash leaves, the
// file is as it was, or as it was to be; where there is no room it is as it was, and a commit succeeds all the same.
func TestShiftIsAtomic(t *testing.T) {
	const blocks = 1200
	base := formatted(t, 2400)
	f := mount(t, base, manual)
	write(t, f, "/f", []byte("f"))
	old := make([]byte, blocks*BlockSize)
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	put := func(n core.Node, i int, b []byte) {
		t.Helper()
		for k := range BlockSize {
			b[i*BlockSize+k] = byte(i + i>>8 + k>>6)
		}
		if _, _, e := n.(*File).WriteAt(b[i*BlockSize:][:BlockSize], int64(i)*BlockSize); e != 0 {
			t.Fatal(e)
		}
	}
	for i := range blocks {
		if i%3 != 1 || i == blocks-1 {
			put(n, i, old)
		}
	}
	n.Unref()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name   string
		mode   uint32
		at, to int
	}{{"collapse", core.FallocCollapse, 30, 51}, {"insert", core.FallocInsert, 30, 51}, {"collapse at the beginning", core.FallocCollapse, 0, 1000}, {"insert at the last", core.FallocInsert, blocks - 1, blocks}} {
		refused, early, done := 0, 0, 0
		for free := uint64(130); free < 330; free += 11 {
			d := block.NewMemory(slices.Clone(base.Bytes()))
			f := mount(t, d, manual)
			starve(f, free, false)
			f.change++
			f.Sync()
			before := slices.Clone(d.Bytes())
			rec := block.NewRecorder(d)
			f.dev = rec
			n, e := f.Root().Lookup("f")
			if e != 0 {
				t.Fatal(e)
			}
			was := slices.Clone(old)
			if free > 250 { // pages that wait, on both sides
				put(n, 10, was)
				put(n, 100, was)
				put(n, 1099, was)
			}
			now := slices.Delete(slices.Clone(was), x.at*BlockSize, x.to*BlockSize)
			if x.mode == core.FallocInsert {
				now = slices.Insert(slices.Clone(was), x.at*BlockSize, make([]byte, (x.to-x.at)*BlockSize)...)
			}
			e = n.(*File).Allocate(x.mode, int64(x.at)*BlockSize, int64(x.to-x.at)*BlockSize)
			n.Unref()
			switch e {
			case 0:
				done++
				if need := uint64(f.t.dirty + f.owed + spare); need > f.al.free() {
					t.Errorf("%s, %d free: what is done and the spare blocks take %d of %d", x.name, free, need, f.al.free())
				}
			case syscall.ENOSPC:
				now = was
				refused++
			default:
				t.Fatal(x.name, free, e)
			}
			if len(rec.Log()) > 0 {
				early++
			}
			if got := contents(t, f, "/f"); !bytes.Equal(got, now) {
				t.Fatalf("%s, %d free, %v: the file is another", x.name, free, e)
			}
			if e := f.Sync(); e != 0 {
				t.Fatal(x.name, free, e)
			}
			oneStep(t, fmt.Sprintf("%s, %d free", x.name, free), before, rec.Log(), now, was, old)
			f.Close()
		}
		if refused == 0 || done == 0 {
			t.Errorf("%s: %d had no room, %d were done, %d after a commit", x.name, refused, done, early)
		}
	}
}

// TestShiftInSteps takes ranges out of a file of which more nodes change than may wait for a commit, and puts some in. No more nodes wait than may. Whatever a crash leaves, the file is as it was, as it is to be, or it
// is whole but for a hole of as many blocks, which lies between the range and the end; so it is where a request of the disk fails. The volume is whole, and where there is no room nothing has changed.
func TestShiftInSteps(t *testing.T) {
	t.Parallel()
	const blocks, waits = 600, 24
	base := formatted(t, 1400)
	f := mount(t, base, manual)
	write(t, f, "/f", nil)
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	old := make([]byte, blocks*BlockSize-100)
	for i := range blocks {
		b := old[i*BlockSize : min((i+1)*BlockSize, len(old))]
		if i%3 == 1 && i < blocks-1 {
			continue
		}
		for k := range b {
			b[k] = byte(1 + i%251 + k>>7)
		}
		if _, _, e := n.(*File).WriteAt(b, int64(i)*BlockSize); e != 0 {
			t.Fatal(e)
		}
	}
	n.Unref()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	// part says whether got is old with a hole of so many bytes, instead of its bytes at a place if out, else between them.
	part := func(got []byte, at, size int, out bool) bool {
		gone := 0
		if out {
			gone = size
		}
		if len(got) != len(old)+size-gone {
			return false
		}
		left := slices.Delete(slices.Clone(old), at, at+gone)
		same := 0 // bytes until the hole, which zeroes may follow that were there
		for same < len(left) && got[same] == left[same] {
			same++
		}
		for i := range 4 {
			p := max(0, min(len(left), (same/BlockSize-i)*BlockSize))
			if i == 0 && same == len(left) {
				p = same // behind the last bytes
			}
			hole := min(size, len(got)-p)
			if p >= at && len(bytes.Trim(got[p:p+hole], "\x00")) == 0 && bytes.Equal(got[p+hole:], left[p:]) {
				return true
			}
		}
		return false
	}
	for _, c := range []struct {
		what     string
		mode     uint32
		at, size int // blocks
	}{{"a little out", core.FallocCollapse, 30, 21}, {"much out", core.FallocCollapse, 3, 300}, {"the first out", core.FallocCollapse, 0, 1}, {"some in", core.FallocInsert, 31, 21}, {"in at the beginning", core.FallocInsert, 0, 400}} {
		at, size, out := c.at*BlockSize, c.size*BlockSize, c.mode == core.FallocCollapse
		now := slices.Insert(slices.Clone(old), at, make([]byte, size)...)
		if out {
			now = slices.Delete(slices.Clone(old), at, at+size)
		}
		do := func(f *FS) core.Errno {
			n, e := f.Root().Lookup("f")
			if e != 0 {
				return e
			}
			defer n.Unref()
			return n.(*File).Allocate(c.mode, int64(at), int64(size))
		}
		is := func(when string, d block.Device) {
			t.Helper()
			g, err := Mount(d, Options{ReadOnly: true})
			if err != nil {
				t.Fatal(c.what, when, err)
			}
			if got := contents(t, g, "/f"); !bytes.Equal(got, old) && !bytes.Equal(got, now) && !part(got, at, size, out) {
				t.Fatalf("%s, %s: of %d bytes the file has %d, and others", c.what, when, len(old), len(got))
			}
			if r, err := Check(d, false); err != nil || len(r.Problems) > 0 {
				t.Fatal(c.what, when, err, r)
			}
		}
		d := block.NewMemory(slices.Clone(base.Bytes()))
		rec := block.NewRecorder(d)
		f := mount(t, rec, manual)
		f.waits = waits
		begun := len(rec.Log())
		if e := do(f); e != 0 {
			t.Fatal(c.what, e)
		}
		if got := contents(t, f, "/f"); !bytes.Equal(got, now) {
			t.Errorf("%s: the file is another", c.what)
		}
		f.Close()
		check(t, d)
		flushes := 0
		crashed := block.NewMemory(slices.Clone(base.Bytes()))
		for i, ev := range rec.Log() {
			if ev.Apply(crashed.Bytes()); i >= begun && ev.Flush {
				flushes++
				is(fmt.Sprint("after event ", i), block.NewMemory(slices.Clone(crashed.Bytes())))
			}
		}
		if flushes < 10 {
			t.Errorf("%s: it takes %d flushes", c.what, flushes)
		}
		for at := int64(1); ; at += 11 {
			d := block.NewMemory(slices.Clone(base.Bytes()))
			faulty := &block.Faulty{Device: d}
			o := manual
			o.Cache = 8 * BlockSize
			f := mount(t, faulty, o)
			f.waits, f.t.most = waits, 1
			faulty.At = faulty.Requests() + at
			e := do(f)
			faulty.At = 0
			if f.failed == nil { // reading failed
				f.Sync()
				if got := contents(t, f, "/f"); e != 0 && !bytes.Equal(got, old) && !part(got, c.at*BlockSize, size, out) {
					t.Fatalf("%s: request %d fails: the file is another", c.what, at)
				}
			}
			f.Close()
			is(fmt.Sprint("request ", at, " fails"), d)
			if e == 0 {
				break
			}
			if at > 5000 {
				t.Fatal("it does not end")
			}
		}
		done := 0
		for free := uint64(130); free < 900 && done < 3; free += 61 {
			f := mount(t, block.NewMemory(slices.Clone(base.Bytes())), manual)
			f.waits = waits
			starve(f, free, false)
			f.change++
			f.Sync()
			want := now
			e := do(f)
			switch e {
			case 0:
				done++
			case syscall.ENOSPC:
				want = old
			default:
				t.Fatal(c.what, free, e)
			}
			if got := contents(t, f, "/f"); !bytes.Equal(got, want) || f.Sync() != 0 {
				t.Errorf("%s, %d free, %v: the file is another, or no commit succeeds", c.what, free, e)
			}
			f.Close()
		}
		if done == 0 {
			t.Errorf("%s: there never was room", c.what)
		}
	}
}

// TestShiftTakesLittle shifts a file of many extents, of which only the tree knows: neither more changed nodes of the tree than may wait for a commit are in memory, nor more others than may stay, about.
func TestShiftTakesLittle(t *testing.T) {
	const extents, most = 4000, 200
	var f *FS
	dirty, loads := 0, int64(0)
	o := manual
	o.Now = func() time.Time { // is asked by each commit
		if f != nil {
			dirty, loads = max(dirty, f.t.dirty), max(loads, f.t.loads.Load())
		}
		return time.Time{}
	}
	f = mount(t, formatted(t, 6000), o)
	write(t, f, "/f", nil)
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	defer n.Unref()
	x := n.(*File)
	f.lock()
	sums := make([]uint32, maxExtent)
	for i := range uint64(extents) {
		x.place(extent{last: (i+1)*maxExtent - 1, block: 6, sums: sums})
	}
	x.rec.size = extents * maxExtent * BlockSize
	f.touch(&x.inode, true)
	f.unlock()
	f.Sync()
	f.waits, f.t.most = most, most
	f.t.trim(f.sb.gen)
	for _, mode := range []uint32{core.FallocInsert, core.FallocCollapse} {
		dirty, loads = 0, 0
		if e := x.Allocate(mode, 0, BlockSize); e != 0 {
			t.Fatal(e)
		}
		if dirty == 0 || dirty > most || loads > 2*most {
			t.Errorf("mode %#x: %d changed nodes wait, of %d that may, and %d nodes are in memory", mode, dirty, most, loads)
		}
		k := uint64(1)
		if mode == core.FallocCollapse {
			k = 0
		}
		i := uint64(0)
		if err := x.eachExtent(0, func(e extent) bool {
			i++
			return e.last == i*maxExtent-1+k && len(e.sums) == maxExtent
		}); err != nil || i != extents {
			t.Errorf("mode %#x: %d extents are where they are to be, %v", mode, i, err)
		}
	}
}

// TestShiftRefuses: what ext4 and XFS refuse is refused, and changes nothing.
func TestShiftRefuses(t *testing.T) {
	d := formatted(t, 600)
	f := mount(t, d, manual)
	const size = 5*BlockSize + 7
	write(t, f, "/f", bytes.Repeat([]byte("x"), size))
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	x := n.(*File)
	// Space behind the end goes with what is before it, as far as there are numbers.
	if e := x.Allocate(core.FallocKeepSize, 1<<50, BlockSize); e != 0 {
		t.Fatal(e)
	}
	const c, i = core.FallocCollapse, core.FallocInsert
	for _, w := range []struct {
		mode   uint32
		off, n int64
		want   core.Errno
	}{
		{c, 1, BlockSize, syscall.EINVAL}, {c, BlockSize, 1, syscall.EINVAL}, {i, 512, BlockSize, syscall.EINVAL}, {i, 0, BlockSize + 512, syscall.EINVAL},
		{c, 0, 6 * BlockSize, syscall.EINVAL}, {c, BlockSize, 5 * BlockSize, syscall.EINVAL}, {c, 6 * BlockSize, BlockSize, syscall.EINVAL}, {i, 6 * BlockSize, BlockSize, syscall.EINVAL},
		{c | i, 0, BlockSize, syscall.EINVAL}, {c | core.FallocKeepSize, 0, BlockSize, syscall.EINVAL}, {i | core.FallocKeepSize, 0, BlockSize, syscall.EINVAL},
		{i, 0, core.MaxSize &^ (BlockSize - 1), syscall.EFBIG}, {i, 0, core.MaxSize&^(BlockSize-1) - 1<<20, syscall.EFBIG},
	} {
		if e := x.Allocate(w.mode, w.off, w.n); e != w.want {
			t.Errorf("mode %#x, %d+%d: %v, want %v", w.mode, w.off, w.n, e, w.want)
		}
		f.Sync() // what waits counts as well as what has its place
	}
	if got := contents(t, f, "/f"); len(got) != size {
		t.Errorf("%d bytes, of %d", len(got), size)
	}
	for _, mode := range []uint32{i, c} {
		if e := x.Allocate(mode, 5*BlockSize, BlockSize); e != 0 {
			t.Errorf("mode %#x in the last block: %v", mode, e)
		}
	}
	if got := contents(t, f, "/f"); !bytes.Equal(got, bytes.Repeat([]byte("x"), size)) {
		t.Error("put in and taken out again, the file is another")
	}
	n.Unref()
	f.Close()
	check(t, d)
}
