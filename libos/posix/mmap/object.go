package mmap

import (
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs"
)

// An object is what is mapped of a file. It stands for the file: fs.File, fs.Allocator, fs.Sparse, fs.Lender.
//
// Its lock is taken after the table's and before those of the store and of the file's module.
type object struct {
	raw   fs.File
	users int // views, operations under way, and one where something could not be written back; under table.mu
	kept  bool

	size atomic.Int64 // changed under mu

	mu    sync.Mutex
	pages map[int64]*frame
	dirty map[int64]bool // pages that were stored to; what the processor knows comes here by collect
	views []*view
	waits *object            // see frameFor
	buf   [exo.PageSize]byte // a page on its way: modules do not see frames
}

// pagesOf is how many pages so many bytes begin.
func pagesOf(size int64) int64 { return size/exo.PageSize + min(size%exo.PageSize, 1) }

func newObject(f fs.File) *object {
	f.Ref()
	o := &object{raw: f, pages: map[int64]*frame{}, dirty: map[int64]bool{}}
	o.measure()
	return o
}

// measure looks how long the file is. mu is held.
func (o *object) measure() {
	a := o.raw.Attr()
	o.size.Store(a.Size)
}

// Attr implements fs.Node, as the rest.
func (o *object) Attr() fs.Attr                 { return o.raw.Attr() }
func (o *object) SetAttr(c *fs.Change) fs.Errno { return o.raw.SetAttr(c) }
func (o *object) Ref()                          { o.raw.Ref() }
func (o *object) Unref()                        { o.raw.Unref() }

// page gives the frame of a page, which it reads where need be. mu is held.
func (o *object) page(i int64) (*frame, syscall.Errno) {
	if f := o.pages[i]; f != nil {
		return f, 0
	}
	f := frameFor(o, o, i)
	if f == nil {
		return nil, o.none()
	}
	n := 0
	for n < len(o.buf) {
		k, e := o.raw.ReadAt(o.buf[n:], i*exo.PageSize+int64(n))
		if e != 0 {
			frames.give(f)
			return nil, e
		}
		if k == 0 {
			break
		}
		n += k
	}
	clear(o.buf[n:])
	copy(f.bytes(), o.buf[:])
	o.pages[i] = f
	return f, 0
}

// hole says whether nothing of the file lies at a page. mu is held.
func (o *object) hole(i int64) bool {
	at, e := seek(o.raw, i*exo.PageSize, false)
	return e == syscall.ENXIO || e == 0 && at >= (i+1)*exo.PageSize
}

// allocate has the file set a page aside. mu is held.
func (o *object) allocate(i int64) syscall.Errno {
	a, ok := o.raw.(fs.Allocator)
	if !ok || !o.hole(i) {
		return 0
	}
	if e := a.Allocate(fs.FallocKeepSize, i*exo.PageSize, exo.PageSize); e != syscall.EOPNOTSUPP {
		return e
	}
	return 0
}

// seek is fs.SeekData on the file itself.
func seek(f fs.File, off int64, hole bool) (int64, syscall.Errno) {
	if s, ok := f.(fs.Sparse); ok {
		return s.SeekData(off, hole)
	}
	a := f.Attr()
	switch {
	case off >= a.Size:
		return -1, syscall.ENXIO
	case hole:
		return a.Size, 0
	}
	return off, 0
}

// stores says whether somebody may store to the file's pages, or has. mu is held.
func (o *object) stores() bool {
	return len(o.dirty) > 0 || slices.ContainsFunc(o.views, (*view).writes)
}

// everywhere does f to each view that has page i of the file, which is its page p. mu is held.
func (o *object) everywhere(i int64, f func(v *view, p int)) {
	for _, v := range o.views {
		if p := i - v.first; p >= 0 && p < int64(v.n()) {
			f(v, int(p))
		}
	}
}

// touched says whether a frame was used since it was last asked for. mu is held.
func (o *object) touched(f *frame) (yes bool) {
	o.everywhere(f.page, func(v *view, p int) {
		if v.own[p] != nil {
			return
		}
		op := exo.Clean(p)
		if v.apply(&op) {
			yes = yes || op.Accessed()
			if op.Written() {
				o.dirty[f.page] = true
			}
		}
	})
	return yes
}

// putOut takes a page out of memory, if it can be written back. mu is held.
func (o *object) putOut(f *frame) bool {
	i := f.page
	o.everywhere(i, func(v *view, p int) {
		if v.own[p] == nil {
			v.leave(p)
		}
	})
	if o.dirty[i] && o.save(i) != 0 {
		return false // whoever touches it finds it where it is
	}
	o.drop(i)
	return true
}

// drop forgets a page that is mapped nowhere. mu is held.
func (o *object) drop(i int64) {
	if f := o.pages[i]; f != nil {
		delete(o.pages, i)
		frames.give(f)
	}
	delete(o.dirty, i)
}

// forget drops the pages from i to j, private copies, too: they are not the file's any more. mu is held.
func (o *object) forget(i, j int64) {
	for _, v := range o.views {
		lo, hi := max(i-v.first, 0), min(j-v.first, int64(v.n()))
		for p := lo; p < hi; p++ {
			if v.own[int(p)] != nil {
				v.forget(int(p))
			} else if o.pages[v.first+p] != nil {
				v.leave(int(p))
			}
		}
	}
	for k := range o.pages {
		if k >= i && k < j {
			o.drop(k)
		}
	}
}

// save writes a page to the file. mu is held.
func (o *object) save(i int64) syscall.Errno {
	f, n := o.pages[i], min(o.size.Load()-i*exo.PageSize, exo.PageSize)
	if f != nil && n > 0 {
		copy(o.buf[:n], f.bytes())
		k, _, e := o.raw.WriteAt(o.buf[:n], i*exo.PageSize)
		if e == 0 && int64(k) < n {
			e = syscall.EIO
		}
		if e != 0 {
			return e
		}
	}
	delete(o.dirty, i)
	return 0
}

// writeBack writes all pages from i to j that were stored to. mu is held. What could not be written stays dirty.
func (o *object) writeBack(i, j int64) (first syscall.Errno) {
	for _, v := range o.views {
		v.collect(i, j)
	}
	var list []int64
	for k := range o.dirty {
		if k >= i && k < j {
			list = append(list, k)
		}
	}
	slices.Sort(list)
	for _, k := range list {
		if e := o.save(k); first == 0 {
			first = e
		}
	}
	return first
}

const all = 1 << 52 // no page has that number

// parts does f to the parts of n bytes from off on that lie in pages with a frame. mu is held.
func (o *object) parts(off, n int64, f func(fr *frame, in, at, n int64)) {
	for at := off; at < off+n; {
		i, in := at/exo.PageSize, at%exo.PageSize
		k := min(exo.PageSize-in, off+n-at)
		if fr := o.pages[i]; fr != nil {
			f(fr, in, at, k)
		}
		at += k
	}
}

// ReadAt implements fs.File.
func (o *object) ReadAt(p []byte, off int64) (int, fs.Errno) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, e := o.raw.ReadAt(p, off)
	if n > 0 && o.stores() {
		o.parts(off, int64(n), func(fr *frame, in, at, k int64) { copy(p[at-off:][:k], fr.bytes()[in:]) })
	}
	return n, e
}

// WriteAt implements fs.File.
func (o *object) WriteAt(p []byte, off int64) (n int, at int64, e fs.Errno) {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := o.size.Load()
	n, at, e = o.raw.WriteAt(p, off)
	o.grown(old)
	if n > 0 {
		o.parts(at, int64(n), func(fr *frame, in, pos, k int64) { copy(fr.bytes()[in:in+k], p[pos-at:]) })
		o.show(at/exo.PageSize, pagesOf(at+int64(n)))
	}
	return n, at, e
}

// show brings pages from i to j, which the file has, into the views that have them, as long as there is memory. mu is held.
func (o *object) show(i, j int64) {
	for ; i < j; i++ {
		o.everywhere(i, func(v *view, p int) {
			f := o.pages[i]
			if f == nil && !frames.full() {
				f, _ = o.page(i) // who touches it is told
			}
			if f != nil {
				f.real = true
				v.bringIn(p, false)
			}
		})
	}
}

// grown looks how long the file is by now. Where it is longer, what was stored behind its end is gone. mu is held.
func (o *object) grown(old int64) {
	if o.measure(); o.size.Load() > old {
		o.zeroBehind(old)
	}
}

// zeroBehind clears the rest of the page that a size ends in. mu is held.
func (o *object) zeroBehind(size int64) {
	if fr := o.pages[size/exo.PageSize]; fr != nil {
		clear(fr.bytes()[size%exo.PageSize:])
	}
}

// Truncate implements fs.File.
func (o *object) Truncate(size int64) fs.Errno {
	o.mu.Lock()
	defer o.mu.Unlock()
	old := o.size.Load()
	if e := o.raw.Truncate(size); e != 0 {
		return e
	}
	if o.size.Store(size); size > old {
		o.zeroBehind(old)
		return 0
	}
	o.forget(pagesOf(size), all)
	if size%exo.PageSize != 0 {
		o.zeroBehind(size)
	}
	return 0
}

// Sync implements fs.File.
func (o *object) Sync(data bool) fs.Errno {
	o.mu.Lock()
	first := o.writeBack(0, all)
	o.mu.Unlock() // those who wait for the disk wait together
	if e := o.raw.Sync(data); first == 0 {
		first = e
	}
	return first
}

// Allocate implements fs.Allocator.
func (o *object) Allocate(mode uint32, off, n int64) fs.Errno {
	a, ok := o.raw.(fs.Allocator)
	if !ok {
		return syscall.EOPNOTSUPP
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	moves := mode&(fs.FallocCollapse|fs.FallocInsert) != 0
	if moves {
		if e := o.writeBack(0, all); e != 0 {
			return e
		}
	}
	old := o.size.Load()
	if e := a.Allocate(mode, off, n); e != 0 {
		return e
	}
	switch o.grown(old); {
	case moves:
		o.forget(0, all)
	case mode&fs.FallocPunchHole != 0:
		o.punched(off, min(off+n, pagesOf(old)*exo.PageSize))
	case mode&fs.FallocZero != 0:
		o.parts(off, min(n, max(pagesOf(old)*exo.PageSize-off, 0)), func(fr *frame, in, _, k int64) { clear(fr.bytes()[in : in+k]) })
	}
	return 0
}

// punched makes what is in memory of a hole zero. Whole pages of it are the file's no longer: the next store asks for them. mu is held.
func (o *object) punched(lo, hi int64) {
	for i := range o.pages {
		a, b := max(lo, i*exo.PageSize), min(hi, (i+1)*exo.PageSize)
		switch {
		case a >= b:
		case b-a < exo.PageSize:
			clear(o.pages[i].bytes()[a%exo.PageSize:][:b-a])
		default:
			o.everywhere(i, func(v *view, p int) {
				if v.own[p] == nil {
					v.leave(p)
				}
			})
			o.drop(i)
		}
	}
}

// SeekData implements fs.Sparse.
func (o *object) SeekData(off int64, hole bool) (int64, fs.Errno) { return seek(o.raw, off, hole) }

// Lend implements fs.Lender.
func (o *object) Lend(off int64, n int) (fs.Loan, fs.Errno) {
	l, ok := o.raw.(fs.Lender)
	if !ok {
		return fs.Loan{}, syscall.EINVAL
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stores() && o.writeBack(off/exo.PageSize, pagesOf(off+int64(n))) != 0 {
		return fs.Loan{}, syscall.EINVAL // then they are read
	}
	return l.Lend(off, n)
}
