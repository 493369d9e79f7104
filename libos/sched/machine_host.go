//go:build !hardtack_sched

package sched

// Without a policy, on the host and in images with Go's own scheduler: classes are remembered by nobody.

func machineStart()            {}
func machineProcs() int32      { return int32(max(simulated, 1)) }
func machineLocked(f func())   { f() }
func machineBorn(*Class)       {}
func machineSet(*Class) *Class { return Default }
func machineClass() *Class     { return Default }
func machineUsed(*Class) int64 { return 0 }
