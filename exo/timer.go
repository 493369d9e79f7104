package exo

import "sync/atomic"

// Now is the monotonic clock in nanoseconds: the scale of every deadline.
func Now() int64 { return nanotime() }

// Timer holds a one-shot deadline on the machine's clock. It takes a vector that no device raises, so the number of
// timers is bounded and visible; the runtime multiplexes the hardware timer beneath it, exact to the nanosecond.
type Timer struct {
	v        *Vector
	deadline atomic.Int64
}

// Arm sets the deadline for the next Wait. 0 disarms.
func (t *Timer) Arm(deadline int64) { t.deadline.Store(deadline) }

// Wait parks the calling goroutine until the deadline and disarms the timer. Unarmed, it returns at once with false.
//
// Errors: as Vector.Wait.
func (t *Timer) Wait() (bool, error) {
	d := t.deadline.Swap(0)
	if d == 0 {
		return false, nil
	}
	for Now() < d {
		if _, err := t.v.Wait(d); err != nil {
			return false, err
		}
	}
	return true, nil
}

// Err is nil while the timer's vector is held.
func (t *Timer) Err() error { return t.v.Err() }

// Release gives the timer back.
func (t *Timer) Release() error { return t.v.Release() }
