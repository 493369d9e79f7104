package socket

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// recvError receives from the queue of errors (IP_RECVERR of ip(7)): the message that did not arrive, as far as it is known, whom it was for, and struct
// sock_extended_err with the address of who tells.
func (s *messages) recvError(p []byte, m *sock.Receiving) (int, syscall.Errno) {
	n, t, err := s.e.TryRecvError(p)
	if err != nil {
		return 0, errno(err)
	}
	s.put(&m.From, t.To)
	m.Got |= syscall.MSG_ERRQUEUE
	if n < len(t.Payload) {
		m.Got |= syscall.MSG_TRUNC
		if m.Flags&syscall.MSG_TRUNC != 0 {
			n = len(t.Payload)
		}
	}
	six := s.family == syscall.AF_INET6
	ee := binary.NativeEndian.AppendUint32(nil, uint32(t.Errno))
	ee = append(ee, uint8(t.Origin), t.Type, t.Code, 0)
	ee = binary.NativeEndian.AppendUint32(ee, uint32(t.MTU))
	ee = binary.NativeEndian.AppendUint32(ee, 0)
	var from sock.Addr // SO_EE_OFFENDER
	switch {
	case t.Origin == inet.FromLocal && six:
		ee = append(ee, make([]byte, syscall.SizeofSockaddrInet6)...) // AF_UNSPEC
	case t.Origin == inet.FromLocal:
		ee = append(ee, make([]byte, syscall.SizeofSockaddrInet4)...)
	case six:
		from.SetInet6(netip.AddrPortFrom(t.From, 0))
	default:
		from.SetInet4(netip.AddrPortFrom(t.From, 0))
	}
	ee = append(ee, from.Raw()...)
	if six {
		m.AddControl(syscall.IPPROTO_IPV6, syscall.IPV6_RECVERR, ee)
	} else {
		m.AddControl(syscall.IPPROTO_IP, syscall.IP_RECVERR, ee)
	}
	return n, 0
}
