package runtime

import "internal/runtime/atomic"

func (l *exoLock) lock() {
	for !atomic.Cas(&l.v, 0, 1) {
		exoTLBPoll(exoSelf())
		exoPause()
	}
}

func (l *exoLock) unlock() {
	atomic.Store(&l.v, 0)
}
