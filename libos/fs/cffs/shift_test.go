package cffs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
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

// A badRead is a device on which a read fails once, not counting those of the first superblocks.
type badRead struct {
	block.Device
	n, at int64
}

func (b *badRead) Read(vec [][]byte, off int64) error {
	if off >= 2*BlockSize {
		if b.n++; b.n == b.at {
			return block.ErrInjected
		}
	}
	return b.Device.Read(vec, off)
}

// TestShiftInSteps takes ranges out of a file of which more nodes change than may wait for a commit, and puts some in. No more nodes wait than may. Whatever a crash leaves, the file is as it was, as it is to be, or it
// is whole but for a hole of as many blocks, which lies between the range and the end; so it is where a request of the disk fails. The volume is whole, and where there is no room nothing has changed.
func TestShiftInSteps(t *testing.T) {
	t.Parallel()
	const blocks, waits = 1200, 2
	base := formatted(t, 2000)
	f := mount(t, base, manual)
	write(t, f, "/f", nil)
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	old := make([]byte, blocks*BlockSize-100)
	for i := range blocks {
		b := old[i*BlockSize : min((i+1)*BlockSize, len(old))]
		if i%2 == 1 && i != 301 && i < blocks-1 { // extents of one block, some 100 of which are a step
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
	}{{"a little out", core.FallocCollapse, 30, 21}, {"much out", core.FallocCollapse, 3, 300}, {"the first out", core.FallocCollapse, 0, 1}, {"some in", core.FallocInsert, 31, 21}, {"in at the beginning", core.FallocInsert, 0, 400}, {"in within an extent", core.FallocInsert, 301, 3}} {
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
		if flushes < 6 {
			t.Errorf("%s: it takes %d flushes", c.what, flushes)
		}
		for at := int64(1); ; at += 3 {
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
		for at := int64(1); ; at += 2 {
			bad := &badRead{Device: block.NewMemory(slices.Clone(base.Bytes()))}
			f := mount(t, bad, manual)
			f.waits, f.t.most = 1, 1 // so that there is a commit behind what divides an extent
			bad.at = bad.n + at
			e := do(f)
			if bad.at = 0; f.failed != nil {
				t.Errorf("%s: a read in it fails, the %d. one: nothing is written any more: %v", c.what, at, f.failed)
			}
			f.Close()
			if e == 0 {
				break
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

// TestShiftLetsOthersRead holds back first what a shift in steps reads of the tree, then what its first step writes: another file can be read in every way, the attributes of the file are what they were, and who reads it or
// looks where it has data waits, and finds it as it is when all is done.
func TestShiftLetsOthersRead(t *testing.T) {
	t.Parallel()
	d := &held{Device: formatted(t, 1400), came: make(chan struct{}, 1)}
	f := mount(t, d, manual)
	other := bytes.Repeat([]byte("other"), BlockSize)
	write(t, f, "/other", other)
	write(t, f, "/f", nil)
	n, e := f.Root().Lookup("f")
	if e != 0 {
		t.Fatal(e)
	}
	x := n.(*File)
	old := make([]byte, 299*BlockSize)
	for i := 0; i < len(old); i += 2 * BlockSize {
		b := old[i:][:BlockSize]
		for k := range b {
			b[k] = byte(1 + i/BlockSize%251)
		}
		if _, _, e := x.WriteAt(b, int64(i)); e != 0 {
			t.Fatal(e)
		}
	}
	f.Sync()
	looks(t, f, "other", other)
	f.waits, f.t.most = 2, 1
	f.t.trim(f.sb.gen)
	f.t.trim(f.sb.gen) // those that were used lately, too
	was := x.Attr()
	reads, writes := make(chan struct{}), make(chan struct{})
	d.writes.Store(&writes)
	d.reads.Store(&reads)
	shifted := make(chan core.Errno, 1)
	go func() { shifted <- x.Allocate(core.FallocInsert, 2*BlockSize, 3*BlockSize) }()
	<-d.came
	d.reads.Store(nil) // that one waits on
	others := func(when string) {
		t.Helper()
		meanwhile(t, "another, while a shift "+when, func() {
			looks(t, f, "other", other)
			f.Statfs(&core.Statfs{})
			if a := x.Attr(); a != was {
				t.Errorf("while a shift %s: %+v, was %+v", when, a, was)
			}
			x.Cached(0)
		})
	}
	others("reads")
	close(reads)
	<-d.came
	others("writes")
	now := slices.Insert(slices.Clone(old), 2*BlockSize, make([]byte, 3*BlockSize)...)
	ended := make(chan string, 4)
	same := func(what string, got, want any, e core.Errno) {
		if e != 0 || got != want {
			what += fmt.Sprintf(": gives %v, %v, want %v", got, e, want)
		} else {
			what = ""
		}
		ended <- what
	}
	go func() {
		b := make([]byte, len(now)+1)
		n, e := x.ReadAt(b, 0)
		if !bytes.Equal(b[:max(n, 0)], now) {
			same("who reads", "other bytes", "those of the end", e)
			return
		}
		same("who reads", n, len(now), e)
	}()
	go func() {
		l, e := x.Lend(299*BlockSize, BlockSize)
		same("who is lent bytes", string(l.Bytes), string(now[299*BlockSize:300*BlockSize]), e)
		if l.Of != nil {
			l.Of.Return(l.Bytes)
		}
	}()
	go func() {
		s, _, e := x.Share(301 * BlockSize)
		if s != nil { // none where slots cannot be mapped
			s.Unpin()
		}
		same("who maps it", e, core.Errno(0), e)
	}()
	go func() {
		at, e := x.SeekData(298*BlockSize, false)
		same("who looks for data", at, int64(299*BlockSize), e)
	}()
	time.Sleep(50 * time.Millisecond) // so that who does not wait finds the file in between
	select {
	case what := <-ended:
		t.Error("somebody did not wait", what)
	case e := <-shifted:
		t.Error("the shift ended before its writes", e)
	default:
	}
	d.writes.Store(nil)
	close(writes)
	if e := <-shifted; e != 0 {
		t.Error(e)
	}
	for range 4 {
		if what := <-ended; what != "" {
			t.Error(what)
		}
	}
	if a := x.Attr(); a.Size != int64(len(now)) || a.Blocks != was.Blocks {
		t.Errorf("%+v, was %+v", a, was)
	}
	n.Unref()
	f.Close()
	check(t, d)
}

// TestShiftCommits shifts files in steps, of long extents and of single blocks: a step is of half as many leaves as nodes may wait, not of so many extents, and takes room for as many. The tree is none larger when all is done.
func TestShiftCommits(t *testing.T) {
	const extents, waits = 5000, 16
	for _, n := range []int{1, maxExtent} {
		f := mount(t, formatted(t, 6000), manual)
		write(t, f, "/f", nil)
		node, e := f.Root().Lookup("f")
		if e != 0 {
			t.Fatal(e)
		}
		x := node.(*File)
		f.lock()
		for i := range uint64(extents) {
			x.place(extent{last: (i+1)*maxExtent - 1, block: 6, sums: make([]uint32, n)})
		}
		x.rec.size = extents * maxExtent * BlockSize
		f.touch(&x.inode, true)
		nodes := f.t.dirty
		f.unlock()
		starve(f, spare+waits+(perName+2*perRun+perInode)*uint64(f.t.height())+uint64(nodes), false)
		f.Sync()
		f.waits = waits
		gen, free := f.sb.gen, f.al.free()
		for _, mode := range []uint32{core.FallocInsert, core.FallocCollapse} {
			if e := x.Allocate(mode, 0, BlockSize); e != 0 {
				t.Errorf("extents of %d blocks in %d nodes, of which %d may wait, mode %#x: %v with %d free blocks", n, nodes, waits, mode, e, free)
			}
		}
		f.Sync()
		if took, most := f.sb.gen-gen, uint64(2*(4+2*nodes/waits)); took < 6 || took > most {
			t.Errorf("extents of %d blocks in %d nodes, of which %d may wait: %d commits, want %d at most", n, nodes, waits, took, most)
		}
		if now := f.al.free(); now < free {
			t.Errorf("extents of %d blocks in %d nodes: %d blocks were free, and %d are", n, nodes, free, now)
		}
		node.Unref()
	}
}

// TestShiftRandom writes single blocks of files, punches holes over many of them, and takes blocks out and puts some in, at once and in steps, against slices. Between what was removed and what moves there are then nodes of
// the tree that numbers divide which no extent has any more.
func TestShiftRandom(t *testing.T) {
	t.Parallel()
	steps := 0
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 0x5817))
		d := formatted(t, 3500)
		f := mount(t, d, manual)
		f.waits, f.t.most = 1<<rnd.IntN(6), 1+int64(rnd.IntN(20))
		const most = 2500 // blocks
		var files [3]*File
		var models [3][]byte // what each block of a file is full of; of the last, half of it
		for i := range files {
			name := fmt.Sprint("f", i)
			write(t, f, "/"+name, nil)
			n, e := f.Root().Lookup(name)
			if e != 0 {
				t.Fatal(e)
			}
			files[i] = n.(*File)
			models[i] = make([]byte, 1)
			if e := files[i].Truncate(BlockSize / 2); e != 0 {
				t.Fatal(e)
			}
			if e := files[i].SetXattr("user.x", make([]byte, 2000), 0); e != 0 { // next to its extents
				t.Fatal(e)
			}
		}
		same := func(x *File, m []byte, when string) {
			t.Helper()
			if size := x.Attr().Size; size != int64(len(m))*BlockSize-BlockSize/2 {
				t.Fatalf("seed %d: %s: the file has %d bytes, want %d blocks less a half", seed, when, size, len(m))
			}
			for i, want := range m {
				var b [2]byte
				if n, e := x.ReadAt(b[:], int64(i)*BlockSize+100); n != 2 || e != 0 || b != [2]byte{want, want} {
					t.Fatalf("seed %d: %s: block %d of %d is of %v, want %d (%v)", seed, when, i, len(m), b, want, e)
				}
			}
		}
		page := make([]byte, BlockSize)
		for op := range 120 {
			i := rnd.IntN(len(files))
			x, m := files[i], models[i]
			at := rnd.IntN(len(m))
			gen, when := f.sb.gen, ""
			var e core.Errno
			switch k := rnd.IntN(10); {
			case k < 4: // some, each for itself
				for range rnd.IntN(100) {
					b := at + rnd.IntN(600)
					if b >= most || f.al.free() < 600 {
						continue
					}
					for b >= len(m)-1 { // so that all of it is written
						m = append(m, 0)
					}
					c := byte(1 + rnd.IntN(255))
					for j := range page {
						page[j] = c
					}
					if n, _, e := x.WriteAt(page, int64(b)*BlockSize); n != BlockSize {
						t.Fatal(seed, op, n, e)
					}
					m[b] = c
				}
				when = "writes"
				e = x.Truncate(int64(len(m))*BlockSize - BlockSize/2)
			case k < 6:
				n := min(1+rnd.IntN(500), len(m)-at)
				clear(m[at:][:n])
				when = fmt.Sprint("a hole of ", n, " at ", at)
				e = x.Allocate(core.FallocPunchHole|core.FallocKeepSize, int64(at)*BlockSize, int64(n)*BlockSize)
			case k < 8:
				n := 1 + rnd.IntN(1<<rnd.IntN(9))
				if len(m)+n > most {
					continue
				}
				m = slices.Insert(m, at, make([]byte, n)...)
				when = fmt.Sprint(n, " put in at ", at)
				e = x.Allocate(core.FallocInsert, int64(at)*BlockSize, int64(n)*BlockSize)
			default:
				n := 1 + rnd.IntN(1<<rnd.IntN(9))
				if at+n >= len(m) {
					continue
				}
				m = slices.Delete(m, at, at+n)
				when = fmt.Sprint(n, " taken out at ", at)
				e = x.Allocate(core.FallocCollapse, int64(at)*BlockSize, int64(n)*BlockSize)
			}
			if e != 0 {
				t.Fatalf("seed %d, %d: %s: %v", seed, op, when, e)
			}
			if f.sb.gen > gen+2 {
				steps++
			}
			models[i] = m
			if op%4 == 0 {
				same(x, m, when)
			}
			if rnd.IntN(3) == 0 {
				f.Sync()
			}
		}
		for i, x := range files {
			same(x, models[i], "in the end")
			x.Unref()
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		check(t, d)
		f = mount(t, d, manual)
		for i := range files {
			n, e := f.Root().Lookup(fmt.Sprint("f", i))
			if e != 0 {
				t.Fatal(e)
			}
			same(n.(*File), models[i], "mounted again")
			n.Unref()
		}
		f.Close()
	}
	if steps < 20 {
		t.Errorf("%d were done in steps", steps)
	}
}

// TestShiftMovesDividers punches the end of a file away from where a leaf of the tree begins, which other things keep: the number that divides it from the one before is none of an extent any more, and where blocks are put
// in, extents go beyond it.
func TestShiftMovesDividers(t *testing.T) {
	for _, waits := range []int{maxNodes, 1} {
		d := formatted(t, 1000)
		f := mount(t, d, manual)
		write(t, f, "/f", nil)
		n, e := f.Root().Lookup("f")
		if e != 0 {
			t.Fatal(e)
		}
		x := n.(*File)
		if e := x.SetXattr("user.x", make([]byte, 8000), 0); e != 0 { // behind the extents
			t.Fatal(e)
		}
		const extents = 500
		for i := range int64(extents) {
			if _, _, e := x.WriteAt([]byte{1}, 2*i*BlockSize); e != 0 {
				t.Fatal(e)
			}
		}
		f.Sync()
		divider := uint64(0) // of the last leaf with extents
		for k, all := keyNumber(x.rec.ino, kindExtent, 0), key(x.rec.ino, kindExtent); bytes.HasPrefix(k, all); {
			divider = be.Uint64(k[9:])
			if _, k, _ = f.t.leaf(k); k == nil {
				t.Fatal("the attribute is in the last leaf")
			}
		}
		f.waits = waits
		if e := x.Allocate(core.FallocPunchHole|core.FallocKeepSize, int64(divider)*BlockSize, 2*extents*BlockSize); e != 0 {
			t.Fatal(e)
		}
		if _, k, _ := f.t.leaf(keyNumber(x.rec.ino, kindExtent, divider-1)); !bytes.Equal(k, keyNumber(x.rec.ino, kindExtent, divider)) {
			t.Fatal("the leaf is gone with its extents")
		}
		for _, by := range []uint64{10, 0} {
			mode := uint32(core.FallocInsert)
			if by == 0 {
				mode = core.FallocCollapse
			}
			if e := x.Allocate(mode, 0, 10*BlockSize); e != 0 {
				t.Fatal(e)
			}
			for i := uint64(0); i < divider; i += 2 {
				if e, err := f.extentAt(x.rec.ino, i+by); err != nil || e == nil || e.first() != i+by {
					t.Fatalf("%d nodes may wait: the extent of block %d is not at %d: %v, %v", waits, i, i+by, e, err)
				}
			}
		}
		n.Unref()
		f.Close()
		check(t, d)
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
		by := uint64(1)
		if mode == core.FallocCollapse {
			by = 0
		}
		i := uint64(0)
		if err := f.t.prefix(key(x.rec.ino, kindExtent), func(k, v []byte) bool {
			e, ok := f.extent(k, v)
			i++
			return ok && e.last == i*maxExtent-1+by && len(e.sums) == maxExtent
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
