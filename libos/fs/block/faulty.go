package block

import (
	"errors"
	"sync/atomic"
)

// ErrInjected is what a Faulty device fails with.
var ErrInjected = errors.New("block: this request was to fail")

// Faulty passes requests on to a Device, but for some.
type Faulty struct {
	Device
	At   int64 // the number of the first request that fails, counted from 1; 0: none
	Last int64 // of the last one; 0: At
	n    atomic.Int64
}

// Notify implements Grower, as far as the Device does.
func (f *Faulty) Notify(told func()) {
	if g, is := f.Device.(Grower); is {
		g.Notify(told)
	}
}

// Requests is how many there were.
func (f *Faulty) Requests() int64 { return f.n.Load() }

func (f *Faulty) fails() error {
	if n := f.n.Add(1); f.At != 0 && n >= f.At && n <= max(f.At, f.Last) {
		return ErrInjected
	}
	return nil
}

// Read implements Device.
func (f *Faulty) Read(vec [][]byte, off int64) error {
	if err := f.fails(); err != nil {
		return err
	}
	return f.Device.Read(vec, off)
}

// Write implements Device. One that fails has done half of it.
func (f *Faulty) Write(vec [][]byte, off int64) error {
	if err := f.fails(); err != nil {
		f.Device.Write(vec[:len(vec)/2], off)
		return err
	}
	return f.Device.Write(vec, off)
}

// Flush implements Device.
func (f *Faulty) Flush() error {
	if err := f.fails(); err != nil {
		return err
	}
	return f.Device.Flush()
}

// Discard implements Device.
func (f *Faulty) Discard(off, n int64) error {
	if err := f.fails(); err != nil {
		return err
	}
	return f.Device.Discard(off, n)
}
