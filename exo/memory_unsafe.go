package exo

import (
	"sync/atomic"
	"unsafe"
)

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

// wordsAt is n words at such an address.
func wordsAt(va, n uintptr) []atomic.Uint32 {
	return unsafe.Slice((*atomic.Uint32)(*(*unsafe.Pointer)(unsafe.Pointer(&va))), n)
}

// numbersAt is n addresses at such an address.
func numbersAt(va, n uintptr) []atomic.Uintptr {
	return unsafe.Slice((*atomic.Uintptr)(*(*unsafe.Pointer)(unsafe.Pointer(&va))), n)
}

// A memory is where bytes begin.
type memory struct{ p unsafe.Pointer }

func memoryOf(b []byte) memory { return memory{unsafe.Pointer(unsafe.SliceData(b))} }

func (m memory) address() uintptr { return uintptr(m.p) }

// addressOfUintptr is where the number is that the kernel side compares with 0.
func addressOfUintptr(a *atomic.Uintptr) *uintptr { return (*uintptr)(unsafe.Pointer(a)) }

// word is the 32-bit word at off, which is aligned and inside.
func (m memory) word(off uintptr) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Add(m.p, off)) }

// bytes is n bytes of it. unsafe.Slice would check what exo has checked at bind.
func (m memory) bytes(n uintptr) (b []byte) {
	h := (*struct {
		p        unsafe.Pointer
		len, cap uintptr
	})(unsafe.Pointer(&b))
	h.p, h.len, h.cap = m.p, n, n
	return b
}
