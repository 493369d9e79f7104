package balloon

import (
	"errors"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/vm"
)

// device is what the manager needs of the driver, exo/virtio/balloon.
type device interface {
	Target() uint32
	Report(pages uint32)
	Inflate([]*exo.Frames) error
	Deflate([]*exo.Frames) error
	Wait(deadline int64) error
	Close() (stopped bool)
}

const (
	holder  = "balloon"
	longest = 512  // frames in a run, 2 MiB: what the frame allocator keeps together
	batch   = 1024 // frames between two looks at what the host wants now

	askFor    = 20e9                  // ns that caches have to give frames up: an emulated machine is slow
	least     = 10 * time.Millisecond // between two changes of mind that are followed
	firstWait = 250e6                 // ns before what could not be given is tried again; doubles
	lastWait  = 30e9
)

// A manager serves one balloon.
type manager struct {
	dev   device
	rt    goRuntime
	limit limiter
	held  []*exo.Frames // in the balloon, in the order in which they went
	pages int           // how many they are
	taken []*exo.Frames // on their way into it
}

func newManager(dev device, rt goRuntime) *manager {
	return &manager{dev: dev, rt: rt, limit: newLimiter(rt)}
}

// serve follows the host's wishes until the device fails.
func (m *manager) serve() error {
	pause := int64(firstWait)
	for last := uint32(0); ; {
		target := m.dev.Target()
		if target != last {
			last, pause = target, firstWait
		}
		if err := m.follow(int(target)); err != nil {
			return err
		}
		deadline := int64(0)
		switch now := m.dev.Target(); {
		case now != target:
			deadline = -1 // look again at once
		case m.pages < m.most(int(target)):
			deadline = exo.Now() + pause
			pause = min(2*pause, lastWait)
		}
		if err := m.dev.Wait(deadline); err != nil {
			return err
		}
		if deadline <= 0 {
			time.Sleep(least) // a host that changes its mind all the time gets this much of the machine
		}
	}
}

// follow brings the balloon as near to a target as can be without going below what the program needs.
func (m *manager) follow(target int) (err error) {
	before := m.pages
	target = m.most(target)
	if target < m.pages {
		err = m.shrink(m.pages - target)
	}
	if err == nil && target > m.pages {
		err = m.grow(target - m.pages)
	}
	m.setLimit(m.pages)
	if m.pages != before {
		pages.Store(int64(m.pages))
		m.dev.Report(uint32(m.pages))
	}
	if m.pages < before {
		m.regrow()
	}
	return err
}

// most bounds a target by what the machine has, less what is never given.
func (m *manager) most(target int) int {
	_, total := exo.CountFrames()
	return max(min(target, int(total)-reserve(total)), 0)
}

// reserve is what stays free for page tables, threads and devices: a sixteenth, as in the runtime's own default of GOMEMLIMIT.
func reserve(total uint64) int { return max(int(total/16), 256) }

// bound is the Go memory limit that goes with so many pages in the balloon.
func bound(pages int) int64 {
	_, total := exo.CountFrames()
	return int64(int(total)-reserve(total)-pages-vm.Revocable()) * exo.PageSize
}

func (m *manager) setLimit(pages int) {
	n := int64(noLimit)
	if pages > 0 {
		n = max(bound(pages), exo.PageSize)
	}
	m.limit.atMost(n)
}

// lower sets the limit for n pages more in the balloon, but not below what the program needs as far as is known.
func (m *manager) lower(n int) { m.limit.atMost(max(bound(m.pages+n), m.needs())) }

// grow gives n pages more to the host, or as many as it may.
func (m *manager) grow(n int) error {
	m.lower(n)
	if short := max(n-m.room(), m.over(n)); short > 0 {
		vm.Reclaim(exo.Demand{Names: uint64(short), Deadline: exo.Now() + askFor, Why: "the host wants memory back"})
		m.lower(n) // caches have less now, the heap may have more
	}
	if n > m.room() || m.over(n) > 0 {
		m.rt.collect()
		n = min(n, int((bound(m.pages)-m.needs())/exo.PageSize))
	}
	for n = min(n, m.room()); n > 0; {
		some, err := m.give(min(n, batch))
		if err != nil || some == 0 {
			return err
		}
		n = min(n-some, m.room())
		if m.most(int(m.dev.Target())) <= m.pages {
			break // the host has changed its mind
		}
	}
	return nil
}

// needs is what the program must have: what it had in use, and a quarter so that it is not collecting all the time.
func (m *manager) needs() int64 {
	n := m.rt.needs()
	return n + n/4 + 1<<20
}

// over is by how many pages the program would exceed its limit if n more went.
func (m *manager) over(n int) int {
	return int((m.rt.uses() - bound(m.pages+n) + exo.PageSize - 1) / exo.PageSize)
}

// room is how many frames may go now: the free ones, less half of the reserve, the other half of which the image uses already.
func (m *manager) room() int {
	free, total := exo.CountFrames()
	return int(free) - reserve(total)/2
}

// give hands n free frames to the host, and says how many there were.
func (m *manager) give(n int) (given int, err error) {
	m.taken = m.taken[:0]
	for run := longest; run > 0 && given < n; {
		if run > n-given {
			run /= 2
			continue
		}
		f, err := exo.TakeFrames(holder, run, 0)
		if err != nil {
			if none := (*exo.ExhaustedError)(nil); !errors.As(err, &none) {
				return given, err
			}
			run /= 2
			continue
		}
		m.taken = append(m.taken, f)
		given += run
	}
	if given == 0 {
		return 0, nil
	}
	if err := m.dev.Inflate(m.taken); err != nil {
		return given, err
	}
	m.held = append(m.held, m.taken...)
	m.taken = m.taken[:0]
	m.pages += given
	return given, nil
}

// shrink takes n pages back, or some more: what went as a run comes back as one.
func (m *manager) shrink(n int) error {
	for n > 0 && len(m.held) > 0 {
		some, first := 0, len(m.held)
		for first > 0 && some < min(n, batch) {
			first--
			some += len(m.held[first].Bytes()) / exo.PageSize
		}
		if err := m.dev.Deflate(m.held[first:]); err != nil {
			return err
		}
		for _, f := range m.held[first:] {
			if err := f.Release(); err != nil {
				return err
			}
		}
		clear(m.held[first:])
		m.held = m.held[:first]
		m.pages -= some
		n -= some
	}
	return nil
}

// regrow lets caches have of what is free what leaves the heap its part.
func (m *manager) regrow() {
	free, total := exo.CountFrames()
	vm.Regrow(max(int(free)-int(total)/4, 0))
	m.setLimit(m.pages)
}

// end gives the device back. If it does not stop, what it was told of stays out of use.
func (m *manager) end() {
	if !m.dev.Close() {
		return
	}
	for _, f := range append(m.held, m.taken...) {
		f.Release() // one that was taken back is gone already
	}
	m.held, m.taken, m.pages = nil, nil, 0
	pages.Store(0)
	m.setLimit(0)
}
