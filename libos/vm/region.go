package vm

import (
	"errors"
	"sync"

	"github.com/hardtack-os/hardtack/exo"
)

// PageSize is the size of a page in bytes.
const PageSize = exo.PageSize

// A Pager decides what is at a region's pages. Its methods are called with the region locked; they may block and allocate.
type Pager interface {
	// Fault makes a page accessible, for writing if write is set, by r.Map or r.Protect. An error lets the fault stand.
	Fault(r *Region, page int, write bool) error

	// Drop forgets a page, whose contents are no longer wanted, and gives its frame back to where it came from. It is called for
	// pages that may or may not be mapped.
	Drop(r *Region, page int)
}

// A RangePager is a Pager that drops many pages at once: DropRange is called in place of Drop, with n pages from a first one on.
type RangePager interface {
	Pager
	DropRange(r *Region, page, n int)
}

// A Region is a range of addresses whose pages come from a pager.
type Region struct {
	name  string
	pages *exo.Pages
	pager Pager

	mu     sync.Mutex
	closed bool
	last   error // why the last fault that stood did
}

// ErrClosed is the error of calls on a closed region.
var ErrClosed = errors.New("vm: the region is closed: reserve another")

// A RangeError says that bytes lie outside a region.
type RangeError struct {
	Region string
	Off, N int
	Size   int
}

func (e *RangeError) Error() string {
	return "vm: bytes " + decimal(e.Off) + " to " + decimal(e.Off+e.N) + " of region " + e.Region + ": it has " + decimal(e.Size)
}

// Reserve gives a region of at least size bytes, a whole number of pages. It costs addresses only; memory comes with the first touch.
//
// Errors: of exo.TakePages.
func Reserve(name string, size int, p Pager) (*Region, error) {
	pages, err := exo.TakePages(name, (size+PageSize-1)/PageSize)
	if err != nil {
		return nil, err
	}
	r := &Region{name: name, pages: pages, pager: p}
	pages.Pager(func(f exo.Fault) bool { return r.fault(f.Page, f.Write) == nil })
	return r, nil
}

// Bytes is the memory.
func (r *Region) Bytes() []byte { return r.pages.Bytes() }

// Pages is the number of pages.
func (r *Region) Pages() int { return r.pages.Pages() }

// Err is why the last fault that stood did: what the pager said. The program sees such a fault as SIGSEGV, or as a panic by
// debug.SetPanicOnFault.
func (r *Region) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *Region) fault(page int, write bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bringIn(page, write)
}

// patience is how often a page may be gone again when its pager has brought it in, because its frame was taken back, before that is the pager's fault.
const patience = 16

// bringIn makes a page accessible; mu is held. Another fault may have done so already.
func (r *Region) bringIn(page int, write bool) error {
	if r.closed {
		return ErrClosed
	}
	for range patience {
		if there, err := r.allows(page, write); there || err != nil {
			return err
		}
		if err := r.pager.Fault(r, page, write); err != nil {
			r.last = err
			return err
		}
	}
	if there, err := r.allows(page, write); there || err != nil {
		return err
	}
	r.last = &AbsentError{r.name, page, write}
	return r.last
}

// allows reports whether a page may be touched.
func (r *Region) allows(page int, write bool) (bool, error) {
	op := exo.Query(page)
	failed, err := r.apply(&op)
	return err == nil && !failed && op.Prot() != exo.ProtNone && (!write || op.Prot() == exo.ProtWrite), err
}

// An AbsentError says that a pager has answered a fault, again and again, and the page is not there.
type AbsentError struct {
	Region string
	Page   int
	Write  bool // it is needed for writing
}

func (e *AbsentError) Error() string {
	how := ""
	if e.Write {
		how = " for writing"
	}
	return "vm: page " + decimal(e.Page) + " of region " + e.Region + ": its pager says that it is there" + how + ", and it is not: Fault maps the page that it is asked for, or returns an error"
}

// Populate brings in the pages of n bytes from off on, for writing if write is set: what hands the memory to a system call or a device does it
// first.
//
// Errors: *RangeError, ErrClosed, the pager's.
func (r *Region) Populate(off, n int, write bool) error {
	return r.each(off, n, func(page int) error { return r.bringIn(page, write) })
}

// Drop forgets the contents of the pages that lie wholly in n bytes from off on. What they hold when touched again is the pager's to say.
//
// Errors: *RangeError, ErrClosed.
func (r *Region) Drop(off, n int) error {
	lo := (off + PageSize - 1) / PageSize * PageSize
	n = (off+n)/PageSize*PageSize - lo
	return r.locked(lo, max(n, 0), func() error {
		r.drop(lo/PageSize, max(n, 0)/PageSize)
		return nil
	})
}

func (r *Region) drop(page, n int) {
	if p, ok := r.pager.(RangePager); ok {
		p.DropRange(r, page, n)
		return
	}
	for i := range n {
		r.pager.Drop(r, page+i)
	}
}

// each does f to each page of n bytes from off on, with the region locked.
func (r *Region) each(off, n int, f func(page int) error) error {
	return r.locked(off, n, func() error {
		for page := off / PageSize; n > 0 && page <= (off+n-1)/PageSize; page++ {
			if err := f(page); err != nil {
				return err
			}
		}
		return nil
	})
}

// locked does f, which is about n bytes from off on, with the region locked.
func (r *Region) locked(off, n int, f func() error) error {
	if size := r.Pages() * PageSize; off < 0 || n < 0 || off > size-n {
		return &RangeError{r.name, off, n, size}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	return f()
}

// Close drops all pages and gives the addresses back. Nobody may touch the memory any more.
//
// Errors: ErrClosed; of exo.Pages.Release.
func (r *Region) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	r.drop(0, r.Pages())
	r.closed = true
	return r.pages.Release()
}

// The calls below are for pagers, which hold the region's lock.

// Map puts a frame at a page.
func (r *Region) Map(page int, f *exo.Frames, i int, p exo.Prot) error {
	op := exo.Map(page, f, i, p)
	_, err := r.apply(&op)
	return errors.Join(err, op.Err())
}

// mapFrame puts a frame of a pool at a page.
func (r *Region) mapFrame(page int, p *Pool, i int, prot exo.Prot) error {
	f, k := p.at(i)
	if f == nil {
		return ErrTaken
	}
	return r.Map(page, f, k, prot)
}

// Protect changes how a mapped page may be touched.
func (r *Region) Protect(page int, p exo.Prot) error {
	op := exo.Protect(page, p)
	_, err := r.apply(&op)
	return errors.Join(err, op.Err())
}

// Unmap takes a page's frame away. It tells whether there was one, and whether the page was written since it was mapped or cleaned; nobody writes to
// it any more.
func (r *Region) Unmap(page int) (was, written bool) {
	op := exo.Unmap(page)
	failed, err := r.apply(&op)
	return err == nil && !failed, op.Written()
}

// Used tells whether a mapped page was touched since the last time, and forgets it. It forgets as well that the page was written, and tells of that,
// too.
func (r *Region) Used(page int) (touched, written bool) {
	op := exo.Clean(page)
	if failed, err := r.apply(&op); failed || err != nil {
		return false, false
	}
	return op.Accessed(), op.Written()
}

func (r *Region) apply(op *exo.PageOp) (failed bool, err error) {
	ops := [1]exo.PageOp{*op}
	n, err := r.pages.Apply(ops[:])
	*op = ops[0]
	return n != 0, err
}

func decimal(n int) string {
	if n < 0 {
		return "-" + decimal(-n)
	}
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + string(rune('0'+n%10))
}
