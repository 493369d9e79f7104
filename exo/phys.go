package exo

import "sync"

// Phys is a physical address. Devices see these; Go code does not.
type Phys uint64

// PageSize is the size of a frame: 4 KiB (Intel SDM vol. 3A, 4.5).
const PageSize = 4096

// pageMap remembers which device pages are mapped. Mappings are never undone, several devices may share a page
// (virtio-mmio slots are 512 bytes apart on QEMU), and the window for them is finite.
type pageMap struct {
	mu   sync.Mutex
	runs []pageRun // under mu
}

type pageRun struct {
	base, size Phys // page granular
	va         uintptr
}

// address gives the virtual address of device register phys, mapping its pages if they are not.
func (m *pageMap) address(phys Phys, size uint64) (uintptr, error) {
	base := phys &^ (PageSize - 1)
	end := (phys + Phys(size) + PageSize - 1) &^ (PageSize - 1)
	if size == 0 || end <= base || uint64(end-base) < size {
		return 0, outside("MMIO", uint64(phys), uint64(phys)+size-1, 0, ^uint64(0)>>12, "the range is empty or wraps around")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.runs {
		if r.base <= base && end <= r.base+r.size {
			return r.va + uintptr(phys-r.base), nil
		}
	}
	va := hwMapMMIO(uintptr(base), uintptr(end-base))
	if va == 0 {
		return 0, &ExhaustedError{Space: "device page mappings", Want: uint64(end-base) / PageSize, Why: "the runtime's MMIO window is full"}
	}
	m.runs = append(m.runs, pageRun{base, end - base, va})
	return va + uintptr(phys-base), nil
}
