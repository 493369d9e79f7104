package scsi

import (
	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// A question is a command of the driver's own.
type question struct {
	cdb  cdb
	of   *Disk    // who is to hear of unit attentions that it meets; nil while a unit is looked for
	b    []byte   // whither the answer goes, in frames
	at   exo.Phys // of b
	got  int      // bytes of it, then
	err  error
	done chan struct{}
}

// ask gives a question to a unit, which is that of the disk if that is open, and parks until it is answered. It says how many bytes of b the answer has; the others are 0. Errors: those of transfers, *absentError.
func (h *host) ask(of *Disk, to address, c cdb, b []byte, at exo.Phys) (n int, err error) {
	clear(b)
	x := &question{cdb: c, of: of, b: b, at: at, done: make(chan struct{})}
	if err := h.begin(slot{to: to, ask: x}); err != nil {
		return 0, err
	}
	<-x.done
	return x.got, x.err
}

// name is what a unit is called in messages.
func (h *host) name(a address) string {
	return h.dev.Name() + ", target " + decimal(uint64(a.target)) + ", unit " + decimal(uint64(a.lun))
}

// begin gives a command to the device: of n the fields that say what it is. It parks while the queue is full.
func (h *host) begin(n slot) (err error) {
	q := h.queues[0]
	if k := uint32(len(h.queues)); k > 1 {
		q = h.queues[h.turn.Add(1)%k]
	}
	defer func() {
		if e := recover(); e != nil {
			gone, ok := e.(*exo.RevokedError)
			if !ok {
				panic(e)
			}
			h.giveUp(gone) // the command is in its slot, and ends with the others
		}
	}()
	need := 3
	if n.r != nil {
		need = max(need, len(n.r.Memory)+2)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.down && (len(q.free) == 0 || q.q.Room() < need) && q.q.Err() == nil {
		q.room.Wait()
	}
	if !q.down && q.q.Err() != nil {
		h.giveUp(q.q.Err())
	}
	if q.down || q.q.Err() != nil {
		return h.gone(n.d)
	}
	token := q.free[len(q.free)-1]
	s := &q.slots[token]
	s.id += 1 << 32
	s.d, s.r, s.ask, s.to, s.tries, s.aborting, s.waits = n.d, n.r, n.ask, n.to, 0, false, false
	h.describe(q, s)
	if !q.q.Add(uint64(token), q.bufs...) {
		return &disk.RequestError{Op: s.op(), Why: "it is in more pieces than the queue holds"}
	}
	q.free = q.free[:len(q.free)-1]
	s.used, s.since, s.n = true, h.now(), h.given.Add(1)
	q.q.Kick()
	h.arm(h.patience)
	return nil
}

// repeat gives a command once more; the queue's lock is held. It says false where there is no room.
func (h *host) repeat(q *queue, token uint16) bool {
	s := &q.slots[token]
	h.describe(q, s)
	if !q.q.Add(uint64(token), q.bufs...) {
		return false
	}
	s.waits, s.n = false, h.given.Add(1)
	q.q.Kick()
	return true
}

// describe lays out the parts of a command: what the device reads, then what it writes (VIRTIO 1.2, 5.6.6.1).
func (h *host) describe(q *queue, s *slot) {
	clear(s.mem)
	s.to.put(s.mem)
	le.PutUint64(s.mem[8:], s.id)
	s.mem[responseAt+11] = respNone
	head := virtio.Buffer{Addr: s.at, Len: headerSize}
	tail := virtio.Buffer{Addr: s.at + responseAt, Len: response, Write: true}
	var c cdb
	switch {
	case s.ask != nil:
		c = s.ask.cdb
		q.bufs = append(q.bufs[:0], head, tail)
		if len(s.ask.b) > 0 {
			q.bufs = append(q.bufs, virtio.Buffer{Addr: s.ask.at, Len: uint32(len(s.ask.b)), Write: true})
		}
	case s.r.Op == disk.Flush:
		c[0] = opSyncCache
		q.bufs = append(q.bufs[:0], head, tail)
	case s.r.Op == disk.Discard:
		c = unmap(s.mem[listAt:], uint64(s.r.Sector)>>s.d.shift, s.r.Count>>s.d.shift)
		q.bufs = append(q.bufs[:0], head, virtio.Buffer{Addr: s.at + listAt, Len: unmapList}, tail)
	case s.r.Op == disk.WriteZeroes:
		c = writeSame(uint64(s.r.Sector)>>s.d.shift, s.r.Count>>s.d.shift, s.r.Unmap && s.d.sameUnmaps)
		q.bufs = append(q.bufs[:0], head, virtio.Buffer{Addr: h.zeroes.Base(), Len: uint32(s.d.info.BlockSize)}, tail)
	default:
		c = transfer(s.r.Op, uint64(s.r.Sector)>>s.d.shift, s.r.Size()>>(9+s.d.shift))
		q.bufs = append(q.bufs[:0], head)
		if s.r.Op == disk.Read {
			q.bufs = append(q.bufs, tail)
		}
		for _, m := range s.r.Memory {
			q.bufs = append(q.bufs, virtio.Buffer{Addr: m.Base, Len: uint32(m.Len), Write: s.r.Op == disk.Read})
		}
		if s.r.Op == disk.Write {
			q.bufs = append(q.bufs, tail)
		}
	}
	copy(s.mem[cdbAt:headerSize], c[:])
}

func decimal(v uint64) string {
	if v < 10 {
		return string([]byte{byte('0' + v)})
	}
	return decimal(v/10) + decimal(v%10)
}
