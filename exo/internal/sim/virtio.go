package sim

import "sync"

// Virtio is the device's side of one virtio device with one queue, whichever way its registers are reached. Serve is run for each
// chain; the fields that begin with Lie make it break the rules.
type Virtio struct {
	ID       uint32
	Features uint64
	QueueMax uint16
	Serve    func(in []byte) (written int) // fills the writable part of a chain

	LieUsedID   func(head uint32) uint32 // what to say instead of the chain's head
	LieUsedLen  func(n uint32) uint32
	LieUsedIdx  func(idx uint16) uint16
	LieNoReset  bool // never confirms a reset
	LieNoAnswer bool // never serves
	LieFeatures bool // does not keep FEATURES_OK
	LieScribble bool // writes rubbish over the descriptor table it was given

	m     *Machine
	raise func()

	mu        sync.Mutex // guards all below
	status    uint8
	selDev    uint32
	selDrv    uint32
	accepted  uint64
	sel       uint16
	size      uint16
	ready     uint16
	parts     [3]uint64 // descriptors, avail, used
	isr       uint32
	seen, idx uint16
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
		d.ready, d.isr, d.seen, d.idx, d.accepted = 0, 0, 0, 0, 0
	}
	if d.LieFeatures {
		s &^= 8
	}
	d.status = s
}

func (d *Virtio) offered() uint32 {
	return uint32(d.Features >> (32 * (d.selDev & 1)))
}

func (d *Virtio) accept(v uint32) {
	s := 32 * (d.selDrv & 1)
	d.accepted = d.accepted&^(0xffffffff<<s) | uint64(v)<<s
}

// part sets half of one of the queue's addresses.
func (d *Virtio) part(i int, high bool, v uint32) {
	if high {
		d.parts[i] = d.parts[i]&0xffffffff | uint64(v)<<32
	} else {
		d.parts[i] = d.parts[i]&^0xffffffff | uint64(v)
	}
}

// notify is a store to the notification register. The device runs on a goroutine of its own, as real ones do.
func (d *Virtio) notify() { go d.run() }

func (d *Virtio) run() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ready == 0 || d.status&4 == 0 || d.LieNoAnswer {
		return
	}
	n := uint64(d.size)
	desc := d.m.RAM(d.parts[0], 16*n)
	avail := d.m.RAM(d.parts[1], 4+2*n)
	used := d.m.RAM(d.parts[2], 4+8*n)
	for idx := uint16(word(avail).Load() >> 16); d.seen != idx; d.seen++ {
		head := le.Uint16(avail[4+2*uint64(d.seen%d.size):])
		var written uint32
		for i, more := head, true; more; {
			e := desc[16*int(i):]
			flags := le.Uint16(e[12:])
			if flags&2 != 0 {
				b := d.m.RAM(le.Uint64(e), uint64(le.Uint32(e[8:])))
				if b == nil {
					panic("sim: a descriptor points outside RAM")
				}
				written += uint32(d.Serve(b))
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
		u := used[4+8*uint64(d.idx%d.size):]
		le.PutUint32(u, id)
		le.PutUint32(u[4:], written)
		d.idx++
		publish := d.idx
		if d.LieUsedIdx != nil {
			publish = d.LieUsedIdx(publish)
		}
		word(used).Store(uint32(publish) << 16)
	}
	if word(avail).Load()&1 == 0 {
		d.isr |= 1
		d.raise()
	}
}
