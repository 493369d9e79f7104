package vm

import (
	"sync"

	"github.com/hardtack-os/hardtack/exo"
)

// A Pool is a number of frames that regions draw on. A pool may serve several regions.
type Pool struct {
	frames *exo.Frames

	mu   sync.Mutex
	free []int
}

// NewPool takes n frames for a holder.
//
// Errors: of exo.TakeFrames.
func NewPool(holder string, n int) (*Pool, error) {
	frames, err := exo.TakeFrames(holder, n, 0)
	if err != nil {
		return nil, err
	}
	p := &Pool{frames: frames}
	for i := n - 1; i >= 0; i-- {
		p.free = append(p.free, i)
	}
	return p, nil
}

// Take gives a frame by its index, -1 when none is free. Its contents are what its last user left.
func (p *Pool) Take() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free)
	if n == 0 {
		return -1
	}
	i := p.free[n-1]
	p.free = p.free[:n-1]
	return i
}

// Give gives a frame back.
func (p *Pool) Give(i int) {
	p.mu.Lock()
	p.free = append(p.free, i)
	p.mu.Unlock()
}

// Free is the number of free frames.
func (p *Pool) Free() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.free)
}

// Frame is the memory of a frame.
func (p *Pool) Frame(i int) []byte { return p.frames.Bytes()[i*PageSize:][:PageSize] }

// Close gives the frames back to exo. No region may use them any more.
func (p *Pool) Close() error { return p.frames.Release() }
