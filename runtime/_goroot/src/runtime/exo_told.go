package runtime

import (
	"internal/runtime/atomic"
	_ "unsafe"
)

// What the bottom half has counted, for who shows it to programs (/proc of libos/posix/files). Nothing here counts: an image whose program looks at none of it has none of this.
// All of it runs on goroutines and returns at once.

// exoBusy is for how long CPU c has had something to run, in nanoseconds.
func exoBusy(c *exoCPU) int64 {
	for {
		at := atomic.Loadint64(&c.idleAt)
		sum := atomic.Loadint64(&c.idled)
		until := at
		if at == 0 {
			until = exoNow()
		}
		if atomic.Loadint64(&c.idleAt) == at {
			return until - sum
		}
	}
}

//go:linkname exoHwCPUTime github.com/hardtack-os/hardtack/libos/posix.hwCPUTime
func exoHwCPUTime() (ns int64) {
	for i := uint32(0); i < exo.ncpu; i++ {
		ns += exoBusy(exo.cpus[i])
	}
	return ns
}

//go:linkname exoHwWork github.com/hardtack-os/hardtack/libos/posix.hwWork
func exoHwWork(cpu int) (busy int64, switches, forced uint64, interrupts uint32) {
	c := exo.cpus[cpu]
	return exoBusy(c), atomic.Load64(&c.switches), atomic.Load64(&c.forced), atomic.Load(&c.taken)
}

//go:linkname exoHwFaults github.com/hardtack-os/hardtack/libos/posix.hwFaults
func exoHwFaults() uint64 { return atomic.Load64(&exo.vm.faults) }

//go:linkname exoHwVector github.com/hardtack-os/hardtack/libos/posix.hwVector
func exoHwVector(v int) (fired uint32, used bool) {
	return atomic.Load(&exo.cold.count[v]), atomic.Load64(&exo.irq.used[v/64])>>(v%64)&1 != 0
}

//go:linkname exoHwThread github.com/hardtack-os/hardtack/libos/posix.hwThread
func exoHwThread(tid int) (cpu int, waits, live bool) {
	t := exoByTid(uint32(tid))
	if t == nil {
		return 0, false, false
	}
	return int(atomic.Load(&t.cpu)), atomic.Load(&t.state) == exoCtxWaiting, true
}

//go:linkname exoHwThreads github.com/hardtack-os/hardtack/libos/posix.hwThreads
func exoHwThreads() int { return int(atomic.Load(&exo.ctx.made)) }

//go:linkname exoHwImage github.com/hardtack-os/hardtack/libos/posix.hwImage
func exoHwImage() (text, etext, data, end uintptr) {
	m := &firstmoduledata
	return m.text, m.etext, m.noptrdata, m.end
}
