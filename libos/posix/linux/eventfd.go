package linux

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// An eventFD is eventfd(2): a counter that readers take and writers add to.
type eventFD struct {
	mu        park.Mutex
	count     uint64
	semaphore bool // a read takes one instead of all
	readers   park.Queue
	writers   []*park.Parker // each waits for room of its own
	watch     posix.Watchers
}

func eventfd2(initial uint32, flags int) (int, syscall.Errno) {
	const semaphore = 1
	if flags&^(semaphore|syscall.O_CLOEXEC|syscall.O_NONBLOCK) != 0 {
		return -1, syscall.EINVAL
	}
	o := &eventFD{count: uint64(initial), semaphore: flags&semaphore != 0}
	return posix.Install(o, flags&^semaphore|syscall.O_RDWR)
}

// FDInfo is its line in /proc/self/fdinfo, proc(5).
func (o *eventFD) FDInfo() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	count := strconv.FormatUint(o.count, 16)
	return "eventfd-count: " + strings.Repeat(" ", 16-len(count)) + count + "\n"
}

// Read implements Object.
func (o *eventFD) Read(f *posix.File, b []byte) (int, syscall.Errno) {
	if len(b) < 8 {
		return -1, syscall.EINVAL
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.count == 0 {
		if f.Nonblock() {
			return -1, syscall.EAGAIN
		}
		o.readers.Wait(&o.mu)
	}
	n := o.count
	if o.semaphore {
		n = 1
	}
	o.count -= n
	if o.count > 0 {
		o.readers.Wake()
	}
	for _, w := range o.writers {
		w.Wake()
	}
	clear(o.writers)
	o.writers = o.writers[:0]
	o.watch.Notify(posix.Out)
	binary.NativeEndian.PutUint64(b, n)
	return 8, 0
}

// Write implements Object.
func (o *eventFD) Write(f *posix.File, b []byte) (int, syscall.Errno) {
	if len(b) < 8 {
		return -1, syscall.EINVAL
	}
	n := binary.NativeEndian.Uint64(b)
	if n == math.MaxUint64 {
		return -1, syscall.EINVAL
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for n >= math.MaxUint64-o.count {
		if f.Nonblock() {
			return -1, syscall.EAGAIN
		}
		w := new(park.Parker)
		o.writers = append(o.writers, w)
		o.mu.Unlock()
		w.Park(-1)
		o.mu.Lock()
	}
	o.count += n
	if o.count > 0 {
		o.readers.Wake()
	}
	o.watch.Notify(posix.In)
	return 8, 0
}

// Ready implements Object.
func (o *eventFD) Ready() (ev posix.Events) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.count > 0 {
		ev = posix.In
	}
	if o.count < math.MaxUint64-1 {
		ev |= posix.Out
	}
	return ev
}

// Watchers implements Object.
func (o *eventFD) Watchers() *posix.Watchers { return &o.watch }

// Stat implements Object.
func (o *eventFD) Stat(st *syscall.Stat_t) { anonymous(st) }

// Release implements Object.
func (o *eventFD) Release() {}

// AnonymousName is what /proc/self/fd calls it.
func (*eventFD) AnonymousName() string { return "[eventfd]" }
