package inet

import (
	"net/netip"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net/internal/fifo"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A Binding is a local address of TCP that an endpoint has claimed, before it listens or connects.
type Binding struct {
	s *Stack
	h *holding
}

// BindTCP claims a local address; port 0 asks for a free one. dual: :: also means all of IPv4.
func (s *Stack) BindTCP(a netip.AddrPort, dual, reuseAddr, reusePort bool) (*Binding, error) {
	ip := a.Addr()
	if !ip.IsUnspecified() && !s.isLocal(ip) {
		return nil, syscall.EADDRNOTAVAIL
	}
	h := &holding{addr: ip, port: a.Port(), dual: dual, reuseAddr: reuseAddr, reusePort: reusePort}
	if e := s.tcpPorts.hold(h); e != 0 {
		return nil, e
	}
	return &Binding{s, h}, nil
}

// Addr is the address.
func (b *Binding) Addr() netip.AddrPort { return netip.AddrPortFrom(b.h.addr, b.h.port) }

// SetReuseAddr changes whether others may claim the address who say so, too: SO_REUSEADDR. What has been claimed stays so.
func (b *Binding) SetReuseAddr(on bool) {
	b.s.tcpPorts.mu.Lock()
	b.h.reuseAddr = on
	b.s.tcpPorts.mu.Unlock()
}

// Close gives the address up. It is for a Binding that nothing was made of.
func (b *Binding) Close() { b.s.tcpPorts.drop(b.h) }

// A Listener is a listening port of TCP.
//
// Lock order: a connection's mutex, then its listener's.
type Listener struct {
	s    *Stack
	hold *holding

	mu     sync.Mutex
	opts   TCPOptions
	core   tcp.Listener
	hook   Hook
	queue  fifo.Queue[*Conn]
	closed bool
}

// Listen makes a Binding listen, and keep up to backlog connections that nobody has accepted. Connections have the options o.
func (b *Binding) Listen(backlog int, o TCPOptions, h Hook) (*Listener, error) {
	if e := b.s.tcpPorts.listen(b.h); e != 0 {
		return nil, e
	}
	l := &Listener{s: b.s, hold: b.h, hook: h, opts: o}
	l.core = tcp.Listener{Config: b.s.config(nil, &o), Backlog: backlog, Secret: &b.s.secret}
	b.s.tcp.listen(l)
	return l, nil
}

// Addr is what it listens on.
func (l *Listener) Addr() netip.AddrPort { return netip.AddrPortFrom(l.hold.addr, l.hold.port) }

// SetBacklog changes the backlog.
func (l *Listener) SetBacklog(n int) {
	l.mu.Lock()
	l.core.Backlog = n
	l.mu.Unlock()
}

// SetOptions changes the options that connections have which are made from now on.
func (l *Listener) SetOptions(o TCPOptions) {
	config := l.s.config(nil, &o)
	l.mu.Lock()
	l.opts, l.core.Config = o, config
	l.mu.Unlock()
}

// input takes a segment to the port that belongs to no connection, and its payload over. It may make a connection.
func (l *Listener) input(now tick.Time, t tcp.Tuple, in *tcp.Segment, o *output) {
	via, e := l.s.pathTo(t.Remote.Addr(), t.Local.Addr(), 0)
	l.mu.Lock()
	if l.closed || e != 0 {
		l.mu.Unlock()
		if e != 0 {
			l.s.Counters.NoRoute.Add(1)
		}
		in.Release()
		return
	}
	l.core.Config.MSS, l.core.Config.IPv6 = l.s.mss(&via, &l.opts), via.ip.Src.Is6()
	dropped, bad := l.core.Dropped, l.core.BadCookies
	core, answer := l.core.Input(now, t, in, &o.segment)
	l.s.Counters.TCPBacklog.Add(l.core.Dropped - dropped)
	l.s.Counters.TCPCookie.Add(l.core.BadCookies - bad)
	opts := l.opts
	l.mu.Unlock()
	if answer {
		l.s.sendSegment(now, &via, o)
		return
	}
	if core == nil {
		return
	}
	c := &Conn{s: l.s, tuple: t, via: via, c: core, listener: l}
	c.timer.conn = c
	c.mu.Lock()
	defer c.mu.Unlock()
	if !l.s.tcp.add(c, nil) {
		core.Release() // another queue was faster
		l.failed()
		return
	}
	c.via.set(&opts)
	c.via.steer(t.Local.Port(), t.Remote.Port())
	l.s.fit(core, &via)
	c.driveBy(now, o)
}

// established takes a connection into the queue; the connection's mutex is held.
func (l *Listener) established(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		go c.Close(true) // its mutex is held here
		return
	}
	l.core.Established()
	c.queued = true
	l.queue.Push(c)
	if l.hook != nil {
		l.hook.Happened(Readable)
	}
}

// flooded tells whether half-open connections are to spare the network, and us.
func (l *Listener) flooded(now tick.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.core.Flooded(now)
}

// failed tells that a connection never was one.
func (l *Listener) failed() {
	l.mu.Lock()
	l.core.Failed()
	l.mu.Unlock()
}

// TryAccept gives the next connection.
func (l *Listener) TryAccept() (*Conn, error) {
	l.mu.Lock()
	switch {
	case l.closed:
		l.mu.Unlock()
		return nil, syscall.EINVAL
	case l.queue.Len() == 0:
		l.mu.Unlock()
		return nil, syscall.EAGAIN
	}
	c := l.queue.Pop()
	l.core.Accepted()
	l.mu.Unlock()
	c.mu.Lock()
	c.listener, c.queued = nil, false
	c.mu.Unlock()
	return c, nil
}

// Ready says what would not block.
func (l *Listener) Ready() (ev Events) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.queue.Len() > 0 {
		ev |= Readable
	}
	if l.closed {
		ev |= Readable | EOF | HangUp
	}
	return ev
}

// Close ends it. Connections that nobody has accepted are reset.
func (l *Listener) Close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	waiting := l.queue.All()
	h := l.hook
	l.mu.Unlock()
	l.s.tcp.unlisten(l)
	l.s.tcpPorts.drop(l.hold)
	for _, c := range waiting {
		c.mu.Lock()
		c.listener, c.queued = nil, false
		c.mu.Unlock()
		c.Close(true)
	}
	if h != nil {
		h.Happened(Readable | EOF | HangUp)
	}
}
