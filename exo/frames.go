package exo

// Frames holds n physically contiguous frames of RAM. Its holder may read and write them and tell their physical
// address to a device.
type Frames struct {
	mem   []byte // the frames in the direct map; nil after Release
	base  Phys
	claim *claim
}

// TakeFrames gives n zeroed contiguous frames, the first at a multiple of align bytes (a power of two; 0 means a page).
//
// Errors: *RangeError for impossible arguments, *ExhaustedError when no such run is free. It does not block.
func TakeFrames(holder string, n int, align uintptr) (*Frames, error) {
	if align == 0 {
		align = PageSize
	}
	if n <= 0 || n > maxFrames || align&(align-1) != 0 || align < PageSize {
		return nil, outside("frame count", uint64(n), uint64(n), 1, maxFrames, "and the alignment must be a power of two of at least a page")
	}
	w := theWorld
	base := hwFrames(uintptr(n), align)
	if base == 0 {
		return nil, &ExhaustedError{Space: "contiguous frames", Want: uint64(n), Why: "release memory, ask for shorter runs, or give the machine more"}
	}
	size := uintptr(n) * PageSize
	mem := physBytes(base, size)
	if mem == nil {
		hwFreeFrames(base, uintptr(n))
		return nil, &MachineError{Thing: "frames at " + hex(uint64(base)), Why: "the frame allocator gave memory that is not in the direct map"}
	}
	c, err := w.frames.take("frame", holder, uint64(base)/PageSize, uint64(base+size-1)/PageSize)
	if err != nil {
		return nil, err // the allocator gave out a frame twice: keep it out of use
	}
	return &Frames{mem: mem, base: Phys(base), claim: c}, nil
}

// maxFrames bounds one run: 1 GiB.
const maxFrames = 1 << 18

// Bytes is the memory itself. The slice must not be used after Release. It costs a load of three words.
func (f *Frames) Bytes() []byte { return f.mem }

// Base is the physical address of the first byte, for a device.
func (f *Frames) Base() Phys { return f.base }

// Release gives the frames back. No device may still write to them: stop it first.
func (f *Frames) Release() error {
	if f.mem == nil {
		return released("frame")
	}
	n := uintptr(len(f.mem)) / PageSize
	f.mem = nil
	if err := f.claim.release(); err != nil {
		return err
	}
	hwFreeFrames(uintptr(f.base), n)
	return nil
}
