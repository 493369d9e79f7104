package exo

import "sync/atomic"

// CPU holds one CPU: as a place that interrupts are sent to, and to have it whole (Isolate). Without one, interrupts go to the boot CPU.
//
// When the binding ends, interrupts bound to it go to the boot CPU, and it is everybody's.
type CPU struct {
	n     int
	apic  uint32
	alone atomic.Bool
	rests atomic.Bool   // somebody is in Rest
	woken atomic.Uint32 // 1: Rest shall return
	mask  threshold
	b     Binding
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
	c.share()
}

// Isolate gives the CPU whole to the calling goroutine, which is locked to its thread (runtime.LockOSThread): from when it returns no other
// goroutine runs there, no turn of the collector and no timer but the goroutine's own, until Share or the end of the binding. When the
// goroutine waits, the CPU halts.
//
// What still interrupts it: the collector, to look at its stack, and whoever stops all goroutines; page tables that change; a CPU profile; interrupts that were bound to
// this CPU. GOMAXPROCS stays: the goroutine has one of the runtime's processors (P), and is not preempted for others; while it waits, for a channel say, others
// use that on the other CPUs, and it has to get one again. In Rest it keeps it, and the collector looks at its stack without waking it.
//
// A goroutine that ends while it is locked takes its thread along: then the CPU is everybody's at the scheduler's next look, 10 ms later at most, but can be isolated again only after
// Share. One that goes on and calls no Share keeps the CPU; if it unlocks itself, for all that its thread runs afterwards.
// The boot CPU cannot be had: it runs everybody else, and takes the interrupts that were sent nowhere.
//
// Errors: *RangeError for the boot CPU, *BusyError if it is isolated, *MachineError if the goroutine is not locked, those of Err. It waits for a turn on the
// CPU, 4 ms at most.
func (c *CPU) Isolate() error {
	if err := c.b.err(); err != nil {
		return err
	}
	if c.n == 0 {
		return outside("CPU to isolate", 0, 0, 1, uint64(hwCPUs()-1), "the boot CPU runs everybody else")
	}
	if !c.alone.CompareAndSwap(false, true) {
		return &BusyError{"CPU " + decimal(uint64(c.n))}
	}
	locked, had := hwIsolate(c.n)
	err := c.b.err()
	switch {
	case locked && had && err == nil:
		return nil
	case !locked:
		err = fault("CPU to isolate", "the goroutine is not locked to a thread: call runtime.LockOSThread first")
	case had:
		hwShare(c.n, true) // the end of the binding may have overtaken this
	case err == nil:
		err = &BusyError{"CPU " + decimal(uint64(c.n))} // who had it before is about to notice
	}
	c.alone.Store(false)
	return err
}

// Rest halts the CPU until Wake or until deadline (as Now gives it; 0 means none), and reports which: false is the deadline. It may be called by the goroutine that has
// the CPU, by Isolate, and by nobody else. A goroutine that waits in this way is woken by its own processor's timer, or by one interrupt from
// another, and needs nobody's turn.
//
// Errors: *BusyError if the CPU is not isolated, or no longer, those of Err.
func (c *CPU) Rest(deadline int64) (woken bool, err error) {
	c.rests.Store(true)
	if c.alone.Load() {
		woken = hwRest(&c.woken, deadline)
	}
	c.rests.Store(false)
	if err := c.b.err(); err != nil {
		return false, err
	}
	if !c.alone.Load() {
		return false, &BusyError{"CPU " + decimal(uint64(c.n))}
	}
	return woken, nil
}

// Wake ends the Rest under way, or else the next one. It does not block.
func (c *CPU) Wake() { hwRouse(&c.woken, c.n) }

// Share ends Isolate, and a Rest under way. The goroutine stays locked, and may be moved to other CPUs.
func (c *CPU) Share() error {
	c.share()
	return c.b.err()
}

func (c *CPU) share() {
	if c.alone.CompareAndSwap(true, false) {
		if c.rests.Load() {
			c.Wake() // before hwShare: who rests is found by having the CPU
		}
		hwShare(c.n, false)
	}
}

// Interrupts is how many interrupts the CPU has taken since it was started, of whatever kind, modulo 2^32: two of them with nothing in between say that nobody and nothing
// interrupted what ran there. On the host 0.
func (c *CPU) Interrupts() uint32 { return hwTaken(c.n) }

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
