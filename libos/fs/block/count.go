package block

import (
	"sync/atomic"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
)

// counts are of a disk's requests: some atomic additions and two looks at the clock each, beside the disk's own work. A nil one counts nothing.
type counts struct {
	read, written, discarded, flushed work

	flying atomic.Int64
	seen   atomic.Int64 // the clock when a request last began or ended
	busy   atomic.Int64
}

type work struct {
	requests, sectors atomic.Uint64
	time              atomic.Int64
}

// begin counts requests that begin together. It gives the time, for end.
func (c *counts) begin(n int) int64 {
	if c == nil {
		return 0
	}
	now := exo.Now()
	c.pass(now, c.flying.Add(int64(n)) > int64(n))
	return now
}

// end counts one that ends now.
func (c *counts) end(op disk.Op, bytes uint64, began int64) { c.ended(op, bytes, began, exo.Now()) }

// ended counts one that has ended at a time.
func (c *counts) ended(op disk.Op, bytes uint64, began, now int64) {
	if c == nil {
		return
	}
	var w *work
	switch op {
	case disk.Read:
		w = &c.read
	case disk.Write:
		w = &c.written
	case disk.Discard:
		w = &c.discarded
	default:
		w = &c.flushed
	}
	w.sectors.Add(bytes / disk.SectorSize)
	w.time.Add(now - began)
	w.requests.Add(1)
	c.pass(now, true)
	c.flying.Add(-1)
}

// refused takes back what begin has counted: the requests were not made.
func (c *counts) refused(n int) {
	if c != nil {
		c.flying.Add(-int64(n))
	}
}

// pass counts the time since the last call, if something was under way in it. Whoever is later has counted it where two come at a time.
func (c *counts) pass(now int64, busy bool) {
	seen := c.seen.Load()
	if now > seen && c.seen.CompareAndSwap(seen, now) && busy {
		c.busy.Add(now - seen)
	}
}

// A Use is what was done to a disk since it was opened.
type Use struct {
	Read, Written, Discarded, Flushed Work

	Flying int64 // requests under way
	Busy   int64 // nanoseconds with at least one under way
}

// A Work is requests of one kind that have ended, with an error or without.
type Work struct {
	Requests, Sectors uint64 // sectors of 512 bytes
	Time              int64  // nanoseconds from their start to their end, all together
}

func (w *work) sum() Work { return Work{w.requests.Load(), w.sectors.Load(), w.time.Load()} }

// Use tells what the disk was used for. It does not block.
func (v *Disk) Use() Use { return v.counts.use() }

func (c *counts) use() Use {
	return Use{c.read.sum(), c.written.sum(), c.discarded.sum(), c.flushed.sum(), c.flying.Load(), c.busy.Load()}
}
