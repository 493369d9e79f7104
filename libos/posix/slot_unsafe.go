package posix

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// A slot is one descriptor: an atomic pointer to its File. It is not an atomic.Pointer because descriptors 0, 1 and
// 2 must be in place without any code run: the linker can fill in a plain pointer only.
type slot struct{ p unsafe.Pointer }

func (s *slot) load() *File   { return (*File)(atomic.LoadPointer(&s.p)) }
func (s *slot) store(f *File) { atomic.StorePointer(&s.p, unsafe.Pointer(f)) }

// A chunk is a run of descriptor groups, published atomically.
type chunk struct{ p unsafe.Pointer }

func (c *chunk) load() *group     { return (*group)(atomic.LoadPointer(&c.p)) }
func (c *chunk) store(gs []group) { atomic.StorePointer(&c.p, unsafe.Pointer(&gs[0])) }

// at gives group i of the chunk that begins with g; the caller knows the chunk's length.
func (g *group) at(i uint) *group {
	return (*group)(unsafe.Add(unsafe.Pointer(g), uintptr(i)*unsafe.Sizeof(group{})))
}

// console0 is the open description behind descriptors 0, 1 and 2, and group0 the first 64 descriptors.
var (
	console0 = File{obj: &theConsole, refs: 3, flags: syscall.O_RDWR | 0x8000}
	group0   = group{used: 7, file: [64]slot{{unsafe.Pointer(&console0)}, {unsafe.Pointer(&console0)}, {unsafe.Pointer(&console0)}}}
	table    = fdTable{next: 3, chunks: [15]chunk{{unsafe.Pointer(&group0)}}}
)
