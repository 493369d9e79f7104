package hosted

import (
	"errors"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// A device is the card: what is sent waits until it is taken.
type device struct {
	info link.Info
	pool *buf.Pool
	in   []byte // a frame that has arrived; nil: none
	out  [][]byte
	from int      // of out, the first that was not taken
	old  [][]byte // frames that were taken, to be filled again
	last []byte   // the one that was taken last, which its taker may still look at
	full bool     // a Send found no room
}

// maxOut is how many frames wait to be taken.
const maxOut = 1024

// blockSize is that of received blocks.
const blockSize = 2048

func newDevice(mac link.MAC, mtu int) *device {
	return &device{
		info: link.Info{Name: "eth0", MAC: mac, MTU: mtu, Queues: 1, MaxBody: 64, MaxSend: mtu + wire.EthernetSize},
		pool: buf.NewPool("hosted", blockSize, 1<<16, buf.Heap),
	}
}

func (d *device) Info() link.Info { return d.info }

// Send copies a frame to the end of those that wait.
func (d *device) Send(_ int, f *link.Frame) bool {
	if len(d.out)-d.from >= maxOut {
		d.full = true
		return false
	}
	if d.from >= maxOut {
		d.out, d.from = append(d.out[:0], d.out[d.from:]...), 0
	}
	var b []byte
	if k := len(d.old); k > 0 {
		b, d.old = d.old[k-1][:0], d.old[:k-1]
	}
	b = append(b, f.Head.Bytes()...)
	for i := range f.Body {
		b = append(b, f.Body[i].Bytes()...)
	}
	f.Release()
	d.out = append(d.out, b)
	return true
}

// next takes the first one.
func (d *device) next() []byte {
	if d.last != nil {
		d.old, d.last = append(d.old, d.last), nil
	}
	if d.from == len(d.out) {
		d.out, d.from = d.out[:0], 0
		return nil
	}
	d.last = d.out[d.from]
	d.out[d.from] = nil
	d.from++
	return d.last
}

func (d *device) Flush(int) {}

// Receive gives the frame that has arrived, in as many blocks as it takes.
func (d *device) Receive(_ int, f *link.Frame) bool {
	if d.in == nil {
		return false
	}
	rest := d.in
	d.in = nil
	if len(rest) == 0 {
		return false
	}
	for len(rest) > 0 {
		r, ok := d.pool.Get()
		if !ok {
			f.Release()
			return false
		}
		n := copy(r.Bytes(), rest)
		r.Truncate(n)
		if rest = rest[n:]; f.Head.Len() == 0 {
			f.Head = r
		} else {
			f.Body = append(f.Body, r)
		}
	}
	return true
}

// Wait is never called: the stack is driven.
func (d *device) Wait(int) error { return errors.New("hosted: the card does not wait") }

func (d *device) Up() bool     { return true }
func (d *device) Close() error { return nil }
