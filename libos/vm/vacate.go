package vm

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
// stay are moved. It parks for what must be written back.
func (b *Backed) vacate(r *Region, lo, hi int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := lo; i < hi; i++ {
		page, used := b.in[i]
		if !used {
			continue
		}
		to := b.pool.Take() // never of a chunk that is closing
		for to < 0 && used {
			if err := b.evict(r); err != nil {
				return err
			}
			_, used = b.in[i] // it may have been this one
			to = b.pool.Take()
		}
		if !used {
			if to >= 0 {
				b.pool.Give(to)
			}
			continue
		}
		if err := b.move(r, page, i, to); err != nil {
			return err
		}
	}
	return nil
}

// move brings a page to another frame.
func (b *Backed) move(r *Region, page, from, to int) error {
	if _, written := r.Unmap(page); written {
		b.dirty[page] = true
	}
	if !b.pool.copyOut(b.buffer(), from) {
		b.pool.Give(to)
		b.taken(page, from)
		return nil
	}
	if !b.pool.copyIn(to, b.buffer()) {
		return ErrTaken // of the other frame: the page is in its own still
	}
	if err := r.mapFrame(page, b.pool, to, b.prot(page)); err != nil {
		b.pool.Give(to)
		return err // the page is in its old frame still, and the next touch maps it
	}
	delete(b.in, from)
	b.at[page], b.in[to] = to, page
	b.pool.Give(from)
	b.stats.Moved++
	return nil
}
