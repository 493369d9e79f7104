package exo

import "sync/atomic"

// Vector holds one interrupt vector. The handler counts and wakes, nothing more; the holder's goroutine does the work
// (interrupts are threaded).
//
// Protected by Go types: state becomes 0 when the binding ends. Its sources are masked then, and a goroutine in Wait gets the error.
type Vector struct {
	state atomic.Uint32 // the IDT vector, with inWait; 0 once the binding has ended
	left  chan struct{} // from a goroutine that the end found in Wait
	stage stage
	b     Binding
}

const inWait = 1 << 8 // a goroutine is in Wait

func newVector(holder string, n uint64) *Vector {
	v := &Vector{left: make(chan struct{}, 1)}
	v.b = Binding{lo: n, hi: n, holder: holder, res: v}
	return v
}

// BindVector binds vector n.
//
// Needs: Bind. Errors: those of Derive; *HeldError by "the runtime" for one that the bottom half uses. It does not block.
func BindVector(c Cap, holder string, n uint8) (*Vector, error) {
	v := newVector(holder, uint64(n))
	if err := c.bindIn(spVector, &v.b, 0); err != nil {
		return nil, err
	}
	return v, nil
}

// takeVector binds any vector: what the bottom half gives where c is the root, else the lowest that c has.
func takeVector(c Cap, root, own bool, holder string) (*Vector, error) {
	v := newVector(holder, 0)
	v.b.own = own
	if !root {
		if err := c.bindAny(&v.b, Bind, 1, 1); err != nil {
			return nil, err
		}
		return v, nil
	}
	n := hwVectorAlloc()
	if n == 0 {
		return nil, &ExhaustedError{Space: "interrupt vectors", Want: 1, Why: holder + " must share one, or another holder release one"}
	}
	v.b.lo, v.b.hi = uint64(n), uint64(n)
	if err := c.bind(&v.b, Bind, true); err != nil {
		return nil, err
	}
	return v, nil
}

func (v *Vector) ready() error {
	v.state.Store(uint32(v.b.lo))
	return nil
}

// unbind masks what raises the vector, and sees a goroutine out of Wait: only then may the number be another's. That goroutine
// waits for nothing meanwhile but its turn to run.
func (v *Vector) unbind() {
	old := v.state.Swap(0)
	theWorld.routes.end(v)
	v.stage.end(int(v.b.lo))
	if old&inWait != 0 {
		hwWakeVector(int(old &^ inWait))
		<-v.left
	}
}

// Number is the IDT vector, for a device that raises it; 0 once the binding has ended.
func (v *Vector) Number() uint8 { return uint8(v.state.Load()) }

// Wait parks the calling goroutine until the vector has fired since the last Wait, or until deadline (nanoseconds as Now
// gives them; 0 means none, negative means do not park). It returns how often it fired, 0 at the deadline.
//
// Errors: *BusyError if another goroutine is in Wait; those of Err, also when the binding ends meanwhile.
func (v *Vector) Wait(deadline int64) (fired uint64, err error) {
	n := v.state.Load()
	if n == 0 || n&inWait != 0 || !v.state.CompareAndSwap(n, n|inWait) {
		return 0, v.refuse()
	}
	fired = hwVectorWait(int(n), deadline)
	if !v.state.CompareAndSwap(n|inWait, n) {
		v.left <- struct{}{}
		return 0, v.b.err()
	}
	return fired, nil
}

// Wake makes a Wait return as if the vector had fired: the one under way, or else the next one. It does not block; after the end of the binding it does nothing.
func (v *Vector) Wake() {
	if n := v.state.Load() &^ inWait; n != 0 {
		hwWakeVector(int(n))
	}
}

func (v *Vector) refuse() error {
	if err := v.b.err(); err != nil {
		return err
	}
	return &BusyError{"vector " + decimal(v.b.lo)}
}

// Err is nil while the binding lives.
func (v *Vector) Err() error { return v.b.err() }

// Release ends the binding.
func (v *Vector) Release() error { return v.b.Release() }

// claimVectors takes vectors by number from the bottom half; giveVectors puts them back.
func claimVectors(lo, hi uint64) bool {
	for i := lo; i <= hi; i++ {
		if !hwTakeVector(int(i)) {
			if i > lo {
				giveVectors(lo, i-1)
			}
			return false
		}
	}
	return true
}

func giveVectors(lo, hi uint64) {
	for i := lo; i <= hi; i++ {
		hwVectorFree(int(i))
	}
}
