package exo

// CPU holds one CPU as a place that interrupts are sent to. Without one, interrupts go to the boot CPU.
// Time on a CPU is not yet a resource of exo.
type CPU struct {
	n     int
	apic  uint32
	claim *claim
}

// CPUs is the number of CPUs that run.
func CPUs() int { return hwCPUs() }

// TakeCPU claims CPU n, counted from 0, the boot CPU.
//
// Errors: *RangeError, *HeldError. It does not block.
func TakeCPU(holder string, n int) (*CPU, error) {
	if have := hwCPUs(); n < 0 || n >= have {
		return nil, outside("CPU", uint64(n), uint64(n), 0, uint64(have-1), "")
	}
	c, err := theWorld.cpus.take("CPU", holder, uint64(n), uint64(n))
	if err != nil {
		return nil, err
	}
	return &CPU{n: n, apic: hwAPICID(n), claim: c}, nil
}

// Number is the CPU's place in 0..CPUs()-1.
func (c *CPU) Number() int { return c.n }

// Release gives the CPU back. Interrupts bound to it keep going there until they are bound anew.
func (c *CPU) Release() error { return c.claim.release() }

// target is the local APIC ID that cpu (nil: the boot CPU) is reached by. Without interrupt remapping a message or an
// I/O APIC entry carries 8 bits of it (Intel SDM vol. 3A, 11.11.1).
func target(cpu *CPU) (uint32, error) {
	id := hwAPICID(0)
	if cpu != nil {
		id = cpu.apic
	}
	if id > 0xfe {
		return 0, outside("APIC ID", uint64(id), uint64(id), 0, 0xfe, "an interrupt can be sent no further without interrupt remapping; choose another CPU")
	}
	return id, nil
}
