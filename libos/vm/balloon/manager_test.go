//go:build !hardtack

package balloon

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/internal/ram"
	"github.com/hardtack-os/hardtack/libos/vm"
)

// host is a device whose host wants target pages and then, when it is waited for, what comes next.
type host struct {
	mu       sync.Mutex
	target   uint32
	has      map[exo.Phys]bool
	reported uint32
	waits    []int64 // deadlines
	next     func() (target uint32, more bool)
	fails    error // of the next Inflate
	stuck    bool
}

var errDone = errors.New("done")

func (h *host) Target() uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.target
}

func (h *host) Report(n uint32) { h.reported = n }
func (h *host) Close() bool     { return !h.stuck }

func (h *host) Inflate(list []*exo.Frames) error {
	for _, f := range list {
		if h.has[f.Base()] || f.Err() != nil {
			panic("a run that is not the caller's, or twice")
		}
		h.has[f.Base()] = true
	}
	return h.fails
}

func (h *host) Deflate(list []*exo.Frames) error {
	for _, f := range list {
		if !h.has[f.Base()] {
			panic("a run that the host does not have")
		}
		delete(h.has, f.Base())
	}
	return nil
}

func (h *host) Wait(deadline int64) error {
	if deadline < 0 {
		return nil
	}
	h.waits = append(h.waits, deadline)
	more := true
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.target, more = h.next(); !more {
		return errDone
	}
	return nil
}

// app is a program that uses frames of its own: garbage that a collection frees, and what it needs.
type app struct {
	t             *testing.T
	mem           int64 // the limit
	live, garbage []*exo.Frames
	collections   int
	asked         func() // when it is collected
}

func (a *app) limit(n int64) (old int64) {
	old = a.mem
	if n >= 0 {
		a.mem = n
	}
	return old
}

func (a *app) collect() {
	a.collections++
	if a.asked != nil {
		a.asked()
	}
	for _, f := range a.garbage {
		f.Release()
	}
	a.garbage = nil
}

func (a *app) needs() int64 { return int64(len(a.live)) * exo.PageSize }
func (a *app) uses() int64  { return int64(len(a.live)+len(a.garbage)) * exo.PageSize }

func (a *app) take(n int) (list []*exo.Frames) {
	a.t.Helper()
	for range n {
		f, err := exo.TakeFrames("app", 1, 0)
		if err != nil {
			a.t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

const frames = 4096 // of the machine

func setUp(t *testing.T, steps ...func() uint32) (*host, *app, *manager) {
	t.Cleanup(exo.Simulate(ram.New(frames)))
	h := &host{has: map[exo.Phys]bool{}}
	h.next = func() (uint32, bool) {
		if len(steps) == 0 {
			return 0, false
		}
		f := steps[0]
		steps = steps[1:]
		return f(), true
	}
	a := &app{t: t, mem: noLimit}
	return h, a, newManager(h, a)
}

func runThrough(t *testing.T, m *manager) {
	t.Helper()
	if err := m.serve(); err != errDone {
		t.Fatal(err)
	}
}

func free() int { n, _ := exo.CountFrames(); return int(n) }

// TestHalfAndBack: half of the memory goes and comes back, with the limit; nothing is collected while there is plenty.
func TestHalfAndBack(t *testing.T) {
	var h *host
	var a *app
	h, a, m := setUp(t,
		func() uint32 { return frames / 2 },
		func() uint32 {
			if m := int64(frames-frames/16-frames/2) * exo.PageSize; h.reported != frames/2 || free() != frames/2 || a.mem != m {
				t.Errorf("%d pages reported, %d free, limit %d, want %d", h.reported, free(), a.mem, m)
			}
			return frames/2 - 700 // less than a run less, beside whole ones
		},
		func() uint32 {
			if h.reported != frames/2-700 || free() != frames/2+700 {
				t.Errorf("%d pages reported, %d free", h.reported, free())
			}
			return 0
		},
	)
	runThrough(t, m)
	if h.reported != 0 || len(h.has) != 0 || free() != frames || a.mem != noLimit || a.collections != 0 {
		t.Errorf("%d pages reported, %d runs there, %d free, limit %d, %d collections", h.reported, len(h.has), free(), a.mem, a.collections)
	}
	if len(h.waits) != 4 || h.waits[0] != 0 || h.waits[1] != 0 || h.waits[2] != 0 || h.waits[3] != 0 {
		t.Errorf("it does not sleep where nothing is to be done: %v", h.waits)
	}
}

// TestCachesFirst: caches shrink before the heap is collected, and to no less than their minimum; the limit counts them.
func TestCachesFirst(t *testing.T) {
	var h *host
	var a *app
	h, a, m := setUp(t,
		func() uint32 { return 1800 }, // more than is free: from caches alone
		func() uint32 {
			if a.collections != 0 || vm.Revocable() >= 2048 || h.reported != 1800 {
				t.Errorf("%d collections, %d frames in caches, %d pages in the balloon", a.collections, vm.Revocable(), h.reported)
			}
			return 3200 // more than caches can give
		},
		func() uint32 {
			if a.collections == 0 || vm.Revocable() != 256 || h.reported != 3200 {
				t.Errorf("%d collections, %d frames in caches, %d pages in the balloon", a.collections, vm.Revocable(), h.reported)
			}
			if want := int64(frames-frames/16-3200-256) * exo.PageSize; a.mem != want {
				t.Errorf("limit %d, want %d", a.mem, want)
			}
			return 0
		},
	)
	cache, err := vm.NewRevocablePool("cache", 2048, 256)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	a.live, a.garbage = a.take(100), a.take(400)
	a.asked = func() {
		if vm.Revocable() != 256 {
			t.Errorf("collected while caches have %d frames", vm.Revocable())
		}
	}
	runThrough(t, m)
	if vm.Revocable() != 2048 || a.mem != noLimit {
		t.Errorf("%d frames in caches again, limit %d", vm.Revocable(), a.mem)
	}
}

// TestProgramLivesOn: whatever the host wants, what the program needs stays, and a quarter more. It is tried again, later and later.
func TestProgramLivesOn(t *testing.T) {
	const all = 1<<32 - 1
	var h *host
	var a *app
	again := func() uint32 { return all }
	h, a, m := setUp(t, again, again, again, func() uint32 { a.live = a.live[:100]; return all })
	keep := a.take(2000)
	a.live = keep
	runThrough(t, m)
	for i, last := 2, int64(0); i < 4; i++ {
		if d := h.waits[i] - h.waits[i-1]; d <= last {
			t.Errorf("deadlines %v: the pauses do not grow", h.waits)
		} else {
			last = d
		}
	}
	if left := int64(frames - m.pages); left*exo.PageSize < a.needs()*5/4+frames/16*exo.PageSize || m.pages < frames/4 {
		t.Errorf("%d pages in the balloon, %d left for %d", m.pages, left, len(a.live))
	}
	if free() < frames/32 {
		t.Errorf("%d frames free", free())
	}
	if a.mem < a.needs() {
		t.Errorf("limit %d, and the program needs %d", a.mem, a.needs())
	}
}

// TestOwnLimit: a limit that the program set is lowered where memory is short, and never raised above what it was.
func TestOwnLimit(t *testing.T) {
	const own = 1000 * exo.PageSize
	var a *app
	_, a, m := setUp(t,
		func() uint32 { return 1000 },
		func() uint32 {
			if a.mem != own {
				t.Errorf("limit %d, and the program's own is %d", a.mem, own)
			}
			return 3500
		},
		func() uint32 {
			if a.mem >= own {
				t.Errorf("limit %d", a.mem)
			}
			return 0
		},
	)
	a.mem = own // between the module's start and the host's first wish
	runThrough(t, m)
	if a.mem != own {
		t.Errorf("limit %d, and the program's own is %d", a.mem, own)
	}
}

// TestFailingDevice: what a device was told of is used again only if it stops.
func TestFailingDevice(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		h, a, m := setUp(t, func() uint32 { return 100 })
		h.fails, h.stuck = errors.New("broken"), stuck
		if err := m.serve(); err != h.fails {
			t.Error(err)
		}
		m.end()
		if back := free() == frames; back == stuck || a.mem != noLimit && !stuck {
			t.Errorf("stopped: %v, %d frames free, limit %d", !stuck, free(), a.mem)
		}
	}
}

// TestHostThatNeverDecides: a host that changes its mind all the time gets a bounded part of the machine.
func TestHostThatNeverDecides(t *testing.T) {
	h, _, m := setUp(t)
	n := 0
	h.next = func() (uint32, bool) { n++; return uint32(n%2) << 10, n < 30 }
	began := time.Now()
	runThrough(t, m)
	if d := time.Since(began); d < 20*least {
		t.Errorf("30 changes were followed in %v", d)
	}
}
