package flow

import (
	"slices"
	"sync"

	"github.com/hardtack-os/hardtack/exo"
)

// names are a device's numbers of one kind and who has them. This is the seam to exo's capabilities: see the package's documentation.
type names struct {
	space  string // for errors: "queue of eth0"
	lo, hi uint64 // both included

	mu    sync.Mutex
	bound []*binding // under mu; by lo
}

// A binding is a range of names that somebody has.
type binding struct {
	of     *names
	lo, hi uint64 // both included
	holder string
	unbind func() // makes use impossible; called once, under of.mu
}

// bind gives [lo, hi] to holder. Errors: *exo.HeldError, *exo.RangeError.
func (s *names) bind(holder string, lo, hi uint64, unbind func()) (*binding, error) {
	if hi < lo || lo < s.lo || hi > s.hi {
		return nil, &exo.RangeError{Space: s.space, Lo: lo, Hi: hi, Have: s.lo, Last: s.hi, Why: "ask for some of those that there are"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.from(lo)
	if at < len(s.bound) && s.bound[at].lo <= hi {
		b := s.bound[at]
		return nil, &exo.HeldError{Space: s.space, Lo: lo, Hi: hi, Holder: b.holder, At: b.lo, To: b.hi}
	}
	b := &binding{of: s, lo: lo, hi: hi, holder: holder, unbind: unbind}
	s.bound = slices.Insert(s.bound, at, b)
	return b, nil
}

// release ends the binding. Error: *exo.ReleasedError if it had ended before.
func (b *binding) release() error {
	if b == nil {
		return &exo.ReleasedError{Space: "empty"}
	}
	s := b.of
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.from(b.lo)
	if at == len(s.bound) || s.bound[at] != b {
		return &exo.ReleasedError{Space: s.space}
	}
	s.bound = slices.Delete(s.bound, at, at+1)
	b.unbind()
	return nil
}

// from is the index of the first binding that ends at or behind a name; mu held.
func (s *names) from(name uint64) int {
	at, _ := slices.BinarySearchFunc(s.bound, name, func(b *binding, name uint64) int {
		if b.hi < name {
			return -1
		}
		return 1
	})
	return at
}
