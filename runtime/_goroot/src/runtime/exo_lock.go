package runtime

import "internal/runtime/atomic"

// Locks of the kernel side: spinning, with interrupts off.

// lock spins until the lock is free.
func (l *exoLock) lock() {
	for !atomic.Cas(&l.v, 0, 1) {
		exoTLBPoll(exoSelf())
		exoPause()
	}
}

func (l *exoLock) unlock() {
	atomic.Store(&l.v, 0)
}
