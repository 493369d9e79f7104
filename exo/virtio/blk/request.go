package blk

import (
	"encoding/binary"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/flow"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// An Op is what a transfer does; the numbers are the device's (5.2.6, VIRTIO_BLK_T_*).
type Op uint32

// What a transfer may do.
const (
	Read        Op = 0  // from the disk into memory
	Write       Op = 1  // from memory to the disk
	Flush       Op = 4  // make stable what was written by transfers that ended before this one began
	getID       Op = 8  // the serial number
	Discard     Op = 11 // say that sectors hold nothing of worth; what they read as afterwards is undefined
	WriteZeroes Op = 13 // make sectors read as zeroes, without sending any
)

func (o Op) String() string {
	switch o {
	case Read:
		return "read"
	case Write:
		return "write"
	case Flush:
		return "flush"
	case getID:
		return "get-id"
	case Discard:
		return "discard"
	case WriteZeroes:
		return "write-zeroes"
	}
	return "operation " + decimal(uint64(o))
}

// Status bytes: 5.2.6.
const (
	statusOK          = 0
	statusIOError     = 1
	statusUnsupported = 2
	statusNone        = 0xff // ours: the device has written none
)

const segmentUnmap = 1 // flags of a write-zeroes segment: the blocks may be given back

// A Request is one transfer. It may be used again when it has ended.
type Request struct {
	Op     Op
	Extent *flow.Extent // in which it must lie; not for Flush
	Sector flow.Block   // the first
	Count  uint32       // how many, for Discard and WriteZeroes
	Memory []exo.Run    // whence or whither, for Read and Write: at most Info.MaxRuns of Info.MaxRun bytes; together whole blocks
	Unmap  bool         // WriteZeroes: the disk may give the space back

	// Done is called when the transfer has ended, on the disk's goroutine: it must not park. Nil for Do.
	Done func(*Request)
	Err  error // how it ended; valid then

	wait chan struct{}
	size uint32 // bytes of Memory
}

// Do makes one transfer and parks until it has ended. The errors are those of Start and of the transfer: *IOError, *UnsupportedError, *GoneError. After a *GoneError with Held the memory must
// stay out of use for ever.
func (d *Disk) Do(r *Request) error {
	if r.wait == nil {
		r.wait = make(chan struct{}, 1)
	}
	r.Done = nil
	if err := d.Start(r); err != nil {
		return err
	}
	<-r.wait
	return r.Err
}

// Start begins a transfer. Memory must stay as it is until Done is called, and r with it. It parks while the queue is full. Transfers under way have no order.
//
// Errors, and Done is not called then: *RequestError for what the disk can never do, *ReadOnlyError, *UnsupportedError, *GoneError; those of the extent's checks.
func (d *Disk) Start(r *Request) error {
	if err := d.check(r); err != nil {
		return err
	}
	q := d.queues[0]
	if n := uint32(len(d.queues)); n > 1 {
		q = d.queues[d.turn.Add(1)%n]
	}
	return d.begin(q, r)
}

// check refuses what cannot be asked of the device.
func (d *Disk) check(r *Request) error {
	in := &d.info
	size := uint64(0)
	for _, m := range r.Memory {
		if m.Len == 0 || m.Len > uintptr(in.MaxRun) {
			return &RequestError{r.Op, "a piece of memory is empty or larger than the disk takes"}
		}
		size += uint64(m.Len)
	}
	r.size = uint32(size)
	switch r.Op {
	case Flush:
		return nil
	case getID:
		return nil
	case Read, Write:
		if len(r.Memory) == 0 || len(r.Memory) > in.MaxRuns || size%uint64(in.BlockSize) != 0 || uint64(r.Sector)%uint64(in.BlockSize/SectorSize) != 0 {
			return &RequestError{r.Op, "it must be whole blocks of the disk, in no more pieces than the disk takes"}
		}
		if r.Op == Read {
			return d.inside(r, uint32(size/SectorSize))
		}
	case Discard, WriteZeroes:
		most := in.MaxDiscard
		if r.Op == WriteZeroes {
			most = in.MaxWriteZeroes
		}
		if most == 0 {
			return &UnsupportedError{in.Name, r.Op}
		}
		if r.Count == 0 || r.Count > most || (uint64(r.Sector)|uint64(r.Count))%uint64(in.BlockSize/SectorSize) != 0 {
			return &RequestError{r.Op, "it must be whole blocks of the disk, and no more than the disk takes at once"}
		}
	default:
		return &RequestError{r.Op, "there is no such operation"}
	}
	if in.ReadOnly {
		return &ReadOnlyError{in.Name}
	}
	n := r.Count
	if r.Op == Write {
		n = uint32(size / SectorSize)
	}
	return d.inside(r, n)
}

// inside asks the extent.
func (d *Disk) inside(r *Request, n uint32) error {
	if r.Extent == nil {
		return &RequestError{r.Op, "it names no extent: bind one"}
	}
	if r.Op == Read {
		return r.Extent.CheckRead(r.Sector, n)
	}
	return r.Extent.CheckWrite(r.Sector, n)
}

// begin gives a transfer to the device.
func (d *Disk) begin(q *queue, r *Request) (err error) {
	defer func() {
		if e := recover(); e != nil {
			gone, ok := e.(*exo.RevokedError)
			if !ok {
				panic(e)
			}
			d.giveUp(gone) // the transfer is in its slot, and ends with the others
		}
	}()
	need := len(r.Memory) + 2
	if r.Op == Discard || r.Op == WriteZeroes {
		need = 3
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.down && (len(q.free) == 0 || q.q.Room() < need) && q.q.Err() == nil {
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
		return &RequestError{r.Op, "it is in more pieces than the queue holds"}
	}
	q.free = q.free[:len(q.free)-1]
	s.r, s.since, r.Err = r, exo.Now(), nil
	q.q.Kick()
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
	case Read, Write, getID:
		if r.Op != getID {
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
