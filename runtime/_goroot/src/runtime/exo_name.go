package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
	_ "unsafe" // for linkname
)

// Resources taken by name: this frame, this vector, for exo's holders who know what they want.

// exoOpTakeFrame takes the frame at pa out of the free ones. 0: it is none of them, or another CPU's magazine has it.
func exoOpTakeFrame(pa, _, _ uintptr) uintptr {
	f, c := &exo.frames, exoSelf()
	f.lock.lock()
	for c.nmag > 0 {
		c.nmag--
		f.give(c.mag[c.nmag], 1)
	}
	if n := (c.runEnd - c.run) >> exoPageShift; n != 0 {
		f.give(c.run, n)
		c.run = c.runEnd
	}
	i := f.number(pa)
	for f.add() {
		// It may lie anywhere.
	}
	ok := i != exoPoolNone && exoPoolPick(&f.pool, i)
	if ok {
		f.free--
	}
	f.lock.unlock()
	if ok {
		return 1
	}
	return 0
}

// exoOpTakeVector gives out the vector v. 0: it is given out.
func exoOpTakeVector(v, _, _ uintptr) uintptr {
	q := &exo.irq
	ok := uintptr(0)
	q.lock.lock()
	if v >= exoVecFirst && v <= exoVecLast && q.used[v/64]>>(v%64)&1 == 0 {
		q.used[v/64] |= 1 << (v % 64)
		exoVectorGate(v)
		ok = 1
	}
	q.lock.unlock()
	return ok
}

// exoOpWakeVector wakes who waits for v as if it had fired.
func exoOpWakeVector(v, _, _ uintptr) uintptr {
	atomic.Xadd(&exo.cold.count[v&255], 1)
	exoVectorPost(v & 255)
	return 0
}

//go:linkname exoHwTakeFrame github.com/hardtack-os/hardtack/exo.hwTakeFrame
func exoHwTakeFrame(phys uintptr) bool {
	return exoKernel(abi.FuncPCABIInternal(exoOpTakeFrame), phys, 0, 0) != 0
}

//go:linkname exoHwTakeVector github.com/hardtack-os/hardtack/exo.hwTakeVector
func exoHwTakeVector(v int) bool {
	return exoKernel(abi.FuncPCABIInternal(exoOpTakeVector), uintptr(v), 0, 0) != 0
}

//go:linkname exoHwWakeVector github.com/hardtack-os/hardtack/exo.hwWakeVector
func exoHwWakeVector(v int) { exoKernel(abi.FuncPCABIInternal(exoOpWakeVector), uintptr(v), 0, 0) }

// exoHwQuiesce returns when every goroutine has been at a safe point since the call.
//
//go:linkname exoHwQuiesce github.com/hardtack-os/hardtack/exo.hwQuiesce
func exoHwQuiesce() {
	startTheWorld(stopTheWorld(stwUnknown))
}
