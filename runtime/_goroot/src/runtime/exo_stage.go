package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
	"unsafe"
)

// Stages: what an interrupt does at once, on the kernel side, beside waking whoever waits for it (exo/stage.go). A program is a row of actions that exo made and checked:
// no loop, no address that was not bound. So it ends, and needs no stack, memory or lock of anybody's.
//
// Which interrupts a CPU takes is a threshold of its local APIC: the task priority (SDM vol. 3, 10.8.3.1). The high half of a vector's number is its
// priority; what is not above the threshold stays pending in the APIC. Setting another CPU's threshold takes an interrupt of its own, above all that can
// be held back.

const (
	exoLapicTPR = 0x80

	exoThresholdVec = exoVecLast // reserved when the first threshold is set
	exoThresholdMax = 13         // the CPU's own timer has class 14, calls from other CPUs 15
)

// exoAction is one step. Package exo declares the same.
type exoAction struct {
	verb  uint32
	ring  uint32  // how many words from at on the results go to, in turn
	live  uintptr // addresses of words that are 0 when what the action is about has ended; 0: of none
	live2 uintptr
	at    uintptr // a word of frames, in the direct map
	reg   uintptr // a device's register
	value uint32
}

const (
	exoActCount = iota + 1
	exoActStamp
	exoActLoad
	exoActStore
	exoActPass
)

// exoStages is what stands in the frame of programs: their addresses by vector; each program is a frame.
type exoStages struct {
	program   [256]uintptr      // atomic
	threshold [exoMaxCPU]uint32 // atomic: asked for, the class
	set       [exoMaxCPU]uint32 // atomic: as it is
	reserved  uint32            // exoThresholdVec is ours; vector table's lock
	turn      [exoMaxCPU]uint32 // atomic: odd while the CPU is in a program
}

// exoProgram is a frame.
type exoProgram struct {
	n     uintptr
	runs  uintptr
	steps [64]exoAction
}

func exoStageTable() *exoStages { return (*exoStages)(exoPtr(atomic.Loaduintptr(&exo.cold.stages))) }

// exoOpStage runs the program of a vector. 0: it has none.
//
//go:nowritebarrierrec
func exoOpStage(vec, _, _ uintptr) uintptr {
	s := exoStageTable()
	c := exoSelf()
	if vec == exoThresholdVec {
		class := atomic.Load(&s.threshold[c.id])
		exoLapicSet(exoLapicTPR, class<<4)
		atomic.Store(&s.set[c.id], class)
		return 1
	}
	atomic.Xadd(&s.turn[c.id], 1)
	p := (*exoProgram)(exoPtr(atomic.Loaduintptr(&s.program[vec&255])))
	if p != nil {
		k := atomic.Xadduintptr(&p.runs, 1) - 1
		for i := uintptr(0); i < p.n; i++ {
			exoAct(&p.steps[i], k, vec)
		}
	}
	atomic.Xadd(&s.turn[c.id], 1)
	if p == nil {
		// The kernel side's own, or it was detached since the handler looked: somebody may wait for it.
		exoVectorPost(vec)
		return 0
	}
	return 1
}

func exoAct(a *exoAction, k, vec uintptr) {
	for _, live := range [...]uintptr{a.live, a.live2} {
		if live != 0 && atomic.Loaduintptr((*uintptr)(exoPtr(live))) == 0 {
			return
		}
	}
	k %= uintptr(a.ring)
	switch a.verb {
	case exoActCount:
		atomic.Xadd((*uint32)(exoPtr(a.at)), 1)
	case exoActStamp:
		exoStore(a.at+k*8, uintptr(exoNow()))
	case exoActLoad:
		exoStore32(a.at+k*4, exoMMIOLoad(a.reg))
	case exoActStore:
		exoMMIOStore(a.reg, a.value)
	case exoActPass:
		exoVectorPost(vec)
	}
}

// exoOpAttach makes the n actions at steps the program of a vector. 0: there is no memory.
func exoOpAttach(vec, steps, n uintptr) uintptr {
	if exo.cold.stages == 0 {
		f := exoFrameZeroed()
		if f == 0 {
			return 0
		}
		if !atomic.Casuintptr(&exo.cold.stages, 0, exoDirect(f)) {
			exoFrameFree(f)
		}
		atomic.Storeuintptr(&exo.cold.stage, abi.FuncPCABIInternal(exoOpStage))
	}
	if n == 0 {
		return 1
	}
	f := exoFrameZeroed()
	if f == 0 {
		return 0
	}
	p := (*exoProgram)(exoPtr(exoDirect(f)))
	p.n = n
	exoCopy(uintptr(unsafe.Pointer(&p.steps)), steps, n*unsafe.Sizeof(exoAction{}))
	atomic.Storeuintptr(&exoStageTable().program[vec&255], exoDirect(f))
	exoVectorQuiet(vec & 255)
	return 1
}

// exoOpDetach takes a vector's program away; when it returns no CPU runs it.
func exoOpDetach(vec, _, _ uintptr) uintptr {
	q, s := &exo.irq, exoStageTable()
	q.lock.lock()
	q.quiet[vec/64&3] &^= 1 << (vec % 64)
	q.lock.unlock()
	p := atomic.Loaduintptr(&s.program[vec&255])
	atomic.Storeuintptr(&s.program[vec&255], 0)
	exoOpStagesDone(0, 0, 0)
	if p != 0 {
		exoFrameFree(p - exoDirectBase)
	}
	return 0
}

// exoOpStagesDone returns when every program that ran when it was called has ended: it waits for each CPU, one program of at most 64 steps, whatever fires
// meanwhile. A CPU is in one program at a time, for interrupts are off there.
func exoOpStagesDone(_, _, _ uintptr) uintptr {
	c, s := exoSelf(), exoStageTable()
	for i := range exo.ncpu {
		for t := atomic.Load(&s.turn[i]); t&1 != 0 && atomic.Load(&s.turn[i]) == t; {
			exoTLBPoll(c)
			exoPause()
		}
	}
	return 0
}

// exoOpThreshold tells a CPU to take only interrupts of a higher class. 0: there is no memory, or somebody has the vector for it.
func exoOpThreshold(n, class, _ uintptr) uintptr {
	if exoOpAttach(0, 0, 0) == 0 {
		return 0
	}
	q, s := &exo.irq, exoStageTable()
	q.lock.lock()
	taken := s.reserved == 0 && q.used[exoThresholdVec/64]>>(exoThresholdVec%64)&1 != 0
	if !taken && s.reserved == 0 {
		s.reserved = 1
		q.used[exoThresholdVec/64] |= 1 << (exoThresholdVec % 64)
		q.quiet[exoThresholdVec/64] |= 1 << (exoThresholdVec % 64)
		exoVectorGate(exoThresholdVec)
	}
	q.lock.unlock()
	if taken {
		return 0
	}
	c := exo.cpus[n]
	atomic.Store(&s.threshold[c.id], uint32(class))
	exoICR(c.apicID, exoThresholdVec)
	return 1
}

// exoOpSend sends a vector to a CPU.
func exoOpSend(vec, apic, _ uintptr) uintptr {
	exoICR(uint32(apic), uint32(vec))
	return 0
}

//go:linkname exoHwAttach github.com/hardtack-os/hardtack/exo.hwAttach
func exoHwAttach(vec int, steps unsafe.Pointer, n int) bool {
	return exoKernel(abi.FuncPCABIInternal(exoOpAttach), uintptr(vec), uintptr(steps), uintptr(n)) != 0
}

//go:linkname exoHwDetach github.com/hardtack-os/hardtack/exo.hwDetach
func exoHwDetach(vec int) { exoKernel(abi.FuncPCABIInternal(exoOpDetach), uintptr(vec), 0, 0) }

//go:linkname exoHwStagesDone github.com/hardtack-os/hardtack/exo.hwStagesDone
func exoHwStagesDone() { exoKernel(abi.FuncPCABIInternal(exoOpStagesDone), 0, 0, 0) }

//go:linkname exoHwThreshold github.com/hardtack-os/hardtack/exo.hwThreshold
func exoHwThreshold(cpu, class int) bool {
	if exoKernel(abi.FuncPCABIInternal(exoOpThreshold), uintptr(cpu), uintptr(class), 0) == 0 {
		return false
	}
	// Here, not on the kernel side: two CPUs that told each other would wait for ever.
	for atomic.Load(&exoStageTable().set[cpu]) != uint32(class) {
		osyield()
	}
	return true
}

//go:linkname exoHwSend github.com/hardtack-os/hardtack/exo.hwSend
func exoHwSend(vec int, apic uint32) {
	exoKernel(abi.FuncPCABIInternal(exoOpSend), uintptr(vec), uintptr(apic), 0)
}

// They are the same, and fit, or this does not compile.
const (
	_ uintptr = exoPageSize - unsafe.Sizeof(exoStages{})
	_ uintptr = exoPageSize - unsafe.Sizeof(exoProgram{})
	_ uintptr = -(unsafe.Sizeof(exoAction{}) - 48)
)
