//go:build !hardtack

package exo

import (
	"testing"

	"github.com/hardtack-os/hardtack/exo/internal/sim"
)

const (
	testIOAPIC  = 0xfec00000
	testIOAPIC2 = 0xfec10000
)

// simulated puts a machine with 1 MiB of RAM and one I/O APIC beneath exo for the length of a test.
func simulated(t testing.TB) (*sim.Machine, *sim.IOAPIC) {
	t.Helper()
	m := sim.New(1 << 20)
	t.Cleanup(Simulate(m))
	return m, m.AddIOAPIC(testIOAPIC)
}

// words is a device that remembers.
type words struct {
	b      [4096]byte
	loads  int
	stores int
}

func (w *words) Load(off uintptr, width int) (v uint64) {
	w.loads++
	for i := width - 1; i >= 0; i-- {
		v = v<<8 | uint64(w.b[off+uintptr(i)])
	}
	return v
}

func (w *words) Store(off uintptr, width int, v uint64) {
	w.stores++
	for i := range width {
		w.b[off+uintptr(i)] = byte(v >> (8 * i))
	}
}
