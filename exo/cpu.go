package exo

// CPU holds one CPU as a place that interrupts are sent to. Without one, interrupts go to the boot CPU. Time on a CPU is not yet a
// resource of exo.
//
// When the binding ends, interrupts bound to it go to the boot CPU.
type CPU struct {
	n    int
	apic uint32
	mask threshold
	b    Binding
}

// CPUs is the number of CPUs that run.
func CPUs() int { return hwCPUs() }

// BindCPU binds CPU n, counted from 0, the boot CPU.
//
// Needs: Bind. Errors: those of Derive. It does not block.
func BindCPU(c Cap, holder string, n int) (*CPU, error) {
	u := &CPU{n: n}
	if have := hwCPUs(); n < 0 || n >= have {
		return nil, outside(CPUSpace, uint64(n), uint64(n), 0, uint64(have-1), "")
	}
	u.b = Binding{lo: uint64(n), hi: uint64(n), holder: holder, res: u}
	if err := c.bindIn(spCPU, &u.b, 0); err != nil {
		return nil, err
	}
	return u, nil
}

func (c *CPU) ready() error {
	c.apic = hwAPICID(c.n)
	return nil
}

func (c *CPU) unbind() {
	theWorld.routes.move(c)
	c.mask.end(c.n)
}

// Number is the CPU's place in 0..CPUs()-1.
func (c *CPU) Number() int { return c.n }

// Err is nil while the binding lives.
func (c *CPU) Err() error { return c.b.err() }

// Release ends the binding.
func (c *CPU) Release() error { return c.b.Release() }

// target is the local APIC ID that cpu (nil: the boot CPU) is reached by. Without interrupt remapping a message or an
// I/O APIC entry carries 8 bits of it (Intel SDM vol. 3A, 11.11.1).
func target(cpu *CPU) (uint32, error) {
	id := hwAPICID(0)
	if cpu != nil {
		if err := cpu.b.err(); err != nil {
			return 0, err
		}
		id = cpu.apic
	}
	if id > 0xfe {
		return 0, outside("APIC ID", uint64(id), uint64(id), 0, 0xfe, "an interrupt can be sent no further without interrupt remapping; choose another CPU")
	}
	return id, nil
}
