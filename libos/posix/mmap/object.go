package mmap

import (
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// An object is what is mapped of a file. It stands for the file: fs.File, fs.Allocator, fs.Sparse, fs.Lender.
//
// Its lock is taken after the table's and before those of the store and of the file's module.
type object struct {
	raw   fs.File
	from  pages.Sharer // raw, where its module has pages that can be mapped; else nil
	users int          // views, operations under way, and one where something could not be written back; under table.mu
	kept  bool

	size atomic.Int64 // changed under mu

	mu    sync.Mutex
	pages map[int64]*frame
	slots map[*pages.Slot][]*frame // of these, those that are lent
	dirty map[int64]bool           // pages that were stored to; what the processor knows comes here by collect
	views []*view
	waits *object            // see frameFor
	buf   [exo.PageSize]byte // a page on its way: modules do not see frames
}

// pagesOf is how many pages so many bytes begin.
func pagesOf(size int64) int64 { return size/exo.PageSize + min(size%exo.PageSize, 1) }

func newObject(f fs.File) *object {
	f.Ref()
	o := &object{raw: f, pages: map[int64]*frame{}, slots: map[*pages.Slot][]*frame{}, dirty: map[int64]bool{}}
	o.from, _ = f.(pages.Sharer)
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

// page gives the frame of a page, which it reads where need be: one of our own, which can be stored to, or where that is not asked for what there is, and rather the page cache's. mu is held.
func (o *object) page(i int64, own bool) (*frame, syscall.Errno) {
	if f := o.pages[i]; f != nil && !(own && f.lent()) {
		return f, 0
	}
	if !own {
		if f, e := o.lend(i); f != nil || e != 0 {
			return f, e
		}
	}
	f := frameFor(o, o, i)
	if f == nil {
		return nil, o.none()
	}
	if e := o.fill(f.bytes(), i); e != 0 {
		frames.give(f)
		return nil, e
	}
	if old := o.pages[i]; old != nil {
		o.enter(i, f.memory)
		o.unlend(old)
		frames.give(old)
	}
	o.pages[i] = f
	return f, 0
}

// fill reads a page of the file to b. mu is held.
func (o *object) fill(b []byte, i int64) syscall.Errno {
	n := 0
	for n < len(o.buf) {
		k, e := o.raw.ReadAt(o.buf[n:], i*exo.PageSize+int64(n))
		if e != 0 {
			return e
		}
		if k == 0 {
			break
		}
		n += k
	}
	clear(o.buf[n:])
	copy(b, o.buf[:])
	return 0
}

// lend makes a page one that the page cache has; nil where it does not have it so that it can be mapped. mu is held.
func (o *object) lend(i int64) (*frame, syscall.Errno) {
	if o.from == nil {
		return nil, 0
	}
	// Room comes first: then the page cache has memory that can be mapped, and need not read the page twice.
	if !roomFor(o, func() bool { return !frames.full(true) }) && o.waits != nil {
		return nil, syscall.EAGAIN
	}
	slot, at, e := o.lies(i)
	if slot == nil {
		return nil, e
	}
	defer slot.Unpin()
	if !slot.Mapped() && frames.full(true) {
		return nil, 0
	}
	f := frames.lend(o, i, slot, at)
	o.slots[slot] = append(o.slots[slot], f)
	o.pages[i] = f
	return f, 0
}

// lies gives where a page lies in the page cache, pinned; nil where it does not. mu is held.
func (o *object) lies(i int64) (slot *pages.Slot, at int, e syscall.Errno) {
	if o.from == nil {
		return nil, 0, 0
	}
	if slot, at, e = o.from.Share(i * exo.PageSize); slot == nil || e != 0 {
		return nil, 0, e
	}
	if n := o.size.Load() - i*exo.PageSize; n < exo.PageSize && slices.ContainsFunc(slot.Page(at)[max(n, 0):], func(b byte) bool { return b != 0 }) {
		slot.Unpin() // only a volume that somebody else wrote is so
		return nil, 0, 0
	}
	return slot, at, 0
}

// unlend forgets that a frame is lent. mu is held.
func (o *object) unlend(f *frame) {
	if !f.lent() {
		return
	}
	list := slices.DeleteFunc(o.slots[f.slot], func(x *frame) bool { return x == f })
	if o.slots[f.slot] = list; len(list) == 0 {
		delete(o.slots, f.slot)
	}
}

// enter has all views that have page i show other memory, without a moment in which they show none. mu is held.
func (o *object) enter(i int64, m memory) {
	o.everywhere(i, func(v *view, p int) {
		q := exo.Query(p)
		if v.own[p] != nil || !v.apply(&q) {
			return
		}
		if op := m.at(p, q.Prot()); !v.apply(&op) {
			v.leave(p) // who touches it brings it in
		}
	})
}

// renew has a frame show what the file has now at its page; change does to a copy what was done to the file. mu is held.
func (o *object) renew(f *frame, change func(b []byte)) {
	if !f.lent() && (o.from == nil || o.stores()) {
		change(f.bytes())
		return
	}
	slot, at, _ := o.lies(f.page)
	if slot != nil {
		defer slot.Unpin()
	}
	switch {
	case slot != nil && f.slot == slot && f.i == at:
	case slot != nil && (f.lent() || !frames.full(true)):
		o.become(f, frames.borrowed(slot, at))
	case !f.lent():
		change(f.bytes())
	default:
		m, ok := frames.memory()
		if ok && o.fill(m.bytes(), f.page) == 0 {
			o.become(f, m)
			break
		}
		if ok {
			frames.put(m)
		}
		o.everywhere(f.page, func(v *view, p int) {
			if v.own[p] == nil {
				v.leave(p)
			}
		})
		o.drop(f.page)
	}
}

// become gives a frame other memory, which all views show from then on. mu is held.
func (o *object) become(f *frame, m memory) {
	o.enter(f.page, m)
	o.unlend(f)
	frames.change(f, m)
	if m.lent() {
		o.slots[m.slot] = append(o.slots[m.slot], f)
	}
}

// full says that no page can be brought in without putting one out; own: none that can be stored to. mu is held.
func (o *object) full(own bool) bool { return frames.full(!own && o.from != nil) }

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
	at := i * exo.PageSize // no further than the file goes: it may be sealed against growing
	if e := a.Allocate(fs.FallocKeepSize, at, max(min(exo.PageSize, o.size.Load()-at), 1)); e != syscall.EOPNOTSUPP {
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

// locked says whether a frame is one that stays: mlock(2). mu is held.
func (o *object) locked(f *frame) (yes bool) {
	o.everywhere(f.page, func(v *view, p int) { yes = yes || v.locked(p) })
	return yes
}

// putOutAll puts out a page, if it was not touched lately, and says how many went: of lent ones all that there are of the slot go together, or none, with the first of them; for only without
// any the slot is the page cache's own again. mu is held.
func (o *object) putOutAll(f *frame) (n int) {
	if o.pages[f.page] != f {
		return 0
	}
	list := []*frame{f}
	if f.lent() {
		if list = slices.Clone(o.slots[f.slot]); list[0] != f {
			return 0
		}
	}
	if slices.ContainsFunc(list, o.locked) {
		return 0
	}
	touched := false
	for _, f := range list {
		touched = o.touched(f) || touched // all are asked, and asked again only a round later
	}
	if touched {
		return 0
	}
	for _, f := range list {
		if o.putOut(f) {
			n++
		}
	}
	return n
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
		o.unlend(f)
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
		o.parts(off, int64(n), func(fr *frame, in, at, k int64) {
			if !fr.lent() { // what is lent, the file has
				copy(p[at-off:][:k], fr.bytes()[in:])
			}
		})
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
		o.parts(at, int64(n), func(fr *frame, in, pos, k int64) {
			o.renew(fr, func(b []byte) { copy(b[in:in+k], p[pos-at:]) })
		})
		o.show(at/exo.PageSize, pagesOf(at+int64(n)))
	}
	return n, at, e
}

// show brings pages from i to j, which the file has, into the views that have them, as long as there is memory. mu is held.
func (o *object) show(i, j int64) {
	for ; i < j; i++ {
		o.everywhere(i, func(v *view, p int) {
			if f := o.pages[i]; f != nil && !f.lent() {
				f.real = true
			} else if f == nil && o.full(v.stored(p)) {
				return // who touches it is told
			}
			v.bringIn(p, false)
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
		o.renew(fr, func(b []byte) { clear(b[size%exo.PageSize:]) })
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
		o.forget(off/exo.PageSize, all)
	case mode&fs.FallocPunchHole != 0:
		o.punched(off, min(off+n, pagesOf(old)*exo.PageSize))
	case mode&fs.FallocZero != 0:
		o.parts(off, min(n, max(pagesOf(old)*exo.PageSize-off, 0)), func(fr *frame, in, _, k int64) {
			o.renew(fr, func(b []byte) { clear(b[in : in+k]) })
		})
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
			o.renew(o.pages[i], func(p []byte) { clear(p[a%exo.PageSize:][:b-a]) })
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
