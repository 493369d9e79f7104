package nvme

import (
	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
)

// A command is what a submission says (Base, 3.3.3.1), without its identifier.
type command struct {
	op   uint8
	nsid uint32
	pointer
	dw10, dw11 uint32
	dw12       uint32
}

// submit gives the device a command. The lock is held, or nobody else knows the queue.
func (d *Disk) submit(q *queue, id uint16, c command) {
	d.enqueue(q, id, c)
	d.ring(q)
}

// enqueue writes a command into the queue's next entry. The lock is held, or nobody else knows the queue.
func (d *Disk) enqueue(q *queue, id uint16, c command) {
	b := q.mem.Bytes()[q.tail*sqeSize:][:sqeSize]
	clear(b)
	le.PutUint32(b, uint32(c.op)|uint32(c.psdt)<<14|uint32(id)<<16) // not fused
	le.PutUint32(b[4:], c.nsid)
	le.PutUint64(b[24:], c.first)
	le.PutUint64(b[32:], c.second)
	le.PutUint32(b[40:], c.dw10)
	le.PutUint32(b[44:], c.dw11)
	le.PutUint32(b[48:], c.dw12)
	if q.tail++; q.tail == q.size {
		q.tail = 0
	}
}

// ring tells the device of what is in a queue, unless it knows. The lock is held, or nobody else knows the queue.
func (d *Disk) ring(q *queue) {
	if q.told == q.tail {
		return
	}
	q.told = q.tail
	exo.Fence()
	d.regs.Store32(regDoor+uintptr(2*q.id)*d.stride, uint32(q.tail))
}

// next takes one completion (Base, 3.3.3.2): the command's identifier, its status and its result. ok is false where there is none.
func (d *Disk) next(q *queue) (id uint16, status, result uint32, ok bool) {
	at := q.completions() + q.head*cqeSize
	w := word(q.mem.Bytes(), at+12).Load()
	if w>>16&1 != q.phase {
		return 0, 0, 0, false
	}
	result = word(q.mem.Bytes(), at).Load()
	if q.head++; q.head == q.size {
		q.head, q.phase = 0, q.phase^1
	}
	d.regs.Store32(regDoor+uintptr(2*q.id+1)*d.stride, uint32(q.head))
	return uint16(w), w >> 17, result, true
}

// do does one admin command, before the disk has its goroutine, and gives the result.
func (d *Disk) do(c command) (result uint32, err error) {
	q := d.admin
	d.submit(q, uint16(c.op), c)
	for end := d.now() + d.patience; ; {
		id, status, result, ok := d.next(q)
		switch {
		case ok && id != uint16(c.op):
			return 0, d.fault("it answers what it was not asked")
		case ok && status&0x7ff != 0:
			return 0, &DeviceError{d.info.Name, "it refuses admin command " + decimal(uint64(c.op)) + " with status " + decimal(uint64(status&0x7ff)), true}
		case ok:
			return result, nil
		case d.now() > end || d.regs.Load32(regCSTS)&cstsFatal != 0: // also all ones
			return 0, d.fault("it does not answer admin command " + decimal(uint64(c.op)))
		}
		d.v.Wait(exo.Now() + 1e6)
	}
}

// Start implements disk.Disk.
func (d *Disk) Start(list ...*disk.Request) error {
	if err := disk.Check(list, &d.info); err != nil {
		return err
	}
	for _, r := range list {
		if r.Op == disk.Identify {
			return &disk.UnsupportedError{Disk: d.info.Name, Op: r.Op}
		}
	}
	var q *queue
	return disk.Each(list, len(d.queues), func(r *disk.Request, first, last bool) error {
		if first {
			q = d.queues[int(d.turn.Add(1)%uint32(len(d.queues)))]
		}
		return d.begin(q, r, last)
	})
}

// begin puts a command into a queue, and rings its bell if it is the last one of those that the device is told of together, or has to wait for room.
func (d *Disk) begin(q *queue, r *disk.Request, last bool) (err error) {
	begun := false // it is in its slot, and ends with the others
	defer func() {
		if e := recover(); e != nil {
			gone, ok := e.(*exo.RevokedError)
			if !ok {
				panic(e)
			}
			d.giveUp(gone)
			if !begun {
				err = d.Err()
			}
		}
	}()
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.down && len(q.free) == 0 {
		d.ring(q)
		q.room.Wait()
	}
	if q.down {
		return d.Err()
	}
	id := q.free[len(q.free)-1]
	q.free = q.free[:len(q.free)-1]
	q.slots[id] = slot{r, d.now()}
	r.Err, begun = nil, true
	if r.Op == disk.Flush {
		d.flushes.Began(r)
	}
	d.enqueue(q, id, d.describe(q, id, r))
	d.arm(d.patience)
	if last {
		d.ring(q)
	}
	return nil
}

// describe makes a command of a transfer.
func (d *Disk) describe(q *queue, id uint16, r *disk.Request) command {
	c := command{nsid: d.nsid}
	block := uint64(r.Sector) >> d.shift
	page := q.lists() + int(id)*exo.PageSize
	switch r.Op {
	case disk.Flush:
		c.op = cmdFlush
		return c
	case disk.Read, disk.Write:
		c.op = cmdRead
		if r.Op == disk.Write {
			c.op = cmdWrite
		}
		c.dw12 = r.Size()>>(9+d.shift) - 1
		c.pointer = d.locate(r.Memory, q.mem.Bytes()[page:][:exo.PageSize], q.mem.Base()+exo.Phys(page))
	case disk.WriteZeroes:
		c.op = cmdWriteZeroes
		c.dw12 = r.Count>>d.shift - 1
		if r.Unmap {
			c.dw12 |= 1 << 25 // DEAC: NVM, 3.2.8
		}
	case disk.Discard:
		c.op = cmdDataset // NVM, 3.2.3: one range, attribute deallocate
		b := q.mem.Bytes()[page:][:16]
		le.PutUint32(b, 0)
		le.PutUint32(b[4:], r.Count>>d.shift)
		le.PutUint64(b[8:], block)
		c.pointer, c.dw10, c.dw11 = whole(q.mem.Base()+exo.Phys(page)), 0, 1<<2
		return c
	}
	c.dw10, c.dw11 = uint32(block), uint32(block>>32)
	return c
}

func decimal(v uint64) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + v%10)
		if v /= 10; v == 0 {
			return string(b[i:])
		}
	}
}
