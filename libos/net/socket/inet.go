package socket

import (
	"net/netip"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// What sockets of AF_INET and AF_INET6 have in common.

// A base is the part of a socket that is about its address family.
type base struct {
	family int // AF_INET or AF_INET6
	only6  atomicInt
	watch  posix.Watchers
	opts   options
}

func init() {
	for _, family := range []int{syscall.AF_INET, syscall.AF_INET6} {
		sock.Register(family, func(kind, protocol int) (sock.Socket, syscall.Errno) { return newInet(family, kind, protocol) }, nil)
	}
}

func newInet(family, kind, protocol int) (sock.Socket, syscall.Errno) {
	return New(stack(), family, kind, protocol)
}

// New makes a socket of AF_INET or AF_INET6 on a stack: for who has one beside the image's.
func New(s *inet.Stack, family, kind, protocol int) (sock.Socket, syscall.Errno) {
	switch {
	case family != syscall.AF_INET && family != syscall.AF_INET6:
		return nil, syscall.EAFNOSUPPORT
	case kind == syscall.SOCK_STREAM && (protocol == 0 || protocol == syscall.IPPROTO_TCP):
		return newTCP(s, family), 0
	case kind == syscall.SOCK_DGRAM && (protocol == 0 || protocol == syscall.IPPROTO_UDP):
		return newUDP(s, family), 0
	case kind == syscall.SOCK_DGRAM && protocol == icmpOf(family):
		return newRaw(s, family, protocol, true), 0
	case kind == syscall.SOCK_RAW && protocol > 0 && protocol <= 255:
		return newRaw(s, family, protocol, false), 0
	case protocol < 0 || protocol > 255+7:
		return nil, syscall.EINVAL
	case kind == syscall.SOCK_STREAM || kind == syscall.SOCK_DGRAM || kind == syscall.SOCK_RAW:
		return nil, syscall.EPROTONOSUPPORT
	}
	return nil, syscall.ESOCKTNOSUPPORT
}

// Waiting implements inet.Waited.
func (b *base) Waiting(f func(goroutine uint64, write bool)) { b.watch.Waiting(f) }

// Watchers implements sock.Socket.
func (b *base) Watchers() *posix.Watchers { return &b.watch }

// Happened implements inet.Hook.
func (b *base) Happened(ev inet.Events) { b.watch.Notify(events(ev)) }

// events says an endpoint's events as poll(2) does.
func events(ev inet.Events) (e posix.Events) {
	if ev&inet.Readable != 0 {
		e |= posix.In | posix.InN
	}
	if ev&inet.Pressing != 0 {
		e |= posix.Pri
	}
	if ev&inet.Writable != 0 {
		e |= posix.Out | posix.OutN
	}
	if ev&inet.EOF != 0 {
		e |= posix.RdHup | posix.In | posix.InN
	}
	if ev&inet.HangUp != 0 {
		e |= posix.Hup
	}
	if ev&inet.Failed != 0 {
		e |= posix.Err
	}
	return e
}

// errno is the errno in an error of package inet.
func errno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if e, ok := err.(syscall.Errno); ok {
		if e == syscall.ENETUNREACH && noCard.CompareAndSwap(true, false) {
			println("libos/net: the machine has no network card: only its own addresses can be reached")
		}
		return e
	}
	return syscall.EIO
}

// addr takes an address of the socket's family; a mapped IPv4 address becomes a plain one.
func (b *base) addr(a *sock.Addr) (netip.AddrPort, syscall.Errno) {
	if b.family == syscall.AF_INET {
		return a.Inet4()
	}
	ap, e := a.Inet6()
	if e == 0 && ap.Addr().Is4In6() {
		if b.only6.Load() != 0 {
			return netip.AddrPort{}, syscall.ENETUNREACH
		}
		ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return ap, e
}

// localAddr is addr for bind, which takes AF_UNSPEC with no address for AF_INET (ip(7)).
func (b *base) localAddr(a *sock.Addr) (netip.AddrPort, syscall.Errno) {
	ap, e := b.addr(a)
	if b.family == syscall.AF_INET && e == syscall.EAFNOSUPPORT && a.Family() == syscall.AF_UNSPEC {
		c := *a
		raw := append([]byte(nil), c.Raw()...)
		raw[0], raw[1] = syscall.AF_INET, 0
		c.Set(raw)
		if ap, e2 := c.Inet4(); e2 == 0 && ap.Addr().IsUnspecified() {
			return ap, 0
		}
	}
	if e == syscall.ENETUNREACH {
		e = syscall.EINVAL
	}
	return ap, e
}

// put says an address in the socket's family.
func (b *base) put(a *sock.Addr, ap netip.AddrPort) {
	if b.family == syscall.AF_INET {
		a.SetInet4(ap)
		return
	}
	if ap.Addr().Is4() && ap.Addr().IsUnspecified() {
		ap = netip.AddrPortFrom(netip.IPv6Unspecified(), ap.Port())
	}
	a.SetInet6(ap)
}

// any is the unspecified address.
func (b *base) any() netip.Addr {
	if b.family == syscall.AF_INET {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// dual tells whether a socket bound to :: takes IPv4 too.
func (b *base) dual() bool { return b.family == syscall.AF_INET6 && b.only6.Load() == 0 }
