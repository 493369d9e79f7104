// Package lifo is a frame allocator in a page: what was freed last is handed out first, while it may still be in a cache. Runs of frames come from
// memory that was never used.
//
//	mkimage run --vm github.com/hardtack-os/hardtack/samples/libos/frames/lifo ./samples/libos/frames
package lifo

import (
	_ "unsafe" // for linkname

	"github.com/hardtack-os/hardtack/libos/vm/pool"
)

// state is followed by the stack: the numbers of free frames, 4 bytes each.
type state struct {
	next, end uintptr // memory that was never used
	depth     uintptr // of the stack
}

const stateSize = 24

func slot(m *pool.Memory, i uintptr) *uint32 {
	return (*uint32)(pool.At(m.Records + stateSize + i*4))
}

//go:linkname need runtime.exoPoolNeed
func need(n uintptr) uintptr { return stateSize + n*4 }

//go:linkname start runtime.exoPoolStart
func start(m *pool.Memory) { *(*state)(pool.At(m.Records)) = state{} }

// add keeps the newest memory for runs and makes single frames of what was left of the last.
//
//go:linkname add runtime.exoPoolAdd
func add(m *pool.Memory, first, n uintptr) {
	s := (*state)(pool.At(m.Records))
	if first == s.end {
		s.end += n
		return
	}
	give(m, s.next, s.end-s.next)
	s.next, s.end = first, first+n
}

//go:linkname take runtime.exoPoolTake
func take(m *pool.Memory, n, align uintptr) uintptr {
	s := (*state)(pool.At(m.Records))
	if n == 1 && align == 1 && s.depth > 0 {
		s.depth--
		return uintptr(*slot(m, s.depth))
	}
	first := (s.next + align - 1) &^ (align - 1)
	if first < s.next || first > s.end || s.end-first < n {
		return pool.None
	}
	give(m, s.next, first-s.next)
	s.next = first + n
	return first
}

//go:linkname give runtime.exoPoolGive
func give(m *pool.Memory, first, n uintptr) uintptr {
	s := (*state)(pool.At(m.Records))
	for i := range n {
		if s.depth == m.N {
			return pool.None // more than there are: some were free already
		}
		*slot(m, s.depth) = uint32(first + i)
		s.depth++
	}
	return n
}

//go:linkname pick runtime.exoPoolPick
func pick(m *pool.Memory, frame uintptr) bool {
	s := (*state)(pool.At(m.Records))
	for i := range s.depth {
		if p := slot(m, i); uintptr(*p) == frame {
			s.depth--
			*p = *slot(m, s.depth)
			return true
		}
	}
	return false
}
