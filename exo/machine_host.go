//go:build !hardtack

package exo

import (
	"runtime"
	"sync/atomic"
)

// Machine is what exo stands on, as the hosted twin needs it: the bottom half's functions (machine_hardtack.go says what
// each must do) and the instructions that touch devices. It exists only in hosted builds; in an image these are direct calls.
type Machine interface {
	DirectMap(phys, size uintptr) uintptr
	MapMMIO(phys, size uintptr) uintptr
	RSDP() uintptr
	Cmdline() string
	Memory(i int) (base, size uint64, kind uint32, ok bool)
	CPUs() int
	APICID(cpu int) uint32
	Frames(n, align uintptr) uintptr
	FreeFrames(phys, n uintptr)
	CountFrames() (free, total uintptr)
	VectorAlloc() int
	VectorFree(v int)
	VectorWait(v int, deadline int64) uint64
	TakeFrame(phys uintptr) bool
	TakeVector(v int) bool
	WakeVector(v int)
	SetPower(op, kind int, addr uintptr, value uint32)
	PowerButton(v, kind int, addr uintptr, mask, ack uint32)
	Entropy(p []byte)

	Load(va uintptr, width int) uint64
	Store(va uintptr, width int, v uint64)
	In(port uint16, width int) uint32
	Out(port uint16, width int, v uint32)
}

// host is the machine beneath; nil means one that has nothing.
var host Machine

// Simulate puts m beneath exo, which forgets everything it held, until the function it returns is called. Tests only; not
// for concurrent use.
func Simulate(m Machine) (restore func()) {
	oldHost, oldWorld, oldSpares, oldHostSpares := host, theWorld, spares, hostSpares
	host, theWorld, spares, hostSpares = m, new(world), nil, new(hostSpare)
	return func() { host, theWorld, spares, hostSpares = oldHost, oldWorld, oldSpares, oldHostSpares }
}

func hwDirectMap(phys, size uintptr) uintptr {
	if host == nil {
		return 0
	}
	return host.DirectMap(phys, size)
}

func hwMapMMIO(phys, size uintptr) uintptr {
	if host == nil {
		return 0
	}
	return host.MapMMIO(phys, size)
}

func hwRSDP() uintptr {
	if host == nil {
		return 0
	}
	return host.RSDP()
}

func hwCmdline() string {
	if host == nil {
		return ""
	}
	return host.Cmdline()
}

func hwMemory(i int) (base, size uint64, kind uint32, ok bool) {
	if host == nil {
		return 0, 0, 0, false
	}
	return host.Memory(i)
}

func hwCPUs() int {
	if host == nil {
		return 1
	}
	return host.CPUs()
}

func hwAPICID(cpu int) uint32 {
	if host == nil {
		return 0
	}
	return host.APICID(cpu)
}

func hwFrames(n, align uintptr) uintptr {
	if host == nil {
		return 0
	}
	base := host.Frames(n, align)
	for base == 0 && hostSpares.seize() {
		base = host.Frames(n, align)
	}
	return base
}

func hwCountFrames() (free, total uintptr) {
	if host == nil {
		return 0, 0
	}
	free, total = host.CountFrames()
	return free + hostSpares.free(), total
}

// A goroutine on the host has no CPU; who asked for one is remembered by exo.

func hwIsolate(int) (locked, had bool) { return true, true }
func hwShare(int, bool)                {}
func hwTaken(int) uint32               { return 0 }

func hwRest(word *atomic.Uint32, deadline int64) bool {
	for !word.CompareAndSwap(1, 0) {
		if deadline != 0 && Now() >= deadline {
			return false
		}
		runtime.Gosched()
	}
	return true
}

func hwRouse(word *atomic.Uint32, _ int) { word.Store(1) }

func hwStagesDone()                   {}
func hwThreshold(cpu, class int) bool { return true }

func hwFreeFrames(phys, n uintptr) { host.FreeFrames(phys, n) }

func hwVectorAlloc() int {
	if host == nil {
		return 0
	}
	return host.VectorAlloc()
}

func hwVectorFree(v int)                        { host.VectorFree(v) }
func hwVectorWait(v int, deadline int64) uint64 { return host.VectorWait(v, deadline) }

func hwTakeFrame(phys uintptr) bool { return host != nil && host.TakeFrame(phys) }
func hwTakeVector(v int) bool       { return host != nil && host.TakeVector(v) }
func hwWakeVector(v int)            { host.WakeVector(v) }

func hwSetPower(op, kind int, addr uintptr, value uint32) { host.SetPower(op, kind, addr, value) }
func hwPowerButton(v, kind int, addr uintptr, mask, ack uint32) {
	host.PowerButton(v, kind, addr, mask, ack)
}

func hwIndirect(va uintptr, reg, v uint32, write bool) uint32 {
	store32(va+ioRegSel, reg)
	if !write {
		return load32(va + ioWin)
	}
	store32(va+ioWin, v)
	return v
}

func hwEntropy(p []byte) {
	if host != nil {
		host.Entropy(p)
	}
}

func load8(va uintptr) uint8       { return uint8(host.Load(va, 1)) }
func load16(va uintptr) uint16     { return uint16(host.Load(va, 2)) }
func load32(va uintptr) uint32     { return uint32(host.Load(va, 4)) }
func load64(va uintptr) uint64     { return host.Load(va, 8) }
func store8(va uintptr, v uint8)   { host.Store(va, 1, uint64(v)) }
func store16(va uintptr, v uint16) { host.Store(va, 2, uint64(v)) }
func store32(va uintptr, v uint32) { host.Store(va, 4, uint64(v)) }
func store64(va uintptr, v uint64) { host.Store(va, 8, v) }

func in8(port uint16) uint8       { return uint8(portIn(port, 1)) }
func in16(port uint16) uint16     { return uint16(portIn(port, 2)) }
func in32(port uint16) uint32     { return portIn(port, 4) }
func out8(port uint16, v uint8)   { portOut(port, 1, uint32(v)) }
func out16(port uint16, v uint16) { portOut(port, 2, uint32(v)) }
func out32(port uint16, v uint32) { portOut(port, 4, v) }
func fence()                      {}

// An unclaimed port reads as ones and swallows writes, as on a PC.

func portIn(port uint16, width int) uint32 {
	if host == nil {
		return ^uint32(0)
	}
	return host.In(port, width)
}

func portOut(port uint16, width int, v uint32) {
	if host != nil {
		host.Out(port, width, v)
	}
}

// tableBytes is memory that firmware left its tables in.
func tableBytes(phys, size uintptr) []byte { return physBytes(phys, size) }
