package vm

import (
	"errors"

	"github.com/hardtack-os/hardtack/exo"
)

// A lease is a revocable pool's side of its frames: capabilities derived from the program's own, whose handler chooses what to give up.
//
// What a pool gives up it chooses by whole chunks, from the highest on, so that the frames that come back are long runs. Which pages go is
// another question, and the policy's: a page in a chunk that goes is moved if the policy holds it dearer than one elsewhere.
type lease struct {
	p      *Pool
	holder string
	domain *exo.Domain
	want   int // frames, as the program asked
	least  int // of these, guaranteed

	// Under p.mu:
	spare []int                  // chunks that were given up: their numbers can be used again
	empty func(lo, hi int) error // frees the frames [lo, hi) of a closing chunk; nil while no pager can
}

// maxRun bounds a run of frames that is asked for at once, 128 MiB.
const maxRun = 1 << 15

// ErrTaken is the error of a page whose frame was taken by force, and with it what it held.
var ErrTaken = errors.New("vm: the page's frame was taken back by force, and what it held is lost: give frames up in time, or have more guaranteed")

// NewRevocablePool takes n frames for a holder that can do with fewer: a cache. When memory is short they are asked back (Reclaim), but never so that
// fewer than least stay, in whole chunks of 32. A Backed region on such a pool puts out what its policy names. Other pagers keep what is nowhere else:
// only frames that are free come from them before the deadline, and what is taken by force is lost, which ErrTaken tells.
//
// Errors: of exo.Domain.Extend and Cap.Guarantee.
func NewRevocablePool(holder string, n, least int) (*Pool, error) {
	domain, err := exo.Root().Sub(holder)
	if err != nil {
		return nil, err
	}
	least = min((max(least, 0)+chunkFrames-1)/chunkFrames*chunkFrames, n)
	l := &lease{holder: holder, domain: domain, want: n, least: least}
	l.p = &Pool{part: l}
	if _, err := l.extend(n, least); err != nil {
		domain.Release()
		return nil, err
	}
	offer(domain, l.regrow)
	return l.p, nil
}

// extend takes n frames more, in the longest runs there are, and has the first least of them guaranteed. It says how many came.
func (l *lease) extend(n, least int) (got int, err error) {
	root := exo.Root().Caps(exo.FrameSpace)[0]
	for run := min(n, maxRun); got < n; {
		run = min(run, n-got)
		names, err := exo.Root().Extend(l.domain, exo.FrameSpace, uint64(run), 0, exo.Bind|exo.Read|exo.Write)
		if err != nil {
			if none := (*exo.ExhaustedError)(nil); errors.As(err, &none) && run > chunkFrames {
				run = max(run/2/chunkFrames, 1) * chunkFrames
				continue
			}
			return got, err
		}
		c := l.capOf(names)
		if k := min(least, run); k > 0 {
			if err := root.Guarantee(c, uint64(k)); err != nil {
				return got, err
			}
			least -= k
		}
		if err := l.add(c, names); err != nil {
			return got, err
		}
		got += run
	}
	return got, nil
}

func (l *lease) capOf(names exo.Range) exo.Cap {
	for _, c := range l.domain.Caps(exo.FrameSpace) {
		if have := c.Names(); len(have) == 1 && have[0] == names {
			return c
		}
	}
	return exo.Cap{}
}

// add binds a run of frames chunk by chunk, and lets the pool use them.
func (l *lease) add(c exo.Cap, names exo.Range) error {
	if err := c.Handle(func(r *exo.Request) { l.give(c, r) }); err != nil {
		return err
	}
	return l.bind(c, names)
}

func (l *lease) bind(c exo.Cap, names exo.Range) error {
	for lo := names.Lo; lo <= names.Hi; lo += chunkFrames {
		n := int(min(names.Hi-lo+1, chunkFrames))
		f, err := exo.BindFrames(c, l.holder, exo.Phys(lo)*PageSize, n)
		if err != nil {
			return err // asked back already
		}
		l.open(chunk{frames: f, n: n, from: c})
	}
	return nil
}

// open gives a chunk a number.
func (l *lease) open(c chunk) {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	k := len(p.chunks)
	if n := len(l.spare); n > 0 {
		k = l.spare[n-1]
		l.spare = l.spare[:n-1]
		p.chunks[k] = c
	} else {
		p.chunks = append(p.chunks, c)
	}
	for i := c.n - 1; i >= 0; i-- {
		p.free = append(p.free, k*chunkFrames+i)
	}
}

// give is the handler of one capability: chunks go, from the highest on, until enough have.
func (l *lease) give(c exo.Cap, r *exo.Request) {
	tried := map[int]bool{}
	for given := uint64(0); given < r.Names; {
		k := l.pick(c, tried)
		if k < 0 {
			return // nothing else can be emptied
		}
		tried[k] = true
		if n := l.giveChunk(k, r); n > 0 {
			given += uint64(n)
		} else {
			l.reopen(k)
		}
	}
}

// pick closes the chunk of a capability that is highest in memory and was not tried yet; -1 if there is none.
func (l *lease) pick(c exo.Cap, tried map[int]bool) int {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	best := -1
	for k := range p.chunks {
		if h := &p.chunks[k]; h.from == c && !h.closing && !tried[k] && h.frames != nil && h.frames.Err() == nil &&
			(best < 0 || h.frames.Base() > p.chunks[best].frames.Base()) {
			best = k
		}
	}
	if best >= 0 {
		h := &p.chunks[best]
		h.closing = true
		h.idle = h.idle[:0]
		rest := p.free[:0]
		for _, i := range p.free {
			if i/chunkFrames == best {
				h.idle = append(h.idle, i)
			} else {
				rest = append(rest, i)
			}
		}
		p.free = rest
	}
	return best
}

// giveChunk empties a closing chunk and gives it up. 0: it could not be, or not in time.
func (l *lease) giveChunk(k int, r *exo.Request) int {
	p := l.p
	p.mu.Lock()
	h, empty := p.chunks[k], l.empty
	p.mu.Unlock()
	if len(h.idle) < h.n {
		if empty == nil || empty(k*chunkFrames, k*chunkFrames+h.n) != nil {
			return 0
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.chunks[k].idle) < h.n {
		return 0
	}
	base := h.frames.Base()
	if h.frames.Release() == nil { // first: what nobody has bound is given up without a stop of the world
		lo := uint64(base) / PageSize
		if r.GiveUp(lo, lo+uint64(h.n)-1) == nil {
			p.chunks[k] = chunk{}
			l.spare = append(l.spare, k)
			return h.n
		}
		if f, err := exo.BindFrames(h.from, l.holder, base, h.n); err == nil { // too late
			p.chunks[k].frames = f
		}
	}
	return 0
}

// reopen lets the pool use a chunk again.
func (l *lease) reopen(k int) {
	p := l.p
	p.mu.Lock()
	defer p.mu.Unlock()
	h := &p.chunks[k]
	p.free = append(p.free, h.idle...)
	h.closing, h.idle = false, nil
}

// regrow takes frames again, n at most, until the pool has what it was made with.
func (l *lease) regrow(n int) (got int) {
	for _, c := range l.domain.Caps(exo.FrameSpace) {
		for _, names := range c.Free() {
			l.bind(c, names) // of chunks that ended by force only some frames were wanted
		}
	}
	l.p.mu.Lock()
	have := 0
	for k := range l.p.chunks {
		if h := &l.p.chunks[k]; h.frames != nil && h.frames.Err() == nil {
			have += h.n
		}
	}
	l.p.mu.Unlock()
	if n = min(n, l.want-have); n > 0 {
		got, _ = l.extend(n, 0)
	}
	return got
}

func (l *lease) end() error {
	withdraw(l.domain)
	return l.domain.Release()
}
