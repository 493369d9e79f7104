package exo

import "sync/atomic"

// Vector holds one interrupt vector. The handler counts and wakes, nothing more; the holder's goroutine does the work
// (interrupts are threaded).
type Vector struct {
	n atomic.Int32 // the IDT vector; 0 after Release
}

// TakeVector gives a free vector.
//
// Errors: *ExhaustedError. It does not block.
func TakeVector(holder string) (*Vector, error) {
	n := hwVectorAlloc()
	if n == 0 {
		return nil, &ExhaustedError{Space: "interrupt vectors", Want: 1, Why: holder + " must share one, or another holder release one"}
	}
	v := new(Vector)
	v.n.Store(int32(n))
	return v, nil
}

// Number is the IDT vector, for a device that raises it; 0 after Release.
func (v *Vector) Number() uint8 { return uint8(v.n.Load()) }

// Wait parks the calling goroutine until the vector has fired since the last Wait, or until deadline (nanoseconds as Now
// gives them; 0 means none, negative means do not park). It returns how often it fired, 0 at the deadline. One goroutine
// waits on a vector at a time.
func (v *Vector) Wait(deadline int64) (fired uint64, err error) {
	n := v.n.Load()
	if n == 0 {
		return 0, released("vector")
	}
	return hwVectorWait(int(n), deadline), nil
}

// Release gives the vector back. Its sources must be masked first and nobody may be in Wait.
func (v *Vector) Release() error {
	n := v.n.Swap(0)
	if n == 0 {
		return released("vector")
	}
	hwVectorFree(int(n))
	return nil
}
