// Package fifo is a queue that keeps its memory.
package fifo

// A Queue is values, first in, first out. It allocates only when it holds more than ever before. The zero value is empty.
type Queue[T any] struct {
	items []T
	head  int
}

// Len is how many there are.
func (q *Queue[T]) Len() int { return len(q.items) - q.head }

// At gives value i, counted from the oldest. It stays valid until the queue changes.
func (q *Queue[T]) At(i int) *T { return &q.items[q.head+i] }

// Push appends a value.
func (q *Queue[T]) Push(v T) {
	if q.head > 0 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, v)
}

// Pop takes out the oldest; there must be one.
func (q *Queue[T]) Pop() T {
	var zero T
	v := q.items[q.head]
	q.items[q.head] = zero
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return v
}

// All takes out everything, memory included.
func (q *Queue[T]) All() []T {
	v := q.items[q.head:]
	*q = Queue[T]{}
	return v
}
