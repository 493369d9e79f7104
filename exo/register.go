package exo

// A register is one register that ACPI names, in memory or in a port. The zero register does not exist.
type register struct {
	space uint8
	addr  uint64
	width int // bytes: 1, 2 or 4; 0: there is none
}

// Address space identifiers (ACPI 6.5, table 5.1).
const (
	spaceMemory = 0
	spaceIO     = 1
)

// Kinds of register as the bottom half takes them.
const (
	regPort8 = 1 + iota
	regPort16
	regPort32
	regMMIO8
	regMMIO16
	regMMIO32
)

// place gives the register as the bottom half takes it, mapped if it is in memory.
func (r register) place(w *world) (kind int, addr uintptr, err error) {
	size := r.width >> 1 // 1, 2, 4 bytes: 0, 1, 2 from the first of the kinds
	if r.width != 1 && r.width != 2 && r.width != 4 || r.space > spaceIO {
		return 0, 0, faultAt("ACPI register", r.addr, "its width or address space is not one exo can use")
	}
	if r.space == spaceIO {
		if r.addr > 0xffff {
			return 0, 0, outside("port", r.addr, r.addr, 0, 0xffff, "an ACPI table names it")
		}
		return regPort8 + size, uintptr(r.addr), nil
	}
	if ram, lo, hi := touchesRAM(Phys(r.addr), uint64(r.width)); ram {
		return 0, 0, faultAt("ACPI register", r.addr, "there is RAM at "+span(uint64(lo), uint64(hi)-1))
	}
	va, err := w.pages.address(Phys(r.addr), uint64(r.width))
	return regMMIO8 + size, va, err
}

func (r register) load(w *world) (uint32, error) {
	kind, a, err := r.place(w)
	if err != nil {
		return 0, err
	}
	switch kind {
	case regPort8:
		return uint32(in8(uint16(a))), nil
	case regPort16:
		return uint32(in16(uint16(a))), nil
	case regPort32:
		return in32(uint16(a)), nil
	case regMMIO8:
		return uint32(load8(a)), nil
	case regMMIO16:
		return uint32(load16(a)), nil
	}
	return load32(a), nil
}

func (r register) store(w *world, v uint32) error {
	kind, a, err := r.place(w)
	if err != nil {
		return err
	}
	switch kind {
	case regPort8:
		out8(uint16(a), uint8(v))
	case regPort16:
		out16(uint16(a), uint16(v))
	case regPort32:
		out32(uint16(a), v)
	case regMMIO8:
		store8(a, uint8(v))
	case regMMIO16:
		store16(a, uint16(v))
	default:
		store32(a, v)
	}
	return nil
}

// claim keeps the register from being taken by anyone else. A register that someone has already is not exo's to use.
func (r register) claim(w *world, what string) error {
	if r.width == 0 {
		return nil
	}
	space := spMMIO
	if r.space == spaceIO {
		space = spPort
	}
	_, err := w.takeOwn(space, what, r.addr, r.addr+uint64(r.width)-1)
	return err
}
