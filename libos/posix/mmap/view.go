package mmap

import (
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/exo"
)

// A view is one mapping of a file. All but what says otherwise is under its object's lock.
type view struct {
	o      *object
	pages  *exo.Pages
	lo     uintptr // its address
	first  int64   // page of the file that is at its first page
	shared bool
	may    bool // a shared one: its descriptor was open for writing
	able   bool // and it was mapped for writing at some time
	own    map[int]*frame
	locks  []span // pages that are never put out: mlock(2)
	closed bool

	spans atomic.Pointer[[]span] // changed under the lock, read at any time
	bad   atomic.Int64           // a page that could not be brought in, plus 1
}

// A span is pages of a view, hi not included, that are mapped and may be touched so. Spans are in order and do not overlap.
type span struct {
	lo, hi int
	prot   exo.Prot
}

func (v *view) n() int { return v.pages.Pages() }

// at is how a page may be touched; false where it was unmapped. It may be called on the signal stack.
func (v *view) at(page int) (exo.Prot, bool) {
	for _, s := range *v.spans.Load() {
		if s.lo <= page && page < s.hi {
			return s.prot, true
		}
	}
	return exo.ProtNone, false
}

// set makes the pages from lo to hi what prot says; unmap takes them out.
func (v *view) set(lo, hi int, prot exo.Prot, unmap bool) {
	list := with(*v.spans.Load(), lo, hi, prot, unmap)
	v.spans.Store(&list)
}

// with are spans in which the pages from lo to hi are what prot says, or not there.
func with(spans []span, lo, hi int, prot exo.Prot, out bool) (list []span) {
	add := func(s span) {
		if s.lo >= s.hi {
			return
		}
		if k := len(list) - 1; k >= 0 && list[k].hi == s.lo && list[k].prot == s.prot {
			list[k].hi = s.hi
			return
		}
		list = append(list, s)
	}
	placed := out
	for _, s := range spans {
		if !placed && s.lo >= lo {
			add(span{lo, hi, prot})
			placed = true
		}
		add(span{s.lo, min(s.hi, lo), s.prot})
		if !placed && s.hi > lo {
			add(span{lo, hi, prot})
			placed = true
		}
		add(span{max(s.lo, hi), s.hi, s.prot})
	}
	if !placed {
		add(span{lo, hi, prot})
	}
	return list
}

// lock has the pages from lo to hi stay when they are there, or ends that. mu is held.
func (v *view) lock(lo, hi int, on bool) { v.locks = with(v.locks, lo, hi, exo.ProtNone, !on) }

// locked says whether a page stays. mu is held.
func (v *view) locked(page int) bool {
	return slices.ContainsFunc(v.locks, func(s span) bool { return s.lo <= page && page < s.hi })
}

// mapped says whether all pages from lo to hi are still mapped.
func (v *view) mapped(lo, hi int) bool {
	for _, s := range *v.spans.Load() {
		if s.lo <= lo && lo < s.hi {
			lo = s.hi
		}
	}
	return lo >= hi
}

// handle is called on the signal stack: it says of a fault what can be said without waiting.
func (v *view) handle(f exo.Fault) exo.Verdict {
	prot, ok := v.at(f.Page)
	switch {
	case !ok, prot == exo.ProtNone, f.Write && prot != exo.ProtWrite:
		return exo.Decline
	case v.first+int64(f.Page) >= pagesOf(v.o.size.Load()), v.bad.CompareAndSwap(int64(f.Page)+1, 0):
		return exo.Bus
	}
	return exo.Defer
}

// faulted counts the faults of all mappings.
var faulted atomic.Uint64

// fault brings a page in.
func (v *view) fault(f exo.Fault) bool {
	faulted.Add(1)
	e := v.need(f.Page, f.Write, func() {})
	if e != 0 && e != syscall.EFAULT { // that one handle sees by itself
		v.bad.Store(int64(f.Page) + 1)
	}
	return e == 0
}

// need brings a page in, and waits for whoever has the memory for it. It calls then while the page cannot go. The lock is not held.
func (v *view) need(page int, write bool, then func()) syscall.Errno {
	for {
		v.o.mu.Lock()
		v.o.waits = nil
		e := syscall.EFAULT
		if !v.closed {
			e = v.bringIn(page, write)
		}
		if e == 0 {
			then()
		}
		waits := v.o.waits
		v.o.mu.Unlock()
		if e != syscall.EAGAIN || waits == nil {
			return e
		}
		waits.mu.Lock() // nothing is held meanwhile
		waits.mu.Unlock()
	}
}

// bringIn makes a page one that may be touched. EFAULT where it may not be, EAGAIN where that has to wait: see frameFor.
func (v *view) bringIn(page int, write bool) syscall.Errno {
	prot, ok := v.at(page)
	i := v.first + int64(page)
	if !ok || prot == exo.ProtNone || write && prot != exo.ProtWrite || i >= pagesOf(v.o.size.Load()) {
		return syscall.EFAULT
	}
	q := exo.Query(page)
	there := v.apply(&q) && q.Prot() != exo.ProtNone
	if there && (!write || q.Prot() == exo.ProtWrite) {
		return 0
	}
	if own := v.own[page]; own != nil {
		return v.enter(page, own, prot, there)
	}
	var own *frame
	if !v.shared && write { // before the page is looked for, which may have to go for it
		if own = frameFor(v.o, nil, 0); own == nil {
			return v.o.none()
		}
	}
	f, e := v.o.page(i, v.stored(page))
	if e != 0 {
		if own != nil {
			frames.give(own)
		}
		return e
	}
	if there { // room for f may have been made of what was there
		q = exo.Query(page)
		there = v.apply(&q) && q.Prot() != exo.ProtNone
	}
	switch {
	case own != nil:
		copy(own.bytes(), f.bytes())
		if v.own == nil {
			v.own = map[int]*frame{}
		}
		v.own[page] = own
		return v.enter(page, own, prot, false)
	case !v.shared:
		prot = exo.ProtRead
	case prot == exo.ProtWrite && !f.real:
		if !write && v.o.hole(i) {
			prot = exo.ProtRead // the first store asks the file for the page
			break
		}
		if e := v.o.allocate(i); e != 0 {
			return e
		}
		f.real = true
	}
	return v.enter(page, f, prot, there)
}

// enter puts a frame at a page; same: it is there, and only its rights change, so that what the processor noted stays.
func (v *view) enter(page int, f *frame, prot exo.Prot, same bool) syscall.Errno {
	op := f.at(page, prot)
	if same {
		op = exo.Protect(page, prot)
	}
	if !v.apply(&op) {
		return syscall.ENOMEM
	}
	return 0
}

// apply does one operation.
func (v *view) apply(op *exo.PageOp) bool {
	ops := [1]exo.PageOp{*op}
	failed, err := v.pages.Apply(ops[:])
	*op = ops[0]
	return failed == 0 && err == nil
}

// leave takes what is at a page away, and notes where it was stored to.
func (v *view) leave(page int) {
	op := exo.Unmap(page)
	if v.apply(&op) && op.Written() && v.own[page] == nil {
		v.o.dirty[v.first+int64(page)] = true
	}
}

// forget gives up a private copy.
func (v *view) forget(page int) {
	if own := v.own[page]; own != nil {
		v.leave(page)
		delete(v.own, page)
		frames.give(own)
	}
}

// stored says whether a page may be stored to so that the file has it: then its frame is never the page cache's, and no first store waits.
func (v *view) stored(page int) bool {
	prot, _ := v.at(page)
	return v.writes() && prot == exo.ProtWrite
}

// writes says whether stores to the view reach the file.
func (v *view) writes() bool { return v.shared && v.able }

// collect notes which pages from i to j of the file were stored to.
func (v *view) collect(i, j int64) {
	if !v.writes() {
		return
	}
	lo, hi := max(i-v.first, 0), min(j-v.first, int64(v.n()))
	const most = 1 << 15
	for ; lo < hi; lo += most {
		n := int(min(hi-lo, most))
		bits := make([]uint64, (n+63)/64)
		if v.pages.Dirty(int(lo), n, bits) == 0 {
			continue
		}
		for k := range n {
			if bits[k/64]>>(k%64)&1 != 0 {
				v.o.dirty[v.first+lo+int64(k)] = true
			}
		}
	}
}

// enable says that pages may be stored to from now on. mu is held.
func (v *view) enable() {
	if v.able = true; v.shared {
		arm()
	}
}

// populate brings in what the file has at the pages from lo to hi, as long as there is memory. For a view that stores to its own pages they are not made before they
// are stored to.
func (v *view) populate(lo, hi int) {
	end := min(v.first+int64(hi), pagesOf(v.o.size.Load()))
	for i := v.first + int64(lo); i < end; {
		data, e := seek(v.o.raw, i*exo.PageSize, false)
		if e != 0 {
			return
		}
		i = max(i, data/exo.PageSize)
		stop := end
		if hole, e := seek(v.o.raw, data, true); e == 0 {
			stop = min(end, pagesOf(hole))
		}
		for ; i < stop; i++ {
			prot, ok := v.at(int(i - v.first))
			if !ok || prot == exo.ProtNone {
				continue
			}
			own := v.stored(int(i - v.first))
			if f := v.o.pages[i]; (f == nil || own && f.lent()) && v.o.full(own) {
				return
			}
			f, e := v.o.page(i, own)
			if e != 0 {
				return // who touches it is told
			}
			f.real = !f.lent()
			if v.bringIn(int(i-v.first), false) != 0 {
				return
			}
		}
		i = max(i, stop)
	}
}

// bringAll brings in the pages from lo to hi, holes, too, as long as no other has to go for one; write: as if they were stored to.
func (v *view) bringAll(lo, hi int, write bool) {
	for p := lo; p < hi && !v.o.full(v.stored(p) || write); p++ {
		if v.bringIn(p, write) != 0 {
			return // who touches it is told
		}
	}
}

// touch does what touching the pages from lo to hi would, and says what madvise(2) does where that cannot be. The lock is not held.
func (v *view) touch(lo, hi int, write bool) syscall.Errno {
	for p := lo; p < hi; p++ {
		if prot, ok := v.at(p); !ok || prot == exo.ProtNone || write && prot != exo.ProtWrite {
			return syscall.EINVAL
		}
		switch e := v.need(p, write, func() {}); e {
		case 0:
		case syscall.ENOMEM:
			return e
		default:
			return syscall.EFAULT
		}
	}
	return 0
}

// unmap takes the pages from lo to hi out, for good.
func (v *view) unmap(lo, hi int) {
	for p := lo; p < hi; p++ {
		if v.own[p] != nil {
			v.forget(p)
		} else {
			v.leave(p)
		}
	}
	v.set(lo, hi, exo.ProtNone, true)
	v.lock(lo, hi, false)
}
