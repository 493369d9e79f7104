// Package scsi is the driver of disks behind virtio's SCSI host: VIRTIO 1.2, 5.6, the commands of SPC-4 (T10/1731-D) and SBC-3 (T10/1799-D). A host has targets, a target logical units; each unit that is a
// disk is a disk.Disk of its own: reads, writes, flush by SYNCHRONIZE CACHE, discard by UNMAP, write zeroes by WRITE SAME. Data is never copied.
//
// There is a request queue a CPU, as far as the host has them, at most 16; one interrupt serves all, and one goroutine takes what has ended, for all units of a host.
//
// Units are looked for when the host is opened. Not here: units that come later, other kinds of units than disks, several paths to one, reservations, protection information, bidirectional commands.
//
// A command that takes too long is aborted and ends with an error; a host that does not even answer then is given up, with all its units. A unit that goes away is gone alone; one that grows says so. After a unit attention, or an abort by
// somebody else, a command is given again, but for a flush that was begun. The device is not trusted: what breaks the rules ends with an error, and nothing here panics for what a device does.
package scsi

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// DeviceID is the SCSI host's (VIRTIO 1.2, chapter 5).
const DeviceID = 8

// Feature bits: VIRTIO 1.2, 5.6.3.
const (
	featHotplug = 1 << 1 // it says that a unit is gone
	featChange  = 1 << 2 // it says that a unit has changed
)

// Fields of the configuration: 5.6.4, struct virtio_scsi_config.
const (
	cfgQueues     = 0
	cfgSegMax     = 4
	cfgMaxSectors = 8
	cfgMaxTarget  = 30 // le16
)

// Queues: 5.6.2.
const (
	controlQueue = 0
	eventQueue   = 1
	firstRequest = 2
)

const (
	holder = "virtio-scsi"

	queueSize = 128
	maxQueues = 16
	maxRuns   = 62   // with header and response 64 descriptors
	maxDisks  = 256  // of a host
	maxUnits  = 1024 // that are asked what they are
	maxLook   = 10   // for so many times a command's patience units are looked for

	defaultPatience = 30 * time.Second
)

var (
	le = binary.LittleEndian
	be = binary.BigEndian // in commands and what they answer
)

// Options change how a host is opened. The zero value is what most want.
type Options struct {
	Patience time.Duration // how long one command may take before it is aborted, and how long that may take; 0: 30 s
	Now      func() int64  // the clock by which it is measured, in ns; nil: exo.Now
}

// DeviceError says what is wrong with a host or a unit.
type DeviceError struct{ Device, Why string }

func (e *DeviceError) Error() string { return "virtio-scsi: " + e.Device + ": " + e.Why }

// A host is an open device with its units.
type host struct {
	dev      *virtio.Device
	queues   []*queue
	turn     atomic.Uint32 // the queue that is used next
	given    atomic.Uint64 // commands that were given to the device, those again that were given again
	patience int64
	now      func() int64
	until    int64       // by now: no unit is looked for any more
	most     int         // pieces of memory in a transfer
	zeroes   *exo.Frames // a page of them, for WRITE SAME

	// The goroutine's own: the control queue and the event queue.
	control, events *virtio.Queue
	mem             *exo.Frames // what is told by them
	aborts          []abort
	flushed         []ending // flushes that ended well, and are not finished yet

	mu    sync.Mutex // guards the three below
	units []*Disk    // those that are a disk, once they are known
	open  int        // of them, those that nobody has closed
	early bool       // something changed before units were known

	asking sync.WaitGroup // goroutines that ask how large a unit is

	lost  atomic.Pointer[disk.GoneError] // why the host is to be given up; set once
	retry atomic.Bool                    // something is to be given again
	timer *disk.Timer
	pause *disk.Timer   // runs while something waits for a device that was busy
	ended chan struct{} // closed when the device has been given back
	held  bool          // read after ended: the device did not stop, and may write to memory for ever
}

// Places are the machine's SCSI hosts, in the order in which they are found. They discover the machine if nobody has yet.
func Places() []virtio.Place { return virtio.Find(DeviceID) }

// Open takes a host and opens its disks, in the order of targets and units. It parks while the device resets and the units say what they are. The host is given back when all its disks are closed.
//
// A host may have that many units to tell of, and take that long for each, that nobody would wait for it: no more than maxUnits are asked, and after ten times the patience none.
//
// The error joins what is wrong with units that could not be opened; the disks that could are there all the same. With an error of the host there are none.
func Open(p virtio.Place, o Options) ([]*Disk, error) {
	dev, err := virtio.OpenWith(holder, p, virtio.EventIndex|virtio.Indirect, func(offered uint64) uint64 { return offered & (featHotplug | featChange) })
	if err != nil {
		return nil, err
	}
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.Now == nil {
		o.Now = exo.Now
	}
	h := &host{dev: dev, patience: int64(o.Patience), now: o.Now, ended: make(chan struct{})}
	h.timer = disk.NewTimer(dev.Wake)
	h.pause = disk.NewTimer(h.wake)
	if err := h.setUp(); err != nil {
		h.timer.End()
		h.pause.End()
		h.giveBack()
		return nil, err
	}
	h.dev.Start()
	go h.run()
	disks, err := h.find()
	if len(disks) == 0 {
		h.giveUp(&disk.ClosedError{})
		<-h.ended
	}
	return disks, err
}

// setUp reads the configuration and sets the queues up. The registers may be taken back meanwhile.
func (h *host) setUp() (err error) {
	defer revoked(&err)
	if h.zeroes, err = exo.TakeFrames(holder, 1, 0); err != nil {
		return err
	}
	if h.mem, err = exo.TakeFrames(holder, 1, 0); err != nil {
		return err
	}
	if err := h.sideQueues(); err != nil {
		return err
	}
	n := max(1, min(int(h.dev.Config32(cfgQueues)), exo.CPUs(), maxQueues))
	for i := range n {
		q, err := h.newQueue(i)
		if err != nil {
			return err
		}
		h.queues = append(h.queues, q)
	}
	h.most = min(maxRuns, h.queues[0].q.Size()-2)
	if v := int(h.dev.Config32(cfgSegMax)); v > 0 {
		h.most = min(h.most, v)
	}
	return nil
}

// revoked makes an error of the panic that registers end with which were taken back.
func revoked(err *error) {
	if e := recover(); e != nil {
		gone, ok := e.(*exo.RevokedError)
		if !ok {
			panic(e)
		}
		*err = gone
	}
}

// giveUp has the host's goroutine end, for the first reason that is given.
func (h *host) giveUp(why error) {
	if h.lost.CompareAndSwap(nil, &disk.GoneError{Disk: h.dev.Name(), Why: why}) {
		h.dev.Wake()
	}
}

// giveBack resets the device and gives the queues' memory back, if that is safe.
func (h *host) giveBack() {
	stopped := h.dev.Close()
	h.held = !stopped
	if !stopped {
		return
	}
	for _, f := range []*exo.Frames{h.zeroes, h.mem} {
		if f != nil {
			f.Release()
		}
	}
	for _, q := range h.queues {
		q.mem.Release()
	}
}

// queue is one request queue with what is under way on it.
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

// A slot is one command under way: a transfer of a disk, or a question of the driver's own.
type slot struct {
	used     bool
	d        *Disk         // whose transfer; nil for a question
	r        *disk.Request // nil for a question
	ask      *question
	to       address
	id       uint64 // by which it can be aborted; no two commands have the same, as one may end while it is being aborted
	since    int64  // as exo.Now
	n        uint64 // the host's given, then
	tries    int    // how often it was given again
	aborting bool
	waits    bool   // the device was busy: it is to be given again
	mem      []byte // what is told to the device beside the data
	at       exo.Phys
}

// A slot's memory: the command's header and its response (5.6.6.1), and the list of an UNMAP.
const (
	slotSize   = 256
	headerSize = 51 // lun[8], le64 id, task_attr, prio, crn, cdb[32]
	responseAt = 64
	response   = 108 // le32 sense_len, le32 residual, le16 status_qualifier, status, response, sense[96]
	listAt     = 192

	cdbAt = 19
)

func (h *host) newQueue(i int) (*queue, error) {
	vq, err := h.dev.Queue(holder, firstRequest+i, queueSize)
	if err != nil {
		return nil, err
	}
	if vq.Size() < 4 {
		return nil, &virtio.DeviceError{Device: h.dev.Name(), Why: "its queues are too small for a transfer"}
	}
	vq.CountsAll()
	n := vq.Size() / 2 // a command has two descriptors at least
	if h.dev.Features()&virtio.Indirect != 0 {
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
		q.slots[k] = slot{id: uint64(i)<<16 | uint64(k), mem: b[k*slotSize:][:slotSize], at: mem.Base() + exo.Phys(k*slotSize)}
		q.free = append(q.free, uint16(k))
	}
	return q, nil
}
