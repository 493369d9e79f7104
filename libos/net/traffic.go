package inet

import (
	"net/netip"

	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
)

// Traffic is what went over an interface, in one direction. What a device has joined, or shall cut, is one frame.
type Traffic struct {
	Frames, Bytes uint64 // with Ethernet's headers, those of the loopback interface as if there were some
	Dropped       uint64 // frames
}

// Traffic tells what an interface has received and sent since it was attached. It allocates nothing but in the device's own counting.
func (s *Stack) Traffic(i *ip.Interface) (received, sent Traffic) {
	sent = Traffic(i.Sent())
	if i.Loopback {
		l := &s.loop
		l.mu.Lock()
		sent.Frames += l.sent.Frames
		sent.Bytes += l.sent.Bytes
		sent.Dropped += l.sent.Dropped
		l.mu.Unlock()
		return Traffic{Frames: sent.Frames, Bytes: sent.Bytes}, sent
	}
	if c := s.card(i.Index); c != nil {
		for _, r := range c.receivers {
			received.Frames += r.frames.Load()
			received.Bytes += r.bytes.Load()
		}
	}
	if d, ok := i.Device.(link.Counting); ok {
		d.Dropped(func(_ string, n uint64) { received.Dropped += n })
	}
	return received, sent
}

// A PortUse is an endpoint of TCP or UDP that has a local address, at one moment.
type PortUse struct {
	TCP           bool
	Local, Remote netip.AddrPort // Remote is not valid where there is none
	Listening     bool
	State         tcp.State // of a connection
	Hook          Hook      // of whoever uses it; nil: nobody (yet, or any more)

	RecvQueue, SendQueue int    // bytes; of a listener the connections that wait, and how many may
	Dropped              uint64 // datagrams of UDP

	Info tcp.Info // of a connection
}

// Ports calls f for every listener, connection and bound endpoint of UDP. No lock is held then.
func (s *Stack) Ports(f func(p *PortUse)) {
	for _, l := range s.tcp.listeners() {
		l.mu.Lock()
		p := PortUse{TCP: true, Local: l.Addr(), Listening: true, Hook: l.hook, RecvQueue: l.core.Ready(), SendQueue: l.core.Backlog}
		l.mu.Unlock()
		f(&p)
	}
	for _, c := range s.Conns() {
		i := c.Info()
		c.mu.Lock()
		hook := c.hook
		c.mu.Unlock()
		f(&PortUse{TCP: true, Local: c.Local(), Remote: c.Remote(), State: i.State, Hook: hook, RecvQueue: i.RecvQueue, SendQueue: i.SendQueue, Info: i})
	}
	for _, u := range s.udp.all() {
		u.mu.Lock()
		p := PortUse{Local: u.local, Remote: u.remote, Hook: u.hook, RecvQueue: u.bytes.Len(), Dropped: u.Dropped}
		u.mu.Unlock()
		f(&p)
	}
}

// Segments sums up what all connections of TCP have counted, those that are no more among them.
func (s *Stack) Segments() tcp.Stats {
	s.ended.Lock()
	all := s.ended.Stats
	s.ended.Unlock()
	for _, c := range s.Conns() {
		i := c.Info()
		all.Add(&i.Stats)
	}
	return all
}
