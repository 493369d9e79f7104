//go:build linux && !hardtack

// Package tap is a network device of Linux's TUN/TAP driver (Documentation/networking/tuntap.rst in Linux's tree) for the stack: so it runs on Linux as it does in an image, with Linux's own
// stack, or whatever the interface is bridged to, at the other end.
//
//	d, err := tap.Open("tap0")
//	s := inet.New(inet.Config{Clock: tap.Clock, Random: func(p []byte) { rand.Read(p) }})
//	i := s.Attach(d)
//	s.Host().AddAddress(tap.Clock(), i, netip.MustParsePrefix("10.0.0.2/24"))
//
// Frames go with the header of virtio's network card, so that checksums need not be computed nor segments be cut between the two. They are copied once each way.
package tap

import (
	"crypto/rand"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/exo/virtio/nic"
	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

const (
	mtu       = 1500
	maxFrame  = nic.HeaderSize + wire.EthernetSize + 65535
	blockSize = 2048
)

// Counters count frames that were dropped, by reason.
type Counters struct {
	BadHeader atomic.Uint64 // received, with a header that makes no sense
	NoBlocks  atomic.Uint64 // received, and the pool was empty
	Refused   atomic.Uint64 // to be sent, and the interface did not take it: it is down, or its queue is full
}

// A Device is a TAP interface, seen from the end that a program has.
type Device struct {
	f    *os.File
	raw  syscall.RawConn
	info link.Info
	pool *buf.Pool

	in      []byte // the frame that was read last
	pending int    // its length; 0: it was taken

	mu  sync.Mutex
	out []byte // the frame on its way out

	Count Counters
}

var start = time.Now()

// Clock is a clock for the stack: it began before the program's main function.
func Clock() tick.Time { return tick.Time(time.Since(start)) + 1 }

// Open takes the interface of a name, or makes one that ends with the device. It takes the rights for that (CAP_NET_ADMIN), or an interface that was made for the user. Who opens it from a
// network namespace gets one of that.
func Open(name string) (*Device, error) {
	f, offloads, err := open(name)
	if err != nil {
		return nil, fmt.Errorf("tap: %s: %w", name, err)
	}
	d := &Device{f: f, pool: buf.NewPool(name, blockSize, 1<<14, buf.Heap), in: make([]byte, maxFrame)}
	if d.raw, err = f.SyscallConn(); err != nil {
		f.Close()
		return nil, err
	}
	d.info = link.Info{Name: name, MTU: mtu, Queues: 1, MaxBody: 64, MaxSend: 65535, Offloads: offloads}
	rand.Read(d.info.MAC[:])
	d.info.MAC[0] = d.info.MAC[0]&^1 | 2 // of a station, locally administered: IEEE 802, 8.2
	return d, nil
}

// Info describes the device.
func (d *Device) Info() link.Info { return d.info }

// Pool is where received frames lie.
func (d *Device) Pool() *buf.Pool { return d.pool }

var (
	toGSO   = [...]uint8{link.GSOTCP4: nic.GSOTCP4, link.GSOTCP6: nic.GSOTCP6}
	fromGSO = map[uint8]link.GSO{nic.GSONone: link.NoGSO, nic.GSOTCP4: link.GSOTCP4, nic.GSOTCP6: link.GSOTCP6}
)

// Send writes a frame. What the interface does not take is lost, as on a wire.
func (d *Device) Send(_ int, f *link.Frame) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := nic.Header{ChecksumStart: f.ChecksumStart, ChecksumOffset: f.ChecksumOffset, GSO: toGSO[f.Kind], SegmentSize: f.SegmentSize}
	if f.ChecksumStart > 0 {
		h.Flags = nic.NeedsChecksum
	}
	if f.Kind != link.NoGSO {
		h.HeaderLen = uint16(f.Head.Len())
	}
	d.out = append(d.out[:0], make([]byte, nic.HeaderSize)...)
	h.Put(d.out)
	d.out = append(d.out, f.Head.Bytes()...)
	for i := range f.Body {
		d.out = append(d.out, f.Body[i].Bytes()...)
	}
	f.Release()
	sent := false
	d.raw.Write(func(fd uintptr) bool {
		n, err := syscall.Write(int(fd), d.out)
		sent = err == nil && n == len(d.out)
		return true
	})
	if !sent {
		d.Count.Refused.Add(1)
	}
	return true
}

// Flush does nothing: Send has written.
func (d *Device) Flush(int) {}

// read reads a frame; wait says whether to wait for one.
func (d *Device) read(wait bool) error {
	if d.pending > 0 {
		return nil
	}
	err := d.raw.Read(func(fd uintptr) bool {
		n, err := syscall.Read(int(fd), d.in)
		if err == nil {
			d.pending = n
		}
		return err != syscall.EAGAIN || !wait
	})
	return err
}

// Receive gives the next frame.
func (d *Device) Receive(_ int, f *link.Frame) bool {
	for d.read(false) == nil && d.pending > 0 {
		n := d.pending
		d.pending = 0
		if d.frame(f, d.in[:n]) {
			return true
		}
		f.Release()
	}
	return false
}

// frame makes a frame of what was read.
func (d *Device) frame(f *link.Frame, b []byte) bool {
	if len(b) < nic.HeaderSize+wire.EthernetSize {
		d.Count.BadHeader.Add(1)
		return false
	}
	var h nic.Header
	h.Get(b)
	kind, ok := fromGSO[h.GSO&^nic.GSOECN]
	if !ok || kind != link.NoGSO && h.SegmentSize == 0 {
		d.Count.BadHeader.Add(1)
		return false
	}
	f.Verified = h.Flags&(nic.NeedsChecksum|nic.DataValid) != 0
	if f.Kind = kind; kind != link.NoGSO {
		f.SegmentSize = h.SegmentSize
	}
	for b = b[nic.HeaderSize:]; len(b) > 0; {
		r, ok := d.pool.Get()
		if !ok {
			d.Count.NoBlocks.Add(1)
			return false
		}
		n := copy(r.Bytes(), b)
		r.Truncate(n)
		if b = b[n:]; f.Head.Len() == 0 {
			f.Head = r
		} else {
			f.Body = append(f.Body, r)
		}
	}
	return true
}

// Wait parks until a frame has come, or Close.
func (d *Device) Wait(int) error { return d.read(true) }

// Up is always true: what is sent over an interface that is down is lost.
func (d *Device) Up() bool { return true }

// Close gives the interface up.
func (d *Device) Close() error { return d.f.Close() }
