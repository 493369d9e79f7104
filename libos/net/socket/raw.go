package socket

import (
	"encoding/binary"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// A rawSocket is a SOCK_RAW socket, or a ping socket: SOCK_DGRAM of ICMP.
type rawSocket struct {
	messages
	r    *inet.Raw
	ping bool
	icmp int // IPPROTO_ICMP or IPPROTO_ICMPV6 if it is the family's; else 0
}

// icmpOf is a family's ICMP.
func icmpOf(family int) int {
	if family == syscall.AF_INET6 {
		return syscall.IPPROTO_ICMPV6
	}
	return syscall.IPPROTO_ICMP
}

func newRaw(s *inet.Stack, family, protocol int, ping bool) *rawSocket {
	r := &rawSocket{ping: ping}
	r.family = family
	r.opts.init()
	r.opts.flags.setBit(flagReuseAddr, true) // as Linux has it: identifiers may be shared
	if protocol == icmpOf(family) {
		r.icmp = protocol
	}
	if six := family == syscall.AF_INET6; ping {
		r.r = s.NewPing(six, r)
	} else {
		r.r = s.NewRaw(six, uint8(protocol), r)
	}
	r.e = r.r
	return r
}

// Peer implements sock.Socket. As on Linux, who was connected to port 0 is not thought to be connected.
func (r *rawSocket) Peer(a *sock.Addr) syscall.Errno {
	if r.r.Remote().Port() == 0 {
		return syscall.ENOTCONN
	}
	return r.messages.Peer(a)
}

// Levels and options that package syscall does not name: raw(7), RFC 3542.
const (
	solRaw       = 255
	icmpFilter   = 1 // of SOL_RAW
	icmp6Filter  = 1 // of SOL_ICMPV6, which is IPPROTO_ICMPV6
	ipv6Checksum = 7 // of IPPROTO_IPV6, and of SOL_RAW
)

// SetOption implements sock.Socket.
func (r *rawSocket) SetOption(level, name int, v []byte) syscall.Errno {
	six := r.family == syscall.AF_INET6
	switch {
	case r.ping:
	case level == solRaw && !six:
		if name != icmpFilter || r.icmp == 0 {
			return notFiltered(name)
		}
		var f inet.ICMPFilter
		b := make([]byte, 4)
		copy(b, v)
		f[0] = binary.NativeEndian.Uint32(b)
		r.r.SetFilter(f)
		return 0
	case level == syscall.IPPROTO_ICMPV6 && six && r.icmp != 0:
		if name != icmp6Filter {
			return syscall.ENOPROTOOPT
		}
		f := r.r.Filter()
		for i := 0; i < len(f) && len(v) >= 4; i, v = i+1, v[4:] {
			f[i] = binary.NativeEndian.Uint32(v)
		}
		r.r.SetFilter(f)
		return 0
	case six && name == ipv6Checksum && (level == syscall.IPPROTO_IPV6 || level == solRaw):
		n, e := sock.Int(v)
		if e != 0 {
			return e
		}
		return errno(r.r.SetChecksum(n))
	case six && level == syscall.IPPROTO_IP:
		return syscall.ENOPROTOOPT
	case level == syscall.IPPROTO_IP && name == syscall.IP_HDRINCL && !six:
		if len(v) == 0 {
			return syscall.EINVAL
		}
		n, e := sock.Int(v)
		if e != 0 {
			n = int(v[0])
		}
		r.r.SetHeader(n != 0)
		return 0
	}
	return r.messages.SetOption(level, name, v)
}

// notFiltered is the error for SOL_RAW's options of a socket that has no such.
func notFiltered(name int) syscall.Errno {
	if name == icmpFilter {
		return syscall.EOPNOTSUPP
	}
	return syscall.ENOPROTOOPT
}

// Option implements sock.Socket.
func (r *rawSocket) Option(v []byte, level, name int) ([]byte, syscall.Errno) {
	six := r.family == syscall.AF_INET6
	switch {
	case r.ping:
	case level == solRaw && !six:
		if name != icmpFilter || r.icmp == 0 {
			return nil, notFiltered(name)
		}
		return binary.NativeEndian.AppendUint32(v, r.r.Filter()[0]), 0
	case level == syscall.IPPROTO_ICMPV6 && six && r.icmp != 0:
		if name != icmp6Filter {
			return nil, syscall.ENOPROTOOPT
		}
		for _, w := range r.r.Filter() {
			v = binary.NativeEndian.AppendUint32(v, w)
		}
		return v, 0
	case six && name == ipv6Checksum && (level == syscall.IPPROTO_IPV6 || level == solRaw):
		return sock.AppendInt(v, r.r.Checksum()), 0
	case six && level == syscall.IPPROTO_IP:
		return nil, syscall.ENOPROTOOPT
	case level == syscall.IPPROTO_IP && name == syscall.IP_HDRINCL && !six:
		return sock.AppendBool(v, r.r.Header()), 0
	}
	return r.messages.Option(v, level, name)
}
