package socket

import (
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// A udpSocket is a SOCK_DGRAM socket of AF_INET or AF_INET6.
type udpSocket struct {
	messages
	u *inet.UDP
}

func newUDP(s *inet.Stack, family int) *udpSocket {
	u := new(udpSocket)
	u.family = family
	u.opts.init()
	u.u = s.NewUDP(family == syscall.AF_INET6, u)
	u.e = u.u
	return u
}

// Level and options of UDP: udp(7).
const (
	solUDP     = syscall.IPPROTO_UDP
	udpCork    = 1
	udpSegment = 103
	udpGRO     = 104
)

// SetOption implements sock.Socket.
func (u *udpSocket) SetOption(level, name int, v []byte) syscall.Errno {
	if level == solUDP {
		n, e := sock.Int(v)
		switch {
		case e != 0:
			return e
		case name == udpSegment && (n < 0 || n > 0xffff):
			return syscall.EINVAL
		case name == udpSegment:
			u.u.SetOptions(func(o *inet.UDPOptions) { o.Segment = n })
		case name == udpGRO:
			u.u.SetOptions(func(o *inet.UDPOptions) { o.Join = n != 0 })
		default:
			return syscall.ENOPROTOOPT
		}
		return 0
	}
	if level != syscall.IPPROTO_IPV6 || name != syscall.IPV6_V6ONLY || u.family != syscall.AF_INET6 {
		return u.messages.SetOption(level, name, v)
	}
	n, e := sock.Int(v)
	if e == 0 {
		e = errno(u.u.Only6(n != 0))
	}
	if e == 0 {
		u.only6.Store(n)
	}
	return e
}

// Option implements sock.Socket.
func (u *udpSocket) Option(v []byte, level, name int) ([]byte, syscall.Errno) {
	if level == solUDP {
		switch o := u.u.Options(); name {
		case udpSegment:
			return sock.AppendInt(v, o.Segment), 0
		case udpGRO:
			return sock.AppendBool(v, o.Join), 0
		case udpCork:
			return sock.AppendInt(v, 0), 0
		}
		return nil, syscall.ENOPROTOOPT
	}
	if level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_V6ONLY && u.family == syscall.AF_INET6 {
		return sock.AppendBool(v, u.only6.Load() != 0), 0
	}
	return u.messages.Option(v, level, name)
}
