// Package loop is the loopback interface's device: what is sent on it is received on it, by reference.
package loop

import (
	"errors"
	"sync"

	"github.com/hardtack-os/hardtack/libos/net/link"
)

// MTU is Linux's for its own.
const MTU = 65536

// limit is how many frames are on their way at most.
const limit = 1024

// ErrClosed is what Wait returns once the device is closed.
var ErrClosed = errors.New("loop: the loopback interface is closed")

// A Device is a loopback device with one pair of queues.
type Device struct {
	mu     sync.Mutex
	ring   []link.Frame
	head   int
	n      int
	full   bool // a Send found no room
	closed bool
	wake   chan struct{}
}

// New makes one.
func New() *Device {
	return &Device{ring: make([]link.Frame, 16), wake: make(chan struct{}, 1)}
}

// Info describes the device: checksums and cutting are for wires.
func (d *Device) Info() link.Info {
	return link.Info{
		Name: "lo", MTU: MTU, Queues: 1, MaxBody: 1 << 10, MaxSend: MTU,
		Offloads: link.TxChecksum | link.RxChecksum,
	}
}

// Send takes the frame over; false: too many are on their way.
func (d *Device) Send(_ int, f *link.Frame) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		f.Release()
		return true
	}
	if d.n == limit {
		d.full = true
		return false
	}
	if d.n == len(d.ring) {
		ring := make([]link.Frame, 2*len(d.ring))
		for i := range d.n {
			ring[i] = d.ring[(d.head+i)%len(d.ring)]
		}
		d.ring, d.head = ring, 0
	}
	slot := &d.ring[(d.head+d.n)%len(d.ring)]
	// The arrays of bodies change places, so that none is made anew.
	body := slot.Body
	*slot = *f
	*f = link.Frame{Body: body[:0]}
	slot.Verified = true
	slot.ChecksumStart, slot.ChecksumOffset = 0, 0
	d.n++
	return true
}

// Flush wakes the receiver.
func (d *Device) Flush(int) {
	d.mu.Lock()
	some := d.n > 0
	d.mu.Unlock()
	if some {
		d.kick()
	}
}

func (d *Device) kick() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Receive gives the oldest frame.
func (d *Device) Receive(_ int, f *link.Frame) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == 0 {
		return false
	}
	slot := &d.ring[d.head]
	body := f.Body
	*f = *slot
	*slot = link.Frame{Body: body[:0]}
	d.head = (d.head + 1) % len(d.ring)
	d.n--
	if d.full {
		d.full = false
		d.kick()
	}
	return true
}

// Wait parks until Flush, room after none, or Close.
func (d *Device) Wait(int) error {
	d.mu.Lock()
	n, closed := d.n, d.closed
	d.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if n > 0 {
		return nil
	}
	<-d.wake
	return nil
}

// Up is always true.
func (d *Device) Up() bool { return true }

// Close releases what is on its way.
func (d *Device) Close() error {
	d.mu.Lock()
	d.closed = true
	for ; d.n > 0; d.n-- {
		d.ring[d.head].Release()
		d.head = (d.head + 1) % len(d.ring)
	}
	d.mu.Unlock()
	d.kick()
	return nil
}
