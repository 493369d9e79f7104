package exo

// Base address registers: PCI 3.0, 6.2.5.1.

const (
	barIO   = 1 << 0
	barType = 3 << 1
	bar64   = 2 << 1
)

// A bar is what a base address register says.
type bar struct {
	io   bool
	base uint64
	size uint64 // 0: not implemented
}

// BAR binds the registers behind memory base address register i, with the function's rights: they come with the function, from
// the root of MMIO, and end with it.
//
// Errors: *MachineError if the register is absent, is a port range or has no address, *HeldError if it was taken.
func (f *Function) BAR(holder string, i int) (*MMIO, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.readBAR(i)
	if err != nil {
		return nil, err
	}
	if b.io {
		return nil, f.barError(i, "it is a port range: use PortBAR")
	}
	m, err := bindMMIO(f.c.w.root(spMMIO), holder, Phys(b.base), uintptr(b.size), f.rights)
	if err != nil {
		return nil, err
	}
	f.bars[i].mem = m
	return m, nil
}

// PortBAR binds the ports behind base address register i.
func (f *Function) PortBAR(holder string, i int) (*Ports, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.readBAR(i)
	if err != nil {
		return nil, err
	}
	if !b.io {
		return nil, f.barError(i, "it is memory: use BAR")
	}
	if b.base+b.size > 1<<16 {
		return nil, f.barError(i, "its ports end above 0xffff")
	}
	p, err := bindPorts(f.c.w.root(spPort), holder, Port(b.base), int(b.size), f.rights)
	if err != nil {
		return nil, err
	}
	f.bars[i].io = p
	return p, nil
}

func (f *Function) barError(i int, why string) error {
	return fault("PCI function "+f.ID.String()+" BAR "+decimal(uint64(i)), why)
}

// readBAR reads and sizes a register. The function's decoding is off meanwhile, since the register holds no address.
func (f *Function) readBAR(i int) (bar, error) {
	if err := f.b.err(); err != nil {
		return bar{}, err
	}
	if i < 0 || i > 5 {
		return bar{}, outside("BAR", uint64(i), uint64(i), 0, 5, "")
	}
	if i > 0 && f.upperHalf(i) {
		return bar{}, f.barError(i, "it is the upper half of the one before it")
	}
	off := pciBAR + 4*i
	old := f.c.load32(f.ID, off)
	wide := old&barIO == 0 && old&barType == bar64
	if wide && i == 5 {
		return bar{}, f.barError(i, "the device says it is the lower half of one that does not exist")
	}
	cmd := f.c.load16(f.ID, pciCommand)
	f.command(0, cmdMemory|cmdPorts)
	size := uint64(f.probe(off, old))
	base := uint64(old)
	if wide {
		high := f.c.load32(f.ID, off+4)
		size |= uint64(f.probe(off+4, high)) << 32
		base |= uint64(high) << 32
	}
	f.c.store16(f.ID, pciCommand, cmd)

	b := bar{io: old&barIO != 0}
	mask := uint64(15)
	if b.io {
		mask = 3
		size |= 0xffff0000 // upper bits may be hardwired to zero
	}
	if size&^mask == 0 || b.io && size&0xfffc == 0 {
		return b, f.barError(i, "it is not implemented")
	}
	if !wide {
		size |= 0xffffffff << 32
	}
	b.base, b.size = base&^mask, ^(size&^mask)+1
	if b.size == 0 || b.size&(b.size-1) != 0 || b.base&(b.size-1) != 0 {
		return b, f.barError(i, "the device gives a size or address that cannot be")
	}
	if b.base != 0 {
		return b, nil
	}
	if b.io {
		return b, f.barError(i, "firmware gave its ports no address")
	}
	if b.base = f.c.assign(f.ID, b.size, wide); b.base == 0 {
		return b, f.barError(i, "firmware gave it no address, and there is no room to give it one")
	}
	f.command(0, cmdMemory)
	f.c.store32(f.ID, off, uint32(b.base))
	if wide {
		f.c.store32(f.ID, off+4, uint32(b.base>>32))
	}
	f.c.store16(f.ID, pciCommand, cmd)
	return b, nil
}

func (f *Function) probe(off int, old uint32) uint32 {
	f.c.store32(f.ID, off, ^uint32(0))
	v := f.c.load32(f.ID, off)
	f.c.store32(f.ID, off, old)
	return v
}

// upperHalf says whether register i belongs to a 64-bit one that begins before it.
func (f *Function) upperHalf(i int) bool {
	for j := 0; j < i; j++ {
		if v := f.c.load32(f.ID, pciBAR+4*j); v&barIO == 0 && v&barType == bar64 {
			if j++; j == i {
				return true
			}
		}
	}
	return false
}
