package virtio

import (
	"sync/atomic"

	"github.com/hardtack-os/hardtack/exo"
)

// Status bits: VIRTIO 1.2, 2.1.
const (
	statAcknowledge = 1
	statDriver      = 2
	statDriverOK    = 4
	statFeaturesOK  = 8
	statNeedsReset  = 64
	statFailed      = 128
)

// EventIndex is the feature bit by which each side tells the other from which entry on it wants to be told of more (VIRTIO 1.2, 2.7.7.2 and 2.7.10.1). A driver that
// names it in what it wants gets it where the device offers it; queues then follow it by themselves.
const EventIndex = 1 << 29

// Version1 is the feature bit of devices that follow the standard (VIRTIO 1.2, 6). Open accepts it always.
const Version1 = 1 << 32

// A Place is where a device was found: the name that Open takes.
type Place struct {
	mmio *exo.VirtioMMIO
	pci  exo.FunctionID
}

// Find lists the devices with an ID (VIRTIO 1.2, chapter 5). It discovers the machine if nobody has yet.
func Find(id uint32) []Place {
	inv := exo.Discover()
	var list []Place
	for i := range inv.Virtio {
		if inv.Virtio[i].Device == id {
			list = append(list, Place{mmio: &inv.Virtio[i]})
		}
	}
	for _, f := range inv.Functions {
		if f.Vendor != vendorID {
			continue
		}
		is := uint32(f.Device) == modernBase+id
		if f.Device >= transitional && f.Device < modernBase {
			is = f.Subsystem>>16 == id
		}
		if is {
			list = append(list, Place{pci: f.ID})
		}
	}
	return list
}

// Device is one virtio device, held.
type Device struct {
	name     string
	t        transport
	v        *exo.Vector
	queues   []*Queue
	features uint64
	polled   bool
	changed  atomic.Bool // the configuration, perhaps
	extra    []*Interrupt
}

// Open takes the device, resets it, and accepts those features in want that it offers (VIRTIO 1.2, 3.1.1, steps 1 to 6). Queues
// come next, then Start. It parks only while the device resets.
func Open(holder string, p Place, want uint64) (d *Device, err error) {
	return open(holder, p, false, func(offered uint64) uint64 { return offered & want })
}

// OpenWith is Open for drivers whose features depend on each other: choose is told what the device offers and says what of it to accept, besides the
// transport's own features in ring.
func OpenWith(holder string, p Place, ring uint64, choose func(offered uint64) uint64) (d *Device, err error) {
	return open(holder, p, false, func(offered uint64) uint64 { return choose(offered) | offered&ring })
}

// OpenPolled is Open for drivers that can do without interrupts: a PCI device that has no messages is taken as well. Polled tells. Wait returns only at its
// deadline then.
func OpenPolled(holder string, p Place, want uint64) (d *Device, err error) {
	return open(holder, p, true, func(offered uint64) uint64 { return offered & want })
}

func open(holder string, p Place, poll bool, choose func(uint64) uint64) (d *Device, err error) {
	v, err := exo.TakeVector(holder)
	if err != nil {
		return nil, err
	}
	d = &Device{v: v}
	if p.mmio != nil {
		t, err := openMMIO(holder, *p.mmio, v)
		if err != nil {
			v.Release()
			return nil, err
		}
		d.t, d.name = t, t.name
	} else {
		t, err := openPCI(holder, p.pci, v, poll)
		if err != nil {
			v.Release()
			return nil, err
		}
		d.t, d.name, d.polled = t, t.name, t.polled
	}
	if err := d.negotiate(choose); err != nil {
		d.t.setStatus(d.t.status() | statFailed)
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Device) negotiate(choose func(uint64) uint64) error {
	if !d.reset() {
		return &DeviceError{d.name, "it does not reset"}
	}
	d.t.setStatus(statAcknowledge)
	d.t.setStatus(statAcknowledge | statDriver)
	offered := d.t.offered()
	if offered&Version1 == 0 {
		return &DeviceError{d.name, "it does not offer VERSION_1: it is a legacy device"}
	}
	d.features = choose(offered) | Version1
	d.t.accept(d.features)
	d.t.setStatus(statAcknowledge | statDriver | statFeaturesOK)
	if d.t.status()&statFeaturesOK == 0 {
		return &DeviceError{d.name, "it does not accept the features 0x" + hex(d.features)}
	}
	return nil
}

// reset asks for a reset and waits until the device confirms (2.4.2), 100 ms at most.
func (d *Device) reset() bool {
	d.t.setStatus(0)
	if d.t.status() == 0 {
		return true
	}
	for range 100 {
		d.v.Wait(exo.Now() + 1e6)
		if d.t.status() == 0 {
			return true
		}
	}
	return false
}

// Name tells where the device is, for messages.
func (d *Device) Name() string { return d.name }

// Polled says that the device raises no interrupts.
func (d *Device) Polled() bool { return d.polled }

// Features are those that both sides agreed on.
func (d *Device) Features() uint64 { return d.features }

// Queue sets up queue i with at most size descriptors (rounded down to a power of two, and to what the device has). It raises the interrupt that Wait is about.
func (d *Device) Queue(holder string, i, size int) (*Queue, error) {
	return d.QueueTo(holder, i, size, nil)
}

// QueueTo is Queue for one that raises an interrupt of its own; nil: the one that Wait is about.
func (d *Device) QueueTo(holder string, i, size int, in *Interrupt) (*Queue, error) {
	n := min(int(d.t.queueMax(i)), size)
	if n <= 0 {
		return nil, &DeviceError{d.name, "it has no queue " + decimal(i)}
	}
	for n&(n-1) != 0 {
		n &= n - 1
	}
	q, err := newQueue(holder, d.name, i, uint16(n))
	if err != nil {
		return nil, err
	}
	q.events, q.indirect = d.features&EventIndex != 0, d.features&Indirect != 0
	if in != nil {
		q.message = in.message
	}
	d.queues = append(d.queues, q) // from here on the device may know the memory: only Close frees it
	return q, d.t.enable(q)
}

// Start lets the device run (DRIVER_OK).
func (d *Device) Start() { d.t.setStatus(statAcknowledge | statDriver | statFeaturesOK | statDriverOK) }

// Wait parks until the device has raised an interrupt since the last Wait, or the deadline passes. Look at every queue after it,
// whatever it says: interrupts may be spurious or come together.
func (d *Device) Wait(deadline int64) (fired bool, err error) {
	n, err := d.v.Wait(deadline)
	if err == nil {
		err = d.quiet()
	}
	if n != 0 && d.t.messages() > 0 {
		d.changed.Store(true) // a message does not say what it is for
	}
	return n != 0, err
}

// Changed says whether the configuration may have changed since it was asked last: Wait has seen an interrupt for that.
func (d *Device) Changed() bool { return d.changed.Load() && d.changed.Swap(false) }

// quiet reads the interrupt's reasons until there is none: the line is an edge, so it is left only when it is quiet. A device that never is gets another
// Wait. The registers may be gone meanwhile, by Close or taken back.
func (d *Device) quiet() (err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *exo.RevokedError:
			err = e
		case *exo.ReleasedError:
			err = e
		default:
			panic(e)
		}
	}()
	for range 16 {
		why := d.t.interrupted()
		if why == 0 {
			break
		}
		if why&causeConfig != 0 {
			d.changed.Store(true)
		}
	}
	return nil
}

// Wake makes a Wait return as if there had been an interrupt: the one under way, or else the next one.
func (d *Device) Wake() { d.v.Wake() }

// NeedsReset says whether a device that was started cannot go on: it reported that (DEVICE_NEEDS_RESET), was reset by somebody else, or is not there any more, where registers read as all ones or zeroes.
func (d *Device) NeedsReset() bool { return d.t.status()&(statNeedsReset|statDriverOK) != statDriverOK }

// Config32 reads the 32-bit field at off of the device's own configuration; 0 where it has none.
func (d *Device) Config32(off uintptr) uint32 {
	m, at, size := d.t.config()
	if m == nil || off+4 > size {
		return 0
	}
	return m.Load32(at + off)
}

// Config8 reads one byte of it.
func (d *Device) Config8(off uintptr) uint8 {
	m, at, size := d.t.config()
	if m == nil || off+1 > size {
		return 0
	}
	return m.Load8(at + off)
}

// SetConfig32 writes the 32-bit field at off of the device's own configuration; nothing where it has none.
func (d *Device) SetConfig32(off uintptr, v uint32) {
	if m, at, size := d.t.config(); m != nil && off+4 <= size {
		m.Store32(at+off, v)
	}
}

// Generation changes when the configuration does; fields wider than a read are read between two equal ones (2.5.2).
func (d *Device) Generation() uint32 { return d.t.generation() }

// Close resets the device and gives everything back. It says false if the device did not confirm the reset: then it may still
// write to the memory it was told of, so that memory, the queues' and the driver's, must stay out of use for ever.
//
// It is the one call that does not panic after the device was taken back (exo.RevokedError). A PCI function has lost the bus then, and counts as
// stopped; behind memory-mapped registers nothing but a reset stops a device.
func (d *Device) Close() (stopped bool) {
	stopped, gone := d.tryReset()
	if gone {
		stopped = d.t.cutOff()
	}
	if stopped {
		for _, q := range d.queues {
			q.err = &BrokenError{Device: d.name, Queue: q.index, Why: "the device was closed"}
			q.mem.Release()
			if q.tables.mem != nil {
				q.tables.mem.Release()
			}
		}
	}
	d.t.release()
	d.v.Release()
	for _, in := range d.extra {
		in.release()
	}
	return stopped
}

// tryReset is reset; gone if the registers were taken back.
func (d *Device) tryReset() (stopped, gone bool) {
	defer func() {
		if e := recover(); e != nil {
			if _, ok := e.(*exo.RevokedError); !ok {
				panic(e)
			}
			gone = true
		}
	}()
	return d.reset(), false
}
