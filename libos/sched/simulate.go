package sched

import "strconv"

// What simulations need of this package (libos/sched/schedtest); programs have no use for it.

// NewTask makes a task for a simulation. A policy that returns one in an image ends it.
func NewTask(c *Class) *Task { return &Task{class: c} }

// ClassFor makes a class outside the program's table, for a simulated policy, which has yet to admit it. n is 0 to 61.
func ClassFor(n int, want Contract) *Class {
	if want.Name == "" {
		want.Name = "c" + strconv.Itoa(n)
	}
	return &Class{id: n + 2, contract: want.normal()}
}

// simulated is how many CPUs a simulated machine has; 0: none is simulated.
var simulated int

// Simulate says how many CPUs [CPUs] tells, on the host.
func Simulate(cpus int) { simulated = cpus }
