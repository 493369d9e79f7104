package cffs

import (
	"slices"
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// extent reads one, and says whether it makes sense and is inside the volume. mu is held, for reading at least.
func (f *FS) extent(k, v []byte) (x extent, ok bool) {
	x, ok = decodeExtent(k, v)
	end := usable(f.sb.blocks)
	return x, ok && x.block < end && uint64(len(x.sums)) <= end-x.block
}

// extentAt finds the first extent of a file that ends at or behind block i; nil where there is none. mu is held, for reading at least.
func (f *FS) extentAt(ino, i uint64) (x *extent, err error) {
	from := keyNumber(ino, kindExtent, i)
	bad := false
	err = f.t.scan(from, func(k, v []byte) bool {
		if len(k) == 17 && string(k[:9]) == string(from[:9]) {
			e, ok := f.extent(k, v)
			bad, x = !ok, &e
		}
		return false
	})
	if bad {
		err = errDamaged
	}
	return x, err
}

// extentOf is extentAt for an inode, which remembers some. It is not to be changed.
func (f *FS) extentOf(in *inode, i uint64) (*extent, error) {
	hint := &in.hints[i/maxExtent%hints]
	if x := hint.Load(); x != nil && x.first() <= i && i <= x.last {
		return x, nil
	}
	x, err := f.extentAt(in.rec.ino, i)
	if x != nil && err == nil {
		hint.Store(x)
	}
	return x, err
}

// hints is how many extents an inode remembers: several who read a file are at different places of it.
const hints = 4

// cut gives up the blocks from a to b of a file, both included. mu is held.
func (f *FS) cut(in *inode, a, b uint64) error {
	for i := range in.hints {
		in.hints[i].Store(nil)
	}
	for a <= b {
		x, err := f.extentAt(in.rec.ino, a)
		if err != nil {
			return err
		}
		if x == nil || x.first() > b {
			return nil
		}
		if err := f.t.remove(keyNumber(in.rec.ino, kindExtent, x.last)); err != nil {
			return err
		}
		first := x.first()
		lo, hi := max(a, first), min(b, x.last)
		f.al.giveUp(span{x.block + lo - first, hi - lo + 1})
		in.rec.blocks -= hi - lo + 1
		if first < lo {
			left := extent{last: lo - 1, block: x.block, sums: x.sums[:lo-first]}
			if err := f.t.put(keyNumber(in.rec.ino, kindExtent, left.last), left.encode()); err != nil {
				return err
			}
		}
		if x.last > hi {
			right := extent{last: x.last, block: x.block + hi + 1 - first, sums: x.sums[hi+1-first:]}
			if err := f.t.put(keyNumber(in.rec.ino, kindExtent, right.last), right.encode()); err != nil {
				return err
			}
		}
		a = x.last + 1
	}
	return nil
}

// laid is a page that a commit gave a place.
type laid struct {
	page
	sum   uint32
	block uint64
}

// layDown gives the dirty pages of an inode places, in a row as far as that goes. mu is held.
func (f *FS) layDown(in *inode, w *writes, list *[]laid) error {
	if in.dirs.n == 0 {
		return nil
	}
	order, dirs := make([]uint64, 0, in.dirs.n), make([]page, 0, in.dirs.n)
	for i, p := range in.dirs.all() {
		order, dirs = append(order, i), append(dirs, p)
	}
	for k := 0; k < len(order); {
		n := 1
		for k+n < len(order) && n < maxExtent && order[k+n] == order[k]+uint64(n) {
			n++
		}
		s := f.al.take(uint64(n))
		if s.n == 0 {
			return errFull
		}
		x := extent{last: order[k] + s.n - 1, block: s.first, sums: make([]uint32, 0, s.n)}
		if err := f.cut(in, order[k], x.last); err != nil {
			return err
		}
		in.bare = span{}
		for j := range s.n {
			p := dirs[uint64(k)+j]
			data := p.data()
			x.sums = append(x.sums, f.dataSum(data))
			w.add(s.first+j, data)
			*list = append(*list, laid{p, x.sums[j], s.first + j})
		}
		if err := f.t.put(keyNumber(in.rec.ino, kindExtent, x.last), x.encode()); err != nil {
			return err
		}
		in.rec.blocks += s.n
		k += int(s.n)
	}
	return nil
}

// How far is read ahead of what lies next to a small file.
const (
	aheadGroup = 16
	smallFile  = 16 // blocks
)

// A miss is a block that is not in memory, and what bring found of it.
type miss struct {
	at    uint64
	n     uint64 // so many blocks are wanted from it on
	right uint32 // the sum that it must have
	alone bool   // somebody else read it, and it is not there: read it for oneself

	hold pages.Hold // nothing: look again
	err  error
}

// done gives back what bring found.
func (m *miss) done() {
	if m != nil {
		m.hold.Release()
	}
}

// blocks gives the block of x that is number i of the file, and those behind it that lie behind it in memory, which are not to be changed and are the caller's to release; or a miss, if
// the first has to be read: got is the last one that was brought, nil for none. want is how many from it on are wanted. mu is held, for reading at least.
func (f *FS) blocks(in *inode, x *extent, i, want uint64, got *miss) (pages.Hold, *miss, error) {
	from := i - x.first()
	at := x.block + from
	sums := x.sums[from:min(from+want, uint64(len(x.sums)))]
	if in.dirs.n > 0 {
		for k := range sums {
			if in.dirs.has(i + uint64(k)) {
				sums = sums[:k]
				break
			}
		}
	}
	right := sums[0]
	again := got != nil && got.at == at && got.right == right
	h := f.cache.Run(at, sums)
	if h.Data != nil {
		if !again {
			f.cache.Store.Hit(len(h.Data) / BlockSize)
		}
		return h, nil, nil
	}
	if h := f.flown(at); h.Data != nil {
		return h, nil, nil
	}
	alone := false
	if again {
		switch alone = got.hold.Data == nil; {
		case got.err != nil:
			return pages.Hold{}, nil, got.err
		case !alone && f.dataSum(got.hold.Data) != right:
			return pages.Hold{}, nil, errDamaged
		case !alone:
			got.hold.Of.Repin()
			return got.hold, nil, nil
		}
	}
	n := uint64(len(sums))
	if small := (in.rec.size + BlockSize - 1) / BlockSize; small <= smallFile && f.al.groups != nil {
		// What was written along with it lies behind it: C-FFS's explicit grouping.
		for n < aheadGroup && at+n < f.al.blocks && f.al.is(at+n) {
			n++
		}
	}
	return pages.Hold{}, &miss{at: at, n: n, right: right, alone: alone}, nil
}

// bring reads what is missing, or waits for who does. No lock is needed: what the block means by then is seen when it is looked for again. Who brought it calls done.
func (f *FS) bring(m *miss) {
	f.cache.Store.Miss()
	if l := f.cache.Coming(m.at, 1); l != nil && !m.alone {
		<-l.Done
		return
	}
	l, n := f.cache.Begin(m.at, m.n)
	m.hold, m.err = f.cache.Fetch(l, m.at, f.cache.RoomFor(int(n), 1))
	if m.err != nil && n > 1 { // it may be what nobody asked for that cannot be read
		m.hold, m.err = f.cache.Fetch(nil, m.at, f.cache.Room(1, false))
	}
}

// disk is the source of what the cache has.
type disk struct{ f *FS }

// ReadPages implements pages.Source.
func (d disk) ReadPages(vec [][]byte, first uint64) (held bool, err error) {
	err = d.f.dev.Read(vec, int64(first)*BlockSize)
	return err != nil && block.Held(err), err
}

// Sum implements pages.Source.
func (d disk) Sum(b []byte) uint32 { return d.f.dataSum(b) }

// ahead is told that n blocks of a file are looked at, from one on, and whether one is missing. Where that is in order, and one was missing ever since, those behind are read before anybody
// asks: what is wrong with them is found by who does. Where it is not in order, only those that are looked at are, if they are more than are read at once anyway. mu is held, for reading at
// least.
func (f *FS) ahead(in *inode, i, n uint64, missing bool) {
	from, to := in.order.Look(f.cache.Store, i, n, (in.rec.size+BlockSize-1)/BlockSize, missing)
	f.fetchAhead(in, from, to)
}

// fetchAhead has blocks of a file read that are not there, from one on, to not included. mu is held, for reading at least.
func (f *FS) fetchAhead(in *inode, from, to uint64) {
	for from < to {
		x, err := f.extentAt(in.rec.ino, from)
		if err != nil || x == nil {
			return
		}
		from = max(from, x.first())
		end := min(x.last+1, to)
		for from < end {
			l, first, n := f.cache.BeginMissing(x.block+from-x.first(), end-from)
			if l == nil {
				break
			}
			go f.cache.FetchAhead(l, first, n)
			from += first + n - (x.block + from - x.first())
		}
		from = x.last + 1
	}
}

// read fills p from off on; all of it is inside the file. It tells how far it came, and what is missing there. mu is held, for reading at least.
func (x *File) read(p []byte, off int64, got *miss) (n int, m *miss, err error) {
	f := x.fs
	var ext *extent
	known := false // ext is the first that ends at or behind i
	for n < len(p) {
		i := uint64(off+int64(n)) / BlockSize
		in := int(uint64(off+int64(n)) % BlockSize)
		part := p[n:min(len(p), n+BlockSize-in)]
		if d, ok := x.dirs.get(i); ok {
			copy(part, d.data()[in:])
			n += len(part)
			continue
		}
		if !known || ext != nil && ext.last < i {
			if ext, err = f.extentOf(&x.inode, i); err != nil {
				return n, nil, err
			}
			known = true
		}
		if ext == nil || ext.first() > i {
			clear(part)
		} else {
			b, m, err := f.blocks(&x.inode, ext, i, uint64(in+len(p)-n+BlockSize-1)/BlockSize, got)
			if b.Data == nil {
				return n, m, err
			}
			part = p[n:min(len(p), n+len(b.Data)-in)]
			copy(part, b.Data[in:])
			b.Release()
		}
		n += len(part)
	}
	return n, nil, nil
}

// ReadAt implements fs.File. While it waits for the device nobody waits for it: a write may lie between two blocks that it gives, if the second was not in memory.
func (x *File) ReadAt(p []byte, off int64) (n int, e core.Errno) {
	var m *miss
	for {
		k, next, err := x.readSome(p[n:], off+int64(n), m)
		m.done()
		n += k
		if err != nil && n == 0 {
			return -1, errno(err)
		}
		if next == nil || err != nil {
			return n, 0
		}
		m = next
		x.fs.bring(m)
	}
}

// look is FS.look for the contents of a file: it waits until they are not being moved in steps.
func (x *File) look() {
	f := x.fs
	for f.look(); x.moves != nil; f.look() {
		done := x.moves.done
		f.mu.RUnlock()
		<-done
	}
}

// readSome is read of what is inside the file, and takes the lock.
func (x *File) readSome(p []byte, off int64, got *miss) (n int, m *miss, err error) {
	x.look()
	defer x.fs.looked()
	if off >= int64(x.rec.size) {
		return 0, nil, nil
	}
	p = p[:min(int64(len(p)), int64(x.rec.size)-off)]
	n, m, err = x.read(p, off, got)
	switch first := uint64(off) / BlockSize; {
	case len(p) == 0:
	case got == nil:
		x.fs.ahead(&x.inode, first, (uint64(off)+uint64(len(p))-1)/BlockSize+1-first, m != nil)
	case m != nil:
		from, to := x.order.Further(x.fs.cache.Store, (uint64(off)+uint64(n))/BlockSize)
		x.fs.fetchAhead(&x.inode, from, to)
	}
	return n, m, err
}

// Lend implements fs.Lender: clean blocks never change, so that lending is no more than telling where they are, and keeping them there.
func (x *File) Lend(off int64, n int) (core.Loan, core.Errno) {
	var m *miss
	for {
		h, next, err := x.lend(off, n, m)
		m.done()
		if next == nil || err != nil {
			l := core.Loan{Bytes: h.Data}
			if h.Of != nil {
				l.Of = h.Of
			}
			return l, errno(err)
		}
		m = next
		x.fs.bring(m)
	}
}

// lend gives the bytes of a loan, or tells what is missing.
func (x *File) lend(off int64, n int, got *miss) (pages.Hold, *miss, error) {
	f := x.fs
	x.look()
	defer f.looked()
	if off >= int64(x.rec.size) {
		return pages.Hold{}, nil, nil
	}
	i, in := uint64(off)/BlockSize, int(off%BlockSize)
	n = int(min(int64(n), int64(x.rec.size)-off))
	one := min(n, BlockSize-in)
	if d, ok := x.dirs.get(i); ok {
		return pages.Hold{Data: slices.Clone(d.data()[in : in+one])}, nil, nil
	}
	ext, err := f.extentOf(&x.inode, i)
	if err != nil {
		return pages.Hold{}, nil, err
	}
	if ext == nil || ext.first() > i {
		return pages.Hold{Data: zeroes[in : in+one]}, nil, nil
	}
	h, m, err := f.blocks(&x.inode, ext, i, min(uint64(in+n+BlockSize-1)/BlockSize, pages.PerSlot), got)
	if got == nil {
		f.ahead(&x.inode, i, max(1, uint64(len(h.Data)/BlockSize)), m != nil)
	} else if h.Data != nil {
		x.order.Seen(i + uint64(len(h.Data)/BlockSize))
	}
	if h.Data == nil {
		return pages.Hold{}, m, err
	}
	h.Data = h.Data[in:min(in+n, len(h.Data))]
	return h, nil, nil
}

var zeroes [BlockSize]byte

// Share implements pages.Sharer. Clean blocks never change, and a dirty page is written to in place until a commit or a spill takes it; the next write makes another.
func (x *File) Share(off int64) (*pages.Slot, int, core.Errno) {
	var m *miss
	for {
		h, next, err := x.share(uint64(off)/BlockSize, m)
		m.done()
		if next == nil || err != nil {
			if h.Of != nil && !h.Of.Mappable() {
				h.Release()
				h.Of = nil
			}
			return h.Of, h.Page, errno(err)
		}
		m = next
		x.fs.bring(m)
	}
}

// Cached implements pages.Cacher.
func (x *File) Cached(off int64) bool {
	f := x.fs
	f.look()
	defer f.looked()
	i := uint64(off) / BlockSize
	if x.moves != nil {
		return false
	}
	if x.dirs.has(i) {
		return true
	}
	ext, err := f.extentOf(&x.inode, i)
	return err == nil && ext != nil && ext.first() <= i && f.cache.Has(ext.block+i-ext.first())
}

// share gives the memory of block i, or tells what is missing.
func (x *File) share(i uint64, got *miss) (pages.Hold, *miss, error) {
	f := x.fs
	x.look()
	defer f.looked()
	if i >= (x.rec.size+BlockSize-1)/BlockSize {
		return pages.Hold{}, nil, nil
	}
	if d, ok := x.dirs.get(i); ok {
		d.of.Repin()
		return pages.Hold{Data: d.data(), Of: d.of, Page: int(d.at)}, nil, nil
	}
	ext, err := f.extentOf(&x.inode, i)
	if ext == nil || ext.first() > i || err != nil {
		return pages.Hold{}, nil, err
	}
	h, m, err := f.blocks(&x.inode, ext, i, 1, got)
	if got == nil {
		f.ahead(&x.inode, i, 1, m != nil)
	}
	return h, m, err
}

// covered says whether an extent has block i. mu is held for writing.
func (x *File) covered(i uint64) (bool, error) {
	if i-x.bare.first < x.bare.n {
		return false, nil
	}
	ext, err := x.fs.extentOf(&x.inode, i)
	if err != nil || ext != nil && ext.first() <= i {
		return err == nil, err
	}
	end := uint64(1) << 52 // behind all
	if ext != nil {
		end = ext.first()
	}
	x.bare = span{i, end - i}
	return false, nil
}

// blank gives memory for a page, pinned, with anything in it: what is written in a row lies in a row. mu is held.
func (f *FS) blank() page {
	if f.blanks.N == 0 {
		if f.blanks.Of != nil {
			f.blanks.Of.Unpin()
		}
		f.blanks = pages.Piece{Of: f.cache.Store.Take(f.cache), N: pages.PerSlot}
	}
	b := &f.blanks
	p := page{of: b.Of, at: uint8(b.Page)}
	b.Of.Repin()
	b.Page++
	b.N--
	f.cache.Store.Keep(1)
	return p
}

// wrote lets go of a page that was written, or never will be.
func (f *FS) wrote(p page) {
	p.of.Unpin()
	f.cache.Store.Keep(-1)
}

// page makes block i one that may be written to. whole: all of it is, before anybody may look; until then it holds anything. mu is held. The errors leave everything as it was.
func (x *File) page(i uint64, whole, frees bool) ([]byte, error) {
	if d, ok := x.dirs.get(i); ok {
		return d.data(), nil
	}
	f := x.fs
	if f.pages >= f.mostPages() {
		if err := f.spill(); err != nil {
			return nil, err
		}
	}
	run := perRun * f.t.height()
	if err := f.room(1+run, frees); err != nil {
		return nil, err
	}
	have, err := x.covered(i)
	if err != nil {
		return nil, err
	}
	p := f.blank()
	data := p.data()
	switch {
	case whole:
	case have:
		_, m, err := x.read(data, int64(i)*BlockSize, nil)
		for err == nil && m != nil {
			got := m
			f.waiting(func() error { f.bring(got); return nil })
			_, m, err = x.read(data, int64(i)*BlockSize, got)
			got.done()
		}
		if err != nil {
			f.wrote(p)
			return nil, err
		}
	default:
		clear(data)
	}
	if p.fresh = !have; p.fresh {
		x.fresh++
	}
	f.owed++
	if i%maxExtent == 0 || !x.dirs.has(i-1) && !x.dirs.has(i+1) {
		f.owed += run
	}
	x.dirs.put(i, p)
	f.pages++
	f.soil(&x.inode)
	return data, nil
}

// mostPages is how many dirty pages there may be: as many may be on their way.
func (f *FS) mostPages() int { return max(f.o.Dirty/2/BlockSize, 2) }

// An edge is a block of which a part, hi not included, is to be zero.
type edge struct {
	i      uint64
	lo, hi int
}

// zeroable makes the blocks of edges that have bytes ones that may be written to, two at most, without changing what they hold: nothing is committed or spilled between the first of them and
// what the caller does at once. mu is held.
func (x *File) zeroable(edges []edge) error {
	f := x.fs
	if f.pages+len(edges) > f.mostPages() {
		if err := f.spill(); err != nil {
			return err
		}
	}
	if err := f.room(len(edges)*(1+(perRun+perInode)*f.t.height()), true); err != nil {
		return err
	}
	for _, e := range edges {
		if !x.dirs.has(e.i) {
			if have, err := x.covered(e.i); err != nil {
				return err
			} else if !have {
				continue
			}
		}
		if _, err := x.page(e.i, false, true); err != nil {
			return err
		}
	}
	return nil
}

// clear makes the bytes of edges zero, and gives up the blocks from a to b, both included, all in one step: a crash leaves the file as it was, or as it is to be, and so does an error. mu
// is held.
func (x *File) clear(edges []edge, a, b uint64) error {
	if err := x.zeroable(edges); err != nil {
		return err
	}
	if a <= b {
		if err := x.extents(a, b); err != nil {
			return err
		}
	}
	for _, e := range edges {
		if p, ok := x.dirs.get(e.i); ok {
			clear(p.data()[e.lo:e.hi])
		}
	}
	if a <= b {
		x.drop(a, b)
		x.fs.must(x.fs.cut(&x.inode, a, b))
	}
	return nil
}

// drop lets go of the dirty pages from a to b, both included. mu is held.
func (x *File) drop(a, b uint64) {
	x.dirs.cut(a, b, func(p page) {
		x.fs.wrote(p)
		x.fs.pages--
		if p.fresh {
			x.fresh--
		}
	})
	x.fs.owed += perRun * x.fs.t.height() // a row of pages may be two now
}

// WriteAt implements fs.File.
func (x *File) WriteAt(p []byte, off int64) (n int, at int64, e core.Errno) {
	f := x.fs
	if e := f.begin(perPut, false); e != 0 {
		return -1, off, e
	}
	defer f.unlock()
	if off == core.Append {
		off = int64(x.rec.size)
	}
	if len(p) == 0 {
		return 0, off, 0
	}
	if off == core.MaxSize {
		return -1, off, syscall.EFBIG
	}
	p = p[:min(int64(len(p)), core.MaxSize-off)]
	for n < len(p) {
		pos := uint64(off + int64(n))
		in := int(pos % BlockSize)
		part := p[n:min(len(p), n+BlockSize-in)]
		b, err := x.page(pos/BlockSize, len(part) == BlockSize, false)
		if err != nil {
			if n == 0 {
				return -1, off, errno(err)
			}
			break
		}
		n += copy(b[in:], part)
		// At once: a page may make a commit, and what was written by then is part of it.
		x.rec.size = max(x.rec.size, uint64(off)+uint64(n))
	}
	f.touch(&x.inode, true)
	return n, off, 0
}

// extents reads the way in the tree to the extents from block a to b, and to where what is left before a is put, so that cutting them cannot fail half-way. mu is held.
func (x *File) extents(a, b uint64) error {
	return x.fs.t.scan(keyNumber(x.rec.ino, kindExtent, a-min(a, 1)), func(k, _ []byte) bool {
		return len(k) == 17 && be.Uint64(k) == x.rec.ino && k[8] == kindExtent && be.Uint64(k[9:]) <= b
	})
}

// Truncate implements fs.File.
func (x *File) Truncate(size int64) core.Errno {
	f := x.fs
	if e := f.begin(perName, true); e != 0 {
		return e
	}
	defer f.unlock()
	if n := uint64(size); n < x.rec.size {
		var edges []edge
		if n%BlockSize != 0 {
			edges = []edge{{n / BlockSize, int(n % BlockSize), BlockSize}}
		}
		if err := x.clear(edges, (n+BlockSize-1)/BlockSize, 1<<51); err != nil {
			return errno(err)
		}
	}
	x.rec.size = uint64(size)
	f.touch(&x.inode, true)
	return 0
}

// Sync implements fs.File. What is needed to read the data is what a commit writes anyway.
func (x *File) Sync(bool) core.Errno { return x.fs.Sync() }

// Allocate implements fs.Allocator.
func (x *File) Allocate(mode uint32, off, n int64) core.Errno {
	if mode&(core.FallocCollapse|core.FallocInsert) != 0 {
		return x.shift(mode, off, n)
	}
	const known = core.FallocKeepSize | core.FallocPunchHole | core.FallocZero
	punch, zero := mode&core.FallocPunchHole != 0, mode&core.FallocZero != 0
	if mode&^known != 0 || punch && (zero || mode&core.FallocKeepSize == 0) {
		return syscall.EOPNOTSUPP
	}
	f := x.fs
	if e := f.begin(perName, punch); e != 0 {
		return e
	}
	defer f.unlock()
	first, last := uint64(off)/BlockSize, uint64(off+n-1)/BlockSize
	size := x.rec.size
	if mode&core.FallocKeepSize == 0 {
		size = max(size, uint64(off+n))
	}
	if !punch {
		if err := x.fillable(first, last, zero); err != nil {
			return errno(err)
		}
	}
	if punch || zero {
		if err := x.punch(uint64(off), uint64(off+n)); err != nil {
			return errno(err)
		}
	}
	if zero { // in the same step: filling the hole may take commits, and changes nothing that is read
		x.rec.size = size
		f.touch(&x.inode, true)
	}
	if !punch {
		if err := x.fill(first, last); err != nil {
			return errno(err)
		}
	}
	x.rec.size = size
	f.touch(&x.inode, true)
	return 0
}

// punch makes the bytes from lo to hi zero, hi not included, and gives whole blocks up. mu is held.
func (x *File) punch(lo, hi uint64) error {
	first, end := (lo+BlockSize-1)/BlockSize, hi/BlockSize // whole blocks, end not included
	if first > end {                                       // inside of one
		return x.clear([]edge{{lo / BlockSize, int(lo % BlockSize), int(hi % BlockSize)}}, 1, 0)
	}
	var edges []edge
	if lo%BlockSize != 0 {
		edges = append(edges, edge{lo / BlockSize, int(lo % BlockSize), BlockSize})
	}
	if hi%BlockSize != 0 {
		edges = append(edges, edge{end, 0, int(hi % BlockSize)})
	}
	if first == end {
		return x.clear(edges, 1, 0)
	}
	return x.clear(edges, first, end-1)
}

// holes calls do for each block from a to b that has no place and is not in memory, until it gives an error. mu is held.
func (x *File) holes(a, b uint64, do func(i uint64) error) error {
	for i := a; i <= b; i++ {
		if x.dirs.has(i) {
			continue
		}
		ext, err := x.fs.extentAt(x.rec.ino, i)
		if err != nil {
			return err
		}
		if ext != nil && ext.first() <= i {
			i = ext.last
			continue
		}
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}

// fillable sees to it, if need be by a commit, that fill of the blocks from a to b does not end half-way. zero: all of them will be holes, and a commit gives back what they have. mu is held.
func (x *File) fillable(a, b uint64, zero bool) error {
	f := x.fs
	if b-a >= f.al.blocks {
		return errFull
	}
	for again := false; ; again = true {
		missing := uint64(0)
		if err := x.holes(a, b, func(uint64) error { missing++; return nil }); err != nil {
			return err
		}
		// As many extents and nodes as that may take, too.
		need := uint64(f.t.dirty+f.owed+spare+2*perRun*f.t.height()) + missing + missing/32
		if zero {
			need += (b+1-a)/32 + uint64(2*perName*f.t.height())
		}
		if need <= f.al.free() {
			return nil
		}
		if again || f.change == f.done {
			return errFull
		}
		if err := f.commit(); err != nil {
			return err
		}
	}
}

// fill gives the holes from block a to b blocks of zeroes. mu is held.
func (x *File) fill(a, b uint64) error {
	return x.holes(a, b, func(i uint64) error {
		_, err := x.page(i, false, false) // a hole, so that it is zeroes
		return err
	})
}

// SeekData implements fs.Sparse.
func (x *File) SeekData(off int64, hole bool) (int64, core.Errno) {
	f := x.fs
	x.look()
	defer f.looked()
	size := int64(x.rec.size)
	if off >= size {
		return 0, syscall.ENXIO
	}
	order := make([]uint64, 0, x.dirs.n)
	for i := range x.dirs.all() {
		order = append(order, i)
	}
	end := uint64(size-1)/BlockSize + 1
	for i := uint64(off) / BlockSize; i < end; {
		ext, err := f.extentAt(x.rec.ino, i)
		if err != nil {
			return 0, errno(err)
		}
		k, dirty := slices.BinarySearch(order, i)
		next := end // where the next data is
		switch {
		case dirty || ext != nil && ext.first() <= i:
			if !hole {
				return max(off, int64(i)*BlockSize), 0
			}
			if i++; !dirty {
				i = ext.last + 1
			}
			continue
		case hole:
			return max(off, int64(i)*BlockSize), 0
		}
		if ext != nil {
			next = min(next, ext.first())
		}
		if k < len(order) {
			next = min(next, order[k])
		}
		i = next
	}
	if hole {
		return size, 0
	}
	return 0, syscall.ENXIO
}
