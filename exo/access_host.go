//go:build !hardtack

package exo

import "sync"

// Comparison and access as one step. In an image they are a few instructions between which no goroutine can be stopped
// (access_amd64.s); here they hold inUse for reading.

var inUse sync.RWMutex

// hwQuiesce returns when no access is under way whose comparison was before the call.
func hwQuiesce() {
	inUse.Lock()
	inUse.Unlock() // to wait is all
}

// begin compares; end must follow the access.
func (m *MMIO) begin(off, n, size uintptr) (va uintptr, ok bool) {
	if off >= size || size-off < n || off&(n-1) != 0 {
		return 0, false
	}
	return m.va + off, true
}

func (m *MMIO) load(off, n uintptr) uint64 {
	inUse.RLock()
	defer inUse.RUnlock()
	va, ok := m.begin(off, n, m.readable.Load())
	if !ok {
		mmioRefuseLoad(m, off)
	}
	return host.Load(va, int(n))
}

func (m *MMIO) store(off, n uintptr, v uint64) {
	inUse.RLock()
	defer inUse.RUnlock()
	va, ok := m.begin(off, n, m.writable.Load())
	if !ok {
		mmioRefuseStore(m, off)
	}
	host.Store(va, int(n), v)
}

func mmioLoad8(m *MMIO, off uintptr) uint8       { return uint8(m.load(off, 1)) }
func mmioLoad16(m *MMIO, off uintptr) uint16     { return uint16(m.load(off, 2)) }
func mmioLoad32(m *MMIO, off uintptr) uint32     { return uint32(m.load(off, 4)) }
func mmioLoad64(m *MMIO, off uintptr) uint64     { return m.load(off, 8) }
func mmioStore8(m *MMIO, off uintptr, v uint8)   { m.store(off, 1, uint64(v)) }
func mmioStore16(m *MMIO, off uintptr, v uint16) { m.store(off, 2, uint64(v)) }
func mmioStore32(m *MMIO, off uintptr, v uint32) { m.store(off, 4, uint64(v)) }
func mmioStore64(m *MMIO, off uintptr, v uint64) { m.store(off, 8, v) }

func (p *Ports) in(off, n uint32) uint32 {
	inUse.RLock()
	defer inUse.RUnlock()
	if size := p.readable.Load(); off >= size || size-off < n {
		portsRefuseIn(p, off)
	}
	return portIn(p.first+uint16(off), int(n))
}

func (p *Ports) out(off, n, v uint32) {
	inUse.RLock()
	defer inUse.RUnlock()
	if size := p.writable.Load(); off >= size || size-off < n {
		portsRefuseOut(p, off)
	}
	portOut(p.first+uint16(off), int(n), v)
}

func portsIn8(p *Ports, off uint32) uint8       { return uint8(p.in(off, 1)) }
func portsIn16(p *Ports, off uint32) uint16     { return uint16(p.in(off, 2)) }
func portsIn32(p *Ports, off uint32) uint32     { return p.in(off, 4) }
func portsOut8(p *Ports, off uint32, v uint8)   { p.out(off, 1, uint32(v)) }
func portsOut16(p *Ports, off uint32, v uint16) { p.out(off, 2, uint32(v)) }
func portsOut32(p *Ports, off uint32, v uint32) { p.out(off, 4, v) }

func framesCopy(f *Frames, off uintptr, p []byte, in bool) bool {
	inUse.RLock()
	defer inUse.RUnlock()
	b := f.Bytes()
	if n := uintptr(len(b)); off > n || n-off < uintptr(len(p)) {
		return false
	}
	if in {
		copy(b[off:], p)
	} else {
		copy(p, b[off:])
	}
	return true
}
