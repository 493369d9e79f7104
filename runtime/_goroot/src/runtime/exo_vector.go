package runtime

import (
	"internal/runtime/atomic"
	"unsafe"
)

// Interrupts. The handler does the least: acknowledge, count, wake whoever sits in netpoll. The scheduler's side turns counts into ready
// goroutines (exo_netpoll.go); nothing here touches a goroutine.

type exoVectorTable struct {
	idt   uintptr
	used  [4]uint64 // vectors given out
	lock  exoLock   // guards used
	word  uint32    // futex word that netpoll sleeps on; 1: something happened
	quiet [4]uint64 // vectors the kernel side answers itself (console, power button)
}

// exoInterrupt handles the interrupt whose stub returned to fr.err. It returns 1 when the CPU's current context, whose registers it has
// saved, must not simply go on.
//
//go:nowritebarrierrec
func exoInterrupt(table uintptr, fr *exoFrame) uintptr {
	c := exoSelf()
	c.taken++
	vec := (fr.err-table)/5 - 1 + 32
	switch {
	case vec == exoVecTimer:
		exoLapicSet(exoLapicEOI, 0)
		c.armed = 0
		exoTick(c)
	case vec == exoVecIPI:
		exoLapicSet(exoLapicEOI, 0)
		exoTLBPoll(c)
		if c.cur != nil {
			if c.urgent != 0 && exoNow() >= c.haste {
				c.resched = 1
			}
			if atomic.Load(&c.nready) != 0 && c.slice <= exoNow() {
				c.slice = exoNow() + exoSlice
			}
			exoProfileSwitch(c)
			exoArm(c)
		}
	case vec == exoVecSpurious || vec < exoVecFirst:
		// The APIC's own spurious vector wants no EOI (SDM vol. 3, 10.9); legacy PICs are masked and may still send one.
	default:
		exoVectorFire(vec)
		exoLapicSet(exoLapicEOI, 0)
	}
	t := c.cur
	if t == nil || c.resched == 0 && atomic.Load64(&t.pending)&^t.sigmask == 0 {
		return 0
	}
	t.regs = *fr
	return 1
}

// exoTick is the timer: wakes sleepers, ends a slice, takes a profile sample.
func exoTick(c *exoCPU) {
	exoExpire(c)
	exoTLBAge(c)
	t := c.cur
	if t == nil {
		return
	}
	now := exoNow()
	if c.nready != 0 && now >= c.turn() {
		c.resched = 1
	}
	if c.profAt != 0 && now >= c.profAt {
		c.profAt = now + exo.prof.period
		exoPost(t, _SIGPROF)
	}
	exoArm(c)
}

// exoVectorFire notes that a device's vector fired.
func exoVectorFire(vec uintptr) {
	q := &exo.irq
	atomic.Xadd(&exo.cold.count[vec], 1)
	if q.quiet[vec/64]>>(vec%64)&1 != 0 {
		exoQuietVector(vec)
		return
	}
	exoVectorPost(vec)
}

// exoVectorPost hands a vector to netpoll.
func exoVectorPost(vec uintptr) {
	q := &exo.irq
	for {
		old := atomic.Load64(&exo.cold.fired[vec/64])
		if atomic.Cas64(&exo.cold.fired[vec/64], old, old|1<<(vec%64)) {
			break
		}
	}
	if atomic.Cas(&q.word, 0, 1) {
		exoFutexWake(uintptr(unsafe.Pointer(&q.word)), 1, true)
	}
}

// exoVectorTake gives out a vector; 0 when none is left.
func exoVectorTake() uintptr {
	q := &exo.irq
	q.lock.lock()
	v := uintptr(exoVecFirst)
	for v <= exoVecLast && q.used[v/64]>>(v%64)&1 != 0 {
		v++
	}
	if v > exoVecLast {
		v = 0
	} else {
		q.used[v/64] |= 1 << (v % 64)
		exoVectorGate(v)
	}
	q.lock.unlock()
	return v
}

// exoVectorQuiet makes the kernel side answer a vector itself.
func exoVectorQuiet(v uintptr) {
	q := &exo.irq
	q.lock.lock()
	q.quiet[v/64] |= 1 << (v % 64)
	q.lock.unlock()
}

// exoVectorDrop takes a vector back.
func exoVectorDrop(v uintptr) {
	q := &exo.irq
	q.lock.lock()
	exoWaiters[v].seen = atomic.Load(&exo.cold.count[v])
	q.used[v/64] &^= 1 << (v % 64)
	q.quiet[v/64] &^= 1 << (v % 64)
	q.lock.unlock()
}
