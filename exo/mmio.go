package exo

// MMIO holds a range of device registers. Loads and stores are single accesses of the stated width, uncached, in program
// order with each other; offsets count from the start of the range.
//
// Protected by Go types: the offset is compared with the size and nothing is looked up. An offset outside the range, or
// any use after Release, panics with a *RangeError. Sub-page ranges are possible because the check is not the page tables'.
type MMIO struct {
	va    uintptr
	size  uintptr // 0 after Release: the range check is the liveness check too
	phys  Phys
	claim *claim
}

// TakeMMIO claims the device registers at [base, base+size) and maps them.
//
// Errors: *HeldError when a part is held, *RangeError when the range is empty, wraps, or touches RAM,
// *ExhaustedError when the mapping window is full. It does not block.
func TakeMMIO(holder string, base Phys, size uintptr) (*MMIO, error) {
	if size == 0 {
		return nil, outside("MMIO", uint64(base), uint64(base), 0, ^uint64(0)>>12, "the range is empty")
	}
	w := theWorld
	c, err := w.mmio.take("MMIO", holder, uint64(base), uint64(base)+uint64(size)-1)
	if err != nil {
		return nil, err
	}
	m, err := mapClaim(w, c, base, size)
	if err != nil {
		c.release()
		return nil, err
	}
	return m, nil
}

func mapClaim(w *world, c *claim, base Phys, size uintptr) (*MMIO, error) {
	if ram, lo, hi := touchesRAM(base, uint64(size)); ram {
		return nil, outside("MMIO", uint64(base), uint64(base)+uint64(size)-1, uint64(hi), ^uint64(0)>>12, "RAM at "+span(uint64(lo), uint64(hi)-1)+" is not device registers; use TakeFrames")
	}
	va, err := w.pages.address(base, uint64(size))
	if err != nil {
		return nil, err
	}
	return &MMIO{va: va, size: size, phys: base, claim: c}, nil
}

// memoryRAM is the kind of usable memory in the PVH and E820 maps (PVH start info, hvm_memmap_table_entry; ACPI 6.5, 15.1).
const memoryRAM = 1

func touchesRAM(base Phys, size uint64) (ram bool, lo, hi Phys) {
	for i := 0; ; i++ {
		b, n, kind, ok := hwMemory(i)
		if !ok {
			return false, 0, 0
		}
		if kind == memoryRAM && n > 0 && uint64(base) <= b+n-1 && b <= uint64(base)+size-1 {
			return true, Phys(b), Phys(b + n)
		}
	}
}

// Size is the length of the range in bytes; 0 after Release.
func (m *MMIO) Size() uintptr { return m.size }

// Base is the physical address of the range.
func (m *MMIO) Base() Phys { return m.phys }

// at is the address of an access of n bytes at off. Device registers are naturally aligned; so must the offset be.
func (m *MMIO) at(off, n uintptr) uintptr {
	if off >= m.size || m.size-off < n || off&(n-1) != 0 {
		m.refuse(off, n)
	}
	return m.va + off
}

func (m *MMIO) refuse(off, n uintptr) {
	if m.size == 0 {
		panic(released("MMIO"))
	}
	panic(outside("MMIO offset", uint64(off), uint64(off+n-1), 0, uint64(m.size-1), "an access stays inside the range and is naturally aligned"))
}

func (m *MMIO) Load8(off uintptr) uint8   { return load8(m.at(off, 1)) }
func (m *MMIO) Load16(off uintptr) uint16 { return load16(m.at(off, 2)) }
func (m *MMIO) Load32(off uintptr) uint32 { return load32(m.at(off, 4)) }
func (m *MMIO) Load64(off uintptr) uint64 { return load64(m.at(off, 8)) }

func (m *MMIO) Store8(off uintptr, v uint8)   { store8(m.at(off, 1), v) }
func (m *MMIO) Store16(off uintptr, v uint16) { store16(m.at(off, 2), v) }
func (m *MMIO) Store32(off uintptr, v uint32) { store32(m.at(off, 4), v) }
func (m *MMIO) Store64(off uintptr, v uint64) { store64(m.at(off, 8), v) }

// Release gives the range back. The pages stay mapped; nobody can name them until they are taken again.
func (m *MMIO) Release() error {
	if m.size == 0 {
		return released("MMIO")
	}
	m.size, m.va = 0, 0
	return m.claim.release()
}

// Fence orders every earlier load and store, of memory and of devices, before every later one (MFENCE; Intel SDM vol. 3A, 9.2.5).
// Stores to RAM before an MMIO store need none: x86-64 keeps their order. A store before a later load does.
func Fence() { fence() }
