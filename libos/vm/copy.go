package vm

import (
	"sync"

	"github.com/hardtack-os/hardtack/exo"
)

// Shared is a pager of pages that several regions share until one of them writes. A page that nobody has written is zero. Its regions
// come from [NewShared] and [Region.Copy].
type Shared struct {
	pool  *Pool
	group *group
	at    map[int]int // frame by page
}

// group is what regions that share frames have in common. Its lock is taken after a region's, never two regions' at a time.
type group struct {
	mu    sync.Mutex
	users map[int]int // regions by frame
}

// NewShared gives such a pager, with frames from pool, for a first region.
func NewShared(pool *Pool) *Shared {
	return &Shared{pool: pool, group: &group{users: map[int]int{}}, at: map[int]int{}}
}

// Fault implements Pager.
func (s *Shared) Fault(r *Region, page int, write bool) error {
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	old, shared := s.at[page]
	if shared && !s.pool.alive(old) {
		return ErrTaken
	}
	if shared && !write {
		return r.mapFrame(page, s.pool, old, exo.ProtRead)
	}
	if shared && s.group.users[old] == 1 {
		return r.mapFrame(page, s.pool, old, exo.ProtWrite) // the others have copies by now
	}
	i := s.pool.Take()
	if i < 0 {
		return ErrNoFrame
	}
	if shared {
		copy(s.pool.Frame(i), s.pool.Frame(old))
		s.group.users[old]--
	} else {
		clear(s.pool.Frame(i))
	}
	s.at[page] = i
	s.group.users[i] = 1
	return r.mapFrame(page, s.pool, i, exo.ProtWrite)
}

// Drop implements Pager.
func (s *Shared) Drop(r *Region, page int) {
	i, ok := s.at[page]
	if !ok {
		return
	}
	r.Unmap(page)
	delete(s.at, page)
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	if s.group.users[i]--; s.group.users[i] == 0 {
		delete(s.group.users, i)
		s.pool.Give(i)
	}
}

// Copy gives a region with the same contents, at once: both share all frames until either writes to a page. The region's pager must be a
// *Shared.
//
// Errors: *PagerError, ErrClosed, of Reserve.
func (r *Region) Copy(name string) (*Region, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.pager.(*Shared)
	switch {
	case r.closed:
		return nil, ErrClosed
	case !ok:
		return nil, &PagerError{r.name}
	}
	c := &Shared{pool: s.pool, group: s.group, at: map[int]int{}}
	n, err := Reserve(name, r.Pages()*PageSize, c)
	if err != nil {
		return nil, err
	}
	ops := make([]exo.PageOp, 0, len(s.at))
	s.group.mu.Lock()
	defer s.group.mu.Unlock()
	for page, i := range s.at {
		c.at[page] = i
		s.group.users[i]++
		ops = append(ops, exo.Protect(page, exo.ProtRead))
	}
	_, err = r.pages.Apply(ops) // of the new region, nothing is mapped until it is touched
	return n, err
}

// PagerError says that a region's pager cannot copy it.
type PagerError struct{ Region string }

func (e *PagerError) Error() string {
	return "vm: region " + e.Region + " cannot be copied: reserve it with NewShared"
}
