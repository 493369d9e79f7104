// Package blk is the driver of virtio's block device: VIRTIO 1.2, 5.2. It is mechanism only: it moves sectors between a disk and memory that its callers hold, many transfers at
// a time, each inside an extent that its caller has bound (exo/flow). It knows no files, no cache and no order between transfers.
//
// Of the features it takes RO, BLK_SIZE, SEG_MAX, SIZE_MAX, TOPOLOGY, FLUSH, MQ, DISCARD and WRITE_ZEROES, and the ring's own. It leaves CONFIG_WCE: whether the device has a volatile cache
// is the host's to say. Secure erase, zones and lifetime are left, too. A capacity that becomes larger is told.
//
// The device is not trusted. A transfer that it fails, answers with nonsense, or does not answer in time ends with an error; so do all others when it breaks the rules of its queue,
// wants a reset, or is taken back. Nothing here panics for what a device does.
package blk

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// DeviceID is the block device's (VIRTIO 1.2, chapter 5).
const DeviceID = 2

// SectorSize is the unit of all positions and lengths, whatever blocks the disk has (5.2.4).
const SectorSize = disk.SectorSize

// Feature bits: 5.2.3.
const (
	featSizeMax     = 1 << 1
	featSegMax      = 1 << 2
	featReadOnly    = 1 << 5
	featBlockSize   = 1 << 6
	featFlush       = 1 << 9
	featTopology    = 1 << 10
	featQueues      = 1 << 12
	featDiscard     = 1 << 13
	featWriteZeroes = 1 << 14
)

// Fields of the configuration: 5.2.4, struct virtio_blk_config.
const (
	cfgCapacity       = 0 // le64
	cfgSizeMax        = 8
	cfgSegMax         = 12
	cfgBlockSize      = 20
	cfgPhysicalExp    = 24 // u8: log2 of logical blocks in a physical one
	cfgQueues         = 34 // le16
	cfgMaxDiscard     = 36
	cfgDiscardAlign   = 44
	cfgMaxWriteZeroes = 48
)

const (
	holder = "virtio-blk"

	queueSize = 128
	maxQueues = 16
	maxRuns   = 62 // with header and status 64 descriptors
	idSize    = 20 // VIRTIO_BLK_ID_BYTES: 5.2.6

	defaultPatience = 30 * time.Second
)

// What a disk is asked, and says of itself, is that of all drivers of disks.
type (
	Info    = disk.Info
	Request = disk.Request
)

// Options change how a disk is opened. The zero value is what most want.
type Options struct {
	Patience time.Duration // how long one transfer may take before the device is given up; 0: 30 s
	Now      func() int64  // the clock by which it is measured, in ns; nil: exo.Now
}

// A Disk is an open block device. Its methods may be called by any goroutine.
type Disk struct {
	disk.Growth
	flushes  disk.Flushes
	info     Info
	gen      uint32 // of the configuration, when it was read last; the disk's goroutine's
	dev      *virtio.Device
	queues   []*queue
	turn     atomic.Uint32 // the queue that is used next
	patience int64
	now      func() int64

	space *flow.Disk
	all   exo.Cap

	lost  atomic.Pointer[disk.GoneError] // why the device is to be given up; set once
	timer *disk.Timer
	ended chan struct{} // closed when the device has been given back
	held  bool          // read after ended: the device did not stop, and may write to memory for ever
}

// Places are the machine's block devices, in the order in which they are found. They discover the machine if nobody has yet.
func Places() []virtio.Place { return virtio.Find(DeviceID) }

// Open takes a disk and starts it. It parks while the device resets and says its serial number.
func Open(p virtio.Place, o Options) (*Disk, error) {
	const want = featSizeMax | featSegMax | featReadOnly | featBlockSize | featFlush | featTopology | featQueues | featDiscard | featWriteZeroes
	dev, err := virtio.OpenWith(holder, p, virtio.EventIndex|virtio.Indirect, func(offered uint64) uint64 { return offered & want })
	if err != nil {
		return nil, err
	}
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.Now == nil {
		o.Now = exo.Now
	}
	d := &Disk{dev: dev, patience: int64(o.Patience), now: o.Now, ended: make(chan struct{})}
	d.timer = disk.NewTimer(dev.Wake)
	if err := d.open(); err != nil {
		d.timer.End()
		d.giveBack()
		return nil, err
	}
	d.dev.Start()
	go d.run()
	d.info.Serial = d.serial()
	return d, nil
}

// open reads the configuration and sets the queues up. The registers may be taken back meanwhile.
func (d *Disk) open() (err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *exo.RevokedError:
			err = e
		default:
			panic(e)
		}
	}()
	n := d.configure()
	for i := range n {
		q, err := d.newQueue(i)
		if err != nil {
			return err
		}
		d.queues = append(d.queues, q)
	}
	in := &d.info
	in.Queues = n
	in.MaxRuns = max(1, min(in.MaxRuns, d.queues[0].q.Size()-2))
	d.space, d.all, err = flow.NewDisk(in.Name, in.Sectors)
	return err
}

// configure fills in Info and says how many queues there are to be.
func (d *Disk) configure() (queues int) {
	in, f := &d.info, d.dev.Features()
	in.Name = d.dev.Name()
	in.Sectors = d.capacity()
	in.ReadOnly = f&featReadOnly != 0
	in.Cached = f&featFlush != 0 // 5.2.5.2: without FLUSH it writes through
	in.BlockSize = SectorSize
	if v := d.dev.Config32(cfgBlockSize); f&featBlockSize != 0 && v >= SectorSize && v <= 1<<16 && v&(v-1) == 0 {
		in.BlockSize = int(v)
	}
	in.PhysicalBlock = in.BlockSize
	if v := d.dev.Config8(cfgPhysicalExp); f&featTopology != 0 && v <= 8 {
		in.PhysicalBlock <<= v
	}
	in.MaxRuns, in.MaxRun = maxRuns, 1<<20
	if f&featSegMax != 0 {
		in.MaxRuns = max(1, int(min(d.dev.Config32(cfgSegMax), maxRuns)))
	}
	if f&featSizeMax != 0 {
		// Whole blocks, so that a piece never ends inside one.
		in.MaxRun = max(in.BlockSize, int(min(d.dev.Config32(cfgSizeMax), 1<<20))&^(in.BlockSize-1))
	}
	perBlock := uint32(in.BlockSize / SectorSize)
	if f&featDiscard != 0 {
		in.MaxDiscard = d.dev.Config32(cfgMaxDiscard) &^ (perBlock - 1)
		in.DiscardAlign = max(perBlock, d.dev.Config32(cfgDiscardAlign))
		in.Discard = in.MaxDiscard != 0
	}
	if f&featWriteZeroes != 0 {
		in.MaxWriteZeroes = d.dev.Config32(cfgMaxWriteZeroes) &^ (perBlock - 1)
		in.WriteZeroes = in.MaxWriteZeroes != 0
	}
	queues = 1
	if f&featQueues != 0 {
		v := int(d.dev.Config8(cfgQueues)) | int(d.dev.Config8(cfgQueues+1))<<8
		queues = max(1, min(v, exo.CPUs(), maxQueues))
	}
	return queues
}

// capacity reads how large the disk is: a 64-bit field is read between two equal generations (2.5.2); one that never stands still is what it is.
func (d *Disk) capacity() (sectors uint64) {
	for range 100 {
		d.gen = d.dev.Generation()
		sectors = uint64(d.dev.Config32(cfgCapacity)) | uint64(d.dev.Config32(cfgCapacity+4))<<32
		if d.gen == d.dev.Generation() {
			break
		}
	}
	return sectors
}

// look sees whether the disk has grown. Over PCI messages do not tell what they are for: there the generation does.
func (d *Disk) look() {
	if d.dev.Generation() != d.gen {
		d.Grow(d.space, d.capacity())
	}
}

// Info is what the disk said when it was opened.
func (d *Disk) Info() Info { return d.info }

// Space is where extents of the disk are bound, and the capability of all its sectors: the caller's to hand on.
func (d *Disk) Space() (*flow.Disk, exo.Cap) { return d.space, d.all }

// Err says why the disk is gone: a *GoneError; nil while it works.
func (d *Disk) Err() error {
	if e := d.lost.Load(); e != nil {
		return e
	}
	return nil
}

// Close gives the disk back. Transfers under way end with a *GoneError. It says false if the device did not stop: memory of those transfers must stay out of use then, for ever. It
// parks until the device is reset.
func (d *Disk) Close() (stopped bool) {
	d.giveUp(&disk.ClosedError{})
	<-d.ended
	return !d.held
}

// giveUp has the disk's goroutine end, for the first reason that is given.
func (d *Disk) giveUp(why error) {
	if d.lost.CompareAndSwap(nil, &disk.GoneError{Disk: d.info.Name, Why: why}) {
		d.dev.Wake()
	}
}

// giveBack resets the device and gives the queues' memory back, if that is safe.
func (d *Disk) giveBack() {
	stopped := d.dev.Close()
	d.held = !stopped
	for _, q := range d.queues {
		if stopped {
			q.mem.Release()
		}
	}
}

// serial asks the disk what it is called (5.2.6: VIRTIO_BLK_T_GET_ID). A disk need not know.
func (d *Disk) serial() string {
	mem, err := exo.TakeFrames(holder, 1, 0)
	if err != nil {
		return ""
	}
	r := Request{Op: disk.Identify, Memory: []exo.Run{{Base: mem.Base(), Len: idSize}}}
	err = d.Do(&r)
	id := ""
	if err == nil {
		id = disk.Text(mem.Bytes()[:idSize])
	}
	if gone, ok := err.(*disk.GoneError); !ok || !gone.Held {
		mem.Release()
	}
	return id
}

// queue is one virtqueue with what is under way on it.
type queue struct {
	mu    sync.Mutex // guards all below
	room  sync.Cond  // something ended
	q     *virtio.Queue
	mem   *exo.Frames
	slots []slot
	free  []uint16 // of slots
	down  bool     // nothing is added any more
	bufs  []virtio.Buffer
}

// A slot is one transfer under way. Its part of mem holds what is told to the device beside the data.
type slot struct {
	r      *Request // nil: free
	since  int64    // by the disk's clock
	header []byte
	at     exo.Phys // of header
}

// A slot's memory: the request's header (5.2.6), the status byte, and the segment of a discard or write-zeroes.
const (
	slotSize   = 64
	headerSize = 16 // le32 type, le32 reserved, le64 sector
	statusAt   = 16
	segmentAt  = 32
	segment    = 16 // le64 sector, le32 num_sectors, le32 flags
)

func (d *Disk) newQueue(i int) (*queue, error) {
	vq, err := d.dev.Queue(holder, i, queueSize)
	if err != nil {
		return nil, err
	}
	if vq.Size() < 4 {
		return nil, &virtio.DeviceError{Device: d.dev.Name(), Why: "its queues are too small for a transfer"}
	}
	n := vq.Size() / 2 // a transfer has two descriptors at least
	if d.dev.Features()&virtio.Indirect != 0 {
		n = vq.Size()
		if err := vq.Tables(holder, n/2, maxRuns+2); err != nil {
			return nil, err
		}
	}
	mem, err := exo.TakeFrames(holder, (n*slotSize+exo.PageSize-1)/exo.PageSize, 0)
	if err != nil {
		return nil, err
	}
	q := &queue{q: vq, mem: mem, slots: make([]slot, n), bufs: make([]virtio.Buffer, 0, queueSize)}
	q.room.L = &q.mu
	b := mem.Bytes()
	for k := range q.slots {
		q.slots[k] = slot{header: b[k*slotSize:][:slotSize], at: mem.Base() + exo.Phys(k*slotSize)}
		q.free = append(q.free, uint16(k))
	}
	return q, nil
}
