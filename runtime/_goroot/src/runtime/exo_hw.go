package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
	"unsafe"
)

// What the bottom half gives to package exo and to libos/posix, pushed to body-less declarations there (machine_hardtack.go in each).
// These run on goroutines; only the waits park.

//go:linkname exoHwDirectMap github.com/hardtack-os/hardtack/exo.hwDirectMap
func exoHwDirectMap(phys, size uintptr) uintptr {
	for i := 0; i < exo.nmemmap; i++ {
		m := &exo.memmap[i]
		if (m.kind == 1 || m.kind == 3) && uintptr(m.base+m.size) <= exoMMIOBase-exoDirectBase && phys >= uintptr(m.base) && phys < uintptr(m.base+m.size) && size <= uintptr(m.base+m.size)-phys {
			return exoDirect(phys)
		}
	}
	return 0
}

//go:linkname exoHwMapMMIO github.com/hardtack-os/hardtack/exo.hwMapMMIO
func exoHwMapMMIO(phys, size uintptr) uintptr {
	return exoKernel(abi.FuncPCABIInternal(exoOpMapMMIO), phys, size, 0)
}

//go:linkname exoHwRSDP github.com/hardtack-os/hardtack/exo.hwRSDP
func exoHwRSDP() uintptr { return exo.acpi.rsdp }

//go:linkname exoHwCmdline github.com/hardtack-os/hardtack/exo.hwCmdline
func exoHwCmdline() string {
	s := ""
	for i, p := range exo.cmd.text {
		if p != 0 {
			s += unsafe.String((*byte)(exoPtr(p)), int(exo.cmd.size[i])) + " "
		}
	}
	return s
}

//go:linkname exoHwMemory github.com/hardtack-os/hardtack/exo.hwMemory
func exoHwMemory(i int) (base, size uint64, kind uint32, ok bool) {
	if i < 0 || i >= exo.nmemmap {
		return 0, 0, 0, false
	}
	m := &exo.memmap[i]
	return m.base, m.size, m.kind, true
}

//go:linkname exoHwCPUs github.com/hardtack-os/hardtack/exo.hwCPUs
func exoHwCPUs() int { return int(exo.ncpu) }

//go:linkname exoHwAPICID github.com/hardtack-os/hardtack/exo.hwAPICID
func exoHwAPICID(cpu int) uint32 { return exo.cpus[cpu].apicID }

//go:linkname exoHwFrames github.com/hardtack-os/hardtack/exo.hwFrames
func exoHwFrames(n, align uintptr) uintptr {
	return exoKernel(abi.FuncPCABIInternal(exoOpFrames), n, align, 0)
}

//go:linkname exoHwFreeFrames github.com/hardtack-os/hardtack/exo.hwFreeFrames
func exoHwFreeFrames(phys, n uintptr) { exoKernel(abi.FuncPCABIInternal(exoOpFreeFrames), phys, n, 0) }

//go:linkname exoHwCountFrames github.com/hardtack-os/hardtack/exo.hwCountFrames
func exoHwCountFrames() (free, total uintptr) {
	return exo.frames.free + exoSpareFree(), exo.frames.total
}

//go:linkname exoHwVectorAlloc github.com/hardtack-os/hardtack/exo.hwVectorAlloc
func exoHwVectorAlloc() int { return int(exoKernel(abi.FuncPCABIInternal(exoOpVectorTake), 0, 0, 0)) }

//go:linkname exoHwVectorFree github.com/hardtack-os/hardtack/exo.hwVectorFree
func exoHwVectorFree(v int) { exoKernel(abi.FuncPCABIInternal(exoOpVectorDrop), uintptr(v), 0, 0) }

//go:linkname exoHwVectorWait github.com/hardtack-os/hardtack/exo.hwVectorWait
func exoHwVectorWait(v int, deadline int64) uint64 { return exoVectorWait(v, deadline) }

//go:linkname exoHwSetPower github.com/hardtack-os/hardtack/exo.hwSetPower
func exoHwSetPower(op, kind int, addr uintptr, value uint32) {
	exo.power[op] = exoPower{kind: uintptr(kind), addr: addr, value: value}
}

//go:linkname exoHwPowerButton github.com/hardtack-os/hardtack/exo.hwPowerButton
func exoHwPowerButton(v, kind int, addr uintptr, mask, ack uint32) {
	exo.power[exoPowerPressed] = exoPower{kind: uintptr(kind), addr: addr, value: mask, ack: ack, vec: uintptr(v)}
	exoKernel(abi.FuncPCABIInternal(exoOpVectorQuiet), uintptr(v), 0, 0)
}

//go:linkname exoHwIndirect github.com/hardtack-os/hardtack/exo.hwIndirect
func exoHwIndirect(va uintptr, reg, v uint32, write bool) uint32 {
	w := uintptr(0)
	if write {
		w = 1 << 32
	}
	return uint32(exoKernel(abi.FuncPCABIInternal(exoOpIndirect), va, uintptr(reg)|w, uintptr(v)))
}

//go:linkname exoHwEntropy github.com/hardtack-os/hardtack/exo.hwEntropy
func exoHwEntropy(p []byte) {
	var buf [128]byte // see exoHwConsoleWrite
	for len(p) != 0 {
		n := copy(buf[:], p)
		exoKernel(abi.FuncPCABIInternal(exoOpEntropy), uintptr(unsafe.Pointer(&buf)), uintptr(n), 0)
		p = p[n:]
	}
}

//go:linkname exoHwConsoleWrite github.com/hardtack-os/hardtack/libos/posix.hwConsoleWrite
func exoHwConsoleWrite(p []byte) {
	// In pieces, so that neither interrupts nor other goroutines wait long for a slow line.
	// From memory of its own: p may lie where a page comes and goes.
	var buf [128]byte
	for len(p) != 0 {
		n := exoKernel(abi.FuncPCABIInternal(exoOpConsole), uintptr(unsafe.Pointer(&buf)), uintptr(copy(buf[:], p)), 0)
		if n == 0 {
			timeSleep(1_000_000)
		}
		p = p[n:]
	}
}

//go:linkname exoHwConsoleRead github.com/hardtack-os/hardtack/libos/posix.hwConsoleRead
func exoHwConsoleRead(p []byte) int {
	for {
		n := int(exoKernel(abi.FuncPCABIInternal(exoOpConsoleRead), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), 0))
		if n != 0 {
			return max(n, 0) // an error says that there is no UART
		}
		exoVectorWait(int(exo.con.vec), 0)
	}
}

//go:linkname exoHwPollReady github.com/hardtack-os/hardtack/libos/posix.hwPollReady
func exoHwPollReady(pd uintptr, mode int) { exoPollReady(pd, mode) }

//go:linkname exoHwPollWaiters github.com/hardtack-os/hardtack/libos/posix.hwPollWaiters
func exoHwPollWaiters(pd uintptr) (reader, writer uint64) { return exoPollWaiters(pd) }

//go:linkname exoHwExit github.com/hardtack-os/hardtack/libos/posix.hwExit
func exoHwExit(code int) { exit(int32(code)) }

//go:linkname exoHwRandom github.com/hardtack-os/hardtack/libos/posix.hwRandom
func exoHwRandom(p []byte) {
	var buf [128]byte // see exoHwConsoleWrite
	for len(p) != 0 {
		exoKernel(abi.FuncPCABIInternal(exoOpRandom), uintptr(unsafe.Pointer(&buf)), uintptr(min(len(p), len(buf))), 0)
		p = p[copy(p, buf[:]):]
	}
}

//go:linkname exoHwMemoryUse github.com/hardtack-os/hardtack/libos/posix.hwMemory
func exoHwMemoryUse() (total, free uint64) {
	f := &exo.frames
	return uint64(f.total) << exoPageShift, uint64(atomic.Loaduintptr(&f.free)) << exoPageShift
}

//go:linkname exoHwUptime github.com/hardtack-os/hardtack/libos/posix.hwUptime
func exoHwUptime() int64 { return nanotime() }

//go:linkname exoHwSignal github.com/hardtack-os/hardtack/libos/posix.hwSignal
func exoHwSignal(sig int) { exoKernel(abi.FuncPCABIInternal(exoOpSignal), uintptr(sig), 0, 0) }

//go:linkname exoHwRawCall github.com/hardtack-os/hardtack/libos/posix.hwRawCall
func exoHwRawCall(nr, a1, a2, a3, a4, a5, a6 uintptr) (r1, errno uintptr) {
	r := exoCall6(nr, a1, a2, a3, a4, a5, a6)
	if r > ^uintptr(4095) {
		return ^uintptr(0), -r
	}
	return r, 0
}

//go:linkname exoHwStepClock github.com/hardtack-os/hardtack/libos/posix.hwStepClock
func exoHwStepClock(ns int64) { atomic.Xadduintptr(&exo.clock.wall0, uintptr(ns)) }

//go:linkname exoHwTrace github.com/hardtack-os/hardtack/libos/posix.hwTrace
func exoHwTrace() uint32 { return exo.cmd.trace }

//go:linkname exoHwControl github.com/hardtack-os/hardtack/libos/posix.hwControl
func exoHwControl(line string) {
	if len(line) != 0 {
		exoKernel(abi.FuncPCABIInternal(exoOpControl), uintptr(unsafe.Pointer(unsafe.StringData(line))), uintptr(len(line)), 0)
	}
}
