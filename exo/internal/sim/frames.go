package sim

import "sync"

// frames is the simulated frame allocator: first fit over a row of flags.
type frames struct {
	first uintptr
	mu    sync.Mutex
	used  []bool // under mu
}

func (f *frames) take(n, align uintptr) uintptr {
	f.mu.Lock()
	defer f.mu.Unlock()
next:
	for i := uintptr(0); n > 0 && i+n <= uintptr(len(f.used)); i++ {
		if (f.first+i)*page%align != 0 {
			continue
		}
		for k := range n {
			if f.used[i+k] {
				continue next
			}
		}
		for k := range n {
			f.used[i+k] = true
		}
		return (f.first + i) * page
	}
	return 0
}

// takeOne takes the frame at phys if it is free.
func (f *frames) takeOne(phys uintptr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := phys/page - f.first
	if i >= uintptr(len(f.used)) || f.used[i] {
		return false
	}
	f.used[i] = true
	return true
}

func (f *frames) free(phys, n uintptr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k := range n {
		i := phys/page - f.first + k
		if !f.used[i] {
			panic("sim: a frame freed twice")
		}
		f.used[i] = false
	}
}

func (f *frames) count() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, u := range f.used {
		if u {
			n++
		}
	}
	return n
}

// FirstFrame is the number of the first frame that can be taken.
func (m *Machine) FirstFrame() uintptr { return m.frames.first }
