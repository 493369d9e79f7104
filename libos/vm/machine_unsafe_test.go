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
	used uintptr
}

// machine puts a simulated machine beneath exo.
func machine(t testing.TB) {
	t.Helper()
	t.Cleanup(exo.Simulate(&ram{mem: make([]byte, 8<<20)}))
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

// Frames implements exo.Machine: no frame is given out twice.
func (m *ram) Frames(n, align uintptr) uintptr {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := (ramBase + m.used + align - 1) &^ (align - 1)
	if at+n*PageSize > ramBase+uintptr(len(m.mem)) {
		return 0
	}
	m.used = at + n*PageSize - ramBase
	return at
}

// FreeFrames implements exo.Machine.
func (*ram) FreeFrames(uintptr, uintptr) {}

// CPUs implements exo.Machine.
func (*ram) CPUs() int { return 1 }
