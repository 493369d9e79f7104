package exo

import "unsafe"

var keep []byte

// Run is physically contiguous memory.
type Run struct {
	Base Phys
	Len  uintptr // bytes
}

// PhysicalRuns gives the physical addresses of b, whose pages it makes present and writable, as few runs as there are. They stay as they are as
// long as the memory is in use: the Go heap does not move. It confers no right: who lets a device write there answers for b.
//
// Errors: *PageError for memory that is mapped nowhere or is read-only. It allocates the result and does not block.
func PhysicalRuns(b []byte) ([]Run, error) {
	var runs []Run
	keep = b // a stack would move: what is told to a device must lie in the heap
	va := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	keep = nil
	for left := uintptr(len(b)); left > 0; {
		base, n := hwPhysical(va, min(left, maxPhysical*PageSize))
		if n == 0 {
			return nil, &PageError{Page: (len(b) - int(left)) / PageSize, Why: "it is mapped nowhere, or not for writing: populate it"}
		}
		if last := len(runs) - 1; last >= 0 && uintptr(runs[last].Base)+runs[last].Len == base {
			runs[last].Len += n
		} else {
			runs = append(runs, Run{Phys(base), n})
		}
		va, left = va+n, left-n
	}
	return runs, nil
}
