// Package pool is what a frame allocator sees of the machine. The allocator decides which free frame of RAM serves whom: Go's heap and stacks,
// page tables, devices. It is a module: [libos/vm/buddy] in every image that does not ask for another, [libos/vm/bump], or one of a program's own
// (mkimage --vm IMPORTPATH).
//
// Frames have numbers below Memory.N. A number modulo 512 is the frame's place in its 2 MiB; frames with numbers in a row are contiguous. Numbers between
// pieces of RAM belong to no frame and are never given.
//
// A module is a package with six functions (samples/libos/frames/lifo is one), given to package runtime under the names on the right:
//
//	//go:linkname need runtime.exoPoolNeed
//	func need(n uintptr) uintptr // bytes of records that it needs for n numbers; once, at boot
//	//go:linkname start runtime.exoPoolStart
//	func start(m *Memory) // Records is there, with anything in it; there are no frames yet
//	//go:linkname add runtime.exoPoolAdd
//	func add(m *Memory, first, n uintptr) // so many frames more, in order of their numbers; when take found none
//	//go:linkname take runtime.exoPoolTake
//	func take(m *Memory, n, align uintptr) (first uintptr) // n contiguous frames, the first a multiple of align; None: there are none
//	//go:linkname give runtime.exoPoolGive
//	func give(m *Memory, first, n uintptr) (back uintptr) // how many can be taken again; None: some were free already
//	//go:linkname pick runtime.exoPoolPick
//	func pick(m *Memory, frame uintptr) bool // takes this one frame; false: it is not free
//
// n is at least 1, align a power of two. Around the module, each CPU keeps up to 32 single frames at
// hand, and takes sixteen at a time.
//
// These functions run on the kernel side, amid page faults, with interrupts off and a lock held: one at a time. They may not allocate, block, store
// Go pointers, call other packages, keep variables of their own (memory behind those may have no frame yet), or use more than 2 KiB of stack. What they
// remember lies in the records. A module that gives out what is no RAM ends the image with a report.
package pool

import "unsafe"

// Memory is what a module hands out. Package runtime declares the same.
type Memory struct {
	N       uintptr // frames have numbers below this
	Records uintptr // address of the module's own memory
}

// None is no frame, and the answer to a mistake.
const None = ^uintptr(0)

// At is an address as a pointer into a module's records.
func At(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }
