package virtio

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/hardtack-os/hardtack/exo"
)

// The split virtqueue: VIRTIO 1.2, 2.7. All fields are little endian.

const (
	descSize  = 16 // le64 addr, le32 len, le16 flags, le16 next (2.7.5)
	availHead = 4  // le16 flags, le16 idx, then le16 ring[] (2.7.6)
	usedHead  = 4  // le16 flags, le16 idx, then {le32 id, le32 len} ring[] (2.7.8)
	usedSize  = 8

	descNext  = 1 // VIRTQ_DESC_F_NEXT
	descWrite = 2 // VIRTQ_DESC_F_WRITE
	descTable = 4 // VIRTQ_DESC_F_INDIRECT

	availQuiet = 1 // VIRTQ_AVAIL_F_NO_INTERRUPT
	usedQuiet  = 1 // VIRTQ_USED_F_NO_NOTIFY

	maxQueue = 32768
)

var le = binary.LittleEndian

// A Buffer is one piece of memory that the device reads, or, if Write is set, writes.
type Buffer struct {
	Addr  exo.Phys
	Len   uint32
	Write bool
}

// Queue is one virtqueue, driver's side. flags and idx of a ring are one aligned 32-bit word, which is read and written
// at once by an atomic access: that gives the order with the ring's entries (2.7.13.2, 2.7.14).
type Queue struct {
	name  string // of the device
	index int
	size  uint16
	mem   *exo.Frames

	message uint16 // which of the device's interrupts it raises

	indirect bool   // Indirect was agreed on
	tables   tables // for chains outside the ring

	desc, avail, used []byte // the three parts
	availWord         *atomic.Uint32
	usedWord          *atomic.Uint32

	next   []uint16 // the chain after descriptor i, or the free list; the device cannot reach it
	chains []chain  // by first descriptor
	free   uint16   // head of the free list
	nfree  uint16
	made   uint16 // avail.idx as it will be published
	told   uint16 // avail.idx at the last Kick
	owed   uint16 // so many were added since the device was last notified, as far as it may not have seen them: at most size
	seen   uint16 // used.idx up to which Next has come
	quiet  uint16 // avail.flags
	events bool   // EventIndex was agreed on
	silent bool   // with events: no interrupts are wanted
	all    bool   // CountsAll
	err    error

	notify    *exo.MMIO
	notifyOff uintptr
	notify16  bool // PCI takes 16 bits, memory-mapped registers 32
}

type chain struct {
	token uint64
	room  uint64 // bytes that the device may say it wrote
	n     uint16 // descriptors of the ring; 0: not outstanding
	tail  uint16
	table uint16 // one more than the table in which its descriptors lie; 0: in the ring
}

// ringBytes is the memory that the parts of a queue take, and where the second and third begin.
func ringBytes(size uint16) (total, avail, used int) {
	n := int(size)
	avail = descSize * n
	used = (avail + availHead + 2*n + 2 + 63) &^ 63      // on a line of its own: the other side writes it
	return used + usedHead + usedSize*n + 4, avail, used // the last two bytes are for reading avail_event as a word
}

// newQueue lays a queue out in fresh zeroed frames.
func newQueue(holder, name string, index int, size uint16) (*Queue, error) {
	total, avail, used := ringBytes(size)
	mem, err := exo.TakeFrames(holder, (total+exo.PageSize-1)/exo.PageSize, 0)
	if err != nil {
		return nil, err
	}
	b := mem.Bytes()
	q := &Queue{name: name, index: index, size: size, mem: mem,
		desc: b[:avail], avail: b[avail:used], used: b[used:total],
		availWord: word(b, avail), usedWord: word(b, used),
		next: make([]uint16, size), chains: make([]chain, size), nfree: size}
	for i := range q.next {
		q.next[i] = uint16(i) + 1
	}
	return q, nil
}

// CountsAll is for devices that may count what they have read as written, as QEMU's SCSI host does (7.2): it is no broken queue. How much was written is not known then.
func (q *Queue) CountsAll() { q.all = true }

// Size is the number of descriptors.
func (q *Queue) Size() int { return int(q.size) }

// Free is how many descriptors are not in use.
func (q *Queue) Free() int { return int(q.nfree) }

// Err is what broke the queue, nil while it works.
func (q *Queue) Err() error { return q.err }

// Add offers one chain of buffers, those the device reads before those it writes (2.7.4.2). The device sees it at the next Kick.
// token comes back from Next. It says false if there are not enough descriptors (Room tells) or the queue is broken. The buffers must stay
// until Next gives the token back, or the device is closed.
func (q *Queue) Add(token uint64, bufs ...Buffer) bool {
	if q.err != nil || len(bufs) == 0 || len(bufs) > q.Room() {
		return false
	}
	n := uint16(len(bufs))
	head, i := q.free, q.free
	c := chain{token: token, tail: head}
	if q.outside(n) {
		n = 1
		i = q.next[i]
		c.table, c.room = q.tables.fill(q.desc[int(head)*descSize:], bufs)
	} else {
		for k := range bufs {
			var flags uint16
			if k+1 < len(bufs) {
				flags = descNext
			}
			c.room += put(q.desc[int(i)*descSize:], &bufs[k], flags, q.next[i])
			c.tail, i = i, q.next[i]
		}
	}
	if q.all {
		for k := range bufs {
			if !bufs[k].Write {
				c.room += uint64(bufs[k].Len)
			}
		}
	}
	q.free = i
	q.nfree -= n
	c.n = n
	q.chains[head] = c
	le.PutUint16(q.avail[availHead+2*int(q.made&(q.size-1)):], head)
	q.made++
	return true
}

// put writes a descriptor to d, and returns how many bytes the device may write where it says.
func put(d []byte, b *Buffer, flags, next uint16) (room uint64) {
	if b.Write {
		flags |= descWrite
		room = uint64(b.Len)
	}
	d = d[:descSize]
	le.PutUint64(d, uint64(b.Addr))
	le.PutUint32(d[8:], b.Len)
	le.PutUint16(d[12:], flags)
	le.PutUint16(d[14:], next)
	return room
}

// Kick shows the device what was added and tells it, unless it said that it looks by itself.
//
// With EventIndex the device wants to be told once its index is passed (2.7.10.1): since it was told last, and not since the last Kick. So what one Kick has missed the next one makes up
// for.
func (q *Queue) Kick() {
	if q.made == q.told || q.err != nil {
		return
	}
	before := q.told
	q.told = q.made
	q.publish()
	fence() // what is below is read after it (2.7.13.4.1)
	if q.events {
		if !q.due(before, uint16(q.last(q.used, usedHead+usedSize*int(q.size)).Load())) {
			return
		}
	} else if uint16(q.usedWord.Load())&usedQuiet != 0 {
		return
	}
	if q.notify16 {
		q.notify.Store16(q.notifyOff, uint16(q.index))
	} else {
		q.notify.Store32(q.notifyOff, uint32(q.index))
	}
}

// due reports whether the device wants to be told of what it was shown since before, where event is its index.
func (q *Queue) due(before, event uint16) bool {
	q.owed = uint16(min(uint32(q.owed)+uint32(q.told-before), uint32(q.size))) // it has seen all that is older
	if q.told-event-1 >= q.owed {
		return false
	}
	q.owed = 0
	return true
}

// fence orders what the device was told before what is read of it afterwards. To the processor the atomic store is that already. But QEMU's emulator (7.2) leaves barriers out where a machine has one CPU, as
// if its devices were no threads of their own: then a device that is about to rest and a driver that has just added something may miss each other for good. A look at the clock takes a lock there, and so is one; elsewhere it costs some nanoseconds.
func fence() { exo.Now() }

// last is the word in which a ring's last field lies, which is the other side's event index in its lower half.
func (q *Queue) last(ring []byte, off int) *atomic.Uint32 { return word(ring, off) }

func (q *Queue) publish() { q.availWord.Store(uint32(q.quiet) | uint32(q.told)<<16) }

// Interrupts asks the device to raise interrupts for this queue or not to bother. Look with Next once after turning them on. With EventIndex on asks for one
// interrupt, for what comes next.
func (q *Queue) Interrupts(on bool) {
	if q.events {
		// Off: an index that the device has passed already, and will not pass again for as long as the ring is (2.7.7.1).
		q.silent = !on
		event := q.seen - 1
		if on {
			event = q.seen
		}
		q.last(q.avail, availHead+2*int(q.size)).Store(uint32(event))
	} else {
		q.quiet = availQuiet
		if on {
			q.quiet = 0
		}
		q.publish()
	}
	if on {
		fence()
	}
}

// Ready tells whether Next would give a chain, or the queue is broken.
func (q *Queue) Ready() bool { return uint16(q.usedWord.Load()>>16) != q.seen || q.err != nil }

// Filled is a term of a predicate (exo.NewPredicate): the device has finished with more than Next has taken. After Next the predicate is told by Set, with Seen. Interrupts
// are to be on while somebody waits.
func (q *Queue) Filled() exo.Term {
	return exo.Term{Frames: q.mem, Off: uintptr(len(q.desc) + len(q.avail)), Mask: 0xffff0000, Op: exo.NotEqual, Value: q.Seen()}
}

// Seen is what Filled compares with: how far Next has come.
func (q *Queue) Seen() uint32 { return uint32(q.seen) << 16 }

// Next takes one chain that the device has finished with: its token and how many bytes the device wrote. It says false when there is
// none, or when the queue is broken (Err tells).
func (q *Queue) Next() (token uint64, written uint32, ok bool) {
	idx := uint16(q.usedWord.Load() >> 16)
	if idx == q.seen || q.err != nil {
		return 0, 0, false
	}
	if idx-q.seen > q.size-q.nfree {
		return q.broken("its used ring is ahead of what it was given")
	}
	e := q.used[usedHead+usedSize*int(q.seen&(q.size-1)):][:usedSize]
	head, n := le.Uint32(e), le.Uint32(e[4:])
	if head >= uint32(q.size) || q.chains[head].n == 0 {
		return q.broken("it returned descriptor " + decimal(int(head)) + ", which it does not have")
	}
	c := &q.chains[head]
	if uint64(n) > c.room {
		return q.broken("it says it wrote " + decimal(int(n)) + " bytes where " + decimal(int(c.room)) + " fit")
	}
	q.seen++
	if q.events && q.seen&(maxQueue/2-1) == 0 {
		q.Interrupts(!q.silent) // before the index that silences comes round again
	}
	if c.table != 0 {
		q.tables.free = append(q.tables.free, c.table)
	}
	q.next[c.tail] = q.free
	q.free = uint16(head)
	q.nfree += c.n
	c.n = 0
	return c.token, n, true
}

func (q *Queue) broken(why string) (uint64, uint32, bool) {
	q.err = &BrokenError{Device: q.name, Queue: q.index, Why: why}
	return 0, 0, false
}
