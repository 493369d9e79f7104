package exo

import "sync"

// routes remembers which source of interrupts was bound to which vector and CPU, so that a vector's sources can be masked, and
// those sent to a CPU sent elsewhere, when it is taken back.
//
// Locks: a space's mu before routes.mu, that before a Function's and an I/O APIC's.
type routes struct {
	mu   sync.Mutex
	list []route // under mu
}

// A route is one source and where it goes. A Line has one source, 0; a Function one for each message.
type route struct {
	from source
	i    int
	v    *Vector
	cpu  *CPU // nil: the boot CPU
}

// A source raises interrupts. Its methods run under routes.mu.
type source interface {
	program(i int, vector uint8, apic uint32) error // send i there and unmask it
	quiet(i int)                                    // mask i
	dead() error
}

// bind sends source i of s to v on cpu.
func (r *routes) bind(s source, i int, v *Vector, cpu *CPU) error {
	if v == nil {
		return &EmptyError{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := s.dead(); err != nil {
		return err
	}
	// The order of unbind and this: an ending vector or CPU says so before it asks for its routes.
	n := v.Number()
	if n == 0 {
		return v.b.err()
	}
	apic, err := target(cpu)
	if err != nil {
		return err
	}
	if err := s.program(i, n, apic); err != nil {
		return err
	}
	r.forget(s, i)
	r.list = append(r.list, route{s, i, v, cpu})
	return nil
}

// mask stops source i of s.
func (r *routes) mask(s source, i int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := s.dead(); err != nil {
		return err
	}
	s.quiet(i)
	r.forget(s, i)
	return nil
}

// forget drops the route of source i of s, or, where i is negative, all of s; lock held.
func (r *routes) forget(s source, i int) {
	for k := len(r.list) - 1; k >= 0; k-- {
		if e := r.list[k]; e.from == s && (i < 0 || e.i == i) {
			last := len(r.list) - 1
			r.list[k] = r.list[last]
			r.list[last] = route{}
			r.list = r.list[:last]
		}
	}
}

// end masks all that goes to v.
func (r *routes) end(v *Vector) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := len(r.list) - 1; k >= 0; k-- {
		if e := r.list[k]; e.v == v {
			e.from.quiet(e.i)
			r.forget(e.from, e.i)
		}
	}
}

// move sends what goes to cpu to the boot CPU.
func (r *routes) move(cpu *CPU) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range r.list {
		if e := &r.list[k]; e.cpu == cpu {
			e.cpu = nil
			n := e.v.Number() // 0: it is ending, too, and end comes next
			if apic, err := target(nil); n == 0 || err != nil || e.from.program(e.i, n, apic) != nil {
				e.from.quiet(e.i)
			}
		}
	}
}

// drop forgets all routes of a source that ends, and calls off to mask them.
func (r *routes) drop(s source, off func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(s, -1)
	off()
}
