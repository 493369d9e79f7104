package socket

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// messages is what sockets of datagrams and raw sockets have in common: receiving, control messages, options and groups.
type messages struct {
	base
	e endpoint

	tells atomic.Uint32 // what control messages come with a message; tell...
	from  atomic.Uint32 // the address in the last IP_MULTICAST_IF, as it lies in memory
}

// An endpoint is an inet.UDP or an inet.Raw.
type endpoint interface {
	Bind(netip.AddrPort) error
	Connect(netip.AddrPort) error
	Local() netip.AddrPort
	Remote() netip.AddrPort
	TrySend(p []byte, to netip.AddrPort, with *inet.Info) (int, error)
	TryRecv(p []byte, peek bool) (int, inet.Datagram, error)
	Queued() int
	Shutdown(inet.Shut) error
	Ready() inet.Events
	TakeError() syscall.Errno
	TryRecvError(p []byte) (int, inet.Trouble, error)
	PathMTU() (int, error)
	Options() inet.UDPOptions
	SetOptions(func(*inet.UDPOptions))
	SetLimit(int)
	Join(group netip.Addr, index int) error
	Leave(group netip.Addr, index int) error
	JoinSource(group, source netip.Addr, index int) error
	LeaveSource(group, source netip.Addr, index int) error
	Block(group, source netip.Addr, index int, on bool) error
	SetSources(group netip.Addr, index int, include bool, sources []netip.Addr) error
	Sources(group netip.Addr, index int) (include bool, sources []netip.Addr, err error)
	Close()
}

// Bits of messages.tells.
const (
	tellInfo4 = 1 << iota
	tellInfo6
	tellTTL
	tellHops
	tellTOS
	tellClass
)

// Bind implements sock.Socket.
func (s *messages) Bind(a *sock.Addr) syscall.Errno {
	ap, e := s.localAddr(a)
	if e != 0 {
		return e
	}
	return errno(s.e.Bind(ap))
}

// Connect implements sock.Socket.
func (s *messages) Connect(a *sock.Addr) syscall.Errno {
	if a.Family() == syscall.AF_UNSPEC {
		return errno(s.e.Connect(netip.AddrPort{}))
	}
	ap, e := s.addr(a)
	if e != 0 {
		return e
	}
	return errno(s.e.Connect(ap))
}

// Name implements sock.Socket.
func (s *messages) Name(a *sock.Addr) syscall.Errno {
	s.put(a, s.e.Local())
	return 0
}

// Peer implements sock.Socket.
func (s *messages) Peer(a *sock.Addr) syscall.Errno {
	ap := s.e.Remote()
	if !ap.IsValid() {
		return syscall.ENOTCONN
	}
	s.put(a, ap)
	return 0
}

// Send implements sock.Socket.
func (s *messages) Send(p []byte, m *sock.Sending) (int, syscall.Errno) {
	if m == nil {
		n, err := s.e.TrySend(p, netip.AddrPort{}, nil)
		return n, errno(err)
	}
	if m.Flags&syscall.MSG_OOB != 0 {
		return 0, syscall.EOPNOTSUPP
	}
	if len(m.Files) > 0 {
		return 0, syscall.EINVAL
	}
	var to netip.AddrPort
	if len(m.To.Raw()) > 0 {
		ap, e := s.addr(&m.To)
		if e == syscall.EAFNOSUPPORT && s.family == syscall.AF_INET6 && m.To.Family() == syscall.AF_INET {
			ap, e = m.To.Inet4() // Linux lets it pass
		}
		if e != 0 {
			return 0, e
		}
		to = ap
	}
	with, e := withControl(m.Control)
	if e != 0 {
		return 0, e
	}
	n, err := s.e.TrySend(p, to, with)
	return n, errno(err)
}

// Release implements sock.Socket.
func (s *messages) Release() { s.e.Close() }

// Listen implements sock.Socket.
func (s *messages) Listen(int) syscall.Errno { return syscall.EOPNOTSUPP }

// Accept implements sock.Socket.
func (s *messages) Accept() (sock.Socket, syscall.Errno) { return nil, syscall.EOPNOTSUPP }

// withControl reads the control messages that say from where and how a datagram is sent: IP_PKTINFO, IP_TTL, IPV6_PKTINFO, IPV6_HOPLIMIT.
func withControl(b []byte) (*inet.Info, syscall.Errno) {
	if len(b) == 0 {
		return nil, 0
	}
	var i inet.Info
	for len(b) >= 16 {
		n := int(binary.NativeEndian.Uint64(b))
		level, typ, data := int(binary.NativeEndian.Uint32(b[8:])), int(binary.NativeEndian.Uint32(b[12:])), b[16:n]
		switch {
		case level == syscall.IPPROTO_IP && typ == syscall.IP_PKTINFO && len(data) >= syscall.SizeofInet4Pktinfo:
			i.Interface = int(binary.NativeEndian.Uint32(data))
			if src := netip.AddrFrom4([4]byte(data[4:8])); !src.IsUnspecified() {
				i.To = src
			}
		case level == syscall.IPPROTO_IPV6 && typ == syscall.IPV6_PKTINFO && len(data) >= syscall.SizeofInet6Pktinfo:
			i.Interface = int(binary.NativeEndian.Uint32(data[16:]))
			if src := netip.AddrFrom16([16]byte(data[:16])).Unmap(); !src.IsUnspecified() {
				i.To = src
			}
		case level == syscall.IPPROTO_IP && typ == syscall.IP_TTL && len(data) >= 4, level == syscall.IPPROTO_IPV6 && typ == syscall.IPV6_HOPLIMIT && len(data) >= 4:
			i.TTL = uint8(binary.NativeEndian.Uint32(data))
		case level == syscall.IPPROTO_IP && typ == syscall.IP_TOS && len(data) >= 1, level == syscall.IPPROTO_IPV6 && typ == syscall.IPV6_TCLASS && len(data) >= 1:
			i.TOS = data[0]
		case level == solUDP && typ == udpSegment && len(data) >= 2:
			i.Segment = int(binary.NativeEndian.Uint16(data))
		default:
			return nil, syscall.EINVAL
		}
		b = b[min((n+7)&^7, len(b)):]
	}
	return &i, 0
}

// Recv implements sock.Socket.
func (s *messages) Recv(p []byte, m *sock.Receiving) (int, syscall.Errno) {
	if m != nil && m.Flags&syscall.MSG_ERRQUEUE != 0 {
		return s.recvError(p, m)
	}
	n, d, err := s.e.TryRecv(p, m != nil && m.Flags&syscall.MSG_PEEK != 0)
	if err != nil || m == nil {
		return n, errno(err)
	}
	s.put(&m.From, d.From)
	if d.Size > n {
		m.Got |= syscall.MSG_TRUNC
		if m.Flags&syscall.MSG_TRUNC != 0 {
			n = d.Size
		}
	}
	if d.Segment > 0 {
		m.AddControl(solUDP, udpGRO, sock.AppendInt(nil, d.Segment))
	}
	if tells := s.tells.Load(); tells != 0 {
		s.control(m, &d.Info, tells)
	}
	return n, 0
}

// ownAddress is the address of ours that a message of IPv4 came to: the interface's, where it was for many (in_pktinfo's ipi_spec_dst).
func ownAddress(i *inet.Info) netip.Addr {
	all := stack().Host().Interfaces()
	if stack().Host().Local(i.To) || i.Interface < 1 || i.Interface > len(all) {
		return i.To
	}
	for _, p := range all[i.Interface-1].Addresses() {
		if p.Addr().Is4() {
			return p.Addr()
		}
	}
	return i.To
}

// control adds the control messages that were asked for. A socket of AF_INET6 tells of IPv4 in IPv6's messages, with mapped addresses.
func (s *messages) control(m *sock.Receiving, i *inet.Info, tells uint32) {
	word := func(level, typ int, v uint32) { m.AddControl(level, typ, binary.NativeEndian.AppendUint32(nil, v)) }
	if tells&tellInfo4 != 0 && i.To.Is4() {
		b := binary.NativeEndian.AppendUint32(nil, uint32(i.Interface))
		to, own := i.To.As4(), ownAddress(i).As4()
		b = append(append(b, own[:]...), to[:]...)
		m.AddControl(syscall.IPPROTO_IP, syscall.IP_PKTINFO, b)
	}
	if tells&tellInfo6 != 0 {
		to := i.To.As16()
		m.AddControl(syscall.IPPROTO_IPV6, syscall.IPV6_PKTINFO, binary.NativeEndian.AppendUint32(to[:], uint32(i.Interface)))
	}
	if tells&tellTTL != 0 && i.To.Is4() {
		word(syscall.IPPROTO_IP, syscall.IP_TTL, uint32(i.TTL))
	}
	if tells&tellHops != 0 {
		word(syscall.IPPROTO_IPV6, syscall.IPV6_HOPLIMIT, uint32(i.TTL))
	}
	if tells&tellTOS != 0 && i.To.Is4() {
		m.AddControl(syscall.IPPROTO_IP, syscall.IP_TOS, []byte{i.TOS})
	}
	if tells&tellClass != 0 {
		word(syscall.IPPROTO_IPV6, syscall.IPV6_TCLASS, uint32(i.TOS))
	}
}

// Queued is FIONREAD.
func (s *messages) Queued() int { return s.e.Queued() }

// Shutdown implements sock.Socket.
func (s *messages) Shutdown(how int) syscall.Errno { return errno(s.e.Shutdown(inet.Shut(how + 1))) }

// Ready implements sock.Socket.
func (s *messages) Ready() posix.Events { return events(s.e.Ready()) }

// Options of UDP and IPv6 that package syscall does not name.
const (
	ipv6RecvClass    = 66
	ipv6Class        = 67
	ipMulticastAll   = 49
	ipv6MulticastAll = 29
	ipMTU            = 14
	ipv6PathMTU      = 61
	mcastJoinGroup   = 42
	mcastLeaveGroup  = 45

	mcastBlockSource   = 43
	mcastUnblockSource = 44
	mcastJoinSource    = 46
	mcastLeaveSource   = 47
)

// tellBit is the bit of an option that asks for a control message; 0: it is another one.
func tellBit(level, name int) uint32 {
	switch {
	case level == syscall.IPPROTO_IP && name == syscall.IP_PKTINFO:
		return tellInfo4
	case level == syscall.IPPROTO_IP && name == syscall.IP_RECVTTL:
		return tellTTL
	case level == syscall.IPPROTO_IP && name == syscall.IP_RECVTOS:
		return tellTOS
	case level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_RECVPKTINFO:
		return tellInfo6
	case level == syscall.IPPROTO_IPV6 && name == syscall.IPV6_RECVHOPLIMIT:
		return tellHops
	case level == syscall.IPPROTO_IPV6 && name == ipv6RecvClass:
		return tellClass
	}
	return 0
}

// SetOption implements sock.Socket.
func (s *messages) SetOption(level, name int, v []byte) syscall.Errno {
	if level == syscall.SOL_SOCKET {
		return s.setSocketOption(name, v)
	}
	if level != syscall.IPPROTO_IP && level != syscall.IPPROTO_IPV6 || level == syscall.IPPROTO_IPV6 && s.family != syscall.AF_INET6 {
		return syscall.ENOPROTOOPT
	}
	if done, e := s.setGroup(level, name, v); done {
		return e
	}
	n, e := sock.Int(v)
	if e != 0 {
		if len(v) == 0 || level == syscall.IPPROTO_IPV6 {
			return e
		}
		n = int(v[0])
	}
	if bit := tellBit(level, name); bit != 0 {
		if n != 0 {
			s.tells.Or(bit)
		} else {
			s.tells.And(^bit)
		}
		return 0
	}
	set := func(change func(*inet.UDPOptions)) syscall.Errno {
		s.e.SetOptions(change)
		return 0
	}
	six := level == syscall.IPPROTO_IPV6
	switch {
	case !six && name == syscall.IP_TTL, six && name == syscall.IPV6_UNICAST_HOPS:
		if n < -1 || n > 255 || n == 0 {
			return syscall.EINVAL
		}
		return set(func(o *inet.UDPOptions) { o.TTL = max(n, 0) })
	case !six && name == syscall.IP_MULTICAST_TTL, six && name == syscall.IPV6_MULTICAST_HOPS:
		if n < -1 || n > 255 {
			return syscall.EINVAL
		}
		return set(func(o *inet.UDPOptions) { o.MulticastTTL = n })
	case six && name == syscall.IPV6_MULTICAST_LOOP && n&^1 != 0, !six && name == ipMulticastAll && n&^1 != 0:
		return syscall.EINVAL
	case !six && name == syscall.IP_MULTICAST_LOOP, six && name == syscall.IPV6_MULTICAST_LOOP:
		return set(func(o *inet.UDPOptions) { o.NoLoop = n == 0 })
	case six && name == syscall.IPV6_MULTICAST_IF && n != 0 && !hasInterface(n):
		return syscall.ENODEV
	case six && name == syscall.IPV6_MULTICAST_IF:
		return set(func(o *inet.UDPOptions) { o.MulticastIndex = n })
	case six && name == ipv6Class && (n < -1 || n > 0xff):
		return syscall.EINVAL
	case !six && name == syscall.IP_TOS, six && name == ipv6Class:
		if six && n < 0 {
			n = 0 // the default
		}
		return set(func(o *inet.UDPOptions) { o.TOS = n & 0xff })
	case !six && name == syscall.IP_RECVERR, six && name == syscall.IPV6_RECVERR:
		return set(func(o *inet.UDPOptions) { o.RecvErr = n != 0 })
	case !six && name == syscall.IP_MTU_DISCOVER, six && name == syscall.IPV6_MTU_DISCOVER:
		if n < 0 || n > int(inet.DiscoverOmit) {
			return syscall.EINVAL
		}
		return set(func(o *inet.UDPOptions) { o.Discover = inet.Discovery(n) })
	case six && name == ipv6DontFrag:
		return set(func(o *inet.UDPOptions) {
			switch {
			case n != 0:
				o.Discover = inet.DiscoverDo
			case o.Discover == inet.DiscoverDo:
				o.Discover = inet.DiscoverWant
			}
		})
	case !six && name == ipMulticastAll, six && name == ipv6MulticastAll:
		return set(func(o *inet.UDPOptions) { o.OnlyMine = n == 0 })
	case !six && (name == ipBindNoPort || name == syscall.IP_FREEBIND), six && name == ipv6AutoFlowLabel:
		return 0 // so it is anyway
	}
	return syscall.ENOPROTOOPT
}

func (s *messages) setSocketOption(name int, v []byte) syscall.Errno {
	if e := s.opts.set(name, v); e != 0 {
		return e
	}
	switch name {
	case syscall.SO_RCVBUF, syscall.SO_RCVBUFFORCE:
		s.e.SetLimit(s.opts.recv.Load())
	case syscall.SO_REUSEADDR, soReusePort, syscall.SO_BROADCAST:
		s.e.SetOptions(func(o *inet.UDPOptions) {
			o.ReuseAddr, o.ReusePort, o.Broadcast = s.opts.has(flagReuseAddr), s.opts.has(flagReusePort), s.opts.has(flagBroadcast)
		})
	}
	return 0
}

// setGroup serves the options that are structures: memberships, and the interface of IPv4's multicasts.
func (s *messages) setGroup(level, name int, v []byte) (done bool, e syscall.Errno) {
	four := level == syscall.IPPROTO_IP
	switch {
	case four && (name == syscall.IP_ADD_MEMBERSHIP || name == syscall.IP_DROP_MEMBERSHIP):
		// struct ip_mreq: group, interface's address; ip_mreqn adds the interface's number.
		if len(v) < 8 {
			return true, syscall.EINVAL
		}
		index := 0
		if len(v) >= 12 {
			index = int(binary.NativeEndian.Uint32(v[8:]))
		}
		if ip := netip.AddrFrom4([4]byte(v[4:8])); index == 0 && !ip.IsUnspecified() {
			if index = indexOf(ip); index == 0 {
				return true, syscall.ENODEV
			}
		}
		return true, s.member(netip.AddrFrom4([4]byte(v[:4])), index, name == syscall.IP_ADD_MEMBERSHIP)
	case four && name >= syscall.IP_UNBLOCK_SOURCE && name <= syscall.IP_DROP_SOURCE_MEMBERSHIP:
		// struct ip_mreq_source: group, interface's address, source.
		if len(v) != 12 {
			return true, syscall.EINVAL
		}
		index := 0
		if ip := netip.AddrFrom4([4]byte(v[4:8])); !ip.IsUnspecified() {
			if index = indexOf(ip); index == 0 {
				return true, syscall.ENODEV
			}
		}
		op := map[int]int{
			syscall.IP_ADD_SOURCE_MEMBERSHIP: mcastJoinSource, syscall.IP_DROP_SOURCE_MEMBERSHIP: mcastLeaveSource,
			syscall.IP_BLOCK_SOURCE: mcastBlockSource, syscall.IP_UNBLOCK_SOURCE: mcastUnblockSource,
		}[name]
		return true, s.source(netip.AddrFrom4([4]byte(v[:4])), netip.AddrFrom4([4]byte(v[8:])), index, op)
	case four && name == syscall.IP_MULTICAST_IF:
		// struct in_addr, ip_mreq with an address behind the group, or ip_mreqn, whose number of an interface goes before its address.
		if len(v) < 4 {
			return true, syscall.EINVAL
		}
		index := 0
		if len(v) >= 12 {
			index = int(binary.NativeEndian.Uint32(v[8:]))
		}
		if len(v) >= 8 {
			v = v[4:]
		}
		if ip := netip.AddrFrom4([4]byte(v)); index == 0 && !ip.IsUnspecified() {
			index = indexOf(ip)
			if index == 0 {
				return true, syscall.EADDRNOTAVAIL
			}
		}
		if index != 0 && !hasInterface(index) {
			return true, syscall.EADDRNOTAVAIL
		}
		s.from.Store(binary.NativeEndian.Uint32(v))
		s.e.SetOptions(func(o *inet.UDPOptions) { o.MulticastIndex = index })
		return true, 0
	case name == mcastJoinGroup || name == mcastLeaveGroup:
		// struct group_req: the interface's number, a struct sockaddr_storage at 8.
		if len(v) < 8+sock.MaxAddr {
			return true, syscall.EINVAL
		}
		group, ok := within(v[8:], four)
		if !ok {
			return true, syscall.EADDRNOTAVAIL
		}
		return true, s.member(group, int(binary.NativeEndian.Uint32(v)), name == mcastJoinGroup)
	case name == mcastJoinSource || name == mcastLeaveSource || name == mcastBlockSource || name == mcastUnblockSource:
		// struct group_source_req: the interface's number, two struct sockaddr_storage at 8 and 136.
		if len(v) < 8+2*sock.MaxAddr {
			return true, syscall.EINVAL
		}
		group, ok := within(v[8:], four)
		source, okToo := within(v[8+sock.MaxAddr:], four)
		if !ok || !okToo {
			return true, syscall.EADDRNOTAVAIL
		}
		return true, s.source(group, source, int(binary.NativeEndian.Uint32(v)), name)
	case four && name == ipFilter, name == mcastFilter:
		return true, s.setFilter(v, name, four)
	case !four && (name == syscall.IPV6_JOIN_GROUP || name == syscall.IPV6_LEAVE_GROUP):
		if len(v) < syscall.SizeofIPv6Mreq {
			return true, syscall.EINVAL
		}
		return true, s.member(netip.AddrFrom16([16]byte(v[:16])), int(binary.NativeEndian.Uint32(v[16:])), name == syscall.IPV6_JOIN_GROUP)
	}
	return false, 0
}

// source changes which sources of a group are received, as the option of that name.
func (s *messages) source(group, source netip.Addr, index, name int) syscall.Errno {
	switch name {
	case mcastJoinSource:
		return errno(s.e.JoinSource(group, source, index))
	case mcastLeaveSource:
		return errno(s.e.LeaveSource(group, source, index))
	}
	return errno(s.e.Block(group, source, index, name == mcastBlockSource))
}

func (s *messages) member(group netip.Addr, index int, join bool) syscall.Errno {
	if join {
		return errno(s.e.Join(group, index))
	}
	return errno(s.e.Leave(group, index))
}

// indexOf is the number of the interface that has an address; 0: none has.
func indexOf(ip netip.Addr) int {
	for _, i := range all() {
		for _, a := range i.IPs {
			if got, _ := netip.AddrFromSlice(a.IP); got == ip {
				return i.Index
			}
		}
	}
	return 0
}

// hasInterface tells whether there is an interface of a number.
func hasInterface(index int) bool {
	return slices.ContainsFunc(all(), func(i Interface) bool { return i.Index == index })
}

// Option implements sock.Socket.
func (s *messages) Option(v []byte, level, name int) ([]byte, syscall.Errno) {
	o := s.e.Options()
	six := level == syscall.IPPROTO_IPV6
	switch {
	case level == syscall.SOL_SOCKET && name == syscall.SO_ERROR:
		return sock.AppendInt(v, int(s.e.TakeError())), 0
	case level == syscall.SOL_SOCKET && name == syscall.SO_ACCEPTCONN:
		return sock.AppendInt(v, 0), 0
	case level == syscall.SOL_SOCKET:
		return s.opts.get(v, name)
	case s.family == syscall.AF_INET && level != syscall.IPPROTO_IP:
		return nil, syscall.EOPNOTSUPP
	case level != syscall.IPPROTO_IP && !six:
		return nil, syscall.ENOPROTOOPT
	case tellBit(level, name) != 0:
		return sock.AppendBool(v, s.tells.Load()&tellBit(level, name) != 0), 0
	case !six && name == syscall.IP_TTL, six && name == syscall.IPV6_UNICAST_HOPS:
		if o.TTL == 0 {
			o.TTL = 64
		}
		return sock.AppendInt(v, o.TTL), 0
	case !six && name == syscall.IP_MULTICAST_TTL, six && name == syscall.IPV6_MULTICAST_HOPS:
		if o.MulticastTTL < 0 {
			o.MulticastTTL = 1
		}
		return sock.AppendInt(v, o.MulticastTTL), 0
	case !six && name == syscall.IP_MULTICAST_LOOP, six && name == syscall.IPV6_MULTICAST_LOOP:
		return sock.AppendBool(v, !o.NoLoop), 0
	case !six && name == syscall.IP_MULTICAST_IF:
		return binary.NativeEndian.AppendUint32(v, s.from.Load()), 0
	case six && name == syscall.IPV6_MULTICAST_IF:
		return sock.AppendInt(v, o.MulticastIndex), 0
	case !six && name == syscall.IP_TOS, six && name == ipv6Class:
		return sock.AppendInt(v, o.TOS), 0
	case !six && name == syscall.IP_RECVERR, six && name == syscall.IPV6_RECVERR:
		return sock.AppendBool(v, o.RecvErr), 0
	case !six && name == syscall.IP_MTU_DISCOVER, six && name == syscall.IPV6_MTU_DISCOVER:
		return sock.AppendInt(v, int(o.Discover)), 0
	case six && name == ipv6DontFrag:
		return sock.AppendBool(v, o.Discover == inet.DiscoverDo), 0
	case !six && name == ipMTU, six && name == syscall.IPV6_MTU:
		n, err := s.e.PathMTU()
		if err != nil {
			return nil, errno(err)
		}
		return sock.AppendInt(v, n), 0
	case six && name == ipv6PathMTU:
		// struct ip6_mtuinfo: an address, which Linux leaves out, and the MTU on the way to the other end.
		n, err := s.e.PathMTU()
		if err != nil {
			return nil, errno(err)
		}
		return sock.AppendInt(append(v, make([]byte, syscall.SizeofSockaddrInet6)...), n), 0
	case !six && name == ipMulticastAll, six && name == ipv6MulticastAll:
		return sock.AppendBool(v, !o.OnlyMine), 0
	}
	return nil, syscall.ENOPROTOOPT
}
