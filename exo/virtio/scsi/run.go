package scsi

import (
	"time"

	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// run is the host's goroutine: it takes what the device has finished with until there is nothing, then parks. Only then is the device asked for an interrupt.
func (h *host) run() {
	for {
		found, why := h.drain()
		if why == nil {
			why = h.failing(found)
		}
		if why == nil && !found {
			if h.listen() {
				continue
			}
			_, why = h.dev.Wait(0)
		}
		if why != nil {
			h.giveUp(why)
		}
		if h.lost.Load() != nil {
			h.end()
			return
		}
	}
}

// drain ends all commands that the device is through with, and takes what it says besides. found says whether there was anything. The registers may be taken back meanwhile.
func (h *host) drain() (found bool, why error) {
	defer revoked(&why)
	found = h.look()
	if h.retry.Swap(false) {
		h.resume()
	}
	found = h.sweep() || found
	for n := len(h.flushed); n > 0; {
		h.look()
		found = h.sweep() || found // flushes that ended now are looked at next time
		n = h.settle(n)
	}
	h.kickSide()
	return found, nil
}

// settle finishes those of the first n flushes that are to be finished, and says how many are there that nobody has looked at yet, 0 if it finished none.
func (h *host) settle(n int) (more int) {
	left := 0
	for _, f := range h.flushed[:n] {
		if h.behind(f) {
			f.finish()
			continue
		}
		h.flushed[left] = f
		left++
	}
	if left == n {
		return 0
	}
	h.flushed = append(h.flushed[:left], h.flushed[n:]...)
	return len(h.flushed)
}

// behind says whether all commands have ended that the unit had when it was seen that a flush had ended.
func (h *host) behind(f ending) bool {
	for _, q := range h.queues {
		q.mu.Lock()
		for i := range q.slots {
			if s := &q.slots[i]; s.used && !s.waits && s.n <= f.n && s.owner() == f.d {
				q.mu.Unlock()
				return false
			}
		}
		q.mu.Unlock()
	}
	return true
}

// sweep looks through all queues once, and says whether something had ended.
//
// Flushes that ended well are not finished yet, but put into flushed. A unit tells of its reset once, to the command that it meets next (SAM-5, 5.14): that may have ended before the flush, in a queue that is looked at behind the flush's, or whose device is slower, and says what the
// flush is worth. So does another flush, which failed. So a flush is finished when the queue of events was looked at again, and all commands of the unit have ended that were under way with it.
func (h *host) sweep() (found bool) {
	for _, q := range h.queues {
		for {
			end, ok := h.take(q)
			if !ok {
				break
			}
			found = true
			if end.r != nil && end.r.Op == disk.Flush && end.err == nil {
				h.flushed = append(h.flushed, end)
				continue
			}
			end.finish()
		}
	}
	return found
}

// An ending is a command that has ended. None has no d and no ask.
type ending struct {
	d   *Disk
	r   *disk.Request
	ask *question
	err error
	n   uint64 // the last command that was given before this was seen: of flushes
}

// finish tells who asked. No lock is held.
func (e ending) finish() {
	switch {
	case e.ask != nil:
		e.ask.err = e.err
		close(e.ask.done)
	case e.d != nil:
		if e.r.Op == disk.Flush {
			e.err = e.d.doubt.Judge(e.d.info.Name, e.err)
		}
		if _, absent := e.err.(*absentError); absent {
			e.d.giveUp(&DeviceError{e.d.info.Name, notThere})
			e.err = e.d.Err()
		}
		e.r.Finish(e.err)
		e.d.left()
	}
}

// take takes one command that the device is through with. ok is false where there is none.
func (h *host) take(q *queue) (end ending, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.q.Interrupts(false)
	token, written, ok := q.q.Next()
	if !ok {
		return end, false
	}
	s := &q.slots[token]
	v, err := s.judge(h.name(s.to), written)
	if v == later && h.now()-s.since >= h.patience {
		v, err = ends, s.failed(h.name(s.to), "the device was busy for too long")
	}
	switch {
	case v == ends:
		end = q.release(s, uint16(token), err)
		end.n = h.given.Load()
		return end, true
	case v == again:
		s.tries++
		if h.repeat(q, uint16(token)) {
			return end, true
		}
	}
	s.waits = true
	h.pause.Arm(busyPause)
	return end, true
}

// busyPause is how long a device that is busy is left alone.
const busyPause = 10 * time.Millisecond

// wake has the goroutine look at what waits.
func (h *host) wake() {
	h.retry.Store(true)
	h.dev.Wake()
}

// resume gives again what waits for a device that was busy.
func (h *host) resume() {
	for _, q := range h.queues {
		h.resumeOf(q)
	}
}

func (h *host) resumeOf(q *queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.slots {
		if s := &q.slots[i]; s.used && s.waits && !h.repeat(q, uint16(i)) {
			h.pause.Arm(busyPause)
		}
	}
}

// release makes a slot free; the lock is held.
func (q *queue) release(s *slot, token uint16, err error) ending {
	end := ending{d: s.d, r: s.r, ask: s.ask, err: err}
	s.used, s.d, s.r, s.ask = false, nil, nil, nil
	q.free = append(q.free, token)
	q.room.Signal()
	return end
}

// listen asks for interrupts and says whether something came meanwhile.
func (h *host) listen() (ready bool) {
	for _, q := range []*virtio.Queue{h.control, h.events} {
		q.Interrupts(true)
		ready = ready || q.Ready()
	}
	for _, q := range h.queues {
		q.mu.Lock()
		q.q.Interrupts(true)
		ready = ready || q.q.Ready()
		q.mu.Unlock()
	}
	return ready || h.retry.Load()
}

// failing is a reason to give the device up, nil if there is none. busy says that something was finished since the last look; else the device is asked, too.
func (h *host) failing(busy bool) (why error) {
	defer revoked(&why)
	for _, q := range []*virtio.Queue{h.control, h.events} {
		if q.Err() != nil {
			return q.Err()
		}
	}
	for _, q := range h.queues {
		if err := q.q.Err(); err != nil {
			return err
		}
	}
	if !h.timer.Armed() {
		if h.overdue() {
			return &disk.TimeoutError{Waited: 2 * time.Duration(h.patience)}
		}
		h.kickSide()
	}
	if !busy && h.dev.NeedsReset() { // also what a device says that was pulled out: all ones
		return &virtio.DeviceError{Device: h.dev.Name(), Why: "it asks for a reset, or is not there any more"}
	}
	return nil
}

// overdue aborts commands that take too long, and says whether one is not even aborted in as long again. While there are any, it has itself asked again.
func (h *host) overdue() bool {
	now := h.now()
	next := int64(1<<63 - 1)
	for _, q := range h.queues {
		q.mu.Lock()
		for i := range q.slots {
			s := &q.slots[i]
			if !s.used {
				continue
			}
			age := now - s.since
			if age >= 2*h.patience && !s.waits {
				q.mu.Unlock()
				return true
			}
			if age >= h.patience && !s.aborting && !s.waits {
				s.aborting = h.abort(s)
			}
			left := h.patience - age
			for left <= 0 {
				left += h.patience
			}
			next = min(next, left)
		}
		q.mu.Unlock()
	}
	if next < 1<<62 {
		h.arm(next)
	}
	return false
}

// arm sees that overdue is asked in so many nanoseconds, if nobody has yet: when the oldest command may be. An idle host has no timer.
func (h *host) arm(in int64) {
	h.timer.Arm(time.Duration(in))
}

// gone is why nothing can be asked of a unit any more; d is nil for questions.
func (h *host) gone(d *Disk) error {
	e := *h.lost.Load()
	if d != nil {
		e.Disk = d.info.Name
	}
	return &e
}

// end takes the host down: nothing is added any more, the device is reset, and what was under way ends.
func (h *host) end() {
	h.timer.End()
	h.pause.End()
	for _, q := range h.queues {
		q.mu.Lock()
		q.down = true
		q.room.Broadcast()
		q.mu.Unlock()
	}
	h.giveBack()
	close(h.ended)
	for _, f := range h.flushed { // what they waited for did not end
		f.err = h.gone(f.d)
		f.finish()
	}
	for _, q := range h.queues {
		for i := range q.slots {
			s := &q.slots[i]
			if !s.used {
				continue
			}
			gone := h.gone(s.d).(*disk.GoneError)
			gone.Held = h.held
			s.used = false
			ending{d: s.d, r: s.r, ask: s.ask, err: gone}.finish()
		}
	}
}
