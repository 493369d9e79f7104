package exo

import (
	"sync"
	"sync/atomic"
)

// A Fault is an access to a page of a range that does not allow it.
type Fault struct {
	Page  int
	Write bool
	PC    uintptr // of the instruction; 0 for a pager
}

// A Verdict is what a handler says of a fault.
type Verdict int

// Verdicts.
const (
	Decline Verdict = iota // the fault stands: the program sees SIGSEGV at that address
	Retry                  // the instruction shall run again: the handler has mapped the page
	Defer                  // the range's pager shall see to it
	Bus                    // the fault stands as SIGBUS: there is nothing behind that page
)

// faultHooks are what a range's holder does about faults.
type faultHooks struct {
	handle atomic.Pointer[func(Fault) Verdict]
	page   atomic.Pointer[func(Fault) bool]
}

// Handle has h called on a fault in the range, at once, on a stack of its own.
//
// It stands in the middle of any code, as a signal handler does: it may not allocate, wait, take locks that the interrupted code may hold,
// or need more than 16 KiB of stack. It may do page operations on any range. A fault of its own in a range calls that range's handler, up to
// eight deep; any other ends the image with a report. Handlers of faults at the same time on several CPUs run at the same time.
func (r *Pages) Handle(h func(Fault) Verdict) {
	r.hooks.handle.Store(&h)
	hookFaults(r)
}

// Pager has p called on a fault in the range for which the handler says Defer, or for which there is no handler, on a goroutine where
// everything is allowed. The goroutine that faulted waits. p returns true when the instruction shall run again, false to let the fault
// stand.
//
// p may be called on several goroutines at a time, also for one page and for a page that is there by now. It must return: runtime.Goexit leaves the
// other goroutine waiting for ever.
//
// Faults in code that cannot wait stand: in compiled code of package reflect and the Go runtime, in compiled nosplit code, in write barriers, in secret mode (runtime/secret), and in
// assembly that sets the stack pointer to what the assembler does not know of.
func (r *Pages) Pager(p func(Fault) bool) {
	r.hooks.page.Store(&p)
	hookFaults(r)
}

// hooked are the ranges with hooks, by address. A fault reads it without a lock.
var hooked struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*Pages]
}

// hookFaults enters a range.
func hookFaults(r *Pages) {
	hooked.mu.Lock()
	defer hooked.mu.Unlock()
	old := hooked.list.Load()
	if old == nil {
		hwUpcalls(upcall, page)
		old = new([]*Pages)
	}
	list := make([]*Pages, 0, len(*old)+1)
	for _, o := range *old {
		if o == r {
			return
		}
		if r != nil && r.lo < o.lo {
			list, r = append(list, r), nil
		}
		list = append(list, o)
	}
	if r != nil {
		list = append(list, r)
	}
	hooked.list.Store(&list)
}

// forgetFaults takes a range out.
func forgetFaults(r *Pages) {
	hooked.mu.Lock()
	defer hooked.mu.Unlock()
	old := hooked.list.Load()
	if old == nil {
		return
	}
	var list []*Pages
	for _, o := range *old {
		if o != r {
			list = append(list, o)
		}
	}
	hooked.list.Store(&list)
}

// rangeOf finds the hooked range of an address.
func rangeOf(addr uintptr) *Pages {
	p := hooked.list.Load()
	if p == nil {
		return nil
	}
	list := *p
	lo, hi := 0, len(list)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if list[m].lo <= addr {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == 0 {
		return nil
	}
	if r := list[lo-1]; addr-r.lo < uintptr(r.pages)*PageSize {
		return r
	}
	return nil
}

// upcall is called by the bottom half, on the signal stack.
func upcall(addr, pc uintptr, write bool) int {
	r := rangeOf(addr)
	if r == nil {
		return int(Decline)
	}
	v := Defer
	if h := r.hooks.handle.Load(); h != nil {
		v = (*h)(Fault{Page: int((addr - r.lo) / PageSize), Write: write, PC: pc})
	}
	if v == Defer && r.hooks.page.Load() == nil {
		v = Decline
	}
	return int(v)
}

// page is called by the bottom half, on a pager goroutine.
func page(addr uintptr, write bool) bool {
	r := rangeOf(addr)
	if r == nil {
		return false
	}
	p := r.hooks.page.Load()
	return p != nil && (*p)(Fault{Page: int((addr - r.lo) / PageSize), Write: write})
}
