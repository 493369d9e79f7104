package vm

import (
	"sync"

	"github.com/hardtack-os/hardtack/exo"
)

// A Pool is a number of frames that regions draw on. A pool may serve several regions. Its frames have numbers: chunks of a fixed
// size, each bound from exo by itself or part of one binding.
type Pool struct {
	part *lease // nil: the frames are the pool's until Close

	mu     sync.Mutex // after a region's
	chunks []chunk
	free   []int
}

// chunkFrames is how many frames a chunk has at most: what a revocable pool gives up at a time.
const chunkFrames = 32

// A chunk is the frames from number i*chunkFrames on.
//
// It is closing from when a revocable pool chose it to be given up until it is empty and gone, or opened again because that
// failed. Its free frames are in idle then, and not in the pool's free ones.
type chunk struct {
	frames  *exo.Frames // nil: there is none
	first   int         // frame in frames
	n       int
	from    exo.Cap // of a revocable pool
	closing bool
	idle    []int
}

// NewPool takes n frames for a holder.
//
// Errors: of exo.TakeFrames.
func NewPool(holder string, n int) (*Pool, error) {
	frames, err := exo.TakeFrames(holder, n, 0)
	if err != nil {
		return nil, err
	}
	p := &Pool{}
	for i := 0; i < n; i += chunkFrames {
		p.chunks = append(p.chunks, chunk{frames: frames, first: i, n: min(n-i, chunkFrames)})
	}
	for i := n - 1; i >= 0; i-- {
		p.free = append(p.free, i)
	}
	return p, nil
}

// Take gives a frame by its number, -1 when none is free. Its contents are what its last user left.
func (p *Pool) Take() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := len(p.free) - 1; n >= 0; n-- {
		i := p.free[n]
		p.free = p.free[:n]
		if p.part == nil || p.lives(i) {
			return i
		}
	}
	return -1
}

// Give gives a frame back.
func (p *Pool) Give(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := &p.chunks[i/chunkFrames]; c.closing {
		c.idle = append(c.idle, i)
	} else {
		p.free = append(p.free, i)
	}
}

// Free is the number of free frames.
func (p *Pool) Free() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.free {
		if p.part == nil || p.lives(i) {
			n++
		}
	}
	return n
}

// Frame is the memory of a frame; empty if it was taken by force.
func (p *Pool) Frame(i int) []byte {
	f, k := p.at(i)
	if f == nil {
		return nil
	}
	b := f.Bytes()
	return b[min(k*PageSize, len(b)):min((k+1)*PageSize, len(b))]
}

// at is where a frame is bound: the binding, and its place there.
func (p *Pool) at(i int) (*exo.Frames, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.chunks[i/chunkFrames]
	return c.frames, c.first + i%chunkFrames
}

// alive says whether a frame is still the pool's.
func (p *Pool) alive(i int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.part == nil || p.lives(i)
}

// lives is alive with mu held.
func (p *Pool) lives(i int) bool {
	f := p.chunks[i/chunkFrames].frames
	return f != nil && f.Err() == nil
}

// Close gives the frames back to exo. No region may use them any more.
func (p *Pool) Close() error {
	if p.part != nil {
		return p.part.end()
	}
	return p.chunks[0].frames.Release()
}
