// Package card makes network devices of virtio's cards: it joins exo/virtio/nic and libos/net/link. What the card receives lies in blocks of frames that the
// card wrote to, and what is sent the card reads where it lies.
//
// A card is polled while it is busy. Only before a receiver parks is the card asked for an interrupt: for the next frame, and, while an eighth of the ring is on its way out or
// a Send found no room, for the end of a transmission. A card that has several pairs of queues is given one for each CPU, with an interrupt there where the card has messages; behind a
// line one goroutine hears for all. The card sends what it receives to the queue by which the flow was sent.
//
// A card that takes commands hears only the groups that it was told of (Hear), and tells of its carrier and of moves (Changes).
//
// The device is not trusted: a length, a count of buffers or an offset in a header that cannot be right costs the frame, an impossible index the card.
package card

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/exo/virtio"
	"github.com/hardtack-os/hardtack/exo/virtio/nic"
	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
)

const (
	// ringSize is how many descriptors a queue has at most: what QEMU gives.
	ringSize = 256

	// blockSize is that of received blocks: a frame of an ordinary network fits into one.
	blockSize = 2048

	// maxBody is how many pieces a frame may have, beside its head, when it is sent.
	maxBody = 32

	etherHeader = 14
	defaultMTU  = 1500
)

// Counters of what went wrong on a card. They may be read at any time.
type Counters struct {
	BadLength  atomic.Uint64 // received frames of impossible length
	BadBuffers atomic.Uint64 // or of more buffers than there are
	BadHeader  atomic.Uint64 // or with a header that makes no sense
	NoBlocks   atomic.Uint64 // times that the pool had no block to be received into
	Copied     atomic.Uint64 // pieces to be sent that had to be copied: read-only memory, or scattered over too many pages
	NoMemory   atomic.Uint64 // frames to be sent that were dropped for want of a block for that
	Refused    atomic.Uint64 // commands that the card did not carry out
}

// Dropped implements link.Counting.
func (c *Card) Dropped(f func(why string, n uint64)) {
	n := &c.Count
	for _, x := range []struct {
		why string
		n   *atomic.Uint64
	}{
		{"frames of impossible length", &n.BadLength}, {"frames of impossible buffers", &n.BadBuffers}, {"frames with a senseless header", &n.BadHeader},
		{"no block to receive into", &n.NoBlocks}, {"no memory to send", &n.NoMemory},
	} {
		f(x.why, x.n.Load())
	}
}

// A Card is a virtio network card as a device.
type Card struct {
	nic   *nic.NIC
	info  link.Info
	pool  *buf.Pool
	pairs []*pair
	ctl   commands

	closed  atomic.Bool
	lost    atomic.Pointer[exo.RevokedError]
	broken  atomic.Pointer[error] // why it cannot go on, as the watcher was told
	down    atomic.Bool           // there is no carrier
	changes atomic.Uint32         // link.Changes that nobody has asked for yet
	Count   Counters
}

// A pair is a receive and a transmit queue, each with its lock.
type pair struct {
	c *Card
	i int
	nic.Pair

	wake chan struct{} // how the watcher wakes the receiver; nil: it has an interrupt of its own, or is alone

	rxMu sync.Mutex // the receive queue: uncontended but at the end
	rx   struct {
		slots  []buf.Ref // by token: what the card may write to
		free   []uint16  // tokens without a block
		posted int
	}
	gone bool // rxMu: the queues are the card's no more

	mu sync.Mutex // the transmit queue; after rxMu
	tx struct {
		slots []link.Frame // by token
		free  []uint16
		bufs  []virtio.Buffer
		full  bool // a Send found no room
		asked bool // the end of a transmission is waited for
	}
}

// taken is deferred by what touches the card: one that exo has taken back meanwhile is as if it had been closed, to all but Close. Locks are to be released by deferred
// calls, too.
func (c *Card) taken() {
	if e := recover(); e != nil {
		gone, ok := e.(*exo.RevokedError)
		if !ok {
			panic(e)
		}
		c.lost.Store(gone)
	}
}

// Source takes blocks' memory from exo, so that cards can be told where it is.
func Source(n int) ([]byte, uint64) {
	f, err := exo.TakeFrames("network", (n+exo.PageSize-1)/exo.PageSize, 0)
	if err != nil {
		return nil, 0
	}
	return f.Bytes()[:n], uint64(f.Base())
}

// Open takes the cards of the machine, eth0 and so on, but for those to be left out. Those that cannot be taken are told of in err; the others work. Received frames lie in limit
// blocks at most, of all cards together; a card has blocks for one pair of queues at least.
func Open(limit int, leaveOut func(name string) bool) (cards []*Card, err error) {
	places := nic.Places()
	for i, p := range places {
		name := fmt.Sprintf("eth%d", i)
		if leaveOut(name) {
			continue
		}
		c, e := open(p, name, max(limit/len(places), blocksAPair))
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		cards = append(cards, c)
	}
	return cards, err
}

// blocksAPair is how many blocks there are to be for each pair of queues: twice a ring's.
const blocksAPair = 2 * ringSize

// open takes one card. limit is how many blocks received frames may lie in.
func open(p virtio.Place, name string, limit int) (*Card, error) {
	n, err := start(p, max(1, min(exo.CPUs(), limit/blocksAPair)))
	if errors.Is(err, nic.ErrSilent) {
		n, err = start(p, 1)
	}
	if err != nil {
		return nil, err
	}
	c := &Card{nic: n, pool: buf.NewPool(name, blockSize, limit, Source)}
	c.describe(name)
	for i, q := range n.Pairs() {
		c.pairs = append(c.pairs, newPair(c, i, q))
	}
	c.info.Queues = len(c.pairs)
	if len(c.pairs) > 1 || n.Own(0) {
		for _, p := range c.pairs {
			if !n.Own(p.i) {
				p.wake = make(chan struct{}, 1)
			}
		}
	}
	c.look(true)
	for _, p := range c.pairs {
		p.refill()
	}
	if c.pairs[0].rx.posted == 0 {
		c.Close()
		return nil, fmt.Errorf("card: %s: no memory for a single frame: give the machine more", name)
	}
	if c.watched() {
		go c.watch()
	}
	return c, nil
}

// start takes a card and lets it run.
func start(p virtio.Place, pairs int) (*nic.NIC, error) {
	n, err := nic.Open(p, ringSize, pairs)
	if err != nil {
		return nil, err
	}
	if err := n.Start(); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// describe fills in what the device is.
func (c *Card) describe(name string) {
	n := c.nic
	mac, ok := n.MAC()
	if !ok {
		mac = madeUp()
	}
	mtu := n.MTU()
	if mtu < 68 || mtu > 65535-etherHeader {
		mtu = defaultMTU
	}
	if n.Features()&nic.Mergeable == 0 {
		mtu = min(mtu, blockSize-nic.HeaderSize-etherHeader)
	}
	c.info = link.Info{Name: name, MAC: mac, MTU: mtu, MaxBody: maxBody, MaxSend: mtu + etherHeader}
	for _, x := range []struct {
		feature uint64
		does    link.Offloads
	}{
		{nic.Checksum, link.TxChecksum}, {nic.GuestChecksum, link.RxChecksum}, {nic.HostTSO4, link.TxTSO4}, {nic.HostTSO6, link.TxTSO6}, {nic.HostUSO, link.TxUSO},
		{nic.GuestTSO4, link.RxTSO4}, {nic.GuestTSO6, link.RxTSO6}, {nic.GuestUSO4 | nic.GuestUSO6, link.RxUSO},
	} {
		if n.Features()&x.feature != 0 {
			c.info.Offloads |= x.does
		}
	}
	if c.info.Offloads&(link.TxTSO4|link.TxTSO6|link.TxUSO) != 0 {
		c.info.MaxSend = 65535
	}
	c.ctl.filters = ok && n.Features()&nic.Filters != 0
}

func newPair(c *Card, i int, q nic.Pair) *pair {
	p := &pair{c: c, i: i, Pair: q}
	p.rx.slots = make([]buf.Ref, q.Receive.Size())
	for i := range p.rx.slots {
		p.rx.free = append(p.rx.free, uint16(i))
	}
	p.tx.slots = make([]link.Frame, q.Transmit.Size())
	for i := range p.tx.slots {
		p.tx.free = append(p.tx.free, uint16(i))
	}
	p.tx.bufs = make([]virtio.Buffer, 0, 2*maxBody)
	q.Transmit.Interrupts(false)
	return p
}

// madeUp is a station address of our own for a card without one: locally administered (IEEE 802, 8.2), of the clock's noise.
func madeUp() (mac link.MAC) {
	x := uint64(exo.Now()) * 0x9e3779b97f4a7c15
	for i := range mac {
		mac[i] = byte(x >> (8 * i))
	}
	mac[0] = mac[0]&^1 | 2
	return mac
}

// Info describes the card.
func (c *Card) Info() link.Info { return c.info }

// Pool is where received frames lie.
func (c *Card) Pool() *buf.Pool { return c.pool }

// Receive gives the next frame of a queue.
func (c *Card) Receive(q int, f *link.Frame) bool { return c.pairs[q].receive(f) }

// Send offers a frame to a queue of the card.
func (c *Card) Send(q int, f *link.Frame) bool { return c.pairs[q].send(f) }

// Flush rings the queue's doorbell.
func (c *Card) Flush(q int) {
	p := c.pairs[q]
	p.mu.Lock()
	defer p.mu.Unlock()
	defer c.taken()
	if c.works() {
		p.Transmit.Kick()
	}
}

// works says that the card was neither closed nor taken back.
func (c *Card) works() bool { return !c.closed.Load() && c.lost.Load() == nil }

// Up tells whether there is a carrier.
func (c *Card) Up() bool { return c.works() && !c.down.Load() }

// Close stops the card, one that was taken back as well. What it has is released once it has stopped; if it does not stop that memory stays out of use.
func (c *Card) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.nic.Wake() // who is parked sees that it is closed
	for _, p := range c.pairs {
		p.rouse()
		p.rxMu.Lock()
		defer p.rxMu.Unlock()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.gone = true
	}
	c.ctl.mu.Lock()
	defer c.ctl.mu.Unlock()
	if !c.nic.Close() {
		return fmt.Errorf("card: %s did not stop: its blocks stay out of use", c.info.Name)
	}
	for _, p := range c.pairs {
		for i := range p.rx.slots {
			p.rx.slots[i].Release()
		}
		for i := range p.tx.slots {
			p.tx.slots[i].Release()
		}
	}
	return nil
}
