package blk

import (
	"encoding/binary"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// What a transfer may do.
const (
	Read        = disk.Read
	Write       = disk.Write
	Flush       = disk.Flush
	Discard     = disk.Discard
	WriteZeroes = disk.WriteZeroes
)

// Status bytes: 5.2.6.
const (
	statusOK          = 0
	statusIOError     = 1
	statusUnsupported = 2
	statusNone        = 0xff // ours: the device has written none
)

const segmentUnmap = 1 // flags of a write-zeroes segment: the blocks may be given back

// Do makes one transfer and parks until it has ended: disk.Do.
func (d *Disk) Do(r *Request) error { return disk.Do(d, r) }

// Start begins transfers: see disk.Disk. A short list goes to one queue, with one doorbell, a long one to all.
func (d *Disk) Start(list ...*Request) error {
	if err := disk.Check(list, &d.info); err != nil {
		return err
	}
	q := d.queues[0]
	return disk.Each(list, len(d.queues), func(r *Request, first, last bool) error {
		if n := uint32(len(d.queues)); first && n > 1 {
			q = d.queues[d.turn.Add(1)%n]
		}
		return d.begin(q, r, last)
	})
}

// begin puts a transfer where the device finds it, and rings the doorbell if it is the last one of those that it is told of together, or has to wait for room.
func (d *Disk) begin(q *queue, r *Request, last bool) (err error) {
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
	need := len(r.Memory) + 2
	if r.Op == Discard || r.Op == WriteZeroes {
		need = 3
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.down && (len(q.free) == 0 || q.q.Room() < need) && q.q.Err() == nil {
		q.q.Kick()
		q.room.Wait()
	}
	if q.down {
		return d.Err()
	}
	if q.q.Err() != nil {
		d.giveUp(q.q.Err())
		return d.Err()
	}
	token := q.free[len(q.free)-1]
	s := &q.slots[token]
	q.describe(s, r)
	if !q.q.Add(uint64(token), q.bufs...) {
		q.q.Kick()
		return &disk.RequestError{Op: r.Op, Why: "it is in more pieces than the queue holds"}
	}
	q.free = q.free[:len(q.free)-1]
	s.r, s.since, r.Err, begun = r, d.now(), nil, true
	if r.Op == Flush {
		d.flushes.Began(r)
	}
	if last {
		q.q.Kick()
	}
	d.arm()
	return nil
}

// describe lays out the parts of a transfer: what the device reads, then what it writes (5.2.6).
func (q *queue) describe(s *slot, r *Request) {
	le := binary.LittleEndian
	h := s.header
	clear(h)
	le.PutUint32(h, uint32(r.Op))
	h[statusAt] = statusNone
	q.bufs = append(q.bufs[:0], virtio.Buffer{Addr: s.at, Len: headerSize})
	switch r.Op {
	case Read, Write, disk.Identify:
		if r.Op != disk.Identify {
			le.PutUint64(h[8:], uint64(r.Sector))
		}
		for _, m := range r.Memory {
			q.bufs = append(q.bufs, virtio.Buffer{Addr: m.Base, Len: uint32(m.Len), Write: r.Op != Write})
		}
	case Discard, WriteZeroes:
		g := h[segmentAt:]
		le.PutUint64(g, uint64(r.Sector))
		le.PutUint32(g[8:], r.Count)
		if r.Op == WriteZeroes && r.Unmap {
			le.PutUint32(g[12:], segmentUnmap)
		}
		q.bufs = append(q.bufs, virtio.Buffer{Addr: s.at + segmentAt, Len: segment})
	}
	q.bufs = append(q.bufs, virtio.Buffer{Addr: s.at + statusAt, Len: 1, Write: true})
}
