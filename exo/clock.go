package exo

import "time"

// A Clock tells when a Demand's deadline has come. Tests turn their own.
type Clock interface {
	Now() int64
	// Until gives a channel that can be read, or is closed, when Now has reached t, and a function that ends the wait.
	Until(t int64) (reached <-chan struct{}, stop func())
}

// machineClock is the machine's: monotonic nanoseconds.
type machineClock struct{}

func (machineClock) Now() int64 { return Now() }

func (machineClock) Until(t int64) (<-chan struct{}, func()) {
	c := make(chan struct{})
	timer := time.AfterFunc(time.Duration(t-Now()), func() { close(c) })
	return c, func() { timer.Stop() }
}
