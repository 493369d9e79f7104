package peer

import (
	"errors"
	"sync"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
)

// A cable is a network card joined to another in memory that does nothing but carry frames: each is copied once, as a card's DMA would.
type cable struct {
	mac  link.MAC
	mtu  int
	peer *cable
	pool *buf.Pool

	mu     sync.Mutex
	come   *sync.Cond
	in     []buf.Ref // a ring of whole frames
	head   int
	n      int
	full   bool // a Send found no room
	closed bool
}

var errClosed = errors.New("the cable is cut")

// newCables gives both ends.
func newCables(mtu int) (a, b *cable) {
	ends := [2]*cable{}
	for i := range ends {
		c := &cable{mac: link.MAC{2, 0, 0, 0, 0, byte(i + 1)}, mtu: mtu, pool: buf.NewPool("cable", 2048, 1<<14, buf.Heap), in: make([]buf.Ref, 512)}
		c.come = sync.NewCond(&c.mu)
		ends[i] = c
	}
	ends[0].peer, ends[1].peer = ends[1], ends[0]
	return ends[0], ends[1]
}

func (c *cable) Info() link.Info {
	return link.Info{Name: "cable", MAC: c.mac, MTU: c.mtu, Queues: 1, MaxBody: 64, MaxSend: c.mtu + 14}
}

func (c *cable) Send(_ int, f *link.Frame) bool {
	to := c.peer
	to.mu.Lock()
	defer to.mu.Unlock()
	if to.n == len(to.in) {
		to.full = true
		return false
	}
	r, ok := to.pool.Get()
	if ok {
		p := r.Bytes()
		n := copy(p, f.Head.Bytes())
		for i := range f.Body {
			n += copy(p[n:], f.Body[i].Bytes())
		}
		r.Truncate(n)
		to.in[(to.head+to.n)%len(to.in)] = r
		to.n++
	}
	f.Release()
	return true
}

func (c *cable) Flush(int) { c.peer.come.Broadcast() }

func (c *cable) Receive(_ int, f *link.Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == 0 {
		return false
	}
	f.Head = c.in[c.head]
	c.in[c.head] = buf.Ref{}
	c.head = (c.head + 1) % len(c.in)
	c.n--
	if c.full && c.n < len(c.in)/2 {
		c.full = false
		c.peer.come.Broadcast()
	}
	return true
}

func (c *cable) Wait(int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == 0 && !c.closed {
		c.come.Wait() // it may be for nothing, or for room at the other end
	}
	if c.closed {
		return errClosed
	}
	return nil
}

func (c *cable) Up() bool { return true }

func (c *cable) Close() error {
	c.mu.Lock()
	c.closed = true
	for ; c.n > 0; c.n-- {
		c.in[c.head].Release()
		c.head = (c.head + 1) % len(c.in)
	}
	c.mu.Unlock()
	c.come.Broadcast()
	return nil
}
