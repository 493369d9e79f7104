package vm

import (
	"errors"

	"github.com/hardtack-os/hardtack/exo"
)

// ErrNoFrame is a fault that found the pool empty.
var ErrNoFrame = errors.New("vm: the pool has no frame left: drop pages of a region, or make the pool larger")

// Zero is a pager of pages that are zero at first touch.
type Zero struct {
	pool *Pool
	at   map[int]int // frame by page
}

// NewZero gives such a pager with frames from pool. It serves one region.
func NewZero(pool *Pool) *Zero { return &Zero{pool: pool, at: map[int]int{}} }

// Fault implements Pager.
func (z *Zero) Fault(r *Region, page int, _ bool) error {
	if i, ok := z.at[page]; ok && !z.pool.alive(i) {
		return ErrTaken
	}
	i := z.pool.Take()
	if i < 0 {
		return ErrNoFrame
	}
	clear(z.pool.Frame(i))
	if err := r.mapFrame(page, z.pool, i, exo.ProtWrite); err != nil {
		z.pool.Give(i)
		return err
	}
	z.at[page] = i
	return nil
}

// Drop implements Pager.
func (z *Zero) Drop(r *Region, page int) {
	if i, ok := z.at[page]; ok {
		r.Unmap(page)
		delete(z.at, page)
		z.pool.Give(i)
	}
}
