// Package nvme is the driver of disks behind NVM Express controllers on PCI: NVM Express Base Specification 2.0 ("Base") and NVM Command Set Specification 1.0 ("NVM"). It drives the first active
// namespace of a controller: reads, writes, flush, write zeroes, and deallocation by dataset management. Memory is described by physical region pages (PRP), or,
// where the controller takes them, by scatter-gather lists (SGL): of memory that is not page-shaped, which PRPs cannot say, and wherever the list is shorter. Data is never copied.
//
// There is a queue pair a CPU, as far as the controller has them, at most 16; one interrupt message serves all, and one goroutine takes what has ended.
//
// Not here: several namespaces, metadata and protection information, fused commands, power states; of the asynchronous events only that a namespace has changed, which tells of one that has grown.
//
// The device is not trusted. A command that it fails, or does not answer in time, ends with an error; so do all others when it answers what it was not asked, breaks off, or is taken
// back. When its function has lost the bus it can write to memory no more, so that memory is always free afterwards. Nothing here panics for what a device does.
package nvme

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/disk"
	"github.com/hardtack-os/hardtack/exo/flow"
)

// class is the function's: mass storage, non-volatile memory, NVMe I/O controller (NVMe over PCIe Transport Specification 1.0, 3.1.2).
const class = 0x010802

// Controller registers: Base, 3.1.3.
const (
	regCAP  = 0x00 // 64 bits
	regCC   = 0x14
	regCSTS = 0x1c
	regAQA  = 0x24
	regASQ  = 0x28 // 64 bits
	regACQ  = 0x30 // 64 bits
	regDoor = 0x1000

	ccEnable   = 1 << 0
	ccShutdown = 1 << 14 // SHN: normal
	ccSQES     = 6 << 16 // 2^6 bytes a submission
	ccCQES     = 4 << 20 // 2^4 bytes a completion

	cstsReady    = 1 << 0
	cstsFatal    = 1 << 1
	cstsShutMask = 3 << 2
	cstsShutDone = 2 << 2
)

// Admin commands (Base, 5) and those of the NVM command set (NVM, 3).
const (
	adminCreateSQ    = 0x01
	adminLogPage     = 0x02
	adminCreateCQ    = 0x05
	adminIdentify    = 0x06
	adminSetFeatures = 0x09
	adminAsyncEvent  = 0x0c

	cmdFlush       = 0x00
	cmdWrite       = 0x01
	cmdRead        = 0x02
	cmdWriteZeroes = 0x08
	cmdDataset     = 0x09

	cnsNamespace  = 0x00 // Base, 5.17
	cnsController = 0x01
	cnsActive     = 0x02

	featureQueues = 0x07 // Base, 5.27.1.5
	featureEvents = 0x0b // Base, 5.27.1.8

	eventNamespace = 1 << 8 // of OAES, and of that feature: namespace attribute notices
	logNamespaces  = 4      // Changed Namespace List: Base, 5.16.1.5
)

const (
	holder = "nvme"

	sqeSize   = 64
	cqeSize   = 16
	adminSize = 16
	ioSize    = 128 // entries of an I/O queue; one less may be under way
	maxQueues = 16
	maxPages  = exo.PageSize/8 + 1 // pages of a transfer: PRP1, and one page of a list

	defaultPatience = 30 * time.Second
)

var le = binary.LittleEndian

// Options change how a disk is opened. The zero value is what most want.
type Options struct {
	Patience time.Duration // how long one command may take before the device is given up; 0: 30 s
	Now      func() int64  // the clock by which it is measured, in ns; nil: exo.Now
}

// A Disk is an open disk. It is a disk.Disk.
type Disk struct {
	disk.Growth
	flushes  disk.Flushes
	info     disk.Info
	f        *exo.Function
	v        *exo.Vector
	regs     *exo.MMIO
	stride   uintptr       // bytes between doorbells
	ready    time.Duration // how long enabling may take: CAP.TO
	depth    int           // entries of an I/O queue
	nsid     uint32
	shift    uint // log2 of sectors in a block
	sgl      bool // it takes scatter-gather lists
	few      int  // how many descriptors these had better have; 0: any
	admin    *queue
	queues   []*queue
	turn     atomic.Uint32
	patience int64
	now      func() int64
	scratch  *exo.Frames // what Identify answers
	watching bool        // the controller says when a namespace changes
	asked    uint16      // the admin command under way, by its code, since the disk was started; 0: none. The disk's goroutine's, as is what follows
	askedAt  int64

	space *flow.Disk
	all   exo.Cap

	lost  atomic.Pointer[disk.GoneError]
	timer *disk.Timer
	ended chan struct{}
}

// A queue is a submission queue with its completion queue.
type queue struct {
	mu     sync.Mutex // guards all below
	room   sync.Cond  // something ended
	id     int
	size   int
	mem    *exo.Frames // the submissions, then the completions, then a page for each slot: its list of pages, or what a dataset management command reads
	tail   int
	told   int // the tail that the device knows
	head   int
	phase  uint32 // of completions that are new
	slots  []slot
	free   []uint16
	down   bool
	broken error
}

type slot struct {
	r     *disk.Request // nil: free
	since int64
}

// Places are the machine's NVMe controllers. They discover the machine if nobody has yet.
func Places() (list []exo.FunctionID) {
	for _, f := range exo.Discover().Functions {
		if f.Class == class {
			list = append(list, f.ID)
		}
	}
	return list
}

// DeviceError says what is wrong with a controller.
type DeviceError struct {
	Device, Why string
	refused     bool // it does what it is told, but not that
}

func (e *DeviceError) Error() string { return "nvme: " + e.Device + ": " + e.Why }

// Open takes a controller and starts it. It parks while the controller resets and says what it is.
func Open(id exo.FunctionID, o Options) (d *Disk, err error) {
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	if o.Now == nil {
		o.Now = exo.Now
	}
	d = &Disk{patience: int64(o.Patience), now: o.Now, ended: make(chan struct{})}
	d.info.Name = "PCI function " + id.String()
	if d.v, err = exo.TakeVector(holder); err != nil {
		return nil, err
	}
	if d.f, err = exo.TakeFunction(holder, id); err != nil {
		d.v.Release()
		return nil, err
	}
	d.timer = disk.NewTimer(d.v.Wake)
	if err := d.open(); err != nil {
		d.timer.End()
		d.giveBack()
		return nil, err
	}
	go d.run()
	return d, nil
}

func (d *Disk) fault(why string) error { return &DeviceError{Device: d.info.Name, Why: why} }

// open starts the controller (Base, 3.5.1). Its registers may be taken back meanwhile.
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
	if d.regs, err = d.f.BAR(holder, 0); err != nil {
		return err
	}
	if d.regs.Size() < regDoor {
		return d.fault("its registers are too few")
	}
	d.f.Enable()
	if n, err := d.f.Messages(); err != nil {
		return err
	} else if n == 0 {
		return d.fault("it raises no messages, and its shared INTx pin is not used")
	}
	if err := d.f.Bind(0, d.v, nil); err != nil {
		return err
	}
	low, high := d.regs.Load32(regCAP), d.regs.Load32(regCAP+4)
	if low == ^uint32(0) && high == ^uint32(0) {
		return d.fault("it is not there")
	}
	d.ready = time.Duration(max(low>>24, 1)) * 500 * time.Millisecond
	d.stride = 4 << (high & 15)
	if d.regs.Size() < regDoor+2*d.stride { // bytes: the admin queue's two doorbells
		return d.fault("its registers have no doorbells")
	}
	d.depth = min(int(low&0xffff)+1, ioSize)
	if high>>16&15 != 0 { // MPSMIN
		return d.fault("it takes no pages of 4 KiB")
	}
	if high>>5&1 == 0 { // CSS
		return d.fault("it has no NVM command set")
	}
	if d.depth < 2 {
		return d.fault("its queues are too small")
	}
	if !d.enable(0) {
		return d.fault("it does not reset")
	}
	if d.admin, err = d.newQueue(0, adminSize, false); err != nil {
		return err
	}
	d.regs.Store32(regAQA, (adminSize-1)<<16|(adminSize-1))
	d.store64(regASQ, uint64(d.admin.mem.Base()))
	d.store64(regACQ, uint64(d.admin.mem.Base())+uint64(d.admin.completions()))
	if !d.enable(ccEnable) {
		return d.fault("it does not start")
	}
	if d.scratch, err = exo.TakeFrames(holder, 1, 0); err != nil {
		return err
	}
	if err := d.identify(); err != nil {
		return err
	}
	return d.ioQueues()
}

func (d *Disk) store64(off uintptr, v uint64) {
	d.regs.Store32(off, uint32(v))
	d.regs.Store32(off+4, uint32(v>>32))
}

// enable turns the controller on or off and waits until it says that it is so.
func (d *Disk) enable(on uint32) bool {
	cc := uint32(ccSQES | ccCQES)
	if on == 0 {
		cc = d.regs.Load32(regCC) &^ ccEnable
	}
	d.regs.Store32(regCC, cc|on)
	return d.until(d.ready, func(csts uint32) bool { return csts&cstsReady == on })
}

// until waits until CSTS is as it should be. A controller that says all ones is gone.
func (d *Disk) until(limit time.Duration, is func(csts uint32) bool) bool {
	for end := exo.Now() + int64(limit); ; {
		csts := d.regs.Load32(regCSTS)
		if csts == ^uint32(0) {
			return false
		}
		if is(csts) {
			return true
		}
		if exo.Now() > end || csts&cstsFatal != 0 {
			return false
		}
		d.v.Wait(exo.Now() + 1e6)
	}
}

// identify asks what the controller and its namespace are.
func (d *Disk) identify() error {
	ask := func(cns, nsid uint32) ([]byte, error) {
		_, err := d.do(command{op: adminIdentify, nsid: nsid, pointer: whole(d.scratch.Base()), dw10: cns})
		return d.scratch.Bytes(), err
	}
	b, err := ask(cnsController, 0)
	if err != nil {
		return err
	}
	in := &d.info
	in.Serial = disk.Text(b[4:24])
	in.MaxBytes = (maxPages - 1) * exo.PageSize
	if mdts := b[77]; mdts != 0 && mdts < 20 { // Base, 5.17.2.1: a power of two of the least page
		in.MaxBytes = min(in.MaxBytes, exo.PageSize<<mdts)
	}
	in.MaxRuns, in.MaxRun, in.Pages = maxPages-1, in.MaxBytes, true
	d.sgls(le.Uint32(b[sglsAt:]))
	oncs := le.Uint16(b[520:])
	tells := le.Uint32(b[92:])&eventNamespace != 0 // OAES
	in.Cached = b[525]&1 != 0
	d.nsid = 1
	if b, err = ask(cnsActive, 0); err == nil {
		if n := le.Uint32(b); n != 0 {
			d.nsid = n
		}
	}
	if b, err = ask(cnsNamespace, d.nsid); err != nil {
		return err
	}
	size, lbaf := namespace(b)
	log := uint(lbaf >> 16 & 0xff)
	switch {
	case size == 0:
		return d.fault("it has no namespace")
	case log < 9 || log > 16:
		return d.fault("its blocks are smaller than 512 bytes, or larger than 64 KiB")
	case lbaf&0xffff != 0:
		return d.fault("its blocks have metadata")
	case size > 1<<62>>(log-9):
		return d.fault("it says that it has more blocks than there can be")
	}
	d.shift = log - 9
	in.BlockSize, in.PhysicalBlock = 1<<log, 1<<log
	in.Sectors = size << d.shift
	in.ReadOnly = b[99]&1 != 0 // NSATTR: write protected
	if in.MaxBytes < in.BlockSize {
		return d.fault("it takes less than a block at once")
	}
	const most = 1 << 16 // blocks, in one write-zeroes command and one range
	if oncs&(1<<2) != 0 {
		in.Discard, in.MaxDiscard, in.DiscardAlign = true, uint32(min(uint64(most)<<d.shift, 1<<31)), 1<<d.shift
	}
	if oncs&(1<<3) != 0 {
		in.WriteZeroes, in.MaxWriteZeroes = true, uint32(min(uint64(most)<<d.shift, 1<<31))
	}
	if tells {
		_, err := d.do(command{op: adminSetFeatures, dw10: featureEvents, dw11: eventNamespace})
		e, is := err.(*DeviceError)
		if err != nil && !(is && e.refused) {
			return err
		}
		d.watching = err == nil
	}
	d.space, d.all, err = flow.NewDisk(in.Name, in.Sectors)
	return err
}

// namespace reads how many blocks a namespace has, and their format: NVM, 4.1.5.1, NSZE, FLBAS (its index has upper bits of their own) and LBAF.
func namespace(b []byte) (size uint64, lbaf uint32) {
	return le.Uint64(b), le.Uint32(b[128+4*(int(b[26]&15)|int(b[26]>>5&3)<<4):])
}

// ioQueues makes a queue pair a CPU (Base, 5.4 and 5.5).
func (d *Disk) ioQueues() error {
	n := min(exo.CPUs(), maxQueues)
	got, err := d.do(command{op: adminSetFeatures, dw10: featureQueues, dw11: uint32(n-1)<<16 | uint32(n-1)})
	if err != nil {
		return err
	}
	n = min(n, int(got&0xffff)+1, int(got>>16)+1)
	for i := 1; i <= n; i++ {
		if d.regs.Size() < regDoor+uintptr(2*i+2)*d.stride {
			break
		}
		q, err := d.newQueue(i, d.depth, true)
		if err != nil {
			return err
		}
		d.queues = append(d.queues, q)
		size := uint32(q.size-1)<<16 | uint32(i)
		// Physically in a row, interrupts on, by message 0; then its submissions, which answer there.
		if _, err := d.do(command{op: adminCreateCQ, pointer: whole(q.mem.Base() + exo.Phys(q.completions())), dw10: size, dw11: 3}); err != nil {
			return err
		}
		if _, err := d.do(command{op: adminCreateSQ, pointer: whole(q.mem.Base()), dw10: size, dw11: uint32(i)<<16 | 1}); err != nil {
			return err
		}
	}
	if len(d.queues) == 0 {
		return d.fault("it has no queue")
	}
	d.info.Queues = len(d.queues)
	d.await()
	return nil
}

// completions is where they begin in a queue's memory: on a page of their own.
func (q *queue) completions() int {
	return (q.size*sqeSize + exo.PageSize - 1) &^ (exo.PageSize - 1)
}

// lists is where the slots' pages begin.
func (q *queue) lists() int {
	return q.completions() + (q.size*cqeSize+exo.PageSize-1)&^(exo.PageSize-1)
}

func (d *Disk) newQueue(id, size int, lists bool) (*queue, error) {
	q := &queue{id: id, size: size, phase: 1}
	q.room.L = &q.mu
	n := q.lists()
	if lists {
		n += (size - 1) * exo.PageSize
	}
	var err error
	if q.mem, err = exo.TakeFrames(holder, n/exo.PageSize, 0); err != nil {
		return nil, err
	}
	q.slots = make([]slot, size-1) // a queue with as many entries as it has is full one before (Base, 3.3.1.5)
	for i := range q.slots {
		q.free = append(q.free, uint16(i))
	}
	return q, nil
}

// Info implements disk.Disk.
func (d *Disk) Info() disk.Info { return d.info }

// Space implements disk.Disk.
func (d *Disk) Space() (*flow.Disk, exo.Cap) { return d.space, d.all }

// Err implements disk.Disk.
func (d *Disk) Err() error {
	if e := d.lost.Load(); e != nil {
		return e
	}
	return nil
}

// Close implements disk.Disk. The device has always stopped afterwards.
func (d *Disk) Close() (stopped bool) {
	d.giveUp(&disk.ClosedError{})
	<-d.ended
	return true
}

// giveUp has the disk's goroutine end, for the first reason that is given.
func (d *Disk) giveUp(why error) {
	if d.lost.CompareAndSwap(nil, &disk.GoneError{Disk: d.info.Name, Why: why}) {
		d.v.Wake()
	}
}

// giveBack shuts the controller down (Base, 3.6.1), takes the bus from it, and gives all back.
func (d *Disk) giveBack() {
	func() {
		defer func() {
			if e := recover(); e != nil {
				if _, ok := e.(*exo.RevokedError); !ok {
					panic(e)
				}
			}
		}()
		if d.regs != nil && d.admin != nil && d.regs.Load32(regCSTS)&(cstsReady|cstsFatal) == cstsReady {
			d.regs.Store32(regCC, d.regs.Load32(regCC)|ccShutdown)
			d.until(time.Second, func(csts uint32) bool { return csts&cstsShutMask == cstsShutDone })
			d.enable(0)
		}
	}()
	d.f.Disable()
	d.f.Release()
	for _, q := range append([]*queue{d.admin}, d.queues...) {
		if q != nil {
			q.mem.Release()
		}
	}
	if d.scratch != nil {
		d.scratch.Release()
	}
	d.v.Release()
}
