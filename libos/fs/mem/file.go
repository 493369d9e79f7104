package mem

import (
	"sync"
	"syscall"

	core "github.com/hardtack-os/hardtack/libos/fs"
)

// pagesOf is how many pages so many bytes begin.
func pagesOf(size int64) int64 { return size/pageSize + min(size%pageSize, 1) }

// A File is a regular file. Its bytes are in pages, those that were never written to are nil: a hole, or what the seed has there.
type File struct {
	node
	bytes  sync.RWMutex
	size   int64
	pages  table
	held   int64 // pages that are there
	seed   *seed // nil for none
	seeded int64 // how much of it still counts, where no page is
}

func newFile(f *FS, mode uint32) *File {
	n := &File{}
	n.init(f, mode)
	return n
}

// init makes it one of f's.
func (f *File) init(fs *FS, mode uint32) {
	f.node.init(fs, mode, 0)
	f.drop = f.release
}

// release gives the storage back: nobody can read it any more.
func (f *File) release() {
	f.bytes.Lock()
	f.fs.pages.Add(-f.held)
	f.pages, f.held, f.seed = table{}, 0, nil
	f.bytes.Unlock()
}

// Attr implements fs.Node.
func (f *File) Attr() core.Attr {
	a := f.node.Attr()
	f.bytes.RLock()
	a.Size, a.Blocks = f.size, f.held*(pageSize/512)
	if f.seed != nil {
		a.Blocks = max(a.Blocks, (f.seeded+511)/512)
	}
	f.bytes.RUnlock()
	return a
}

// ReadAt implements fs.File. While a piece of a seed is read from a disk, who writes to the file waits, and so does who then asks for anything of it.
func (f *File) ReadAt(p []byte, off int64) (int, core.Errno) {
	f.bytes.RLock()
	defer f.bytes.RUnlock()
	if off >= f.size {
		return 0, 0
	}
	p = p[:min(int64(len(p)), f.size-off)]
	for n := 0; n < len(p); {
		at := off + int64(n)
		in := int(at % pageSize)
		part := p[n:min(len(p), n+pageSize-in)]
		if b := f.pages.at(at / pageSize); b != nil {
			copy(part, b[in:])
		} else {
			if f.seed != nil && at < f.seeded { // as much in one go as no page is in front of
				part = p[n : int64(n)+min(int64(len(p)-n), min(f.pages.next(at/pageSize), core.MaxSize/pageSize)*pageSize-at)]
			}
			if e := f.under(part, at); e != 0 {
				if n == 0 {
					return -1, e
				}
				return n, 0
			}
		}
		n += len(part)
	}
	return len(p), 0
}

// under reads what is where no page is. bytes is held.
func (f *File) under(p []byte, off int64) core.Errno {
	for f.seed != nil && off < f.seeded && len(p) > 0 {
		h, e := f.seed.piece(off, min(int64(len(p)), f.seeded-off))
		if e != 0 {
			return e
		}
		if len(h.Data) == 0 {
			break
		}
		p, off = p[copy(p, h.Data):], off+int64(len(h.Data))
		h.Release()
	}
	clear(p)
	return 0
}

// page makes the page at i one that can be written to. whole tells that all of it will be. bytes is held for writing.
func (f *File) page(i int64, whole bool) (*page, core.Errno) {
	b, lent := f.pages.look(i)
	switch {
	case b == nil:
		if e := f.fs.takePages(1); e != 0 {
			return nil, e
		}
		b = new(page)
		if !whole {
			if e := f.under(b[:], i*pageSize); e != 0 {
				f.fs.takePages(-1)
				return nil, e
			}
		}
		f.held++
	case lent: // whoever has it keeps what it was
		b = new(page)
		if old := f.pages.at(i); !whole {
			*b = *old
		}
	default:
		return b, 0
	}
	f.pages.set(i, b)
	return b, 0
}

// WriteAt implements fs.File.
func (f *File) WriteAt(p []byte, off int64) (n int, at int64, e core.Errno) {
	f.bytes.Lock()
	defer f.bytes.Unlock()
	if off == core.Append {
		off = f.size
	}
	if len(p) == 0 {
		return 0, off, 0
	}
	if off == core.MaxSize {
		return -1, off, syscall.EFBIG
	}
	p = p[:min(int64(len(p)), core.MaxSize-off)]
	for n < len(p) {
		pos := off + int64(n)
		in := int(pos % pageSize)
		part := p[n:min(len(p), n+pageSize-in)]
		b, err := f.page(pos/pageSize, len(part) == pageSize)
		if err != 0 {
			e = err
			break
		}
		n += copy(b[in:], part)
	}
	if n == 0 {
		return -1, off, e
	}
	f.size = max(f.size, off+int64(n))
	f.touch(true)
	return n, off, 0
}

// Truncate implements fs.File.
func (f *File) Truncate(size int64) core.Errno {
	f.bytes.Lock()
	defer f.bytes.Unlock()
	if size <= f.size { // the same size, too: what was set aside behind the end goes
		if e := f.zeroEnd(size); e != 0 {
			return e
		}
		f.discard(pagesOf(size), 1<<62)
		f.seeded = min(f.seeded, size)
	}
	f.size = size
	f.touch(true)
	return 0
}

// zeroEnd makes the bytes of a page from off on zero, if there is such a page: those behind the end always are. bytes is held.
func (f *File) zeroEnd(off int64) core.Errno {
	if off%pageSize == 0 || f.pages.at(off/pageSize) == nil {
		return 0
	}
	b, e := f.page(off/pageSize, false)
	if e == 0 {
		clear(b[off%pageSize:])
	}
	return e
}

// discard drops the pages from one up to another. bytes is held.
func (f *File) discard(from, to int64) {
	n := f.pages.drop(from, to)
	f.held -= n
	f.fs.pages.Add(-n)
}

// Sync implements fs.File: there is nothing to do.
func (f *File) Sync(bool) core.Errno { return 0 }

// Allocate implements fs.Allocator.
func (f *File) Allocate(mode uint32, off, n int64) core.Errno {
	f.bytes.Lock()
	defer f.bytes.Unlock()
	end := off + n
	switch mode {
	case core.FallocPunchHole | core.FallocKeepSize:
		if whole := pagesOf(f.size); whole <= core.MaxSize/pageSize { // what is behind the end may go, too
			end = min(end, whole*pageSize)
		}
		return f.punch(off, end)
	case 0, core.FallocKeepSize:
	default:
		return syscall.EOPNOTSUPP
	}
	if e := f.fill(off/pageSize, pagesOf(end)); e != 0 {
		return e
	}
	if mode == 0 {
		f.size = max(f.size, end)
	}
	f.touch(true)
	return 0
}

// punch makes a range a hole. bytes is held.
func (f *File) punch(off, end int64) core.Errno {
	if f.seed != nil && off < f.seeded {
		if e := f.detach(); e != 0 {
			return e
		}
	}
	for off < end {
		stop := off + min(end-off, pageSize-off%pageSize)
		if stop-off == pageSize {
			stop = end / pageSize * pageSize
			f.discard(off/pageSize, stop/pageSize)
		} else if f.pages.at(off/pageSize) != nil {
			b, e := f.page(off/pageSize, false)
			if e != 0 {
				return e
			}
			clear(b[off%pageSize : (stop-1)%pageSize+1])
		}
		off = stop
	}
	f.touch(true)
	return 0
}

// fill makes pages of all that are not there from one up to another, or, where there is no room, of none; those before one whose seed cannot be read stay. bytes is held.
func (f *File) fill(from, to int64) (e core.Errno) {
	missing := to - from - f.pages.count(from, to)
	if e = f.fs.takePages(missing); e != 0 {
		return e
	}
	for i := from; i < to && missing > 0; i++ {
		if f.pages.at(i) != nil {
			continue
		}
		b := new(page)
		if e = f.under(b[:], i*pageSize); e != 0 {
			break
		}
		f.pages.set(i, b)
		f.held++
		missing--
	}
	f.fs.takePages(-missing)
	return e
}

// detach makes pages of all that is left of the seed. bytes is held.
func (f *File) detach() core.Errno {
	e := f.fill(0, pagesOf(f.seeded))
	if e == 0 {
		f.seed, f.seeded = nil, 0
	}
	return e
}

// SeekData implements fs.Sparse.
func (f *File) SeekData(off int64, hole bool) (int64, core.Errno) {
	f.bytes.RLock()
	defer f.bytes.RUnlock()
	if off >= f.size {
		return -1, syscall.ENXIO
	}
	for off < f.size {
		i := off / pageSize
		data := f.pages.at(i) != nil || off < f.seeded
		if data != hole {
			return off, 0
		}
		next := i + 1
		if !data {
			next = f.pages.next(i)
		}
		if next > f.size/pageSize {
			break
		}
		off = next * pageSize
	}
	if hole {
		return f.size, 0
	}
	return -1, syscall.ENXIO
}

// Lend implements fs.Lender. A page that was lent is not written to any more: the file gets another one in its place.
// So there is nothing to return, but of what lies in the page cache; the collector knows when nobody reads the rest.
func (f *File) Lend(off int64, n int) (core.Loan, core.Errno) {
	f.bytes.Lock()
	defer f.bytes.Unlock()
	left := min(int64(n), f.size-off)
	if left <= 0 {
		return core.Loan{}, 0
	}
	i, in := off/pageSize, off%pageSize
	if b := f.pages.lend(i); b != nil {
		return core.Loan{Bytes: b[in:min(pageSize, in+left)]}, 0
	}
	if f.seed != nil && off < f.seeded {
		h, e := f.seed.piece(off, min(off+left, f.seeded, min(f.pages.next(i), f.seeded/pageSize+1)*pageSize)-off)
		if e != 0 {
			return core.Loan{}, e
		}
		if h.Of != nil {
			return core.Loan{Bytes: h.Data, Of: h.Of}, 0
		}
		if len(h.Data) > 0 {
			return core.Loan{Bytes: h.Data}, 0
		}
	}
	return core.Loan{Bytes: zeroes[in:min(pageSize, in+left)]}, 0
}

// zeroes is what a hole lends.
var zeroes page
