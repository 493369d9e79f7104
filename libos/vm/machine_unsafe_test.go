//go:build !hardtack

package vm

import (
	"sync"
	"testing"
	"unsafe"

	"github.com/hardtack-os/hardtack/exo"
)

// ram is a machine that has memory and nothing else.
type ram struct {
	exo.Machine
	mem []byte

	mu   sync.Mutex
	used map[uintptr]bool // under mu
}

// machine puts a simulated machine beneath exo.
func machine(t testing.TB) {
	t.Helper()
	t.Cleanup(exo.Simulate(&ram{mem: make([]byte, 8<<20), used: map[uintptr]bool{}}))
}

// ramBase is where its memory begins.
const ramBase = 1 << 20

// DirectMap implements exo.Machine.
func (m *ram) DirectMap(phys, size uintptr) uintptr {
	if phys < ramBase || phys+size > ramBase+uintptr(len(m.mem)) {
		return 0
	}
	return uintptr(unsafe.Pointer(&m.mem[phys-ramBase]))
}

// Frames implements exo.Machine: the first that fit.
func (m *ram) Frames(n, align uintptr) uintptr {
	m.mu.Lock()
	defer m.mu.Unlock()
	for at := (ramBase + align - 1) &^ (align - 1); at+n*PageSize <= ramBase+uintptr(len(m.mem)); at += align {
		k := at
		for k < at+n*PageSize && !m.used[k] {
			k += PageSize
		}
		if k == at+n*PageSize {
			for k := at; k < at+n*PageSize; k += PageSize {
				m.used[k] = true
			}
			clear(m.mem[at-ramBase:][:n*PageSize])
			return at
		}
	}
	return 0
}

// FreeFrames implements exo.Machine.
func (m *ram) FreeFrames(phys, n uintptr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ; n > 0; n-- {
		if !m.used[phys] {
			panic("a frame freed twice")
		}
		delete(m.used, phys)
		phys += PageSize
	}
}

// CPUs implements exo.Machine.
func (*ram) CPUs() int { return 1 }
