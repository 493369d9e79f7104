package fat

import (
	core "github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// The page cache has what the device has, at all times: pages of the part of the device that clusters lie in, numbered from 1 on, whosever they are. What is written goes to the device first, and then to the page, if it is
// there. Who reads begins with mu held and lets go of it while the device works; so who writes waits, before he begins, for what is being read of the same pages.

// disk is the source of what the cache has.
type disk struct{ f *FS }

// ReadPages implements pages.Source.
func (d disk) ReadPages(vec [][]byte, first uint64) (held bool, err error) {
	err = d.f.dev.Read(vec, d.f.dataAt+int64(first-1)*pages.Size)
	return err != nil && block.Held(err), err
}

// Sum implements pages.Source: there are none.
func (disk) Sum([]byte) uint32 { return 0 }

var noSums [pages.PerSlot]uint32

// span is the pages that n bytes at a place of the device lie in, n of them; none of what lies before the clusters. Those that are not there as a whole, at the end, are not counted.
func (f *FS) span(at, n int64) (first, count uint64) {
	lo := max(at-f.dataAt, 0) / pages.Size
	hi := min((max(at+n-f.dataAt, 0)+pages.Size-1)/pages.Size, int64(f.clusters)*f.cluster/pages.Size)
	return uint64(lo) + 1, uint64(max(hi-lo, 0))
}

// A look is one at n bytes of a file from off on, some of which may have to be read first.
type look struct {
	x      *File
	off, n int64

	missed bool
	page   uint64     // that was waited for last; 0: none
	hold   pages.Hold // what was read
}

// at gives what lies at a place of the device, k bytes at most, as far as it lies in a row in memory, pinned. none: nothing, because it is not cached, could not be read, or there is no memory for it: who wants it asks the
// device. mu is held; where neither is given it was let go, and all may have changed.
func (l *look) at(at, k int64) (h pages.Hold, none bool) {
	f := l.x.fs
	first, n := f.span(at, k)
	if n == 0 {
		return h, true
	}
	in := (at - f.dataAt) % pages.Size
	if h = f.cache.Run(first, noSums[:min(n, pages.PerSlot)]); h.Data != nil {
		if l.page != first {
			f.cache.Store.Hit(len(h.Data) / pages.Size)
		}
		h.Data = h.Data[in:min(in+k, int64(len(h.Data)))]
		return h, false
	}
	if l.page == first {
		return h, true
	}
	if l.done(); !l.missed {
		l.missed = true
		l.x.ahead(l.off, l.n, true)
	}
	l.page = first
	f.cache.Store.Miss()
	load := f.cache.Coming(first, 1)
	if load != nil {
		f.waiting(func() { <-load.Done })
		return h, false
	}
	load, n = f.cache.Begin(first, min(n, pages.AtOnce))
	room := f.cache.Room(int(n), true)
	if len(room) == 0 {
		f.cache.End(load)
		return h, true
	}
	f.waiting(func() { l.hold, _ = f.cache.Fetch(load, first, room) }) // who asks the device hears what is wrong
	return h, false
}

// done lets go of what was read.
func (l *look) done() {
	l.hold.Release()
	l.hold = pages.Hold{}
}

// waiting does what takes long, without mu.
func (f *FS) waiting(do func()) {
	f.mu.Unlock()
	defer f.mu.Lock()
	do()
}

// mostAhead is how many loads of a volume may be on their way for nobody yet: a file may lie in many pieces.
const mostAhead = 32

// ahead is told that n bytes of a file are looked at, and whether some are missing: what lies behind may be read before anybody asks. mu is held.
func (x *File) ahead(off, n int64, missing bool) {
	i := off / pages.Size
	from, to := x.order.Look(x.fs.cache.Store, uint64(i), uint64((off+n+pages.Size-1)/pages.Size-i), uint64((x.size+pages.Size-1)/pages.Size), missing)
	x.fetchAhead(from, to)
}

// fetchAhead has pages of a file read that are not there, from one on, to not included; the rest is asked for the next time where too many are on their way. mu is held.
func (x *File) fetchAhead(from, to uint64) {
	f := x.fs
	for at, end := int64(from)*pages.Size, min(int64(to)*pages.Size, x.size); at < end; {
		place, k, err := x.run(at, min(end-at, pages.AtOnce*pages.Size))
		if err != nil {
			return
		}
		first, n := f.span(place, k)
		for n > 0 {
			if f.coming.Load() >= mostAhead {
				x.order.Stop(uint64(at / pages.Size))
				return
			}
			load, begin, count := f.cache.BeginMissing(first, min(n, pages.AtOnce))
			if load == nil {
				first, n = first+min(n, pages.AtOnce), n-min(n, pages.AtOnce)
				continue
			}
			f.coming.Add(1)
			go func() {
				f.cache.FetchAhead(load, begin, count)
				f.coming.Add(-1)
			}()
			n -= begin + count - first
			first = begin + count
		}
		at += k
	}
}

// settle waits for what is being read of n bytes of the device. mu is held, so nobody begins anew.
func (f *FS) settle(at, n int64) {
	first, count := f.span(at, n)
	for l := f.cache.Coming(first, count); l != nil; l = f.cache.Coming(first, count) {
		<-l.Done
	}
}

// forget takes what lies in n bytes of the device out of the cache. mu is held.
func (f *FS) forget(at, n int64) {
	f.cache.Drop(f.span(at, n))
}

// block reads one of the device's blocks, into vec[0]; load: the page that it lies in may be read along with it. mu is held.
func (f *FS) block(vec [][]byte, at int64, load bool) error {
	b := vec[0]
	if page, n := f.span(at, int64(len(b))); n == 1 {
		h := f.cache.Run(page, noSums[:1])
		if h.Data == nil && load {
			if l, _ := f.cache.Begin(page, 1); l != nil {
				if room := f.cache.Room(1, true); len(room) > 0 {
					h, _ = f.cache.Fetch(l, page, room)
				} else {
					f.cache.End(l)
				}
			}
		}
		if h.Data != nil {
			copy(b, h.Data[(at-f.dataAt)%pages.Size:])
			h.Release()
			return nil
		}
	}
	return f.dev.Read(vec, at)
}

// write is move to the device, and keeps the cache right; keep: it has all whole pages of p afterwards, if there is memory. mu is held.
func (f *FS) write(p []byte, at int64, keep bool) error {
	f.settle(at, int64(len(p)))
	if err := f.move(p, at, true); err != nil {
		f.forget(at, int64(len(p))) // nobody knows what is there
		return err
	}
	first, n := f.span(at, int64(len(p)))
	for page := first; page < first+n; page++ {
		begin := f.dataAt + int64(page-1)*pages.Size
		lo, hi := max(at, begin), min(at+int64(len(p)), begin+pages.Size)
		f.renew(page, p[lo-at:hi-at], int(lo-begin), keep)
	}
	return nil
}

// renew has a page hold b at a place in it. One that is lent stays as it is, and another takes its place. mu is held.
func (f *FS) renew(page uint64, b []byte, in int, keep bool) {
	h := f.cache.Run(page, noSums[:1])
	defer h.Release()
	switch {
	case h.Data == nil && (!keep || len(b) < pages.Size):
		return
	case h.Data != nil && f.cache.Alone(h):
		copy(h.Data[in:], b)
		return
	}
	room := f.cache.Room(1, true)
	if len(room) == 0 {
		f.cache.Drop(page, 1)
		return
	}
	copy(room[0].Bytes(), h.Data)
	copy(room[0].Bytes()[in:], b)
	f.cache.Put(page, room[0].Of, room[0].Page, 0)
	room[0].Of.Unpin()
}

// ReadAt implements fs.File. While it waits for the device nobody waits for it: a write may lie between two parts of what it gives, if the second was not in memory.
func (x *File) ReadAt(p []byte, off int64) (n int, e core.Errno) {
	f := x.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	l := look{x: x, off: off, n: min(int64(len(p)), x.size-off)}
	defer l.done()
	for int64(n) < min(l.n, x.size-off) {
		if l.missed {
			x.fetchAhead(x.order.Further(f.cache.Store, uint64(off+int64(n))/pages.Size))
		}
		at, k, err := x.run(off+int64(n), min(l.n, x.size-off)-int64(n))
		var h pages.Hold
		none := false
		if err == nil {
			h, none = l.at(at, k)
		}
		if none {
			k = min(k, pages.Size-(at-f.dataAt)%pages.Size)
			err = f.move(p[n:n+int(k)], at, false)
		}
		switch {
		case err != nil && n == 0:
			return -1, errno(err)
		case err != nil:
			return n, 0
		case none:
			n += int(k)
		default:
			n += copy(p[n:], h.Data)
			h.Release()
		}
	}
	if !l.missed && n > 0 {
		x.ahead(off, int64(n), false)
	}
	return n, 0
}

// Cached says whether all that the file has of the page that begins at off is in the page cache.
func (x *File) Cached(off int64) bool {
	f := x.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	for end := min(off+pages.Size, x.size); off < end; {
		at, k, err := x.run(off, end-off)
		if err != nil {
			return false
		}
		first, n := f.span(at, k)
		for i := range n {
			if !f.cache.Has(first + i) {
				return false
			}
		}
		if n == 0 {
			return false
		}
		off += k
	}
	return true
}

// Share implements pages.Sharer, for pages of a file that are one of the cache: where clusters have the size of a page or more, all of them but the last, and else where clusters lie so. A page of the cache is only written to while
// nobody has it pinned, so that one that is mapped is never half of a write; the write makes another.
func (x *File) Share(off int64) (*pages.Slot, int, core.Errno) {
	f := x.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	l := look{x: x, off: off, n: 1}
	defer l.done()
	for off < x.size {
		at, k, err := x.run(off, pages.Size)
		if err != nil {
			return nil, 0, errno(err)
		}
		if k < pages.Size || (at-f.dataAt)%pages.Size != 0 {
			return nil, 0, 0
		}
		h, none := l.at(at, k)
		if none {
			return nil, 0, 0 // who reads it asks the device
		}
		if h.Data == nil {
			continue
		}
		if l.missed {
			x.order.Seen(uint64(off/pages.Size) + 1)
		} else {
			x.ahead(off, pages.Size, false)
		}
		if !h.Of.Mappable() {
			h.Release()
			return nil, 0, 0
		}
		return h.Of, h.Page, 0
	}
	return nil, 0, 0
}

// Lend implements fs.Lender. What has no page is lent as a copy.
func (x *File) Lend(off int64, n int) (core.Loan, core.Errno) {
	f := x.fs
	f.mu.Lock()
	defer f.mu.Unlock()
	l := look{x: x, off: off, n: 1}
	defer l.done()
	for off < x.size {
		at, k, err := x.run(off, min(int64(n), x.size-off))
		if err != nil {
			return core.Loan{}, errno(err)
		}
		h, none := l.at(at, k)
		if none {
			b := make([]byte, min(k, pages.Size-(at-f.dataAt)%pages.Size))
			if err := f.move(b, at, false); err != nil {
				return core.Loan{}, errno(err)
			}
			h.Data = b
		}
		if h.Data == nil {
			continue
		}
		if end := off + int64(len(h.Data)); l.missed {
			x.order.Seen(uint64(end+pages.Size-1) / pages.Size)
		} else {
			x.ahead(off, end-off, false)
		}
		if none {
			return core.Loan{Bytes: h.Data}, 0
		}
		return core.Loan{Bytes: h.Data, Of: h.Of}, 0
	}
	return core.Loan{}, 0
}
