package mmap

import (
	"sync"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/posix/internal/user"
)

// Interval is how long what is stored into a mapping may wait to be written to its file. How long it waits there for the disk is the filesystem's affair.
const Interval = 5 * time.Second

// table is what is mapped. Operations on files that are not mapped hold its lock for reading: so none is under way when a file becomes
// mapped.
var table = struct {
	sync.RWMutex
	objects map[fs.File]*object

	mu    sync.Mutex // of what is below, and of objects' users; taken last
	views []*view
	timer *time.Timer
	armed bool
}{objects: map[fs.File]*object{}}

// mapper implements fs.Mapper.
type mapper struct{}

// Enter implements fs.Mapper.
func (mapper) Enter(f fs.File) fs.File {
	table.RLock()
	o := table.objects[f]
	if o == nil {
		return f // Leave lets go of the lock
	}
	o.use()
	table.RUnlock()
	return o
}

// Leave implements fs.Mapper.
func (mapper) Leave(f fs.File) {
	if o, ok := f.(*object); ok {
		o.done()
		return
	}
	table.RUnlock()
}

func (o *object) use() {
	table.mu.Lock()
	o.users++
	table.mu.Unlock()
}

// done ends a use. The last one ends the object.
func (o *object) done() {
	table.mu.Lock()
	o.users--
	last := o.users == 0
	table.mu.Unlock()
	if !last {
		return
	}
	table.Lock()
	defer table.Unlock()
	table.mu.Lock()
	last = o.users == 0 && table.objects[o.raw] == o
	table.mu.Unlock()
	if last {
		delete(table.objects, o.raw)
		o.mu.Lock()
		for i := range o.pages {
			o.drop(i)
		}
		o.mu.Unlock()
		o.raw.Unref()
	}
}

// objectOf is what is mapped of f, with a use.
func objectOf(f fs.File) *object {
	table.Lock()
	defer table.Unlock()
	o := table.objects[f]
	if o == nil {
		o = newObject(f)
		table.objects[f] = o
	}
	o.use()
	return o
}

// settle lets go of the object's lock, and sees to it that one which could not write everything back stays until it can.
func (o *object) settle() {
	written := len(o.dirty) == 0
	change := written == o.kept
	o.kept = !written
	if change && !written {
		o.use()
		arm()
	}
	o.mu.Unlock()
	if change && written {
		o.done()
	}
}

// arm has tick called.
func arm() {
	table.mu.Lock()
	defer table.mu.Unlock()
	if table.armed {
		return
	}
	table.armed = true
	if table.timer == nil {
		table.timer = time.AfterFunc(Interval, tick)
	} else {
		table.timer.Reset(Interval)
	}
}

// tick writes back what nobody asked for.
func tick() {
	table.mu.Lock()
	table.armed = false
	table.mu.Unlock()
	mapper{}.WriteBack()
}

// WriteBack implements fs.Mapper.
func (mapper) WriteBack() (first fs.Errno) {
	table.RLock()
	list := make([]*object, 0, len(table.objects))
	for _, o := range table.objects {
		o.use()
		list = append(list, o)
	}
	table.RUnlock()
	for _, o := range list {
		o.mu.Lock()
		if o.stores() {
			if e := o.writeBack(0, all); first == 0 {
				first = e
			}
			arm()
		}
		o.settle()
		o.done()
	}
	return first
}

// GiveBack implements fs.Mapper.
func (mapper) GiveBack(n int) int { return giveBack(n) }

// Mapped implements fs.Mapper.
func (mapper) Mapped(p []byte) bool { return len(within(user.Address(p), uintptr(len(p)))) > 0 }

// Load implements fs.Mapper.
func (mapper) Load(b, p []byte) int { return transfer(b, p, false) }

// Store implements fs.Mapper.
func (mapper) Store(p, b []byte) int { return transfer(b, p, true) }

// transfer copies between b and p, by way of the frames where p is mapped, so that nothing faults.
func transfer(b, p []byte, store bool) int {
	at := user.Address(p)
	for n := 0; n < len(p); {
		k := min(len(p)-n, int(exo.PageSize-(at+uintptr(n))%exo.PageSize))
		list := within(at+uintptr(n), 1)
		switch {
		case len(list) > 0:
			if !list[0].transfer(b[n:n+k], at+uintptr(n), store) {
				return n
			}
		case store:
			copy(p[n:], b[n:n+k])
		default:
			copy(b[n:], p[n:n+k])
		}
		n += k
	}
	return len(p)
}

// transfer copies between b and what the view has at an address, within one page.
func (v *view) transfer(b []byte, at uintptr, store bool) bool {
	page, in := int((at-v.lo)/exo.PageSize), at%exo.PageSize
	return v.need(page, store, func() {
		f, i := v.own[page], v.first+int64(page)
		if f == nil {
			f = v.o.pages[i]
		}
		if !store {
			copy(b, f.bytes()[in:])
			return
		}
		copy(f.bytes()[in:], b)
		if v.own[page] == nil {
			v.o.dirty[i] = true
		}
	}) == 0
}

// within are the views that have bytes of [at, at+n).
func within(at, n uintptr) (list []*view) {
	table.mu.Lock()
	defer table.mu.Unlock()
	for _, v := range table.views {
		if v.lo < at+n && at < v.lo+uintptr(v.n())*exo.PageSize {
			list = append(list, v)
		}
	}
	return list
}

// clip is which of a view's pages lie in [at, at+n), the last not included.
func (v *view) clip(at, n uintptr) (lo, hi int) {
	if at > v.lo {
		lo = int((at - v.lo) / exo.PageSize)
	}
	end := (at + n - v.lo + exo.PageSize - 1) / exo.PageSize
	return lo, int(min(end, uintptr(v.n())))
}
