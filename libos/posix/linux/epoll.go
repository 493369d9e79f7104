package linux

import (
	"encoding/binary"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// An epoll is epoll_create1(2): a set of registrations, and the list of those that something happened to.
//
// A registration ("item") is idle or queued. Watchers.Notify queues it; harvesting takes it off the queue, asks the
// object whether it is really ready, reports it, and puts a level-triggered one back. A one-shot item that was
// reported has its conditions removed and stays idle until EPOLL_CTL_MOD.
//
// Lock order: epollLock, epoll.mu (outer before inner where nested), the object's locks, its Watchers, epoll.lock.
type epoll struct {
	mu    park.Mutex // held for changes of items and while harvesting
	items map[epollKey]*epItem

	lock    park.Mutex // a leaf: taken from Notify
	queue   itemList
	waiters []*park.Parker // sleeping in epoll_wait, oldest first

	watch posix.Watchers // who polls this epoll itself
}

type epollKey struct {
	f  *posix.File
	fd int
}

// An epItem is one registration.
type epItem struct {
	watch  posix.Watch
	ep     *epoll
	key    epollKey
	events posix.Events // conditions and flags; written under ep.mu and ep.lock, read under either
	data   uint64
	queued bool    // ep.lock
	next   *epItem // in the queue; ep.lock

	sibling *epItem // next registration of the same File; epollLock
}

// epollItems has the registrations of each file, linked by sibling. epollLock guards it, and the shape of the graph of
// epolls that watch epolls.
var (
	epollLock  park.Mutex
	epollItems = map[*posix.File]*epItem{}
)

// Flags in epItem.events.
const (
	epollExclusive posix.Events = 1 << 28
	epollWakeup    posix.Events = 1 << 29
	epollOneshot   posix.Events = 1 << 30
	epollEdge      posix.Events = 1 << 31
	epollFlags                  = epollExclusive | epollWakeup | epollOneshot | epollEdge
)

const epollNests = 4 // epolls below an epoll, as on Linux

type itemList struct {
	head, tail *epItem
	n          int
}

func (q *itemList) push(it *epItem) {
	it.queued, it.next = true, nil
	q.n++
	if q.tail == nil {
		q.head = it
	} else {
		q.tail.next = it
	}
	q.tail = it
}

func (q *itemList) pushFront(it *epItem) {
	it.queued, it.next = true, q.head
	q.n++
	if q.head = it; q.tail == nil {
		q.tail = it
	}
}

func (q *itemList) pop() *epItem {
	it := q.head
	if it != nil {
		if q.head = it.next; q.head == nil {
			q.tail = nil
		}
		it.queued, it.next = false, nil
		q.n--
	}
	return it
}

func (q *itemList) remove(it *epItem) {
	var prev *epItem
	for p := &q.head; *p != nil; p = &(*p).next {
		if *p == it {
			if *p = it.next; *p == nil {
				q.tail = prev
			}
			it.queued, it.next = false, nil
			q.n--
			return
		}
		prev = *p
	}
}

func epollCreate(flags int) (int, syscall.Errno) {
	if flags&^syscall.O_CLOEXEC != 0 {
		return -1, syscall.EINVAL
	}
	return posix.Install(&epoll{items: map[epollKey]*epItem{}}, flags|syscall.O_RDWR)
}

// getEpoll looks up an epoll descriptor.
func getEpoll(fd int) (*posix.File, *epoll, syscall.Errno) {
	f := posix.Get(fd)
	if f == nil {
		return nil, nil, syscall.EBADF
	}
	if ep, ok := f.Object().(*epoll); ok {
		return f, ep, 0
	}
	f.Put()
	return nil, nil, syscall.EINVAL
}

func epollCtl(epfd, op, fd int, events posix.Events, data uint64) syscall.Errno {
	f := posix.Get(epfd)
	if f == nil {
		return syscall.EBADF
	}
	defer f.Put()
	target := posix.Get(fd)
	if target == nil {
		return syscall.EBADF
	}
	defer target.Put()
	list := target.Object().Watchers()
	if list == nil {
		return syscall.EPERM
	}
	ep, ok := f.Object().(*epoll)
	if !ok || f == target {
		return syscall.EINVAL
	}
	inner, nested := target.Object().(*epoll)
	if op != syscall.EPOLL_CTL_DEL && events&epollExclusive != 0 {
		const allowed = posix.In | posix.Out | posix.Err | posix.Hup | epollWakeup | epollEdge | epollExclusive
		if op == syscall.EPOLL_CTL_MOD || nested || events&^allowed != 0 {
			return syscall.EINVAL
		}
	}
	epollLock.Lock()
	defer epollLock.Unlock()
	if op == syscall.EPOLL_CTL_ADD && nested && inner.depth(ep, 0) > epollNests {
		return syscall.ELOOP
	}
	ep.mu.Lock()
	defer ep.mu.Unlock()
	key := epollKey{target, fd}
	it := ep.items[key]
	switch {
	case op == syscall.EPOLL_CTL_ADD && it != nil:
		return syscall.EEXIST
	case op == syscall.EPOLL_CTL_ADD:
		it = &epItem{ep: ep, key: key, events: events | posix.Err | posix.Hup, data: data, sibling: epollItems[target]}
		it.watch.To, it.watch.Exclusive = it, events&epollExclusive != 0
		ep.items[key], epollItems[target] = it, it
		target.MarkWatched()
		list.Add(&it.watch)
	case op != syscall.EPOLL_CTL_MOD && op != syscall.EPOLL_CTL_DEL:
		return syscall.EINVAL
	case it == nil:
		return syscall.ENOENT
	case op == syscall.EPOLL_CTL_DEL:
		it.unlink()
		ep.drop(it)
		return 0
	case it.events&epollExclusive != 0:
		return syscall.EINVAL
	default:
		ep.lock.Lock()
		it.events, it.data = events|posix.Err|posix.Hup, data
		ep.lock.Unlock()
	}
	if ev := target.Object().Ready() & it.events; ev != 0 && !it.isQueued() {
		it.Notify(ev)
	}
	return 0
}

// depth is how many epolls lie below e at most, counting itself: more than epollNests where it leads back to ep.
func (e *epoll) depth(ep *epoll, above int) int {
	if e == ep || above > epollNests {
		return epollNests + 1
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for k := range e.items {
		if in, ok := k.f.Object().(*epoll); ok {
			n = max(n, in.depth(ep, above+1))
		}
	}
	return n + 1
}

// unlink takes the item out of its File's list; epollLock is held.
func (it *epItem) unlink() {
	f := it.key.f
	if epollItems[f] == it {
		if epollItems[f] = it.sibling; it.sibling == nil {
			delete(epollItems, f)
		}
		return
	}
	for p := epollItems[f]; p != nil; p = p.sibling {
		if p.sibling == it {
			p.sibling = it.sibling
			return
		}
	}
}

// drop forgets an item that is no longer in its File's list; ep.mu is held.
func (ep *epoll) drop(it *epItem) {
	it.key.f.Object().Watchers().Remove(&it.watch)
	delete(ep.items, it.key)
	ep.lock.Lock()
	if it.queued {
		ep.queue.remove(it)
	}
	ep.lock.Unlock()
}

// Notify implements Watcher: it queues the item and wakes one sleeper.
func (it *epItem) Notify(ev posix.Events) bool {
	ep := it.ep
	ep.lock.Lock()
	if it.events&ev&^epollFlags == 0 {
		ep.lock.Unlock()
		return false
	}
	if !it.queued {
		ep.queue.push(it)
	}
	taken := ep.wakeOne()
	ep.lock.Unlock()
	ep.watch.Notify(posix.In | posix.InN)
	return taken
}

func (it *epItem) isQueued() bool {
	it.ep.lock.Lock()
	defer it.ep.lock.Unlock()
	return it.queued
}

// wakeOne wakes the oldest sleeper; ep.lock is held.
func (ep *epoll) wakeOne() bool {
	if len(ep.waiters) == 0 {
		return false
	}
	p := ep.waiters[0]
	ep.waiters = append(ep.waiters[:0], ep.waiters[1:]...)
	p.Wake()
	return true
}

func epollWait(epfd int, out []byte, deadline int64) (int, syscall.Errno) {
	f, ep, e := getEpoll(epfd)
	if e != 0 {
		return -1, e
	}
	defer f.Put()
	var p *park.Parker
	for {
		if n := ep.harvest(out); n > 0 || posix.Uptime() >= deadline {
			return n, 0
		}
		if p == nil {
			p = new(park.Parker)
		}
		ep.lock.Lock()
		if ep.queue.head == nil {
			ep.waiters = append(ep.waiters, p)
			ep.lock.Unlock()
			parkUntil(p, deadline)
			ep.lock.Lock()
			ep.unwait(p)
		}
		ep.lock.Unlock()
	}
}

// unwait takes p off the sleepers, if its deadline woke it; ep.lock is held.
func (ep *epoll) unwait(p *park.Parker) {
	for i, w := range ep.waiters {
		if w == p {
			ep.waiters = append(ep.waiters[:i], ep.waiters[i+1:]...)
			return
		}
	}
}

// harvest reports ready items into out and returns how many. It looks once at each item queued when it begins; more
// that arrive meanwhile, and level-triggered items that it puts back, come after those.
func (ep *epoll) harvest(out []byte) (n int) {
	ep.mu.Lock()
	ep.lock.Lock()
	for todo := ep.queue.n; todo > 0 && len(out) >= epollEventSize; todo-- {
		it := ep.queue.pop()
		ep.lock.Unlock()
		ev := it.key.f.Object().Ready() & it.events
		ep.lock.Lock()
		if ev == 0 {
			continue
		}
		binary.NativeEndian.PutUint32(out, uint32(ev))
		binary.NativeEndian.PutUint64(out[epollDataOffset:], it.data)
		out = out[epollEventSize:]
		n++
		if it.events&epollOneshot != 0 {
			it.events &= epollFlags
		} else if it.events&epollEdge == 0 && !it.queued {
			ep.queue.push(it)
		}
	}
	if ep.queue.head != nil {
		ep.wakeOne()
	}
	ep.lock.Unlock()
	ep.mu.Unlock()
	return n
}

// Ready implements Object: an epoll is readable when an item is ready.
func (ep *epoll) Ready() (ev posix.Events) {
	ep.mu.Lock()
	ep.lock.Lock()
	for todo := ep.queue.n; todo > 0 && ev == 0; todo-- {
		it := ep.queue.pop()
		ep.lock.Unlock()
		ready := it.key.f.Object().Ready()&it.events != 0
		ep.lock.Lock()
		if ready {
			ev = posix.In | posix.InN
			if !it.queued {
				ep.queue.pushFront(it)
			}
		}
	}
	ep.lock.Unlock()
	ep.mu.Unlock()
	return ev
}

// Read implements Object.
func (ep *epoll) Read(*posix.File, []byte) (int, syscall.Errno) { return -1, syscall.EINVAL }

// Write implements Object.
func (ep *epoll) Write(*posix.File, []byte) (int, syscall.Errno) { return -1, syscall.EINVAL }

// Watchers implements Object.
func (ep *epoll) Watchers() *posix.Watchers { return &ep.watch }

// Stat implements Object.
func (ep *epoll) Stat(st *syscall.Stat_t) { anonymous(st) }

// Release implements Object: it ends all registrations.
func (ep *epoll) Release() {
	epollLock.Lock()
	ep.mu.Lock()
	for _, it := range ep.items {
		it.unlink()
		ep.drop(it)
	}
	ep.mu.Unlock()
	epollLock.Unlock()
}

// forgetFile ends the registrations of a file that is being released.
func forgetFile(f *posix.File) {
	epollLock.Lock()
	for it := epollItems[f]; it != nil; it = it.sibling {
		it.ep.mu.Lock()
		it.ep.drop(it)
		it.ep.mu.Unlock()
	}
	delete(epollItems, f)
	epollLock.Unlock()
}

// epollEvent takes a struct epoll_event apart.
func epollEvent(p []byte) (posix.Events, uint64) {
	return posix.Events(binary.NativeEndian.Uint32(p)), binary.NativeEndian.Uint64(p[epollDataOffset:])
}

// AnonymousName is what /proc/self/fd calls it.
func (*epoll) AnonymousName() string { return "[eventpoll]" }
