//go:build hardtack

package exo

import "sync/atomic"

// What the runtime's bottom half gives exo. Package runtime's added files push these by go:linkname. All of them may be
// called on any goroutine; only hwVectorWait and what hwPredicate gives park.

// hwDirectMap is the address of RAM or ACPI memory at [phys, phys+size) in the direct map, 0 where it is not all covered.
func hwDirectMap(phys, size uintptr) uintptr

// hwMapMMIO maps device registers: page granular, uncached, read-write, never executable, never unmapped. 0 when the window is full.
func hwMapMMIO(phys, size uintptr) uintptr

// hwRSDP is the physical address of ACPI's root pointer from the boot protocol or a scan, 0 if there is none.
func hwRSDP() uintptr

// hwCmdline is the VMM's command line.
func hwCmdline() string

// hwMemory is entry i of the memory map as it was given.
func hwMemory(i int) (base, size uint64, kind uint32, ok bool)

// hwCPUs is the number of CPUs that run; hwAPICID the local APIC ID of one of them.
func hwCPUs() int
func hwAPICID(cpu int) uint32

// hwIsolate gives a CPU to the calling goroutine's thread alone. locked: it is locked to it; had: nobody else has the CPU. hwShare gives it back, with mine only if
// the caller's thread has it.
func hwIsolate(cpu int) (locked, had bool)
func hwShare(cpu int, mine bool)

// hwRest halts the CPU of the calling goroutine's thread until the word is 1, which it sets to 0, or the deadline passes (0: none). hwRouse sets it.
//
//go:noescape
func hwRest(word *atomic.Uint32, deadline int64) bool
func hwRouse(word *atomic.Uint32, cpu int)

// hwTaken is how many interrupts a CPU has taken, modulo 2^32.
func hwTaken(cpu int) uint32

// hwAttach makes n actions what the kernel side does when a vector fires; false: there is no memory. hwDetach takes them away, and returns when no CPU does them.
// hwStagesDone returns when all that any CPU does of such has ended.
//
//go:noescape
func hwAttach(v int, steps *Action, n int) bool
func hwDetach(v int)
func hwStagesDone()

// hwThreshold has a CPU hold back interrupts up to a class; false: there is no memory, or no vector for it. hwSend sends a vector to a CPU.
func hwThreshold(cpu, class int) bool
func hwSend(v int, apic uint32)

// hwFrames takes n contiguous zeroed frames aligned to align bytes and gives their physical address, 0 if there are none.
func hwFrames(n, align uintptr) uintptr
func hwFreeFrames(phys, n uintptr)

// hwCountFrames is the number of free frames and of those that were ever free.
func hwCountFrames() (free, total uintptr)

// hwSpareOpen makes slots of spare memory, and gives the address of their words, behind that of the pages that are kept; 0: it cannot. hwSpareFill gives one frames, and their physical address, 0:
// there are none to spare. hwSpareDrop takes them from one that is busy. hwSpareTaken counts those that the bottom half took.
func hwSpareOpen(n, least uintptr, short func(frames int) int) (words uintptr)
func hwSpareFill(i uintptr) (phys uintptr)
func hwSpareDrop(i uintptr)
func hwSpareTaken() uint64

// hwVectorAlloc gives out an IDT vector in 48..238, 0 if there is none.
func hwVectorAlloc() int
func hwVectorFree(v int)

// hwTakeFrame takes the frame at physical address phys out of the free ones; false if it is not free, or another CPU keeps it at hand.
func hwTakeFrame(phys uintptr) bool

// hwTakeVector gives out vector v; false if it is given out or outside 48..238.
func hwTakeVector(v int) bool

// hwWakeVector wakes the goroutine in hwVectorWait as if the vector had fired.
func hwWakeVector(v int)

// hwQuiesce returns when every goroutine has been at a safe point since the call: it stops the world once.
func hwQuiesce()

// hwVectorWait parks the goroutine until the vector has fired since the last wait or the monotonic deadline passes
// (0 none, negative: do not park) and gives the times it fired.
func hwVectorWait(v int, deadline int64) uint64

// hwPredicate makes a wait, which parks the goroutine until look says true or the deadline passes (0: none), and may return for nothing. One goroutine at a
// time may wait. look loads and compares, nothing more: it runs on a system stack, perhaps without a P.
func hwPredicate(look func() bool) (wait func(deadline int64))

// hwPoke has every predicate's look called now.
func hwPoke()

// hwSetPower records the one store that turns the machine off (op 0) or resets it (op 1), for the exit path. kind is a
// regPort8 ... regMMIO32; addr a port or a mapped address.
func hwSetPower(op, kind int, addr uintptr, value uint32)

// hwPowerButton records the power button: when vector v fires, load the register (kind, addr); if any bit of mask is set,
// store ack&value back if ack is not 0, and give the process SIGTERM. It runs in the handler or on a system goroutine, so that
// no goroutine of the program is parked for it: runtime.NumGoroutine and the deadlock report stay as on Linux.
func hwPowerButton(v, kind int, addr uintptr, mask, ack uint32)

// hwIndirect selects a register of the I/O APIC at va and stores v to it (write) or loads it, as one step.
func hwIndirect(va uintptr, reg, v uint32, write bool) uint32

// hwEntropy mixes p into the runtime's generator.
func hwEntropy(p []byte)

// Comparison and access as one step, in access_amd64.s.

func mmioLoad8(m *MMIO, off uintptr) uint8
func mmioLoad16(m *MMIO, off uintptr) uint16
func mmioLoad32(m *MMIO, off uintptr) uint32
func mmioLoad64(m *MMIO, off uintptr) uint64
func mmioStore8(m *MMIO, off uintptr, v uint8)
func mmioStore16(m *MMIO, off uintptr, v uint16)
func mmioStore32(m *MMIO, off uintptr, v uint32)
func mmioStore64(m *MMIO, off uintptr, v uint64)
func portsIn8(p *Ports, off uint32) uint8
func portsIn16(p *Ports, off uint32) uint16
func portsIn32(p *Ports, off uint32) uint32
func portsOut8(p *Ports, off uint32, v uint8)
func portsOut16(p *Ports, off uint32, v uint16)
func portsOut32(p *Ports, off uint32, v uint32)

//go:noescape
func framesIn(f *Frames, off uintptr, p *byte, n uintptr) bool

//go:noescape
func framesOut(f *Frames, off uintptr, p *byte, n uintptr) bool

func framesCopy(f *Frames, off uintptr, p []byte, in bool) bool {
	switch n := uintptr(len(p)); {
	case n == 0:
		return off <= atomic.LoadUintptr(&f.size)
	case in:
		return framesIn(f, off, &p[0], n)
	default:
		return framesOut(f, off, &p[0], n)
	}
}

// The machine's own instructions, in machine_amd64.s.

func load8(va uintptr) uint8
func load16(va uintptr) uint16
func load32(va uintptr) uint32
func load64(va uintptr) uint64
func store8(va uintptr, v uint8)
func store16(va uintptr, v uint16)
func store32(va uintptr, v uint32)
func store64(va uintptr, v uint64)
func in8(port uint16) uint8
func in16(port uint16) uint16
func in32(port uint16) uint32
func out8(port uint16, v uint8)
func out16(port uint16, v uint16)
func out32(port uint16, v uint32)
func fence()

// tableBytes is memory that firmware left its tables in: RAM, or, where firmware put them in memory that the map does not
// call RAM or ACPI, mapped as a device's.
func tableBytes(phys, size uintptr) []byte {
	if b := physBytes(phys, size); b != nil {
		return b
	}
	va, err := theWorld.pages.address(Phys(phys), uint64(size))
	if err != nil {
		return nil
	}
	return bytesAt(va, size)
}
