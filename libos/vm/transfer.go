package vm

// A frame of a revocable pool may be somebody else's from one instruction to the next. So no backing is given such a frame: pages go through a buffer, and
// what is copied between the two counts only if the frame was the pool's.

// read fills a frame with a page.
func (b *Backed) read(page, frame int) error {
	if b.pool.part == nil {
		return b.back.ReadPage(page, b.pool.Frame(frame))
	}
	if err := b.back.ReadPage(page, b.buffer()); err != nil {
		return err
	}
	if !b.pool.copyIn(frame, b.buffer()) {
		return ErrTaken
	}
	return nil
}

// write gives a page to the backing. ErrTaken: it is lost.
func (b *Backed) write(page, frame int) error {
	if b.pool.part == nil {
		return b.back.WritePage(page, b.pool.Frame(frame))
	}
	if !b.pool.copyOut(b.buffer(), frame) {
		return ErrTaken
	}
	return b.back.WritePage(page, b.buffer())
}

// buffer is a page of memory, under the region's lock.
func (b *Backed) buffer() []byte {
	if b.page == nil {
		b.page = make([]byte, PageSize)
	}
	return b.page
}

func (p *Pool) copyIn(frame int, from []byte) bool {
	f, k := p.at(frame)
	return f != nil && f.CopyIn(uintptr(k)*PageSize, from)
}

func (p *Pool) copyOut(to []byte, frame int) bool {
	f, k := p.at(frame)
	return f != nil && f.CopyOut(to, uintptr(k)*PageSize)
}
