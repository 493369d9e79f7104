//go:build !hardtack

// Package ram is a machine that has memory and nothing else: what tests of memory management put beneath exo.
package ram

import (
	"sync"
	"unsafe"

	"github.com/hardtack-os/hardtack/exo"
)

// Machine is an exo.Machine. What it does not have panics.
type Machine struct {
	exo.Machine
	mem []byte

	mu   sync.Mutex
	used map[uintptr]bool // under mu
}

// base is where its memory begins.
const base = 1 << 20

// New makes a machine with so many frames.
func New(frames int) *Machine {
	return &Machine{mem: make([]byte, frames*exo.PageSize), used: map[uintptr]bool{}}
}

// DirectMap implements exo.Machine.
func (m *Machine) DirectMap(phys, size uintptr) uintptr {
	if phys < base || phys+size > base+uintptr(len(m.mem)) {
		return 0
	}
	return uintptr(unsafe.Pointer(&m.mem[phys-base]))
}

// Frames implements exo.Machine: the first that fit.
func (m *Machine) Frames(n, align uintptr) uintptr {
	m.mu.Lock()
	defer m.mu.Unlock()
	for at := (base + align - 1) &^ (align - 1); at+n*exo.PageSize <= base+uintptr(len(m.mem)); at += align {
		k := at
		for k < at+n*exo.PageSize && !m.used[k] {
			k += exo.PageSize
		}
		if k == at+n*exo.PageSize {
			for k := at; k < at+n*exo.PageSize; k += exo.PageSize {
				m.used[k] = true
			}
			clear(m.mem[at-base:][:n*exo.PageSize])
			return at
		}
	}
	return 0
}

// FreeFrames implements exo.Machine.
func (m *Machine) FreeFrames(phys, n uintptr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ; n > 0; n-- {
		if !m.used[phys] {
			panic("a frame freed twice")
		}
		delete(m.used, phys)
		phys += exo.PageSize
	}
}

// CPUs implements exo.Machine.
func (*Machine) CPUs() int { return 1 }

// CountFrames implements exo.Machine.
func (m *Machine) CountFrames() (free, total uintptr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	total = uintptr(len(m.mem) / exo.PageSize)
	return total - uintptr(len(m.used)), total
}
