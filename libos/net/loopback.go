package inet

import (
	"net/netip"
	"sync"

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
	mu       sync.Mutex
	queue    fifo.Queue[packet]
	draining bool
}

// loopbackQueue bounds the packets that wait; more are dropped, as by a device.
const loopbackQueue = 4096

// loopbackIndex is the number of the loopback interface, as on Linux.
const loopbackIndex = 1

// send takes a packet's bytes over.
func (s *Stack) sendLocal(p packet) {
	p.verified = true
	if p.index == 0 {
		p.index = loopbackIndex
	}
	l := &s.loop
	l.mu.Lock()
	full := l.queue.Len() >= loopbackQueue
	if !full {
		l.queue.Push(p)
	}
	l.mu.Unlock()
	if full {
		s.Counters.LoopbackFull.Add(1)
		release(p.body)
	}
}

// drain delivers what waits, unless somebody is at it.
func (l *loopback) drain(s *Stack) {
	l.mu.Lock()
	if l.draining {
		l.mu.Unlock()
		return
	}
	l.draining = true
	for l.queue.Len() > 0 {
		p := l.queue.Pop()
		l.mu.Unlock()
		s.deliver(s.now(), &p)
		l.mu.Lock()
	}
	l.draining = false
	l.mu.Unlock()
}
