// Package disk is what all drivers of disks share: what can be asked of one, what it says of itself, and the errors. A driver is mechanism only: it moves sectors between a disk and memory
// that its callers hold, many transfers at a time, each inside an extent that its caller has bound (exo/flow). The drivers are exo/virtio/blk, exo/virtio/scsi and exo/nvme.
package disk

import (
	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/flow"
)

// SectorSize is the unit of all positions and lengths, whatever blocks a disk has.
const SectorSize = 512

// A Disk is an open disk. Its methods may be called by any goroutine.
type Disk interface {
	// Info is what the disk said when it was opened. How large it is by now says its space (flow.Disk.Blocks).
	Info() Info

	// Notify has f called each time that the disk has become larger and its space with it: on a goroutine of the disk's, which is not to be kept waiting.
	Notify(f func())

	// Space is where extents of the disk are bound, and the capability of all its sectors: the caller's to hand on.
	Space() (*flow.Disk, exo.Cap)

	// Start begins transfers, and tells the device of them together where it can. Memory must stay as it is until Done is called, and each request with it. It parks while the queue is full.
	// Transfers under way have no order.
	//
	// Errors, and then none is begun and Done is not called: those of Check, *GoneError. Where the disk goes while it begins them, the rest end as those do that are under way.
	Start(list ...*Request) error

	// Err says why the disk is gone: a *GoneError; nil while it works.
	Err() error

	// Close gives the disk back. Transfers under way end with a *GoneError. It says false if the device did not stop: memory of those transfers must stay out of use then, for ever. It
	// parks until the device is reset.
	Close() (stopped bool)
}

// Do makes one transfer and parks until it has ended. The errors are those of Start and of the transfer: *IOError, *UnsupportedError, *GoneError. After a *GoneError with Held the memory must
// stay out of use for ever.
func Do(d interface{ Start(...*Request) error }, r *Request) error {
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

// Check is Request.Check of all of a list.
func Check(list []*Request, in *Info) error {
	for _, r := range list {
		if err := r.Check(in); err != nil {
			return err
		}
	}
	return nil
}

// atOnce is how many transfers of a list go to one queue at least: so many are told of by one doorbell.
const atOnce = 16

// Each begins the transfers of a list, one after the other, for drivers. They go to the queues in parts, so that a long list does not fill one of them, which others use, while a device works through its queues at the same time: first is
// where a part begins, last the one at which the device is told of it. Where begin gives an error, the transfer was not begun.
func Each(list []*Request, queues int, begin func(r *Request, first, last bool) error) error {
	part := max(atOnce, (len(list)+queues-1)/queues)
	for i, r := range list {
		err := begin(r, i%part == 0, i%part == part-1 || i == len(list)-1)
		switch {
		case err == nil:
		case i == 0:
			return err
		default:
			r.Finish(err)
		}
	}
	return nil
}

// Finish tells who asked how a transfer ended. It is for drivers.
func (r *Request) Finish(err error) {
	r.Err = err
	if r.Done != nil {
		r.Done(r)
		return
	}
	r.wait <- struct{}{}
}

// Size is how many bytes of memory a transfer has, once Check has looked at it.
func (r *Request) Size() uint32 { return r.size }

// Info is what a disk says of itself, made sane.
type Info struct {
	Name     string // where it is
	Serial   string // what the host calls it; empty if it says nothing
	Sectors  uint64 // its size, then
	ReadOnly bool

	BlockSize     int // bytes: the least that is transferred, a multiple of SectorSize, and a power of two
	PhysicalBlock int // bytes: the least that is written without reading; a multiple of BlockSize

	Cached      bool // what was written may be lost until Flush; false: each write is stable when it is done
	Discard     bool // takes Discard
	WriteZeroes bool // takes WriteZeroes

	MaxRuns        int    // pieces of memory in one transfer
	MaxRun         int    // bytes in one of them
	MaxBytes       int    // bytes in one transfer; 0: no limit but those
	Pages          bool   // a piece that is not the first begins, and one that is not the last ends, at a page's border; all begin at a multiple of 4
	Words          bool   // each piece begins at a multiple of 4, and is a multiple of 4 bytes
	MaxDiscard     uint32 // sectors in one Discard
	DiscardAlign   uint32 // sectors: where discards had better begin and end
	MaxWriteZeroes uint32 // sectors in one WriteZeroes
	Queues         int
}

// An Op is what a transfer does; the numbers are those of virtio (VIRTIO 1.2, 5.2.6, VIRTIO_BLK_T_*).
type Op uint32

// What a transfer may do.
const (
	Read        Op = 0  // from the disk into memory
	Write       Op = 1  // from memory to the disk
	Flush       Op = 4  // make stable what was written by transfers that ended before this one began
	Identify    Op = 8  // a driver's own: the serial number
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
	case Identify:
		return "identify"
	case Discard:
		return "discard"
	case WriteZeroes:
		return "write-zeroes"
	}
	return "operation " + decimal(uint64(o))
}

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

// Check refuses what cannot be asked of a disk: *RequestError, *ReadOnlyError, *UnsupportedError; those of the extent's checks.
func (r *Request) Check(in *Info) error {
	size := uint64(0)
	for _, m := range r.Memory {
		if m.Len == 0 || m.Len > uintptr(in.MaxRun) {
			return &RequestError{r.Op, "a piece of memory is empty or larger than the disk takes"}
		}
		size += uint64(m.Len)
	}
	r.size = uint32(size)
	switch r.Op {
	case Flush, Identify:
		return nil
	case Read, Write:
		if len(r.Memory) == 0 || len(r.Memory) > in.MaxRuns || size%uint64(in.BlockSize) != 0 || uint64(r.Sector)%uint64(in.BlockSize/SectorSize) != 0 {
			return &RequestError{r.Op, "it must be whole blocks of the disk, in no more pieces than the disk takes"}
		}
		if in.MaxBytes > 0 && size > uint64(in.MaxBytes) {
			return &RequestError{r.Op, "it is more than the disk takes at once"}
		}
		for i, m := range r.Memory {
			if in.Pages && (m.Base%4 != 0 || i > 0 && m.Base%exo.PageSize != 0 || i+1 < len(r.Memory) && (m.Base+exo.Phys(m.Len))%exo.PageSize != 0) {
				return &RequestError{r.Op, "pieces of memory must join at pages' borders"}
			}
			if in.Words && (m.Base|exo.Phys(m.Len))%4 != 0 {
				return &RequestError{r.Op, "pieces of memory must be words of 4 bytes"}
			}
		}
		if r.Op == Read {
			return r.inside(uint32(size / SectorSize))
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
	return r.inside(n)
}

// inside asks the extent.
func (r *Request) inside(n uint32) error {
	if r.Extent == nil {
		return &RequestError{r.Op, "it names no extent: bind one"}
	}
	if r.Op == Read {
		return r.Extent.CheckRead(r.Sector, n)
	}
	return r.Extent.CheckWrite(r.Sector, n)
}
