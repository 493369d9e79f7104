package blk

import (
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// run is the disk's goroutine: it takes what the device has finished with until there is nothing, then parks. Only then is the device asked for an interrupt.
func (d *Disk) run() {
	for {
		found := d.drain()
		why := d.failing(found)
		if why == nil && !found {
			if d.listen() {
				continue
			}
			_, why = d.dev.Wait(0)
		}
		if why != nil {
			d.giveUp(why)
		}
		if d.lost.Load() != nil {
			d.end()
			return
		}
	}
}

// drain ends all transfers that the device is through with, and says whether there were any.
func (d *Disk) drain() (found bool) {
	for _, q := range d.queues {
		for {
			q.mu.Lock()
			q.q.Interrupts(false)
			token, written, ok := q.q.Next()
			if !ok {
				q.mu.Unlock()
				break
			}
			s := &q.slots[token]
			r := s.r
			err := d.result(r, s.header[statusAt], written)
			q.release(uint16(token))
			q.mu.Unlock()
			found = true
			d.finish(r, err)
		}
	}
	return found
}

// finish tells who asked how a transfer ended. No lock is held.
func (d *Disk) finish(r *Request, err error) {
	if r.Op == Flush {
		d.flushes.Ended(d.info.Name, r, err)
		return
	}
	r.Finish(err)
}

// release makes a slot free; the lock is held.
func (q *queue) release(token uint16) {
	q.slots[token].r = nil
	q.free = append(q.free, token)
	q.room.Signal()
}

// result is how the device says that a transfer ended. That it wrote the status is seen by the byte, for how many bytes devices say they wrote differs; but what it says it did not write
// was not read (2.7.8.2).
func (d *Disk) result(r *Request, status byte, written uint32) error {
	switch status {
	case statusOK:
		if r.Op == Read && written < r.Size() {
			return &disk.IOError{Disk: d.info.Name, Op: r.Op, Sector: uint64(r.Sector), Why: "it read fewer bytes than were asked for"}
		}
		return nil
	case statusUnsupported:
		return &disk.UnsupportedError{Disk: d.info.Name, Op: r.Op}
	case statusIOError:
		return &disk.IOError{Disk: d.info.Name, Op: r.Op, Sector: uint64(r.Sector), Why: "the device says that it failed"}
	}
	return &disk.IOError{Disk: d.info.Name, Op: r.Op, Sector: uint64(r.Sector), Why: "the device ended it without a status"}
}

// listen asks for interrupts and says whether something came meanwhile.
func (d *Disk) listen() (ready bool) {
	for _, q := range d.queues {
		q.mu.Lock()
		q.q.Interrupts(true)
		ready = ready || q.q.Ready()
		q.mu.Unlock()
	}
	return ready
}

// failing is a reason to give the device up, nil if there is none. busy says that something was finished since the last look; else the device is asked, too, if it may have something to say.
func (d *Disk) failing(busy bool) (why error) {
	for _, q := range d.queues {
		if err := q.q.Err(); err != nil {
			return err
		}
	}
	if !d.timer.Armed() {
		if d.overdue() {
			return &disk.TimeoutError{Waited: time.Duration(d.patience)}
		}
	}
	if busy {
		return nil
	}
	defer func() {
		if e := recover(); e != nil {
			gone, ok := e.(*exo.RevokedError)
			if !ok {
				panic(e)
			}
			why = gone
		}
	}()
	if !d.dev.Changed() { // a device that wants a reset says so (2.1.2)
		return nil
	}
	d.look()
	if d.dev.NeedsReset() { // also what a device says that was pulled out: all ones. One that says nothing any more is given up for what it does not answer
		return &virtio.DeviceError{Device: d.dev.Name(), Why: "it asks for a reset, or is not there any more"}
	}
	return nil
}

// overdue says whether a transfer has taken too long. While there are any, it has itself asked again.
func (d *Disk) overdue() bool {
	now, any := d.now(), false
	for _, q := range d.queues {
		q.mu.Lock()
		for i := range q.slots {
			if s := &q.slots[i]; s.r != nil {
				any = true
				if now-s.since >= d.patience {
					q.mu.Unlock()
					return true
				}
			}
		}
		q.mu.Unlock()
	}
	if any {
		d.arm()
	}
	return false
}

// arm sees that overdue is asked, once the first transfer that is under way now may be. An idle disk has no timer.
func (d *Disk) arm() {
	d.timer.Arm(time.Duration(d.patience))
}

// end takes the disk down: nothing is added any more, the device is reset, and what was under way ends.
func (d *Disk) end() {
	d.timer.End()
	for _, q := range d.queues {
		q.mu.Lock()
		q.down = true
		q.room.Broadcast()
		q.mu.Unlock()
	}
	d.giveBack()
	gone := *d.lost.Load()
	gone.Held = d.held
	close(d.ended)
	for _, q := range d.queues {
		for i := range q.slots {
			if r := q.slots[i].r; r != nil {
				q.slots[i].r = nil
				d.finish(r, &gone)
			}
		}
	}
}
