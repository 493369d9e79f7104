package vm

import (
	"maps"
	"slices"

	"github.com/hardtack-os/hardtack/exo"
)

// emptiedBy tells a revocable pool how its frames are emptied.
func (p *Pool) emptiedBy(f func(lo, hi int) error) {
	if p.part == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.part.empty == nil {
		p.part.empty = f
	}
}

// vacate frees the frames [lo, hi) of a chunk that is closing: as many pages as do not fit elsewhere go, in the order of the policy; those of the chunk that
// stay are moved. It parks for what must be written back. Page tables change in batches: each change alone would interrupt all other CPUs.
func (b *Backed) vacate(r *Region, lo, hi int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	b.look(r)
	for {
		var pages []int
		for i := lo; i < hi; i++ {
			if page, used := b.in[i]; used {
				pages = append(pages, page)
			}
		}
		free := b.pool.Free() // none is of the chunk, which is closing
		if len(pages) <= free {
			return b.move(r, pages)
		}
		if err := b.evictAll(r, len(pages)-free); err != nil {
			return err
		}
	}
}

// look asks the processor about all pages at once, where the policy would ask page by page, as it does about few.
func (b *Backed) look(r *Region) {
	if len(b.touched) > 0 {
		return // there are answers that it did not want yet
	}
	b.touched = map[int]bool{}
	pages := slices.Collect(maps.Keys(b.at))
	for some := range slices.Chunk(pages, lookBatch) {
		ops := b.apply(r, some, exo.Clean)
		for i := range ops {
			b.touched[some[i]] = ops[i].Err() == nil && ops[i].Accessed()
		}
	}
}

// apply does an operation on pages that clears what the processor noted, and remembers which were written.
func (b *Backed) apply(r *Region, pages []int, op func(page int) exo.PageOp) []exo.PageOp {
	ops := make([]exo.PageOp, len(pages))
	for i, page := range pages {
		ops[i] = op(page)
	}
	if _, err := r.pages.Apply(ops); err != nil {
		return nil
	}
	for i, page := range pages {
		if ops[i].Err() == nil && ops[i].Written() {
			b.dirty[page] = true
		}
	}
	return ops
}

const lookBatch = 256

// evictAll puts out n pages that the policy names, or says why fewer.
func (b *Backed) evictAll(r *Region, n int) (err error) {
	var pages []int
	for len(pages) < n && len(b.at) > len(pages) {
		page := b.policy.Victim(func(page int) bool { return b.used(r, page) })
		if _, ok := b.at[page]; !ok || slices.Contains(pages, page) {
			err = &PolicyError{page}
			break
		}
		b.policy.Out(page)
		pages = append(pages, page)
	}
	b.apply(r, pages, exo.Unmap)
	for _, page := range pages {
		i := b.at[page]
		if b.dirty[page] {
			e := b.write(page, i)
			if e == nil {
				b.stats.Writes++
			} else if e == ErrTaken {
				b.noteTaken(page)
			} else { // it stays: the next touch maps it
				err = e
				b.policy.In(page)
				continue
			}
		}
		b.release(page, i)
	}
	return err
}

// move brings pages to other frames, of which there are enough. The next touch maps them.
func (b *Backed) move(r *Region, pages []int) error {
	b.apply(r, pages, exo.Unmap)
	for _, page := range pages {
		from, to := b.at[page], b.pool.Take()
		if to < 0 {
			return ErrNoFrame // some were taken meanwhile
		}
		if !b.pool.copyOut(b.buffer(), from) {
			b.pool.Give(to)
			b.taken(page, from)
			continue
		}
		if !b.pool.copyIn(to, b.buffer()) {
			return ErrTaken // of the other frame: the page is in its own still
		}
		delete(b.in, from)
		b.at[page], b.in[to] = to, page
		b.pool.Give(from)
		b.stats.Moved++
	}
	return nil
}
