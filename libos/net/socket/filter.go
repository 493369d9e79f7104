package socket

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	inet "github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/posix/sock"
)

// Options that set and tell all sources of a group at once (RFC 3678, 4.1.3 and 5.2).
const (
	ipFilter    = 41 // IP_MSFILTER: struct ip_msfilter, which has group, interface's address, mode, count, sources
	mcastFilter = 48 // MCAST_MSFILTER: struct group_filter, which has the interface's number, group at 8, mode, count, sources, each a struct sockaddr_storage
)

// A filter is the value of either option, in a program's layout.
type filter struct {
	group netip.Addr
	index int // the interface's number; 0: any
	mode  uint32
	count int
	at    int // where mode and count are; the sources are behind
	size  int // of one source
}

const (
	modeExclude = iota // MCAST_EXCLUDE
	modeInclude
)

// readFilter reads all but the sources.
func readFilter(v []byte, name int, four bool) (f filter, e syscall.Errno) {
	if f.at, f.size = 8, 4; name == mcastFilter {
		f.at, f.size = 8+sock.MaxAddr, sock.MaxAddr
	}
	if len(v) < f.at+8 {
		return f, syscall.EINVAL
	}
	f.mode, f.count = binary.NativeEndian.Uint32(v[f.at:]), int(binary.NativeEndian.Uint32(v[f.at+4:]))
	if name == mcastFilter {
		group, ok := within(v[8:], four)
		if !ok {
			return f, syscall.EINVAL
		}
		f.group, f.index = group, int(binary.NativeEndian.Uint32(v))
		return f, 0
	}
	f.group = netip.AddrFrom4([4]byte(v))
	if ip := netip.AddrFrom4([4]byte(v[4:])); !ip.IsUnspecified() {
		if f.index = indexOf(ip); f.index == 0 {
			return f, syscall.ENODEV
		}
	}
	return f, 0
}

// setFilter is setsockopt.
func (s *messages) setFilter(v []byte, name int, four bool) syscall.Errno {
	f, e := readFilter(v, name, four)
	most := inet.MaxSources(netip.IPv6Unspecified())
	if four {
		most = inet.MaxSources(netip.IPv4Unspecified())
	}
	switch b := f.at + 8; {
	case len(v) < b:
		return syscall.EINVAL
	case f.count > most:
		return syscall.ENOBUFS
	case len(v) < b+f.size*f.count:
		return syscall.EINVAL
	case e != 0:
		return e
	}
	var sources []netip.Addr
	for b := v[f.at+8:]; len(sources) < f.count; b = b[f.size:] {
		a, ok := netip.AddrFrom4([4]byte(b)), true
		if name == mcastFilter {
			a, ok = within(b, four)
		}
		if !ok {
			return syscall.EADDRNOTAVAIL
		}
		sources = append(sources, a)
	}
	if f.mode > modeInclude {
		return syscall.EINVAL
	}
	return errno(s.e.SetSources(f.group, f.index, f.mode == modeInclude, sources))
}

// Ask implements sock.Asked. The question has group and interface, and how many sources there is room for; told are the mode, how many there are, and those that there is room for.
func (s *messages) Ask(question []byte, level, name int) ([]byte, syscall.Errno) {
	four := level == syscall.IPPROTO_IP
	switch {
	case four && (name == ipFilter || name == mcastFilter):
	case level == syscall.IPPROTO_IPV6 && s.family == syscall.AF_INET6 && name == mcastFilter:
	default:
		return nil, syscall.ENOPROTOOPT
	}
	f, e := readFilter(question, name, four)
	if e != 0 {
		return nil, e
	}
	include, sources, err := s.e.Sources(f.group, f.index)
	if err != nil {
		return nil, errno(err)
	}
	v := append([]byte(nil), question[:f.at]...)
	if include {
		v = binary.NativeEndian.AppendUint32(v, modeInclude)
	} else {
		v = binary.NativeEndian.AppendUint32(v, modeExclude)
	}
	v = binary.NativeEndian.AppendUint32(v, uint32(len(sources)))
	for _, ip := range sources[:min(len(sources), f.count)] {
		switch {
		case name == ipFilter:
			v = append(v, ip.AsSlice()...)
		default:
			var a sock.Addr
			if four {
				a.SetInet4(netip.AddrPortFrom(ip, 0))
			} else {
				a.SetInet6(netip.AddrPortFrom(ip, 0))
			}
			v = append(v, a.Raw()...)
			v = append(v, make([]byte, sock.MaxAddr-len(a.Raw()))...)
		}
	}
	return v, 0
}

// within reads the address in a struct sockaddr_storage.
func within(v []byte, four bool) (netip.Addr, bool) {
	var a sock.Addr
	a.Set(v[:sock.MaxAddr])
	to, e := a.Inet6()
	if four {
		to, e = a.Inet4()
	}
	return to.Addr(), e == 0
}
