package sched

// A Task is a goroutine as a policy sees it. The exported fields are the policy's to use; they are zero in a new one. Tasks are
// never freed while a policy holds them, and are not made by policies.
//
// In an image it is a part of the runtime's own record of the goroutine (exoTask in _goroot_sched/src/runtime), so nothing is allocated
// and nothing looked up.
type Task struct {
	Next, Prev *Task // for lists
	Key, Word  int64

	class  *Class
	born   *Class
	self   uintptr
	cpu    int32
	state  uint8
	system bool
}

// Class returns the class that the task is in now. It may change between Charge and Enqueue, and only there.
func (t *Task) Class() *Class {
	switch {
	case t.class != nil:
		return t.class
	case t.system:
		return System
	}
	return Default
}
