package ip

import (
	"sync"

	"github.com/hardtack-os/hardtack/libos/net/link"
)

// A sender keeps the frames for which a device's transmit queue had no room, in order, until it has.
type sender struct {
	mu   sync.Mutex
	wait []link.Frame // from first on
	from int
	sent Sent
}

// Sent is what was given to an interface to send. Frames that a device shall cut count as one.
type Sent struct {
	Frames, Bytes uint64 // with their Ethernet headers; those that wait for room, too
	Dropped       uint64 // frames
}

// Sent gives it, for all transmit queues together.
func (i *Interface) Sent() (all Sent) {
	for q := range i.out {
		s := &i.out[q]
		s.mu.Lock()
		all.Frames += s.sent.Frames
		all.Bytes += s.sent.Bytes
		all.Dropped += s.sent.Dropped
		s.mu.Unlock()
	}
	return all
}

// maxQueued is how many frames wait for a device, at most: as many as Linux's queue holds by default.
const maxQueued = 1000

// send gives a frame to the device, or queues it; beyond that it is dropped. Flush is the caller's.
func (i *Interface) send(queue int, f *link.Frame) {
	s := &i.out[queue]
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(f.Body) > i.Info.MaxBody {
		i.host.count(TooManyPieces)
		s.sent.Dropped++
		f.Release()
		return
	}
	bytes := uint64(f.Len())
	if len(s.wait) > s.from {
		i.drain(s, queue)
	}
	if len(s.wait) == s.from && i.Device.Send(queue, f) {
		s.sent.Frames++
		s.sent.Bytes += bytes
		return
	}
	if len(s.wait)-s.from >= maxQueued {
		i.host.count(QueueFull)
		s.sent.Dropped++
		f.Release()
		return
	}
	s.sent.Frames++
	s.sent.Bytes += bytes
	s.queue(f)
}

// queue has a frame wait; s.mu held. It is apart from send for the goroutine's stack, which goes deeper from there.
//
//go:noinline
func (s *sender) queue(f *link.Frame) {
	s.wait = append(s.wait, *f)
	*f = link.Frame{}
}

// drain sends what waits, as far as there is room; s.mu held.
func (i *Interface) drain(s *sender, queue int) (sent bool) {
	for s.from < len(s.wait) && i.Device.Send(queue, &s.wait[s.from]) {
		s.wait[s.from] = link.Frame{}
		s.from++
		sent = true
	}
	if s.from == len(s.wait) {
		s.wait, s.from = s.wait[:0], 0
	}
	return sent
}

// Drain sends what had to wait for room in a transmit queue. To be called when Wait of the queue has returned.
func (i *Interface) Drain(queue int) {
	s := &i.out[queue]
	s.mu.Lock()
	sent := len(s.wait) > s.from && i.drain(s, queue)
	s.mu.Unlock()
	if sent {
		i.Device.Flush(queue)
	}
}

// Backlog is how many frames wait for room in a transmit queue: who sends much had better wait, too.
func (i *Interface) Backlog(queue int) int {
	s := &i.out[queue]
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.wait) - s.from
}
