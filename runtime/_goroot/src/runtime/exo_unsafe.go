package runtime

import (
	"internal/runtime/atomic"
	"unsafe"
)

// Loads and stores at addresses: page tables, device registers, what a context passed. The plain ones may be merged by the compiler;
// device registers use exoMMIO*.

//go:nosplit
func exoLoad(p uintptr) uintptr { return *(*uintptr)(unsafe.Pointer(p)) }

//go:nosplit
func exoStore(p, v uintptr) { *(*uintptr)(unsafe.Pointer(p)) = v }

func exoLoad8(p uintptr) uint8   { return *(*uint8)(unsafe.Pointer(p)) }
func exoLoad16(p uintptr) uint16 { return *(*uint16)(unsafe.Pointer(p)) }
func exoLoad32(p uintptr) uint32 { return *(*uint32)(unsafe.Pointer(p)) }

func exoStore8(p uintptr, v uint8)   { *(*uint8)(unsafe.Pointer(p)) = v }
func exoStore32(p uintptr, v uint32) { *(*uint32)(unsafe.Pointer(p)) = v }

func exoMMIOLoad(p uintptr) uint32     { return atomic.Load((*uint32)(unsafe.Pointer(p))) }
func exoMMIOStore(p uintptr, v uint32) { exoStoreDevice(p, v) }

// exoZero clears n bytes; 8-byte aligned.
func exoZero(p, n uintptr) {
	for e := p + n; p < e; p += 8 {
		exoStore(p, 0)
	}
}

func exoAddrG(g *g) uintptr { return uintptr(unsafe.Pointer(g)) }

// exoStoreM sets g.m without a write barrier: g is no heap object and neither is what m becomes.
func exoStoreM(g *g, m uintptr) { *(*uintptr)(unsafe.Pointer(&g.m)) = m }

func exoPtr(p uintptr) unsafe.Pointer { return unsafe.Pointer(p) }

// exoContextClear is how much of a new context must be zero: all but the vector state, of that the header that XSAVE leaves alone.
const exoContextClear = unsafe.Offsetof(exoContext{}.fp) + 576

// The vector area must stand on 64 bytes for XSAVE, and a context must fit in a frame; a negative constant does not compile.
const (
	_ uintptr = -(unsafe.Offsetof(exoContext{}.fp) % 64)
	_ uintptr = exoPageSize - unsafe.Sizeof(exoContext{})
	_ uintptr = 2*exoPageSize - unsafe.Sizeof(exoCPU{})
	_ uintptr = exoPageSize - unsafe.Sizeof(exoCold{})
)

func exoAddr(p *uint32) uintptr   { return uintptr(unsafe.Pointer(p)) }
func exoAddr64(p *uint64) uintptr { return uintptr(unsafe.Pointer(p)) }
