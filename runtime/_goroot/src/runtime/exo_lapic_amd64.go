package runtime

import "internal/runtime/atomic"

// The local APIC (SDM vol. 3, chapter 10), through memory or, where firmware left it in that mode, through MSRs (x2APIC, 10.12).

const (
	exoLapicID      = 0x20
	exoLapicEOI     = 0xb0
	exoLapicSpur    = 0xf0
	exoLapicICR     = 0x300
	exoLapicICRHigh = 0x310
	exoLapicTimer   = 0x320
	exoLapicLINT0   = 0x350
	exoLapicLINT1   = 0x360
	exoLapicInitial = 0x380
	exoLapicCurrent = 0x390
	exoLapicDivide  = 0x3e0

	exoLapicBy1   = 0xb // values of the divide register
	exoLapicBy128 = 0xa

	exoMSRApicBase    = 0x1b
	exoMSRTSCDeadline = 0x6e0
	exoMSRX2Apic      = 0x800
)

func exoLapicGet(reg uintptr) uint32 {
	if exo.lapic == 0 {
		return uint32(exoRdmsr(exoMSRX2Apic + reg>>4))
	}
	return exoMMIOLoad(exo.lapic + reg)
}

func exoLapicSet(reg uintptr, v uint32) {
	if exo.lapic == 0 {
		exoWrmsr(exoMSRX2Apic+reg>>4, uintptr(v))
		return
	}
	exoMMIOStore(exo.lapic+reg, v)
}

// exoLAPICFind maps the registers. Boot CPU only.
func exoLAPICFind() {
	base := exoRdmsr(exoMSRApicBase)
	if base&(1<<10) != 0 {
		return // x2APIC is on
	}
	exo.lapic = exoMapMMIO(base&exoPteAddr, exoPageSize)
}

// exoLAPICOn enables this processor's APIC with its timer stopped.
func exoLAPICOn() {
	exoLapicSet(exoLapicSpur, 0x100|exoVecSpurious)
	exoLapicSet(exoLapicLINT0, 1<<16)
	exoLapicSet(exoLapicLINT1, 1<<16)
	exoLapicSet(exoLapicDivide, exoLapicBy1)
	exoSelf().divide = exoLapicBy1
	mode := uint32(exoVecTimer)
	if exo.clock.deadline {
		mode |= 2 << 17
	}
	exoLapicSet(exoLapicTimer, mode)
}

func exoLAPICID() uint32 {
	id := exoLapicGet(exoLapicID)
	if exo.lapic != 0 {
		id >>= 24
	}
	return id
}

// exoICR sends an interprocessor interrupt.
func exoICR(apicID, v uint32) {
	if exo.lapic == 0 {
		exoWrmsr(exoMSRX2Apic+exoLapicICR>>4, uintptr(apicID)<<32|uintptr(v))
		return
	}
	for exoMMIOLoad(exo.lapic+exoLapicICR)&(1<<12) != 0 {
		exoPause()
	}
	exoMMIOStore(exo.lapic+exoLapicICRHigh, apicID<<24)
	exoMMIOStore(exo.lapic+exoLapicICR, v)
}

// exoIPI makes another CPU look at its state.
//
//go:noinline
func exoIPI(c *exoCPU) { exoICR(c.apicID, exoVecIPI) }

// exoArm sets this CPU's timer for the soonest of what it waits for. A timer that comes early is harmless; one that is already set for
// sooner is left alone.
func exoArm(c *exoCPU) {
	at := int64(0)
	if c.sleepers != nil {
		c.lock.lock()
		if s := c.sleepers; s != nil {
			at = s.deadline
		}
		c.lock.unlock()
	}
	if c.cur != nil {
		if turn := c.turn(); atomic.Load(&c.nready) != 0 && (at == 0 || turn < at) {
			at = turn
		}
		if p := c.profAt; p != 0 && (at == 0 || p < at) {
			at = p
		}
	}
	if at == 0 || c.armed != 0 && c.armed <= at {
		return
	}
	c.armed = at
	k := &exo.clock
	if k.deadline {
		exoWrmsr(exoMSRTSCDeadline, max(k.ticks(at)+k.tsc0, 1))
		return
	}
	n := exoMul32(uintptr(max(at-exoNow(), 1000)), k.lapicMult)
	div := uint32(exoLapicBy1)
	if n > 0xffffffff {
		div = exoLapicBy128
		n = min(n>>7, 0xffffffff)
	}
	if div != c.divide {
		c.divide = div
		exoLapicSet(exoLapicDivide, div)
	}
	exoLapicSet(exoLapicInitial, uint32(n))
}
