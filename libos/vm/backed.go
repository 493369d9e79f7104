package vm

import "github.com/hardtack-os/hardtack/exo"

// A Backing is where the pages of a region are when they are not in memory: a file, a disk's extent, a computation.
type Backing interface {
	// ReadPage fills to, one page, with what the page holds.
	ReadPage(page int, to []byte) error

	// WritePage keeps a page that was changed.
	WritePage(page int, from []byte) error
}

// A Policy chooses which page makes room for another. Its methods are called with the region locked.
type Policy interface {
	In(page int)  // a page was brought in
	Out(page int) // a page is gone; it may not have been the victim

	// Victim names one of the pages that are in. used tells whether a page was touched since it was last asked about.
	Victim(used func(page int) bool) int
}

// Backed is a pager that holds as many pages in memory as its pool has frames.
type Backed struct {
	back   Backing
	pool   *Pool
	policy Policy
	at     map[int]int  // frame by page
	dirty  map[int]bool // pages that were written before the policy asked
	stats  Stats
}

// Stats count what a Backed pager did.
type Stats struct {
	Reads  int // pages brought in
	Writes int // pages written back
}

// NewBacked gives such a pager. It serves one region, and has the pool for itself.
func NewBacked(back Backing, pool *Pool, policy Policy) *Backed {
	return &Backed{back: back, pool: pool, policy: policy, at: map[int]int{}, dirty: map[int]bool{}}
}

// A PolicyError says that a policy named a page that is not in memory.
type PolicyError struct{ Page int }

func (e *PolicyError) Error() string {
	return "vm: the policy's victim, page " + decimal(e.Page) + ", is not in memory: it may name only pages that it was told of by In and not by Out"
}

// Fault implements Pager.
func (b *Backed) Fault(r *Region, page int, _ bool) error {
	i := b.pool.Take()
	if i < 0 {
		if err := b.evict(r); err != nil {
			return err
		}
		if i = b.pool.Take(); i < 0 {
			return ErrNoFrame
		}
	}
	if err := b.back.ReadPage(page, b.pool.Frame(i)); err != nil {
		b.pool.Give(i)
		return err
	}
	b.stats.Reads++
	if err := r.Map(page, b.pool.frames, i, exo.ProtWrite); err != nil {
		b.pool.Give(i)
		return err
	}
	b.at[page] = i
	b.policy.In(page)
	return nil
}

// evict puts out the policy's victim. A page that cannot be written back stays.
func (b *Backed) evict(r *Region) error {
	page := b.policy.Victim(func(page int) bool {
		touched, written := r.Used(page)
		if written {
			b.dirty[page] = true
		}
		return touched
	})
	i, ok := b.at[page]
	if !ok {
		return &PolicyError{page}
	}
	_, written := r.Unmap(page)
	if written || b.dirty[page] {
		if err := b.back.WritePage(page, b.pool.Frame(i)); err != nil {
			b.dirty[page] = true
			if e := r.Map(page, b.pool.frames, i, exo.ProtWrite); e != nil {
				return e
			}
			return err
		}
		b.stats.Writes++
	}
	b.forget(page, i)
	return nil
}

func (b *Backed) forget(page, frame int) {
	delete(b.at, page)
	delete(b.dirty, page)
	b.policy.Out(page)
	b.pool.Give(frame)
}

// Drop implements Pager: the page is put out without being written back.
func (b *Backed) Drop(r *Region, page int) {
	if i, ok := b.at[page]; ok {
		r.Unmap(page)
		b.forget(page, i)
	}
}

// Sync writes back all pages that were changed.
//
// Errors: ErrClosed, the backing's.
func (b *Backed) Sync(r *Region) error {
	return r.each(0, r.Pages()*PageSize, func(page int) error {
		i, ok := b.at[page]
		if !ok {
			return nil
		}
		if _, written := r.Used(page); !written && !b.dirty[page] {
			return nil
		}
		b.dirty[page] = true // until it is written: an error must not lose it
		if err := b.back.WritePage(page, b.pool.Frame(i)); err != nil {
			return err
		}
		delete(b.dirty, page)
		b.stats.Writes++
		return nil
	})
}

// Stats gives the counts so far.
func (b *Backed) Stats(r *Region) Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return b.stats
}
