// Package bump is a frame allocator for images that do not live long: it hands out one frame after the other and takes none back, with the
// least code there can be. What the CPUs keep at hand is used again; all else that is freed is lost until the machine stops.
package bump

import "github.com/hardtack-os/hardtack/libos/vm/pool"

// A piece is RAM, from next on not handed out.
type piece struct{ next, end uintptr }

// state is the module's memory.
type state struct {
	n      uintptr
	pieces [pieces]piece
}

const (
	pieces = 48
	record = 8 + pieces*16
)

func need(uintptr) uintptr { return record }

func start(m *pool.Memory) { *(*state)(pool.At(m.Records)) = state{} }

func take(m *pool.Memory, n, align uintptr) uintptr {
	s := (*state)(pool.At(m.Records))
	for i := range s.pieces[:min(s.n, pieces)] {
		p := &s.pieces[i]
		first := (p.next + align - 1) &^ (align - 1)
		if first >= p.next && first <= p.end && p.end-first >= n {
			p.next = first + n
			return first
		}
	}
	return pool.None
}

// add joins what follows the last piece to it. What has no room in the list is lost.
func add(m *pool.Memory, first, n uintptr) {
	s := (*state)(pool.At(m.Records))
	if k := s.n - 1; k < pieces && s.pieces[k].end == first {
		s.pieces[k].end += n
	} else if s.n < pieces {
		s.pieces[s.n] = piece{first, first + n}
		s.n++
	}
}

func give(*pool.Memory, uintptr, uintptr) uintptr { return 0 }

// pick takes what comes next only: no hole is remembered.
func pick(m *pool.Memory, frame uintptr) bool {
	s := (*state)(pool.At(m.Records))
	for i := range s.pieces[:min(s.n, pieces)] {
		if p := &s.pieces[i]; frame == p.next && frame < p.end {
			p.next++
			return true
		}
	}
	return false
}
