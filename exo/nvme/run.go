package nvme

import (
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
)

// run is the disk's goroutine: it takes what the device has finished with until there is nothing, then parks until it raises its message, or something is overdue.
func (d *Disk) run() {
	for {
		found, why := d.drain()
		if why == nil {
			why = d.failing(found)
		}
		if why == nil && !found {
			_, why = d.v.Wait(0)
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

// drain ends all transfers that the device is through with, and says whether there were any. The registers may be taken back meanwhile.
func (d *Disk) drain() (found bool, why error) {
	defer func() {
		if e := recover(); e != nil {
			gone, ok := e.(*exo.RevokedError)
			if !ok {
				panic(e)
			}
			why = gone
		}
	}()
	for _, q := range d.queues {
		for {
			r, status, ok, err := d.take(q)
			if err != nil {
				return found, err
			}
			if !ok {
				break
			}
			found = true
			d.finish(r, d.result(r, status))
		}
	}
	attended, why := d.attend()
	return found || attended, why
}

// finish tells who asked how a transfer ended. No lock is held.
func (d *Disk) finish(r *disk.Request, err error) {
	if r.Op == disk.Flush {
		d.flushes.Ended(d.info.Name, r, err)
		return
	}
	r.Finish(err)
}

func (d *Disk) take(q *queue) (r *disk.Request, status uint32, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	id, status, _, ok := d.next(q)
	if !ok {
		return nil, 0, false, nil
	}
	if int(id) >= len(q.slots) || q.slots[id].r == nil {
		return nil, 0, false, d.fault("it ends command " + decimal(uint64(id)) + ", which it was not given")
	}
	r = q.slots[id].r
	q.slots[id].r = nil
	q.free = append(q.free, id)
	q.room.Signal()
	return r, status, true, nil
}

// result is how the device says that a command ended: Base, 3.3.3.2.1.
func (d *Disk) result(r *disk.Request, status uint32) error {
	kind, code := status>>8&7, status&0xff
	switch {
	case kind == 0 && code == 0:
		return nil
	case kind == 0 && code == 1: // Invalid Command Opcode
		return &disk.UnsupportedError{Disk: d.info.Name, Op: r.Op}
	}
	return &disk.IOError{Disk: d.info.Name, Op: r.Op, Sector: uint64(r.Sector), Why: "the device says status " + decimal(uint64(kind)) + "/" + decimal(uint64(code))}
}

// failing is a reason to give the device up, nil if there is none.
func (d *Disk) failing(busy bool) (why error) {
	if !d.timer.Armed() && d.overdue() {
		return &disk.TimeoutError{Waited: time.Duration(d.patience)}
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
	if csts := d.regs.Load32(regCSTS); csts&cstsFatal != 0 || csts&cstsReady == 0 { // also all ones, of one that was pulled out
		return d.fault("it says that it cannot go on, or is not there any more")
	}
	return nil
}

// overdue says whether a transfer has taken too long. While there are any, it has itself asked again when the oldest has.
func (d *Disk) overdue() bool {
	now := d.now()
	oldest := now
	any := false
	if d.asked != 0 && d.asked != adminAsyncEvent {
		if any, oldest = true, d.askedAt; now-oldest >= d.patience {
			return true
		}
	}
	for _, q := range d.queues {
		q.mu.Lock()
		for i := range q.slots {
			if s := &q.slots[i]; s.r != nil {
				any, oldest = true, min(oldest, s.since)
				if now-s.since >= d.patience {
					q.mu.Unlock()
					return true
				}
			}
		}
		q.mu.Unlock()
	}
	if any {
		d.arm(oldest + d.patience - now)
	}
	return false
}

// arm sees that overdue is asked in so many nanoseconds, if nobody has yet: when the oldest transfer that is under way may be. An idle disk has no timer.
func (d *Disk) arm(in int64) {
	d.timer.Arm(time.Duration(in))
}

// end takes the disk down: nothing is added any more, the device loses the bus, and what was under way ends.
func (d *Disk) end() {
	d.timer.End()
	for _, q := range d.queues {
		q.mu.Lock()
		q.down = true
		q.room.Broadcast()
		q.mu.Unlock()
	}
	d.giveBack()
	close(d.ended)
	for _, q := range d.queues {
		for i := range q.slots {
			if r := q.slots[i].r; r != nil {
				q.slots[i].r = nil
				d.finish(r, d.lost.Load())
			}
		}
	}
}
