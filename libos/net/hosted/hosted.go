// Package hosted is the network stack as a library for programs on an ordinary system: for conformance tools, simulations, and whoever wants to look at it. Frames go in and out
// by calls, the clock is the caller's, and sockets are numbers with Linux's calls on them: those of libos/net/socket, whose options and errors these are.
//
// Nothing waits: a call that would says EAGAIN, or EINPROGRESS, and Poll tells what would not. Nothing happens but in calls: the stack has no goroutine, and its
// timers fire in Advance. What is random comes from a seed. So the same calls lead to the same frames.
//
// A Net is for one goroutine at a time. It is not for images, where package net is the way; for a stack on Linux that runs by itself see libos/net/tap.
package hosted

import (
	"math/rand/v2"
	"net/netip"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/socket"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// Config is what a Net begins with.
type Config struct {
	MAC     link.MAC     // the zero one: 02:00:00:00:00:01
	Address netip.Prefix // of the card; invalid: it has none
	Gateway netip.Addr   // invalid: none
	MTU     int          // 0: 1500
	Seed    uint64       // of what is random
}

// A Net is a host with one Ethernet card.
type Net struct {
	stack *inet.Stack
	card  *ip.Interface
	dev   *device
	now   tick.Time
	open  []sock.Socket // by number; nil: free
}

// begin is the time on the clock at first: 0 is no time.
const begin = tick.Time(time.Second)

// New makes one. Its clock stands at one second.
func New(c Config) *Net {
	if c.MAC == (link.MAC{}) {
		c.MAC = link.MAC{2, 0, 0, 0, 0, 1}
	}
	if c.MTU == 0 {
		c.MTU = 1500
	}
	var seed [32]byte
	for i := range 8 {
		seed[i] = byte(c.Seed >> (8 * i))
	}
	random := rand.NewChaCha8(seed)
	n := &Net{now: begin, dev: newDevice(c.MAC, c.MTU)}
	n.stack = inet.New(inet.Config{
		Clock:  func() tick.Time { return n.now },
		Random: func(p []byte) { random.Read(p) },
		Driven: true,
	})
	n.card = n.stack.Attach(n.dev)
	if c.Address.IsValid() {
		n.stack.Host().AddAddress(n.now, n.card, c.Address)
	}
	if c.Gateway.IsValid() {
		all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if c.Gateway.Is6() {
			all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		n.stack.Host().AddRoute(ip.Route{Prefix: all, Gateway: c.Gateway, Interface: n.card})
	}
	return n
}

// Stack is what is below, with its counters.
func (n *Net) Stack() *inet.Stack { return n.stack }

// Now is the time on the clock.
func (n *Net) Now() tick.Time { return n.now }

// Advance moves the clock, never back, and fires the timers that are due. next is when Advance is wanted again at the latest, 0: no timer is set.
func (n *Net) Advance(now tick.Time) (next tick.Time) {
	n.now = max(n.now, now)
	return n.stack.Step()
}

// FrameIn has the card receive an Ethernet frame, without its check sequence, and the stack take it in. The bytes are copied.
func (n *Net) FrameIn(frame []byte) {
	n.dev.in = frame
	n.stack.Step()
	n.dev.in = nil
}

// FrameOut gives the oldest frame that the card has sent and nobody has taken, until the next call; nil: there is none.
func (n *Net) FrameOut() []byte {
	frame := n.dev.next()
	if n.dev.full { // there is room again for what waits
		n.dev.full = false
		n.card.Drain(0)
	}
	return frame
}

// Socket makes a socket of AF_INET or AF_INET6 and gives its number, the lowest that is free.
func (n *Net) Socket(family, kind, protocol int) (int, syscall.Errno) {
	s, e := socket.New(n.stack, family, kind, protocol)
	if e != 0 {
		return -1, e
	}
	return n.add(s), 0
}

func (n *Net) add(s sock.Socket) int {
	for i, x := range n.open {
		if x == nil {
			n.open[i] = s
			return i
		}
	}
	n.open = append(n.open, s)
	return len(n.open) - 1
}

// none answers for a number that is no socket.
type none struct{ sock.Socket }

func (n *Net) at(fd int) (sock.Socket, syscall.Errno) {
	if fd < 0 || fd >= len(n.open) || n.open[fd] == nil {
		return none{}, syscall.EBADF
	}
	return n.open[fd], 0
}

// address makes Linux's of a.
func address(a netip.AddrPort) (s sock.Addr) {
	switch {
	case a.Addr().Is4():
		s.SetInet4(a)
	case a.Addr().Is6():
		s.SetInet6(a)
	}
	return s
}

// plain undoes address.
func plain(s *sock.Addr) netip.AddrPort {
	if a, e := s.Inet4(); e == 0 {
		return a
	}
	a, _ := s.Inet6()
	return a
}

// Bind is bind(2).
func (n *Net) Bind(fd int, a netip.AddrPort) syscall.Errno {
	s, e := n.at(fd)
	if e != 0 {
		return e
	}
	to := address(a)
	return s.Bind(&to)
}

// Listen is listen(2).
func (n *Net) Listen(fd, backlog int) syscall.Errno {
	s, e := n.at(fd)
	if e != 0 {
		return e
	}
	return s.Listen(max(backlog, 0))
}

// Connect is connect(2): EINPROGRESS for a stream; when Poll says POLLOUT, SO_ERROR has the outcome.
func (n *Net) Connect(fd int, a netip.AddrPort) syscall.Errno {
	s, e := n.at(fd)
	if e != 0 {
		return e
	}
	to := address(a)
	return s.Connect(&to)
}

// Accept is accept(2): the number of the next connection, and who is at its other end.
func (n *Net) Accept(fd int) (int, netip.AddrPort, syscall.Errno) {
	s, e := n.at(fd)
	if e != 0 {
		return -1, netip.AddrPort{}, e
	}
	c, e := s.Accept()
	if e != 0 {
		return -1, netip.AddrPort{}, e
	}
	var from sock.Addr
	c.Peer(&from)
	return n.add(c), plain(&from), 0
}

// Name and Peer are getsockname(2) and getpeername(2).
func (n *Net) Name(fd int) (netip.AddrPort, syscall.Errno) {
	return n.ask(fd, func(s sock.Socket, a *sock.Addr) syscall.Errno { return s.Name(a) })
}

// Peer is the other end's address.
func (n *Net) Peer(fd int) (netip.AddrPort, syscall.Errno) {
	return n.ask(fd, func(s sock.Socket, a *sock.Addr) syscall.Errno { return s.Peer(a) })
}

func (n *Net) ask(fd int, what func(sock.Socket, *sock.Addr) syscall.Errno) (netip.AddrPort, syscall.Errno) {
	s, e := n.at(fd)
	if e != 0 {
		return netip.AddrPort{}, e
	}
	var a sock.Addr
	if e := what(s, &a); e != 0 {
		return netip.AddrPort{}, e
	}
	return plain(&a), 0
}

// Write is write(2). A stream may take a part of p.
func (n *Net) Write(fd int, p []byte) (int, syscall.Errno) { return n.SendTo(fd, p, netip.AddrPort{}) }

// SendTo is sendto(2); to an invalid address it is Write.
func (n *Net) SendTo(fd int, p []byte, to netip.AddrPort) (int, syscall.Errno) {
	s, e := n.at(fd)
	if e != 0 {
		return -1, e
	}
	return s.Send(p, &sock.Sending{To: address(to)})
}

// Read is read(2): 0 without an error is a stream's end, or an empty datagram.
func (n *Net) Read(fd int, p []byte) (int, syscall.Errno) {
	k, _, e := n.RecvFrom(fd, p, 0)
	return k, e
}

// RecvFrom is recvfrom(2), with its flags.
func (n *Net) RecvFrom(fd int, p []byte, flags int) (int, netip.AddrPort, syscall.Errno) {
	s, e := n.at(fd)
	if e != 0 {
		return -1, netip.AddrPort{}, e
	}
	m := sock.Receiving{Flags: flags}
	k, e := s.Recv(p, &m)
	return k, plain(&m.From), e
}

// Shutdown is shutdown(2).
func (n *Net) Shutdown(fd, how int) syscall.Errno {
	s, e := n.at(fd)
	switch {
	case e != 0:
		return e
	case how < syscall.SHUT_RD || how > syscall.SHUT_RDWR:
		return syscall.EINVAL
	}
	return s.Shutdown(how)
}

// Close is close(2). With SO_LINGER of no time the connection is reset.
func (n *Net) Close(fd int) syscall.Errno {
	s, e := n.at(fd)
	if e != 0 {
		return e
	}
	n.open[fd] = nil
	s.Release()
	return 0
}

// SetOption is setsockopt(2).
func (n *Net) SetOption(fd, level, name int, v []byte) syscall.Errno {
	s, e := n.at(fd)
	if e != 0 {
		return e
	}
	return s.SetOption(level, name, v)
}

// Option is getsockopt(2); TCP_INFO is struct tcp_info.
func (n *Net) Option(fd, level, name int) ([]byte, syscall.Errno) {
	s, e := n.at(fd)
	if e != 0 {
		return nil, e
	}
	return s.Option(nil, level, name)
}

// Poll is what poll(2) says of one socket: POLLIN, POLLOUT, POLLHUP and so on; POLLNVAL for a number that is none.
func (n *Net) Poll(fd int) int {
	const pollNval = 0x20
	s, e := n.at(fd)
	if e != 0 {
		return pollNval
	}
	return int(s.Ready())
}
