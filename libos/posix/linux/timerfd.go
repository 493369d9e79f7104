package linux

import (
	"encoding/binary"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// A timerFD is timerfd_create(2). It is a deadline in uptime: how often it expired is computed when somebody reads,
// and one Go timer runs until the first expiry that nobody has read yet.
//
// A deadline on the wall clock is converted to uptime once, when set: it does not follow later changes of the wall
// clock, which nothing here makes.
type timerFD struct {
	mu       park.Mutex
	clock    int
	next     int64 // uptime of the next unread expiry; 0 when disarmed
	interval int64
	timer    func(ns int64) // sets the Go timer; below 0 it stops it
	readers  park.Queue
	watch    posix.Watchers
}

// An itimerspec is what timerfd_settime takes.
type itimerspec struct{ interval, value syscall.Timespec }

func timerfdCreate(clock, flags int) (int, syscall.Errno) {
	if flags&^(syscall.O_CLOEXEC|syscall.O_NONBLOCK) != 0 {
		return -1, syscall.EINVAL
	}
	switch clock {
	case clockRealtime, clockMonotonic, clockBoottime, clockRealtimeAlarm, clockBoottimeAlarm:
		return posix.Install(&timerFD{clock: clock}, flags|syscall.O_RDWR)
	}
	return -1, syscall.EINVAL
}

func timerfd(fd int) (*posix.File, *timerFD, syscall.Errno) {
	f := posix.Get(fd)
	if f == nil {
		return nil, nil, syscall.EBADF
	}
	if o, ok := f.Object().(*timerFD); ok {
		return f, o, 0
	}
	f.Put()
	return nil, nil, syscall.EINVAL
}

func timerfdSettime(fd, flags int, spec, old *itimerspec) syscall.Errno {
	const absolute, cancelOnSet = 1, 2
	value, ok1 := nanoseconds(&spec.value)
	interval, ok2 := nanoseconds(&spec.interval)
	if !ok1 || !ok2 || flags&^(absolute|cancelOnSet) != 0 {
		return syscall.EINVAL
	}
	f, o, e := timerfd(fd)
	if e != 0 {
		return e
	}
	defer f.Put()
	if value != 0 {
		now := posix.Uptime()
		if flags&absolute != 0 {
			base, _ := clockNow(o.clock)
			value -= base
		}
		value = max(addSaturated(now, value), 1)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if old != nil {
		*old = o.remaining()
	}
	if o.timer != nil {
		o.timer(-1)
	}
	o.next, o.interval = value, interval
	o.arm()
	return 0
}

func timerfdGettime(fd int, cur *itimerspec) syscall.Errno {
	f, o, e := timerfd(fd)
	if e != 0 {
		return e
	}
	o.mu.Lock()
	*cur = o.remaining()
	o.mu.Unlock()
	f.Put()
	return 0
}

// arm starts the Go timer for the next expiry; mu is held.
func (o *timerFD) arm() {
	if o.next == 0 {
		return
	}
	if o.timer == nil {
		o.timer = goTimer(o.expired)
	}
	o.timer(max(o.next-posix.Uptime(), 0))
}

// goTimer makes a Go timer that calls f. It is given as a function because a *time.Timer in the type of an Object would
// link all of time.Time's methods, and time zones with them.
func goTimer(f func()) func(ns int64) {
	t := time.AfterFunc(forever, f)
	return func(ns int64) {
		if ns < 0 {
			t.Stop()
		} else {
			t.Reset(time.Duration(ns))
		}
	}
}

func (o *timerFD) expired() {
	o.mu.Lock()
	if o.ticks() > 0 {
		o.readers.Wake()
		o.watch.Notify(posix.In)
	} else {
		o.arm() // set anew meanwhile, or fired a moment early
	}
	o.mu.Unlock()
}

// ticks is the number of unread expiries; mu is held.
func (o *timerFD) ticks() uint64 {
	late := posix.Uptime() - o.next
	switch {
	case o.next == 0 || late < 0:
		return 0
	case o.interval == 0:
		return 1
	}
	return uint64(late/o.interval) + 1
}

// remaining is the current setting; mu is held.
func (o *timerFD) remaining() (s itimerspec) {
	s.interval = syscall.NsecToTimespec(o.interval)
	if left := o.next - posix.Uptime(); o.next != 0 && left > 0 {
		s.value = syscall.NsecToTimespec(left)
	} else if o.next != 0 && o.interval != 0 {
		s.value = syscall.NsecToTimespec(o.interval - -left%o.interval)
	}
	return s
}

// Read implements Object.
func (o *timerFD) Read(f *posix.File, b []byte) (int, syscall.Errno) {
	if len(b) < 8 {
		return -1, syscall.EINVAL
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	n := o.ticks()
	for n == 0 {
		if f.Nonblock() {
			return -1, syscall.EAGAIN
		}
		o.readers.Wait(&o.mu)
		n = o.ticks()
	}
	if o.interval == 0 {
		o.next = 0
	} else {
		o.next += int64(n) * o.interval
		o.arm()
	}
	binary.NativeEndian.PutUint64(b, n)
	return 8, 0
}

// Write implements Object.
func (o *timerFD) Write(*posix.File, []byte) (int, syscall.Errno) { return -1, syscall.EINVAL }

// Ready implements Object.
func (o *timerFD) Ready() posix.Events {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ticks() > 0 {
		return posix.In
	}
	return 0
}

// Watchers implements Object.
func (o *timerFD) Watchers() *posix.Watchers { return &o.watch }

// Stat implements Object.
func (o *timerFD) Stat(st *syscall.Stat_t) { anonymous(st) }

// Release implements Object.
func (o *timerFD) Release() {
	o.mu.Lock()
	if o.timer != nil {
		o.timer(-1)
	}
	o.next = 0
	o.mu.Unlock()
}

// AnonymousName is what /proc/self/fd calls it.
func (*timerFD) AnonymousName() string { return "[timerfd]" }
