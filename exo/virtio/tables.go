package virtio

import "github.com/hardtack-os/hardtack/exo"

// Indirect is the feature bit of devices that take a chain whose descriptors lie outside the ring, in a table of their own: it costs the ring one descriptor
// however long it is (VIRTIO 1.2, 2.7.5.3). A driver that names it in what it wants, and the device offers it, may give its queues Tables.
const Indirect = 1 << 28

// tables are the tables of one queue.
type tables struct {
	mem  *exo.Frames // nil: there are none
	at   []byte      // of mem
	most uint16      // descriptors a table
	free []uint16    // one more than the number of each that is not in use
}

// Tables gives the queue n tables for chains of up to most buffers, before the device is started; without Indirect it does nothing. A table is used where the chain
// would leave less than half of the ring free: until then the ring is enough, and devices read it faster.
func (q *Queue) Tables(holder string, n, most int) error {
	if !q.indirect || q.tables.mem != nil || n < 1 || n > maxQueue || most < 2 {
		return nil
	}
	most = min(most, int(q.size)) // no chain is longer (2.7.5.3.1)
	bytes := n * most * descSize
	mem, err := exo.TakeFrames(holder, (bytes+exo.PageSize-1)/exo.PageSize, 0)
	if err != nil {
		return err
	}
	t := tables{mem: mem, at: mem.Bytes()[:bytes], most: uint16(most), free: make([]uint16, n)}
	for i := range t.free {
		t.free[i] = uint16(n - i)
	}
	q.tables = t
	return nil
}

// outside says whether a chain of n descriptors goes to a table.
func (q *Queue) outside(n uint16) bool {
	return n > 1 && n <= q.tables.most && len(q.tables.free) > 0 && q.nfree < q.size/2+n
}

// Room is how many buffers a chain may have that Add takes now.
func (q *Queue) Room() int {
	n := q.nfree
	if n > 0 && len(q.tables.free) > 0 {
		n = max(n, q.tables.most)
	}
	return int(n)
}

// fill writes a chain to a table, and to d the descriptor that names the table. One must be free.
func (t *tables) fill(d []byte, bufs []Buffer) (table uint16, room uint64) {
	last := len(t.free) - 1
	table = t.free[last]
	t.free = t.free[:last]
	off := int(table-1) * int(t.most) * descSize
	for k := range bufs {
		flags := uint16(descNext)
		if k+1 == len(bufs) {
			flags = 0
		}
		room += put(t.at[off+k*descSize:], &bufs[k], flags, uint16(k+1))
	}
	put(d, &Buffer{Addr: t.mem.Base() + exo.Phys(off), Len: uint32(len(bufs) * descSize)}, descTable, 0)
	return table, room
}
