package nvme

import (
	"sync/atomic"
	"unsafe"
)

// word is the 32-bit word at off in frames, for atomic access. Frames begin on a page and off is a multiple of 4.
func word(b []byte, off int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&b[off : off+4][0]))
}
