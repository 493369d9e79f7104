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
	back    Backing
	pool    *Pool
	policy  Policy
	at      map[int]int  // frame by page
	in      map[int]int  // page by frame
	dirty   map[int]bool // pages that were written before the policy asked; on a revocable pool all that were written
	lost    map[int]bool // pages that were written and then taken by force
	page    []byte       // of a revocable pool: a page on its way to or from the backing
	seen    map[int]bool // pages that Sync found touched
	touched map[int]bool // answers about pages that the policy has not asked for yet
	stats   Stats
}

// Stats count what a Backed pager did.
type Stats struct {
	Reads  int // pages brought in
	Writes int // pages written back
	Moved  int // pages that changed their frame because theirs was given up
	Taken  int // pages whose frame was taken by force
}

// NewBacked gives such a pager. It serves one region, and has the pool for itself.
func NewBacked(back Backing, pool *Pool, policy Policy) *Backed {
	return &Backed{back: back, pool: pool, policy: policy, at: map[int]int{}, in: map[int]int{}, dirty: map[int]bool{}, lost: map[int]bool{}, seen: map[int]bool{}}
}

// A PolicyError says that a policy named a page that is not in memory.
type PolicyError struct{ Page int }

func (e *PolicyError) Error() string {
	return "vm: the policy's victim, page " + decimal(e.Page) + ", is not in memory: it may name only pages that it was told of by In and not by Out"
}

// Fault implements Pager.
func (b *Backed) Fault(r *Region, page int, write bool) error {
	b.pool.emptiedBy(func(lo, hi int) error { return b.vacate(r, lo, hi) })
	if i, in := b.at[page]; in && b.pool.alive(i) {
		// It was mapped for reading, or it was moved, or could not be put out, and is not mapped.
		b.dirty[page] = b.dirty[page] || write
		return r.mapFrame(page, b.pool, i, b.prot(page))
	} else if in {
		b.taken(page, i)
	}
	if b.lost[page] {
		return ErrTaken
	}
	i := b.pool.Take()
	for i < 0 && len(b.at) > 0 {
		if err := b.evict(r); err != nil {
			return err
		}
		i = b.pool.Take()
	}
	if i < 0 {
		return ErrNoFrame
	}
	if err := b.read(page, i); err != nil {
		b.pool.Give(i)
		return err
	}
	b.stats.Reads++
	if write && b.pool.part != nil {
		b.dirty[page] = true
	}
	if err := r.mapFrame(page, b.pool, i, b.prot(page)); err != nil {
		delete(b.dirty, page)
		b.pool.Give(i)
		return err
	}
	b.at[page], b.in[i] = i, page
	b.policy.In(page)
	return nil
}

// prot is how a page is mapped. What a revocable pool loses by force may be read again only if it was not written: there the first write is a fault.
func (b *Backed) prot(page int) exo.Prot {
	if b.pool.part != nil && !b.dirty[page] {
		return exo.ProtRead
	}
	return exo.ProtWrite
}

// evict puts out the policy's victim. A page that cannot be written back stays.
func (b *Backed) evict(r *Region) error {
	if len(b.at) == 0 {
		return ErrNoFrame
	}
	page := b.policy.Victim(func(page int) bool { return b.used(r, page) })
	i, ok := b.at[page]
	if !ok {
		return &PolicyError{page}
	}
	if !b.pool.alive(i) {
		b.taken(page, i)
		return nil
	}
	_, written := r.Unmap(page)
	if written || b.dirty[page] {
		b.dirty[page] = true // until it is written
		if err := b.write(page, i); err == ErrTaken {
			b.taken(page, i)
			return nil
		} else if err != nil {
			if e := r.mapFrame(page, b.pool, i, exo.ProtWrite); e != nil {
				return e
			}
			return err
		}
		b.stats.Writes++
	}
	b.forget(page, i)
	return nil
}

// used tells the policy whether a page was touched since it asked last.
func (b *Backed) used(r *Region, page int) bool {
	if touched, known := b.touched[page]; known {
		delete(b.touched, page)
		return touched
	}
	touched, written := r.Used(page)
	if written {
		b.dirty[page] = true
	}
	touched = touched || b.seen[page]
	delete(b.seen, page)
	return touched
}

func (b *Backed) forget(page, frame int) {
	b.release(page, frame)
	b.policy.Out(page)
}

// release is forget for a page that the policy knows to be out.
func (b *Backed) release(page, frame int) {
	delete(b.at, page)
	delete(b.in, frame)
	delete(b.dirty, page)
	delete(b.touched, page)
	delete(b.seen, page)
	b.pool.Give(frame)
}

// taken notes that a page's frame is gone. What was written to it is lost, which who touches it is told; what was only read can be read again.
func (b *Backed) taken(page, frame int) {
	b.noteTaken(page)
	b.forget(page, frame)
}

func (b *Backed) noteTaken(page int) {
	b.stats.Taken++
	if b.dirty[page] {
		b.lost[page] = true
	}
}

// Drop implements Pager: the page is put out without being written back.
func (b *Backed) Drop(r *Region, page int) {
	delete(b.lost, page)
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
		touched, written := r.Used(page)
		if touched {
			b.seen[page] = true
		}
		if !written && !b.dirty[page] {
			return nil
		}
		b.dirty[page] = true // until it is written: an error must not lose it
		if b.pool.part != nil {
			r.Protect(page, exo.ProtRead) // one that was moved is not mapped, and will be so
		}
		if err := b.write(page, i); err != nil {
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
