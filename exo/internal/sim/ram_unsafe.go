package sim

import (
	"sync/atomic"
	"unsafe"
)

// alignedBytes is n bytes that begin on a page.
func alignedBytes(n int) []byte {
	b := make([]byte, n+page)
	off := -int(addressOf(b)) & (page - 1)
	return b[off : off+n : off+n]
}

func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// word is the 32-bit word at b, for atomic access.
func word(b []byte) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&b[:4][0])) }

// nanotime is the clock that exo's deadlines are on.
//
//go:linkname nanotime runtime.nanotime
func nanotime() int64
