// Package card makes network devices of virtio's cards: it joins exo/virtio/nic and libos/net/link. What the card receives lies in blocks of frames that the
// card wrote to, and what is sent the card reads where it lies.
//
// A card is polled while it is busy. Only before its receiver parks is it asked for an interrupt: for the next frame, and, while an eighth of the ring is on its way out or
// a Send found no room, for the end of a transmission. The device is not trusted: a length, a count of buffers or an offset in a header that cannot be right costs the frame, an impossible index the card.
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
}

// A Card is a virtio network card as a device.
type Card struct {
	nic  *nic.NIC
	info link.Info
	pool *buf.Pool

	rxMu sync.Mutex // the receive queue: uncontended but at the end
	rx   struct {
		slots  []buf.Ref // by token: what the card may write to
		free   []uint16  // tokens without a block
		posted int
	}

	mu sync.Mutex // the transmit queue
	tx struct {
		slots []link.Frame // by token
		free  []uint16
		bufs  []virtio.Buffer
		full  bool // a Send found no room
	}
	closed bool // mu
	gone   bool // rxMu: the queues are the card's no more
	lost   atomic.Pointer[exo.RevokedError]
	Count  Counters
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

// Open takes all cards of the machine. Those that cannot be taken are told of in err; the others work.
func Open(limit int) (cards []*Card, err error) {
	for i, p := range nic.Places() {
		c, e := open(p, fmt.Sprintf("eth%d", i), limit)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		cards = append(cards, c)
	}
	return cards, err
}

// open takes one card. limit is how many blocks received frames may lie in.
func open(p virtio.Place, name string, limit int) (*Card, error) {
	n, err := nic.Open(p, ringSize)
	if err != nil {
		return nil, err
	}
	c := &Card{nic: n, pool: buf.NewPool(name, blockSize, limit, Source)}
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
	c.info = link.Info{Name: name, MAC: mac, MTU: mtu, Queues: 1, MaxBody: maxBody, MaxSend: mtu + etherHeader}
	for _, x := range []struct {
		feature uint64
		does    link.Offloads
	}{
		{nic.Checksum, link.TxChecksum}, {nic.GuestChecksum, link.RxChecksum}, {nic.HostTSO4, link.TxTSO4},
		{nic.HostTSO6, link.TxTSO6}, {nic.GuestTSO4, link.RxTSO4}, {nic.GuestTSO6, link.RxTSO6},
	} {
		if n.Features()&x.feature != 0 {
			c.info.Offloads |= x.does
		}
	}
	if c.info.Offloads&link.TxTSO4 != 0 {
		c.info.MaxSend = 65535
	}
	c.rx.slots = make([]buf.Ref, n.Receive.Size())
	for i := range c.rx.slots {
		c.rx.free = append(c.rx.free, uint16(i))
	}
	c.tx.slots = make([]link.Frame, n.Transmit.Size())
	for i := range c.tx.slots {
		c.tx.free = append(c.tx.free, uint16(i))
	}
	c.tx.bufs = make([]virtio.Buffer, 0, 2*maxBody)
	n.Transmit.Interrupts(false)
	n.Start()
	c.refill()
	if c.rx.posted == 0 {
		c.Close()
		return nil, fmt.Errorf("card: %s: no memory for a single frame: give the machine more", name)
	}
	return c, nil
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

// refill posts blocks to be received into, and tells the card if there are many.
func (c *Card) refill() {
	q := c.nic.Receive
	for len(c.rx.free) > 0 {
		r, ok := c.pool.Get()
		if !ok {
			c.Count.NoBlocks.Add(1)
			break
		}
		phys, ok := r.Phys()
		if !ok {
			panic("card: a received block has no physical address")
		}
		i := c.rx.free[len(c.rx.free)-1]
		if !q.Add(uint64(i), virtio.Buffer{Addr: exo.Phys(phys), Len: uint32(r.Len()), Write: true}) {
			r.Release()
			break
		}
		c.rx.free = c.rx.free[:len(c.rx.free)-1]
		c.rx.slots[i] = r
		c.rx.posted++
	}
	q.Kick()
}

// next takes the block that the card has filled next, cut to what it wrote.
func (c *Card) next() (buf.Ref, bool) {
	token, n, ok := c.nic.Receive.Next()
	if !ok {
		return buf.Ref{}, false
	}
	r := c.rx.slots[token]
	c.rx.slots[token] = buf.Ref{}
	c.rx.free = append(c.rx.free, uint16(token))
	c.rx.posted--
	r.Truncate(int(n)) // the queue has seen to it that it is not more than fits
	return r, true
}

// Receive gives the next frame.
func (c *Card) Receive(_ int, f *link.Frame) bool {
	c.rxMu.Lock()
	defer c.rxMu.Unlock()
	defer c.taken()
	if c.gone || c.lost.Load() != nil {
		return false
	}
	for {
		head, ok := c.next()
		if !ok {
			break
		}
		if len(c.rx.free) >= len(c.rx.slots)/2 {
			c.refill()
		}
		if c.frame(f, head) {
			return true
		}
		f.Release()
	}
	if len(c.rx.free) > 0 {
		c.refill()
	}
	return false
}

// frame makes a frame of its first block, and takes the others.
func (c *Card) frame(f *link.Frame, head buf.Ref) bool {
	f.Head = head
	if head.Len() < nic.HeaderSize+etherHeader {
		c.Count.BadLength.Add(1)
		return false
	}
	var h nic.Header
	h.Get(head.Bytes())
	f.Head.TrimFront(nic.HeaderSize)
	if c.nic.Features()&nic.Mergeable != 0 {
		if int(h.Buffers) < 1 || int(h.Buffers) > len(c.rx.slots) {
			c.Count.BadBuffers.Add(1)
			return false
		}
		for range h.Buffers - 1 {
			// The card makes all buffers of a frame visible at once (5.1.6.4).
			r, ok := c.next()
			if !ok || r.Len() == 0 {
				r.Release()
				c.Count.BadBuffers.Add(1)
				return false
			}
			f.Body = append(f.Body, r)
		}
	}
	if len(f.Body) > 0 && f.Head.Len() < link.HeadSize || f.Len() > 65535+etherHeader {
		c.Count.BadLength.Add(1)
		return false
	}
	if h.Flags&(nic.NeedsChecksum|nic.DataValid) != 0 && c.info.Offloads&link.RxChecksum != 0 {
		f.Verified = true
	}
	switch h.GSO &^ nic.GSOECN {
	case nic.GSONone:
		return true
	case nic.GSOTCP4:
		f.Kind = link.GSOTCP4
	case nic.GSOTCP6:
		f.Kind = link.GSOTCP6
	default:
		c.Count.BadHeader.Add(1)
		return false
	}
	if c.info.Offloads&(link.RxTSO4|link.RxTSO6) == 0 || h.SegmentSize == 0 {
		c.Count.BadHeader.Add(1)
		return false
	}
	f.SegmentSize = h.SegmentSize
	return true
}

// Send offers a frame to the card.
func (c *Card) Send(_ int, f *link.Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.lost.Load() != nil || c.nic.Transmit.Err() != nil {
		f.Release()
		return true
	}
	if len(c.tx.free) < len(c.tx.slots)/4 || c.nic.Transmit.Free() < 2*maxBody {
		c.reclaim()
	}
	if len(c.tx.free) == 0 {
		c.tx.full = true
		return false
	}
	h := nic.Header{ChecksumStart: f.ChecksumStart, ChecksumOffset: f.ChecksumOffset}
	if f.ChecksumStart > 0 {
		h.Flags = nic.NeedsChecksum
	}
	if f.Kind != link.NoGSO {
		h.GSO, h.SegmentSize = nic.GSOTCP4, f.SegmentSize
		if f.Kind == link.GSOTCP6 {
			h.GSO = nic.GSOTCP6
		}
		h.HeaderLen = uint16(f.Head.Len())
	}
	f.Head.Grow(nic.HeaderSize, 0)
	h.Put(f.Head.Bytes())
	if !c.pieces(f) && !(c.copyBody(f) && c.pieces(f)) {
		c.Count.NoMemory.Add(1)
		f.Release()
		return true
	}
	i := c.tx.free[len(c.tx.free)-1]
	if !c.nic.Transmit.Add(uint64(i), c.tx.bufs...) {
		f.Head.TrimFront(nic.HeaderSize)
		c.tx.full = true
		return false
	}
	c.tx.free = c.tx.free[:len(c.tx.free)-1]
	slot := &c.tx.slots[i]
	body := slot.Body
	*slot = *f
	*f = link.Frame{Body: body[:0]} // the arrays change places
	return true
}

// pieces makes the descriptors of a frame; false: some of it lies where the card cannot be sent to.
func (c *Card) pieces(f *link.Frame) bool {
	c.tx.bufs = c.tx.bufs[:0]
	ok := c.piece(f.Head)
	for i := range f.Body {
		ok = ok && c.piece(f.Body[i])
	}
	return ok
}

// piece makes those of one piece. Lent memory lies where it lies, in as many runs as its pages make.
func (c *Card) piece(r buf.Ref) bool {
	if phys, ok := r.Phys(); ok {
		c.tx.bufs = append(c.tx.bufs, virtio.Buffer{Addr: exo.Phys(phys), Len: uint32(r.Len())})
		return true
	}
	runs, err := exo.PhysicalRuns(r.Bytes())
	if err != nil || len(c.tx.bufs)+len(runs) > 2*maxBody {
		return false
	}
	for _, x := range runs {
		c.tx.bufs = append(c.tx.bufs, virtio.Buffer{Addr: x.Base, Len: uint32(x.Len)})
	}
	return true
}

// copyBody replaces the pieces whose address is not known by copies.
func (c *Card) copyBody(f *link.Frame) bool {
	var body []buf.Ref
	for i := range f.Body {
		r := &f.Body[i]
		if _, ok := r.Phys(); ok {
			body = append(body, *r)
			*r = buf.Ref{}
			continue
		}
		c.Count.Copied.Add(1)
		for p := r.Bytes(); len(p) > 0; {
			block, ok := c.pool.Get()
			if !ok {
				for k := range body {
					body[k].Release()
				}
				return false
			}
			n := copy(block.Bytes(), p)
			block.Truncate(n)
			p = p[n:]
			body = append(body, block)
		}
		r.Release()
	}
	f.Body = body
	return true
}

// reclaim releases what the card has sent; mu held.
func (c *Card) reclaim() (some bool) {
	for {
		token, _, ok := c.nic.Transmit.Next()
		if !ok {
			return some
		}
		c.tx.slots[token].Release()
		c.tx.free = append(c.tx.free, uint16(token))
		some = true
	}
}

// Flush rings the doorbell.
func (c *Card) Flush(int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.taken()
	if !c.closed && c.lost.Load() == nil {
		c.nic.Transmit.Kick()
	}
}

// ErrClosed is what Wait returns once the card is closed. One that was taken back gives an exo.RevokedError.
var ErrClosed = errors.New("card: the network card is closed")

// Wait parks until there is something to do.
func (c *Card) Wait(int) error {
	if ready, err := c.prepare(); ready || err != nil {
		return err
	}
	deadline := int64(0)
	if c.starved() {
		const retry = 10e6 // nobody tells when blocks come back to the pool
		deadline = exo.Now() + retry
	}
	parked := c.park(deadline)
	if _, err := c.prepare(); err != nil {
		return err // of a card that was closed meanwhile, that, and not what its registers say
	}
	return parked
}

// park waits for an interrupt. Of a card that was taken back meanwhile prepare tells.
func (c *Card) park(deadline int64) error {
	defer c.taken()
	err := c.nic.Wait(deadline)
	var gone *exo.RevokedError
	if errors.As(err, &gone) {
		c.lost.Store(gone)
	}
	return err
}

// prepare gets ready to park: it asks for interrupts, and then looks whether there is something to do already.
func (c *Card) prepare() (ready bool, err error) {
	c.rxMu.Lock()
	defer c.rxMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		if gone := c.lost.Load(); gone != nil {
			ready, err = false, gone
		}
	}()
	defer c.taken()
	if c.closed {
		return false, ErrClosed
	}
	if c.lost.Load() != nil {
		return false, nil
	}
	q, t := c.nic.Receive, c.nic.Transmit
	if len(c.rx.free) > 0 {
		c.refill()
	}
	q.Interrupts(true)
	c.reclaim()
	// A few frames on their way out are taken off the ring with what comes next; of many the memory is wanted back.
	many := c.tx.full || len(c.tx.slots)-len(c.tx.free) > len(c.tx.slots)/8
	if t.Interrupts(many); many {
		c.reclaim()
	}
	if err := q.Err(); err != nil {
		return false, err
	}
	if err := t.Err(); err != nil {
		return false, err
	}
	ready = q.Ready()
	if c.tx.full && t.Free() >= 2*maxBody && len(c.tx.free) > 0 {
		c.tx.full = false
		ready = true
	}
	return ready, nil
}

// starved tells whether the pool has left the card with few blocks to receive into.
func (c *Card) starved() bool {
	c.rxMu.Lock()
	defer c.rxMu.Unlock()
	return c.rx.posted < len(c.rx.slots)/2
}

// Up tells whether there is a carrier.
func (c *Card) Up() (up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.taken()
	return !c.closed && c.lost.Load() == nil && c.nic.Up()
}

// Close stops the card, one that was taken back as well. What it has is released once it has stopped; if it does not stop that memory stays out of use.
func (c *Card) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	c.nic.Wake() // a receiver that is parked sees that it is closed
	c.rxMu.Lock()
	defer c.rxMu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	if !c.nic.Close() {
		return fmt.Errorf("card: %s did not stop: its blocks stay out of use", c.info.Name)
	}
	for i := range c.rx.slots {
		c.rx.slots[i].Release()
	}
	for i := range c.tx.slots {
		c.tx.slots[i].Release()
	}
	return nil
}
