package sim

import (
	"sync"
	"sync/atomic"
)

// Virtio is the device's side of one virtio device, whichever way its registers are reached. Serve and Take are run for the parts of each
// chain; the fields that begin with Lie make it break the rules.
type Virtio struct {
	ID         uint32
	Features   uint64
	QueueMax   uint16
	Queues     int                                      // 0 means one
	Serve      func(in []byte) (written int)            // fills the writable part of a chain; negative: there is nothing for it, now or later
	ServeQueue func(queue int, in []byte) (written int) // Serve for who has to know by which queue; nil: Serve is asked
	Take       func(queue int, out []byte)              // is given the readable part; nil: nobody looks at it
	Answer     func(queue int, out []byte) []byte       // what to write where a chain of its Control queue may be written to, Serve and Take aside
	Control    int                                      // the queue that Answer is for, with Answer
	Messages   int                                      // over PCI: how many interrupts it has; 0 means one
	Stored     func(off uintptr, v uint32)              // is told of stores to the configuration, with the device locked; nil: nobody is

	LieUsedID   func(head uint32) uint32 // what to say instead of the chain's head
	LieUsedLen  func(n uint32) uint32
	LieUsedIdx  func(idx uint16) uint16
	LieNoReset  bool // never confirms a reset
	LieNoAnswer bool // never serves
	LieFeatures bool // does not keep FEATURES_OK
	LieScribble bool // writes rubbish over the descriptor table it was given

	LieNeedsReset bool // says DEVICE_NEEDS_RESET once it runs

	LieGeneration bool // says that the configuration changes all the time

	m     *Machine
	raise func(queue int) // interrupts, for a queue; below 0 for a change of the configuration
	rung  atomic.Int64
	stood atomic.Int64

	mu       sync.Mutex // guards all below
	status   uint8
	selDev   uint32
	selDrv   uint32
	accepted uint64
	sel      uint16
	queue    [maxQueues]queue
	isr      uint32
	config   []byte
	tables   int // chains that came in tables
	asked    int // the generation
}

// Tables is how many chains came in tables of their own.
func (d *Virtio) Tables() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tables
}

// maxQueues is how many queues a device can have.
const maxQueues = 17

// queue is the device's side of one queue.
type queue struct {
	size, ready uint16
	message     uint16    // over PCI
	parts       [3]uint64 // descriptors, avail, used
	seen, idx   uint16
}

// at is the queue that the driver selected; nil if the device does not have it. The lock is held.
func (d *Virtio) at() *queue {
	if int(d.sel) >= max(1, min(d.Queues, maxQueues)) {
		return nil
	}
	return &d.queue[d.sel]
}

// Configure makes b the device's configuration and interrupts. A device without one answers 0 there.
func (d *Virtio) Configure(b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.config = b
	d.asked++
	if d.status&4 != 0 {
		d.isr |= 2
		d.raise(-1)
	}
}

// Configuration is the configuration as it is now.
func (d *Virtio) Configuration() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]byte(nil), d.config...)
}

func (d *Virtio) loadConfig(off uintptr, width int) (v uint64) {
	for i := width - 1; i >= 0; i-- {
		v <<= 8
		if k := off + uintptr(i); k < uintptr(len(d.config)) {
			v |= uint64(d.config[k])
		}
	}
	return v
}

func (d *Virtio) storeConfig(off uintptr, width int, v uint64) {
	for i := range uintptr(width) {
		if off+i < uintptr(len(d.config)) {
			d.config[off+i] = byte(v >> (8 * i))
		}
	}
	if d.Stored != nil {
		d.Stored(off, uint32(v))
	}
}

// Accepted is what the driver took.
func (d *Virtio) Accepted() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.accepted
}

// Status is the device status register.
func (d *Virtio) Status() uint8 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

func (d *Virtio) setStatus(s uint8) {
	if s == 0 {
		if d.LieNoReset && d.status != 0 {
			return
		}
		d.isr, d.accepted = 0, 0
		for i := range d.queue {
			q := &d.queue[i]
			q.ready, q.seen, q.idx, q.message = 0, 0, 0, 0xffff
		}
	}
	if d.LieFeatures {
		s &^= 8
	}
	d.status = s
}

// Change runs f, which may change what the device does, between two things that the device does.
func (d *Virtio) Change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// reported is the status as the driver reads it. The lock is held.
func (d *Virtio) reported() uint64 {
	d.stood.Add(1)
	if d.LieNeedsReset && d.status&4 != 0 {
		return uint64(d.status) | 64
	}
	return uint64(d.status)
}

// generation is that of the configuration. The lock is held.
func (d *Virtio) generation() uint64 {
	if d.LieGeneration {
		d.asked++
	}
	return uint64(d.asked & 0xff)
}

func (d *Virtio) offered() uint32 {
	return uint32(d.Features >> (32 * (d.selDev & 1)))
}

func (d *Virtio) accept(v uint32) {
	s := 32 * (d.selDrv & 1)
	d.accepted = d.accepted&^(0xffffffff<<s) | uint64(v)<<s
}

// part sets half of one of the queue's addresses.
func (q *queue) part(i int, high bool, v uint32) {
	if high {
		q.parts[i] = q.parts[i]&0xffffffff | uint64(v)<<32
	} else {
		q.parts[i] = q.parts[i]&^0xffffffff | uint64(v)
	}
}

// Notify has the device look at a queue, as if it were told to: something has come for it.
func (d *Virtio) Notify(queue int) { go d.run(queue % maxQueues) }

// WantNotice has the device say that it wants to be told of what comes for a queue next (2.7.10.1), or, so many behind, that it wanted to be told of something that it has.
func (d *Virtio) WantNotice(queue int, behind uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := &d.queue[queue]
	n := uint64(q.size)
	word(d.m.RAM(q.parts[2], 4+8*n+4)[4+8*n:]).Store(uint32(q.seen - behind))
}

// notify is a store to the notification register. The device runs on a goroutine of its own, as real ones do.
func (d *Virtio) notify(queue uint32) {
	d.rung.Add(1)
	go d.run(int(queue % maxQueues))
}

// StatusReads is how often the driver has read the status.
func (d *Virtio) StatusReads() int { return int(d.stood.Load()) }

// Doorbells is how often the driver has told the device of something.
func (d *Virtio) Doorbells() int { return int(d.rung.Load()) }

func (d *Virtio) run(index int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := &d.queue[index]
	if q.ready == 0 || d.status&4 == 0 || d.LieNoAnswer {
		return
	}
	n := uint64(q.size)
	desc := d.m.RAM(q.parts[0], 16*n)
	avail := d.m.RAM(q.parts[1], 4+2*n+4)
	used := d.m.RAM(q.parts[2], 4+8*n+4)
	events, before, held := d.accepted&(1<<29) != 0, q.idx, false
	if events {
		defer func() {
			word(used[4+8*n:]).Store(uint32(q.seen)) // tell of whatever comes next (avail_event)
			if uint16(word(avail).Load()>>16) != q.seen && !held {
				go d.run(index) // it came meanwhile
			}
		}()
	}
chains:
	for idx := uint16(word(avail).Load() >> 16); q.seen != idx; q.seen++ {
		head := le.Uint16(avail[4+2*uint64(q.seen%q.size):])
		var written uint32
		table, first := desc, head
		if e := desc[16*int(head):]; le.Uint16(e[12:])&4 != 0 {
			if d.accepted&(1<<28) == 0 || le.Uint32(e[8:])%16 != 0 || le.Uint32(e[8:]) > 16*uint32(q.size) {
				panic("sim: a table of descriptors that may not be")
			}
			table, first = d.m.RAM(le.Uint64(e), uint64(le.Uint32(e[8:]))), 0
			d.tables++
		}
		var asked []byte
		for i, more := first, true; more; {
			e := table[16*int(i):]
			flags := le.Uint16(e[12:])
			if flags&2 != 0 || d.Take != nil || d.Answer != nil && index == d.Control {
				b := d.m.RAM(le.Uint64(e), uint64(le.Uint32(e[8:])))
				if b == nil {
					panic("sim: a descriptor points outside RAM")
				}
				if d.Answer != nil && index == d.Control {
					if flags&2 != 0 {
						n := copy(b, d.Answer(index, asked))
						written += uint32(n)
					} else {
						asked = append(asked, b...)
					}
				} else if flags&2 != 0 {
					n := 0
					if d.ServeQueue != nil {
						n = d.ServeQueue(index, b)
					} else {
						n = d.Serve(b)
					}
					if held = n < 0; held {
						break chains
					}
					written += uint32(n)
				} else {
					d.Take(index, b)
				}
			}
			i, more = le.Uint16(e[14:]), flags&1 != 0
		}
		if d.LieScribble {
			for k := range desc {
				desc[k] = 0xa5
			}
		}
		id := uint32(head)
		if d.LieUsedID != nil {
			id = d.LieUsedID(id)
		}
		if d.LieUsedLen != nil {
			written = d.LieUsedLen(written)
		}
		u := used[4+8*uint64(q.idx%q.size):]
		le.PutUint32(u, id)
		le.PutUint32(u[4:], written)
		q.idx++
		publish := q.idx
		if d.LieUsedIdx != nil {
			publish = d.LieUsedIdx(publish)
		}
		word(used).Store(uint32(publish) << 16)
	}
	tell := word(avail).Load()&1 == 0
	if events {
		event := uint16(word(avail[4+2*n:]).Load())
		tell = q.idx-event-1 < q.idx-before
	}
	if tell {
		d.isr |= 1
		d.raise(index)
	}
}
