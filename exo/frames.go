package exo

import "sync/atomic"

// Frames holds n physically contiguous frames of RAM. Its holder may read and write them and tell their physical
// address to a device.
//
// Protected by Go types: Bytes is empty once the binding has ended. A slice that was taken before still reaches the memory, as a
// device does that was told the address: what must be safe from its last holder is mapped and unmapped by page tables instead.
type Frames struct {
	at   memory  // in the direct map
	size uintptr // bytes; 0 once the binding has ended; atomic
	base Phys
	n    uintptr
	zero bool // they are to be zeroed when they are bound
	b    Binding
}

// maxFrames bounds one run: 1 GiB.
const maxFrames = 1 << 18

func newFrames(holder string, base Phys, n uintptr) *Frames {
	f := &Frames{base: base, n: n}
	f.b = Binding{lo: uint64(base) / PageSize, hi: uint64(base)/PageSize + uint64(n) - 1, holder: holder, res: f}
	return f
}

// BindFrames binds the n frames from physical address base on, with what they hold.
//
// Needs: Bind, Read and Write. Errors: those of Derive; *RangeError if there is no RAM. It does not block.
func BindFrames(c Cap, holder string, base Phys, n int) (*Frames, error) {
	if err := checkFrames(n, 0); err != nil {
		return nil, err
	}
	if base%PageSize != 0 {
		return nil, outside("frame address", uint64(base), uint64(base), 0, maxPhys, "a frame begins at a multiple of the page size")
	}
	f := newFrames(holder, base, uintptr(n))
	if physBytes(uintptr(base), f.n*PageSize) == nil {
		return nil, outside(FrameSpace, f.b.lo, f.b.hi, 0, maxPhys/PageSize, "there is no RAM in all of it")
	}
	if err := c.bindIn(spFrame, &f.b, Read|Write); err != nil {
		return nil, err
	}
	return f, nil
}

func checkFrames(n int, align uintptr) error {
	if n <= 0 || n > maxFrames || align&(align-1) != 0 || align != 0 && align < PageSize {
		return outside("frame count", uint64(n), uint64(n), 1, maxFrames, "and the alignment must be a power of two of at least a page")
	}
	return nil
}

// takeFrames binds any n frames: what the bottom half gives where c is the root, else the lowest that c has.
func takeFrames(c Cap, root bool, holder string, n int, align uintptr) (*Frames, error) {
	if err := checkFrames(n, align); err != nil {
		return nil, err
	}
	align = max(align, PageSize)
	if !root {
		f := newFrames(holder, 0, uintptr(n))
		f.zero = true
		if err := c.bindAny(&f.b, Bind|Read|Write, uint64(n), uint64(align/PageSize)); err != nil {
			return nil, err
		}
		return f, nil
	}
	base := hwFrames(uintptr(n), align)
	if base == 0 {
		return nil, &ExhaustedError{Space: "contiguous frames", Want: uint64(n), Why: "release memory, ask for shorter runs, or give the machine more"}
	}
	f := newFrames(holder, Phys(base), uintptr(n))
	if err := c.bind(&f.b, Bind|Read|Write, true); err != nil {
		return nil, err // the allocator gave out a frame twice: it stays out of use
	}
	return f, nil
}

// CountFrames says how many frames the machine has for programs, and how many of them nobody uses now, or only a cache that can do without (Spares). Those that a CPU keeps at hand (at most 32 each)
// count as used. It needs no capability and costs two loads: both numbers may be old when they are read.
func CountFrames() (free, total uint64) {
	f, n := hwCountFrames()
	return uint64(f), uint64(n)
}

func (f *Frames) ready() error {
	f.base = Phys(f.b.lo * PageSize)
	mem := physBytes(uintptr(f.base), f.n*PageSize)
	if mem == nil {
		return faultAt("frames", uint64(f.base), "the frame allocator gave memory that is not in the direct map")
	}
	if f.zero { // here, not later: from now on they may be taken back
		clear(mem)
	}
	f.at = memoryOf(mem)
	atomic.StoreUintptr(&f.size, f.n*PageSize)
	return nil
}

func (f *Frames) unbind() {
	atomic.StoreUintptr(&f.size, 0)
	awaitStages()
	unmapFrames(f.base, f.n)
	hwPoke() // predicates about it end
}

// Bytes is the memory itself; empty once the binding has ended. The slice must not be used after that. It costs two loads.
func (f *Frames) Bytes() []byte { return f.at.bytes(atomic.LoadUintptr(&f.size)) }

// CopyIn copies p to the frames, from byte off on; CopyOut copies from there to p, which must be memory that is present. They say false, and copy nothing, if the
// binding has ended or the bytes are not all in it. Comparison and copying are one step (exo's "In flight"): unlike a slice, neither reaches memory that is
// somebody else's by now.
func (f *Frames) CopyIn(off uintptr, p []byte) bool { return framesCopy(f, off, p, true) }

// CopyOut is described at CopyIn.
func (f *Frames) CopyOut(p []byte, off uintptr) bool { return framesCopy(f, off, p, false) }

// Base is the physical address of the first byte, for a device.
func (f *Frames) Base() Phys { return f.base }

// Err is nil while the binding lives.
func (f *Frames) Err() error { return f.b.err() }

// Release gives the frames back. No device may still write to them: stop it first.
func (f *Frames) Release() error { return f.b.Release() }

// claimFrames takes frames by number from the bottom half's pool; giveFrames puts them back.
func claimFrames(lo, hi uint64) bool {
	for i := lo; i <= hi; i++ {
		if !hwTakeFrame(uintptr(i * PageSize)) {
			if i > lo {
				giveFrames(lo, i-1)
			}
			return false
		}
	}
	return true
}

func giveFrames(lo, hi uint64) { hwFreeFrames(uintptr(lo*PageSize), uintptr(hi-lo+1)) }

func clearFrames(lo, hi uint64) {
	for i := lo; i <= hi; i++ {
		clear(physBytes(uintptr(i)*PageSize, PageSize))
	}
}
