// What is kept of a goroutine for the policy that decides which one runs next (package libos/sched).
//
// These files are in images whose scheduler is a policy, and only there. The rules:
//
//   - sched.lock guards all of it, and is held over every call of the policy. So calls come one at a time, and an idle P is woken
//     or a running one preempted by whoever made a goroutine ready: nobody spins, nobody looks twice.
//   - A call of the policy has a P, because the policy is ordinary Go with write barriers. What becomes ready where there is no P
//     goes to Go's global queue, which is the policy's inbox: the next P that asks for work empties it first.
//   - The policy runs on g0. It may not allocate, block, take Go's locks or need more stack than g0 has.
//
// States of a task:
//
//	  idle ----------------> ready ----------------> running ----+
//	   ^     exoSchedGive            exoSchedTake                |
//	   +---------------------------------------------------------+
//	                          exoSchedStop
//
// Rejected: a queue for each P, as Go's own scheduler has. A share of two CPUs is exact only where one place knows both.

package runtime

import "unsafe"

// exoTask is libos/sched.Task as this side sees it: the same fields in the same places (TestTaskLayout).
type exoTask struct {
	next, prev *exoTask
	key, word  int64
	class      unsafe.Pointer // *sched.Class; nil stands for one of the two that always exist
	born       unsafe.Pointer // the class of the goroutine that this one starts next; nil: its own
	self       uintptr        // its address: a copy of a task is no task
	cpu        int32          // where it runs; -1 nowhere
	state      uint8
	system     bool // the runtime's, or a library operating system's
}

const (
	exoTaskIdle = iota // waits for something, or is not in the policy's hands for another reason
	exoTaskReady
	exoTaskRunning
	exoTaskNew // idle, and has never been ready
)

// Why a task is handed to the policy.
const (
	exoWhyNew   = iota // it has never run
	exoWhyWoken        // what it waited for has happened
	exoWhyRan          // it ran and could go on: its time was over, or it gave way
)

// The size that libos/sched counts on; a negative constant does not compile.
const (
	_ = 64 - unsafe.Sizeof(exoTask{})
	_ = unsafe.Sizeof(exoTask{}) - 64
)

// exoSchedMaxP is for how many Ps there are records, as sched.MaxCPUs.
const exoSchedMaxP = 256

// exoSchedP is what one P does for the policy.
type exoSchedP struct {
	task  *exoTask
	since int64 // when the task began
	until int64 // when its time is over; 0 never
	mark  bool  // it runs an idle collector, of which the policy knows nothing
}

var exoSched struct {
	on bool // a policy is there
	p  [exoSchedMaxP]exoSchedP
	gc [exoSchedMaxP]exoTask // a collector's turn: see exo_sched_gc.go
}

// task returns the goroutine's task.
func (gp *g) task() *exoTask { return &gp.exoTask }

// g returns the task's goroutine.
func (t *exoTask) g() *g {
	return (*g)(unsafe.Pointer(uintptr(unsafe.Pointer(t)) - unsafe.Offsetof(g{}.exoTask)))
}

// isGC reports whether t stands for a collector.
func (t *exoTask) isGC() bool {
	p := uintptr(unsafe.Pointer(t))
	return p-uintptr(unsafe.Pointer(&exoSched.gc)) < unsafe.Sizeof(exoSched.gc)
}

// init makes t a task of nobody's yet.
func (t *exoTask) init(class unsafe.Pointer, system bool) {
	*t = exoTask{class: class, cpu: -1, state: exoTaskNew, system: system, self: uintptr(unsafe.Pointer(t))}
}
