package exo

import "sync/atomic"

// MMIO holds a range of device registers. Loads and stores are single accesses of the stated width, uncached, in program
// order with each other; offsets count from the start of the range.
//
// Protected by Go types: the offset is compared with a length and nothing is looked up. A load compares with readable, a
// store with writable: a missing right, and the end of the binding, are a length of 0. What fails panics with *RangeError,
// *RightsError, *RevokedError or *ReleasedError. Sub-page ranges are possible because the check is not the page tables'.
type MMIO struct {
	va       uintptr
	readable atomic.Uintptr // bytes that may be loaded
	writable atomic.Uintptr // bytes that may be stored to
	size     uintptr
	phys     Phys
	rights   Rights
	b        Binding
}

// BindMMIO binds the device registers at [base, base+size) and maps them. Read gives loads, Write stores.
//
// Needs: Bind, and Read or Write. Errors: those of Derive; *RangeError when the range is empty, wraps, or touches RAM;
// *ExhaustedError when the mapping window is full. It does not block.
func BindMMIO(c Cap, holder string, base Phys, size uintptr) (*MMIO, error) {
	return bindMMIO(c, holder, base, size, c.Rights())
}

func bindMMIO(c Cap, holder string, base Phys, size uintptr, rights Rights) (*MMIO, error) {
	if size == 0 {
		return nil, outside(MMIOSpace, uint64(base), uint64(base), 0, maxPhys, "the range is empty")
	}
	m := &MMIO{phys: base, size: size, rights: rights}
	m.b = Binding{lo: uint64(base), hi: uint64(base) + uint64(size) - 1, holder: holder, res: m}
	if err := c.bindIn(spMMIO, &m.b, readOrWrite(rights)); err != nil {
		return nil, err
	}
	return m, nil
}

// readOrWrite is what a binding with these rights needs of its Cap: either will do.
func readOrWrite(have Rights) Rights {
	if have&(Read|Write) == 0 {
		return Read
	}
	return have & (Read | Write)
}

func (m *MMIO) ready() error {
	if ram, lo, hi := touchesRAM(m.phys, uint64(m.size)); ram {
		return outside(MMIOSpace, uint64(m.phys), uint64(m.phys)+uint64(m.size)-1, uint64(hi), maxPhys, "RAM at "+span(uint64(lo), uint64(hi)-1)+" is not device registers; use TakeFrames")
	}
	va, err := theWorld.pages.address(m.phys, uint64(m.size))
	if err != nil {
		return err
	}
	m.va = va
	if m.rights&Read != 0 {
		m.readable.Store(m.size)
	}
	if m.rights&Write != 0 {
		m.writable.Store(m.size)
	}
	return nil
}

func (m *MMIO) unbind() {
	m.readable.Store(0)
	m.writable.Store(0)
	awaitStages()
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

// Size is the length of the range in bytes; 0 once the binding has ended.
func (m *MMIO) Size() uintptr {
	if m.b.err() != nil {
		return 0
	}
	return m.size
}

// Base is the physical address of the range.
func (m *MMIO) Base() Phys { return m.phys }

// Err is nil while the binding lives.
func (m *MMIO) Err() error { return m.b.err() }

// Release ends the binding. The pages stay mapped; nobody can name them until they are bound again.
func (m *MMIO) Release() error { return m.b.Release() }

// Device registers are naturally aligned; so must the offset be. The comparison and the access are in machine_*: nothing comes
// between them, so that exo can wait for an access whose comparison has passed (doc.go, "In flight").

func (m *MMIO) Load8(off uintptr) uint8   { return mmioLoad8(m, off) }
func (m *MMIO) Load16(off uintptr) uint16 { return mmioLoad16(m, off) }
func (m *MMIO) Load32(off uintptr) uint32 { return mmioLoad32(m, off) }
func (m *MMIO) Load64(off uintptr) uint64 { return mmioLoad64(m, off) }

func (m *MMIO) Store8(off uintptr, v uint8)   { mmioStore8(m, off, v) }
func (m *MMIO) Store16(off uintptr, v uint16) { mmioStore16(m, off, v) }
func (m *MMIO) Store32(off uintptr, v uint32) { mmioStore32(m, off, v) }
func (m *MMIO) Store64(off uintptr, v uint64) { mmioStore64(m, off, v) }

// mmioRefuseLoad and mmioRefuseStore say why an access of some width at off was refused.

func mmioRefuseLoad(m *MMIO, off uintptr)  { m.refuse(off, Read) }
func mmioRefuseStore(m *MMIO, off uintptr) { m.refuse(off, Write) }

func (m *MMIO) refuse(off uintptr, want Rights) {
	if err := m.b.err(); err != nil {
		panic(err)
	}
	if m.rights&want == 0 {
		panic(&RightsError{Space: MMIOSpace, Holder: m.b.holder, Want: want, Have: m.rights})
	}
	panic(outside("MMIO offset", uint64(off), uint64(off), 0, uint64(m.size-1), "an access stays inside the range and is naturally aligned"))
}

// Fence orders every earlier load and store, of memory and of devices, before every later one (MFENCE; Intel SDM vol. 3A, 9.2.5).
// Stores to RAM before an MMIO store need none: x86-64 keeps their order. A store before a later load does.
func Fence() { fence() }
