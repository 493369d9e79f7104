package sched

import "runtime"

// Go starts f as a goroutine of class c.
func Go(c *Class, f func()) {
	machineBorn(c)
	go f()
}

// Set puts the calling goroutine into class c and returns the one that it was in. The rules of c hold when it returns.
func Set(c *Class) (old *Class) {
	old = machineSet(c)
	runtime.Gosched()
	return old
}

// Current returns the calling goroutine's class.
func Current() *Class { return machineClass() }
