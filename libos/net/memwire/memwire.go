// Package memwire is a wire in memory for tests: two network cards joined by a cable that loses, doubles, delays, reorders and damages frames by a
// seed. Frames are copied, as between machines.
package memwire

import (
	"container/heap"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// Options are what the wire does to frames, and what its cards can.
type Options struct {
	Seed                             uint64
	Loss, Duplicate, Reorder, Damage float64 // of each frame, from 0 to 1
	Delay, Jitter                    time.Duration
	MTU                              int           // 0: 1500
	Blocks                           int           // that received frames may lie in; 0: 65536
	Offloads                         link.Offloads // TxChecksum and TxTSO4, the latter with RxTSO4: frames cross in one piece
	Observe                          func(to int, frame []byte)
}

// ErrClosed is what Wait returns once the card is closed.
var ErrClosed = errors.New("memwire: the card is closed")

// A Card is one end.
type Card struct {
	side int
	mac  link.MAC
	cab  *cable
	pool *buf.Pool

	in     frames
	wake   chan struct{}
	closed bool
}

// cable is what both ends share.
type cable struct {
	mu    sync.Mutex
	o     Options
	rng   *rand.Rand
	seq   int
	cards [2]*Card
	start time.Time
}

type frame struct {
	at      time.Duration
	seq     int
	raw     []byte
	kind    link.GSO
	segment uint16
	ok      bool // verified
}

type frames []frame

func (f frames) Len() int { return len(f) }
func (f frames) Less(i, j int) bool {
	return f[i].at < f[j].at || f[i].at == f[j].at && f[i].seq < f[j].seq
}
func (f frames) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *frames) Push(x any)   { *f = append(*f, x.(frame)) }
func (f *frames) Pop() any {
	n := len(*f) - 1
	x := (*f)[n]
	*f = (*f)[:n]
	return x
}

// New makes a wire and gives its two ends. Received frames lie in blocks of 2 KiB.
func New(o Options) (a, b *Card) {
	if o.MTU == 0 {
		o.MTU = 1500
	}
	if o.Blocks == 0 {
		o.Blocks = 1 << 16
	}
	c := &cable{o: o, rng: rand.New(rand.NewPCG(o.Seed, 7)), start: time.Now()}
	for i := range c.cards {
		c.cards[i] = &Card{
			side: i, mac: link.MAC{2, 0, 0, 0, 0, byte(i + 1)}, cab: c, wake: make(chan struct{}, 1),
			pool: buf.NewPool("memwire", 2048, o.Blocks, buf.Heap),
		}
	}
	return c.cards[0], c.cards[1]
}

// Pool is where received frames lie, for tests that count blocks.
func (c *Card) Pool() *buf.Pool { return c.pool }

// Info describes the card.
func (c *Card) Info() link.Info {
	max := c.cab.o.MTU + wire.EthernetSize
	if c.cab.o.Offloads&link.TxTSO4 != 0 {
		max = 65535
	}
	return link.Info{Name: "mem", MAC: c.mac, MTU: c.cab.o.MTU, Offloads: c.cab.o.Offloads, Queues: 1, MaxBody: 64, MaxSend: max}
}

// Send puts a frame on the wire. There is always room.
func (c *Card) Send(_ int, f *link.Frame) bool {
	raw := append([]byte(nil), f.Head.Bytes()...)
	for i := range f.Body {
		raw = append(raw, f.Body[i].Bytes()...)
	}
	x := frame{raw: raw, kind: f.Kind, segment: f.SegmentSize}
	if f.ChecksumStart > 0 {
		at := int(f.ChecksumStart + f.ChecksumOffset)
		if f.Kind == link.NoGSO {
			s := ^wire.Fold(wire.Sum(0, raw[f.ChecksumStart:]))
			raw[at], raw[at+1] = byte(s>>8), byte(s)
		} else {
			x.ok = true // nobody has computed it, as between guests of one host
		}
	}
	f.Release()
	w := c.cab
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put(1-c.side, x)
	return true
}

// put lets the frame suffer what it does; mu held.
func (w *cable) put(to int, x frame) {
	if w.o.Observe != nil {
		w.o.Observe(to, x.raw)
	}
	copies := 1
	if w.rng.Float64() < w.o.Duplicate {
		copies = 2
	}
	for range copies {
		if w.rng.Float64() < w.o.Loss {
			continue
		}
		y := x
		if w.rng.Float64() < w.o.Damage && x.kind == link.NoGSO {
			y.raw = append([]byte(nil), x.raw...)
			y.raw[w.rng.IntN(len(y.raw))] ^= 1 << w.rng.IntN(8)
		}
		y.at = time.Since(w.start) + w.o.Delay
		if w.o.Jitter > 0 {
			y.at += time.Duration(w.rng.Int64N(int64(w.o.Jitter)))
		}
		if w.rng.Float64() < w.o.Reorder {
			y.at += w.o.Delay + time.Millisecond
		}
		w.seq++
		y.seq = w.seq
		heap.Push(&w.cards[to].in, y)
	}
}

// Flush wakes the other end.
func (c *Card) Flush(int) { c.cab.cards[1-c.side].kick() }

func (c *Card) kick() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Receive gives the next frame that has arrived.
func (c *Card) Receive(_ int, f *link.Frame) bool {
	w := c.cab
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(c.in) == 0 || c.in[0].at > time.Since(w.start) {
		return false
	}
	x := heap.Pop(&c.in).(frame)
	f.Kind, f.SegmentSize, f.Verified = x.kind, x.segment, x.ok
	for p := x.raw; len(p) > 0; {
		r, ok := c.pool.Get()
		if !ok {
			f.Release()
			return false
		}
		n := copy(r.Bytes(), p)
		r.Truncate(n)
		p = p[n:]
		if f.Head.Len() == 0 {
			f.Head = r
		} else {
			f.Body = append(f.Body, r)
		}
	}
	return true
}

// Wait parks until a frame arrives or Close.
func (c *Card) Wait(int) error {
	for {
		w := c.cab
		w.mu.Lock()
		closed, some, left := c.closed, len(c.in) > 0, time.Duration(0)
		if some {
			left = c.in[0].at - time.Since(w.start)
		}
		w.mu.Unlock()
		switch {
		case closed:
			return ErrClosed
		case some && left <= 0:
			return nil
		case some:
			t := time.NewTimer(left)
			select {
			case <-t.C:
			case <-c.wake:
			}
			t.Stop()
		default:
			<-c.wake
		}
	}
}

// Up is always true.
func (c *Card) Up() bool { return true }

// Close drops what is on its way here.
func (c *Card) Close() error {
	c.cab.mu.Lock()
	c.closed = true
	c.in = nil
	c.cab.mu.Unlock()
	c.kick()
	return nil
}
