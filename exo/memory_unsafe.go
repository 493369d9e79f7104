package exo

import "unsafe"

// physBytes is the memory at phys in the direct map, nil where it does not reach.
func physBytes(phys, size uintptr) []byte {
	va := hwDirectMap(phys, size)
	if va == 0 {
		return nil
	}
	return bytesAt(va, size)
}

// bytesAt is the memory at an address that the machine gave. It is not the Go heap's and does not move.
func bytesAt(va, size uintptr) []byte {
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&va))), size)
}
