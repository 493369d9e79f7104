package sched

// A Queue is tasks in the order of their arrival, through Task.Next: first in, first out, without allocation. The zero value is
// empty.
type Queue struct {
	head, tail *Task
	n          int
}

// Len returns how many tasks there are.
func (q *Queue) Len() int { return q.n }

// Push puts t at the end.
func (q *Queue) Push(t *Task) {
	t.Next = nil
	if q.head == nil {
		q.head = t
	} else {
		q.tail.Next = t
	}
	q.tail = t
	q.n++
}

// Pop takes the first one; nil if there is none.
func (q *Queue) Pop() *Task {
	t := q.head
	if t != nil {
		q.head = t.Next
		t.Next = nil
		q.n--
	}
	return t
}
