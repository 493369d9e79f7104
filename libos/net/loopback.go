package inet

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/internal/fifo"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// A packet is what the network layer hands over: a transport header, which is whole in the first piece, and what follows.
type packet struct {
	proto    uint8
	src, dst netip.Addr
	index    int // of the interface it came by
	ttl, tos uint8
	verified bool // the transport checksum needs no look
	header   int  // bytes of the IPv4 header, which lies before the body in its block; 0: it does not
	gso      int  // payload of each of the segments that the device has joined; 0: it is one
	group    bool // it is for many
	body     []buf.Ref
	from     *ip.Packet // as the network layer gave it, for an answer; nil: from ourselves
}

// Protocol numbers (IANA).
const (
	protoTCP = wire.TCP
	protoUDP = wire.UDP
)

// A loopback is the network of the host with itself: packets of which no network header was ever made and no checksum computed. They wait until whoever sent them
// has let go of his locks; then he delivers them himself, and what is sent in answer with them. So nothing waits for another goroutine, and a
// chain of answers is a loop, not a recursion.
//
// Rejected: a device with frames, whose headers somebody would have to write and to read.
type loopback struct {
	some atomic.Bool // a packet waits; written under mu

	mu       sync.Mutex
	queue    fifo.Queue[packet]
	spare    [][]buf.Ref // arrays of bodies that were delivered
	draining bool
	scratch  delivery // who drains has it
	sent     ip.Sent
}

// loopbackQueue bounds the packets that wait; more are dropped, as by a device.
const loopbackQueue = 4096

// loopbackIndex is the number of the loopback interface, as on Linux.
const loopbackIndex = 1

// maxSpare is how many arrays are kept for packets to come.
const maxSpare = 64

// sendLocal takes a packet's bytes over; the array of its body stays the caller's.
func (s *Stack) sendLocal(p packet) {
	if p.index == 0 {
		p.index = loopbackIndex
	}
	l := &s.loop
	l.mu.Lock()
	full := l.queue.Len() >= loopbackQueue
	if full {
		l.sent.Dropped++
	} else {
		l.sent.Frames++
		l.sent.Bytes += loopbackBytes(&p)
		q := p
		if n := len(l.spare); n > 0 {
			q.body, l.spare = l.spare[n-1], l.spare[:n-1]
		} else {
			q.body = nil
		}
		q.body = append(q.body, p.body...)
		l.queue.Push(q)
		l.some.Store(true)
	}
	l.mu.Unlock()
	if full {
		s.Counters.LoopbackFull.Add(1)
		release(p.body)
	}
}

// loopbackBytes is what a packet would have on a wire: headers are counted as if somebody had made them, as Linux counts.
func loopbackBytes(p *packet) uint64 {
	n := wire.EthernetSize + wire.IPv4Size
	if p.dst.Is6() {
		n = wire.EthernetSize + wire.IPv6Size
	}
	for i := range p.body {
		n += p.body[i].Len()
	}
	return uint64(n)
}

// drain delivers what waits, unless somebody is at it.
func (l *loopback) drain(s *Stack) {
	l.mu.Lock()
	if l.draining {
		l.mu.Unlock()
		return
	}
	l.draining = true
	p := &l.scratch.packet
	for l.queue.Len() > 0 {
		*p = l.queue.Pop()
		l.mu.Unlock()
		body := p.body
		s.deliver(s.now(), &l.scratch)
		clear(body)
		l.mu.Lock()
		if len(l.spare) < maxSpare {
			l.spare = append(l.spare, body[:0])
		}
	}
	*p = packet{}
	l.draining = false
	l.some.Store(false)
	l.mu.Unlock()
}
