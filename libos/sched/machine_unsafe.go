//go:build hardtack_sched

package sched

import "unsafe"

// What package runtime does for this one, and this one for it, in images whose scheduler is a policy (exo_sched_class.go,
// exo_sched.go). The hosted twin is machine_host.go.

// machineStart puts the policy to work.
func machineStart()

// machineProcs returns GOMAXPROCS.
func machineProcs() int32

// machineLocked calls f as the policy is called.
func machineLocked(f func())

// machineBorn makes c the class of the goroutine that the caller starts next.
func machineBorn(c *Class)

// usedBy returns *used and what c's goroutines have run since they were last charged.
func usedBy(c *Class, none, system bool, used *int64) int64

// setClass makes c the caller's class.
func setClass(c *Class) (old *Class, system bool)

// getClass returns the caller's class; nil stands for one of the two that always exist.
func getClass() (c *Class, system bool)

// machineSet puts the caller into class c and returns the one it was in.
func machineSet(c *Class) *Class {
	old, system := setClass(c)
	return (&Task{class: old, system: system}).Class()
}

// machineClass returns the caller's class.
func machineClass() *Class {
	c, system := getClass()
	return (&Task{class: c, system: system}).Class()
}

// machineUsed returns the CPU time of c.
func machineUsed(c *Class) int64 { return usedBy(c, c == System || c == Default, c == System, &c.used) }

// The size that the runtime counts on (exoTask); a negative constant does not compile.
const (
	_ = 64 - unsafe.Sizeof(Task{})
	_ = unsafe.Sizeof(Task{}) - 64
)

//go:linkname enqueue runtime.exoPolicyEnqueue
func enqueue(cpu int32, t *Task, why int32, now int64) int32 {
	return int32(policy.Enqueue(int(cpu), t, Why(why), now))
}

//go:linkname pick runtime.exoPolicyPick
func pick(cpu int32, now int64) (t *Task, until int64) { return policy.Pick(int(cpu), now) }

//go:linkname charge runtime.exoPolicyCharge
func charge(cpu int32, t *Task, ran int64) {
	t.Class().used += ran
	policy.Charge(int(cpu), t, ran)
}
