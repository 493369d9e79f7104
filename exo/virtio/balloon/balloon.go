// Package balloon is the driver of virtio's traditional memory balloon: VIRTIO 1.2, 5.5.
//
// The host says how many pages it wants ([Balloon.Target]); whoever holds frames hands them over ([Balloon.Inflate]) and has them back
// ([Balloon.Deflate]). How many, which ones and when is not the driver's to decide: libos/vm/balloon does. It hands over nothing but
// frames that its caller holds, so that no device can be given what somebody uses.
//
// QEMU's device on PCI has no message interrupts. There the driver looks once a second what the host wants.
//
// Of the device's features it takes MUST_TELL_HOST (5.5.3), which it keeps whether offered or not: frames come back only after the device has
// confirmed. It leaves DEFLATE_ON_OOM: a fault that finds no frame cannot wait for a device. Statistics, free page hints and reporting are left, too.
package balloon

import (
	"encoding/binary"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/virtio"
)

// DeviceID is the traditional memory balloon's (VIRTIO 1.2, chapter 5).
const DeviceID = 5

// PageSize is the balloon's unit, whatever pages the machine has (5.5.6).
const PageSize = 4096

const (
	holder = "virtio-balloon"

	inflateQueue = 0 // 5.5.2
	deflateQueue = 1

	mustTellHost = 1 << 0 // 5.5.3

	cfgNumPages = 0 // le32 num_pages, 5.5.4
	cfgActual   = 4 // le32 actual

	batch    = exo.PageSize / 4 // page numbers told at a time: they fill a page
	maxPage  = 1<<32 - 1        // a page number is 32 bits wide
	idlePoll = 1e9              // ns between two looks at a device without interrupts
	busyPoll = 200e3            // the same while it has page numbers
	patience = 60e9             // ns for one batch: the host may be short of everything, that is what balloons are about
)

// Balloon is an open balloon, for one goroutine at a time.
type Balloon struct {
	d                *virtio.Device
	inflate, deflate *virtio.Queue
	buf              *exo.Frames // page numbers on their way
	patience         int64
	target           uint32 // as it was told last
}

// NoDeviceError says that the machine has no balloon.
type NoDeviceError struct{}

func (*NoDeviceError) Error() string {
	return "balloon: no virtio balloon: give the VMM one (QEMU: -device virtio-balloon-pci or virtio-balloon-device)"
}

// Open takes the machine's first balloon, empty. *NoDeviceError if there is none.
func Open() (*Balloon, error) {
	places := virtio.Find(DeviceID)
	if len(places) == 0 {
		return nil, &NoDeviceError{}
	}
	d, err := virtio.OpenPolled(holder, places[0], mustTellHost)
	if err != nil {
		return nil, err
	}
	b := &Balloon{d: d, patience: patience}
	if b.inflate, err = d.Queue(holder, inflateQueue, 4); err == nil {
		if b.deflate, err = d.Queue(holder, deflateQueue, 4); err == nil {
			b.buf, err = exo.TakeFrames(holder, 1, 0)
		}
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	d.Start()
	b.Report(0)
	return b, nil
}

// Target is how many pages the host wants in the balloon, as it says: maybe more than there are.
func (b *Balloon) Target() uint32 {
	b.target = b.d.Config32(cfgNumPages)
	return b.target
}

// Report tells the host how many pages are in the balloon (5.5.6: actual).
func (b *Balloon) Report(pages uint32) { b.d.SetConfig32(cfgActual, pages) }

// Inflate hands frames over, all of them. Nobody may use them until Deflate. After an error it is not known which ones the host has: close the balloon.
// It parks until the device has confirmed.
func (b *Balloon) Inflate(list []*exo.Frames) error { return b.tell(b.inflate, list) }

// Deflate takes frames back, all of them. Once it returns without an error they are the caller's; they hold zeroes or what they did. It parks as Inflate.
func (b *Balloon) Deflate(list []*exo.Frames) error { return b.tell(b.deflate, list) }

// tell gives the page numbers of frames to a queue, a batch at a time.
func (b *Balloon) tell(q *virtio.Queue, list []*exo.Frames) error {
	n := 0
	for _, f := range list {
		if err := f.Err(); err != nil {
			return err
		}
		first, count := uint64(f.Base())/PageSize, uint64(len(f.Bytes()))/PageSize
		if first+count > maxPage {
			return &virtio.DeviceError{Device: b.d.Name(), Why: "frames beyond 16 TiB have no number in a balloon: give it others"}
		}
		for k := range count {
			binary.LittleEndian.PutUint32(b.buf.Bytes()[4*n:], uint32(first+k))
			if n++; n == batch {
				if err := b.send(q, n); err != nil {
					return err
				}
				n = 0
			}
		}
	}
	if n == 0 {
		return nil
	}
	return b.send(q, n)
}

// send gives n numbers to the device and waits until it has acted on them: it returns the buffer then (5.5.6.1).
func (b *Balloon) send(q *virtio.Queue, n int) error {
	if !q.Add(0, virtio.Buffer{Addr: b.buf.Base(), Len: uint32(4 * n)}) {
		return b.broken(q)
	}
	q.Kick()
	deadline := exo.Now() + b.patience
	for {
		if _, _, ok := q.Next(); ok {
			return nil
		}
		if q.Err() != nil {
			return b.broken(q)
		}
		if exo.Now() >= deadline {
			return &virtio.DeviceError{Device: b.d.Name(), Why: "it has not taken page numbers for a minute"}
		}
		next := deadline
		if b.d.Polled() {
			next = exo.Now() + busyPoll
		}
		if _, err := b.d.Wait(next); err != nil {
			return err
		}
	}
}

func (b *Balloon) broken(q *virtio.Queue) error {
	if err := q.Err(); err != nil {
		return err
	}
	return &virtio.DeviceError{Device: b.d.Name(), Why: "its queue is full after an error: close it"}
}

// Wait parks until the host may want another number of pages than Target said last, or the deadline passes; 0 is none. It may return for nothing.
func (b *Balloon) Wait(deadline int64) error {
	for {
		next := deadline
		if poll := exo.Now() + idlePoll; b.d.Polled() && (deadline == 0 || deadline > poll) {
			next = poll
		}
		if _, err := b.d.Wait(next); err != nil {
			return err
		}
		if next == deadline || b.d.Config32(cfgNumPages) != b.target {
			break
		}
	}
	if b.d.NeedsReset() {
		return &virtio.DeviceError{Device: b.d.Name(), Why: "it asks for a reset"}
	}
	return nil
}

// Close gives the device back. It says false if the device did not stop: what is in the balloon must stay out of use then, for ever. Otherwise it is the
// caller's again, without Deflate.
func (b *Balloon) Close() (stopped bool) {
	stopped = b.d.Close()
	if stopped && b.buf != nil {
		b.buf.Release()
	}
	return stopped
}
