package sim

import "sync"

// PCI is configuration space, reached by ports 0xcf8 and, where ECAM is set, by memory.
type PCI struct {
	m    *Machine
	mu   sync.Mutex
	addr uint32
	fns  map[uint16]*Function
}

// Function is one PCI function. Config is its space; Writable has a bit set for each that software may change.
type Function struct {
	Config, Writable [256]byte
	BARs             [6]uint64 // sizes; 0 for none, and for the upper half of a 64-bit one
	pci              *PCI
	id               uint16
}

// AddPCI puts configuration ports into the machine.
func (m *Machine) AddPCI() *PCI {
	p := &PCI{m: m, fns: map[uint16]*Function{}}
	m.MapPorts(0xcf8, 8, (*pciPorts)(p))
	return p
}

// ECAM shows configuration space in memory too: 1 MiB a bus.
func (p *PCI) ECAM(base uintptr, buses int) { p.m.Map(base, uintptr(buses)<<20, (*pciMemory)(p)) }

// Add makes a function with an identity and nothing else.
func (p *PCI) Add(id uint16, vendor, device uint16) *Function {
	f := &Function{pci: p, id: id}
	le.PutUint16(f.Config[0:], vendor)
	le.PutUint16(f.Config[2:], device)
	f.Writable[4], f.Writable[5] = 7, 4
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fns[id] = f
	return f
}

// BAR gives the function a memory BAR, 64 bits wide if wide is set, at base.
func (f *Function) BAR(i int, base, size uint64, wide bool) {
	f.BARs[i] = size
	c, w := f.Config[0x10+4*i:], f.Writable[0x10+4*i:]
	le.PutUint32(c, uint32(base))
	le.PutUint32(w, uint32(-size)&^15)
	if wide {
		c[0] |= 4
		le.PutUint32(c[4:], uint32(base>>32))
		le.PutUint32(w[4:], uint32(-size>>32))
	}
}

// Capability appends a capability of the given bytes (its next pointer is filled in) at offset at.
func (f *Function) Capability(at int, body []byte) {
	f.Config[6] |= 1 << 4
	link := 0x34
	for f.Config[link] != 0 {
		link = int(f.Config[link]) + 1
	}
	f.Config[link] = byte(at)
	copy(f.Config[at:], body)
	f.Config[at+1] = 0
}

func (p *PCI) load(id uint16, off uintptr, width int) (v uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := width - 1; i >= 0; i-- {
		c := byte(0xff)
		if f := p.fns[id]; f != nil && off+uintptr(i) < 256 {
			c = f.Config[off+uintptr(i)]
		}
		v = v<<8 | uint64(c)
	}
	return v
}

func (p *PCI) store(id uint16, off uintptr, width int, v uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.fns[id]
	for i := 0; f != nil && i < width && off+uintptr(i) < 256; i++ {
		k := off + uintptr(i)
		w := f.Writable[k]
		f.Config[k] = f.Config[k]&^w | byte(v>>(8*i))&w
	}
}

type pciPorts PCI

func (p *pciPorts) Load(off uintptr, width int) uint64 {
	if off < 4 {
		return uint64(p.addr)
	}
	if p.addr>>31 == 0 {
		return ^uint64(0)
	}
	return (*PCI)(p).load(uint16(p.addr>>8), uintptr(p.addr&0xfc)+off-4, width)
}

func (p *pciPorts) Store(off uintptr, width int, v uint64) {
	if off == 0 && width == 4 {
		p.addr = uint32(v)
	} else if off >= 4 && p.addr>>31 != 0 {
		(*PCI)(p).store(uint16(p.addr>>8), uintptr(p.addr&0xfc)+off-4, width, v)
	}
}

type pciMemory PCI

func (p *pciMemory) Load(off uintptr, width int) uint64 {
	if off&0xfff >= 256 {
		return 0
	}
	return (*PCI)(p).load(uint16(off>>12), off&0xfff, width)
}

func (p *pciMemory) Store(off uintptr, width int, v uint64) {
	(*PCI)(p).store(uint16(off>>12), off&0xfff, width, v)
}
