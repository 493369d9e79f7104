package exo

// Take functions bind names of a domain's capabilities. holder is a word for error messages. The functions of the package are those of the
// program's own domain. Their errors, and what each resource promises, are said at the Bind functions.

// TakeFrames gives n zeroed contiguous frames, the first at a multiple of align bytes (a power of two; 0 means a page).
//
// Errors: *RangeError for impossible arguments, *ExhaustedError when no such run is free. It does not block.
func (d *Domain) TakeFrames(holder string, n int, align uintptr) (*Frames, error) {
	if d.root {
		return takeFrames(theWorld.root(spFrame), true, holder, n, align)
	}
	if err := checkFrames(n, align); err != nil {
		return nil, err
	}
	c, err := d.any(FrameSpace, uint64(n), uint64(max(align, PageSize)/PageSize))
	if err != nil {
		return nil, err
	}
	return takeFrames(c, false, holder, n, align)
}

// TakeFramesAt gives the n frames from physical address base on: these, with what they hold, or none.
func (d *Domain) TakeFramesAt(holder string, base Phys, n int) (*Frames, error) {
	if err := checkFrames(n, 0); err != nil {
		return nil, err
	}
	c, err := d.find(FrameSpace, uint64(base)/PageSize, uint64(base)/PageSize+uint64(n)-1)
	if err != nil {
		return nil, err
	}
	return BindFrames(c, holder, base, n)
}

// TakeMMIO gives the device registers at [base, base+size), mapped.
func (d *Domain) TakeMMIO(holder string, base Phys, size uintptr) (*MMIO, error) {
	c, err := d.find(MMIOSpace, uint64(base), uint64(base)+max(uint64(size), 1)-1)
	if err != nil {
		return nil, err
	}
	return BindMMIO(c, holder, base, size)
}

// TakePorts gives n ports from first on.
func (d *Domain) TakePorts(holder string, first Port, n int) (*Ports, error) {
	c, err := d.find(PortSpace, uint64(first), uint64(first)+uint64(max(n, 1))-1)
	if err != nil {
		return nil, err
	}
	return BindPorts(c, holder, first, n)
}

// TakeVector gives a free vector.
//
// Errors: *ExhaustedError. It does not block.
func (d *Domain) TakeVector(holder string) (*Vector, error) {
	if d.root {
		return takeVector(theWorld.root(spVector), true, false, holder)
	}
	c, err := d.any(VectorSpace, 1, 1)
	if err != nil {
		return nil, err
	}
	return takeVector(c, false, false, holder)
}

// TakeVectorAt gives vector n: this one or none.
func (d *Domain) TakeVectorAt(holder string, n uint8) (*Vector, error) {
	c, err := d.find(VectorSpace, uint64(n), uint64(n))
	if err != nil {
		return nil, err
	}
	return BindVector(c, holder, n)
}

// TakeTimer gives an unarmed timer. It takes a vector.
func (d *Domain) TakeTimer(holder string) (*Timer, error) {
	v, err := d.TakeVector(holder)
	if err != nil {
		return nil, err
	}
	return &Timer{v: v}, nil
}

// TakeLine gives an interrupt input, masked.
func (d *Domain) TakeLine(holder string, g GSI, activeLow bool) (*Line, error) {
	c, err := d.find(LineSpace, uint64(g), uint64(g))
	if err != nil {
		return nil, err
	}
	return BindLine(c, holder, g, activeLow)
}

// TakeCPU gives CPU n, counted from 0, the boot CPU.
func (d *Domain) TakeCPU(holder string, n int) (*CPU, error) {
	c, err := d.find(CPUSpace, uint64(n), uint64(n))
	if err != nil {
		return nil, err
	}
	return BindCPU(c, holder, n)
}

// TakeFunction gives the PCI function id.
func (d *Domain) TakeFunction(holder string, id FunctionID) (*Function, error) {
	c, err := d.find(FunctionSpace, uint64(id), uint64(id))
	if err != nil {
		return nil, err
	}
	return BindFunction(c, holder, id)
}

// TakeFrames is Domain.TakeFrames of the program's own domain.
func TakeFrames(holder string, n int, align uintptr) (*Frames, error) {
	return Root().TakeFrames(holder, n, align)
}

// TakeFramesAt is Domain.TakeFramesAt of the program's own domain.
func TakeFramesAt(holder string, base Phys, n int) (*Frames, error) {
	return Root().TakeFramesAt(holder, base, n)
}

// TakeMMIO is Domain.TakeMMIO of the program's own domain.
func TakeMMIO(holder string, base Phys, size uintptr) (*MMIO, error) {
	return Root().TakeMMIO(holder, base, size)
}

// TakePorts is Domain.TakePorts of the program's own domain.
func TakePorts(holder string, first Port, n int) (*Ports, error) {
	return Root().TakePorts(holder, first, n)
}

// TakeVector is Domain.TakeVector of the program's own domain.
func TakeVector(holder string) (*Vector, error) { return Root().TakeVector(holder) }

// TakeVectorAt is Domain.TakeVectorAt of the program's own domain.
func TakeVectorAt(holder string, n uint8) (*Vector, error) { return Root().TakeVectorAt(holder, n) }

// TakeTimer is Domain.TakeTimer of the program's own domain.
func TakeTimer(holder string) (*Timer, error) { return Root().TakeTimer(holder) }

// TakeLine is Domain.TakeLine of the program's own domain.
func TakeLine(holder string, g GSI, activeLow bool) (*Line, error) {
	return Root().TakeLine(holder, g, activeLow)
}

// TakeCPU is Domain.TakeCPU of the program's own domain.
func TakeCPU(holder string, n int) (*CPU, error) { return Root().TakeCPU(holder, n) }

// TakeFunction is Domain.TakeFunction of the program's own domain.
func TakeFunction(holder string, id FunctionID) (*Function, error) {
	return Root().TakeFunction(holder, id)
}
