package sock

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"syscall"
)

// MaxAddr is the size of struct sockaddr_storage.
const MaxAddr = 128

// Sizes of the families' addresses.
const (
	sizeFamily  = 2
	sizeInet4   = syscall.SizeofSockaddrInet4
	sizeInet6   = syscall.SizeofSockaddrInet6 // the last field, the zone, may be left out (RFC 2133 had none)
	sizeInet6v1 = sizeInet6 - 4
	sizeUnix    = syscall.SizeofSockaddrUnix
	sizeNetlink = syscall.SizeofSockaddrNetlink
)

// An Addr is a struct sockaddr as it came or goes, of any family: a value. The zero Addr is none.
type Addr struct {
	n   uint8
	raw [MaxAddr]byte
}

// Raw are the bytes.
func (a *Addr) Raw() []byte { return a.raw[:a.n] }

// Set takes p for the address; EINVAL for more than any family has.
func (a *Addr) Set(p []byte) syscall.Errno {
	if len(p) > MaxAddr {
		return syscall.EINVAL
	}
	a.n = uint8(copy(a.raw[:], p))
	return 0
}

// Family is the address family, AF_UNSPEC for what is too short to have one.
func (a *Addr) Family() int {
	if a.n < sizeFamily {
		return syscall.AF_UNSPEC
	}
	return int(binary.NativeEndian.Uint16(a.raw[:]))
}

func (a *Addr) begin(family, size int) {
	*a = Addr{n: uint8(size)}
	binary.NativeEndian.PutUint16(a.raw[:], uint16(family))
}

// Inet4 gives an AF_INET address: EINVAL for one too short, EAFNOSUPPORT for another family's.
func (a *Addr) Inet4() (netip.AddrPort, syscall.Errno) {
	switch {
	case a.n < sizeInet4:
		return netip.AddrPort{}, syscall.EINVAL
	case a.Family() != syscall.AF_INET:
		return netip.AddrPort{}, syscall.EAFNOSUPPORT
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.raw[4:])), binary.BigEndian.Uint16(a.raw[2:])), 0
}

// Inet6 gives an AF_INET6 address; its zone, if it has one, is the interface's number in decimal. Errors are those of Inet4.
func (a *Addr) Inet6() (netip.AddrPort, syscall.Errno) {
	switch {
	case a.n < sizeInet6v1:
		return netip.AddrPort{}, syscall.EINVAL
	case a.Family() != syscall.AF_INET6:
		return netip.AddrPort{}, syscall.EAFNOSUPPORT
	}
	ip := netip.AddrFrom16([16]byte(a.raw[8:]))
	if zone := binary.NativeEndian.Uint32(a.raw[24:]); a.n >= sizeInet6 && zone != 0 && !ip.Is4In6() {
		ip = ip.WithZone(strconv.Itoa(int(zone)))
	}
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(a.raw[2:])), 0
}

// SetInet4 makes a the AF_INET address of ap, which is IPv4 (mapped or not) or invalid: 0.0.0.0.
func (a *Addr) SetInet4(ap netip.AddrPort) {
	a.begin(syscall.AF_INET, sizeInet4)
	binary.BigEndian.PutUint16(a.raw[2:], ap.Port())
	if ip := ap.Addr().Unmap(); ip.Is4() {
		b := ip.As4()
		copy(a.raw[4:], b[:])
	}
}

// SetInet6 makes a the AF_INET6 address of ap; an IPv4 address becomes a mapped one (RFC 4291, 2.5.5.2), an invalid one ::.
func (a *Addr) SetInet6(ap netip.AddrPort) {
	a.begin(syscall.AF_INET6, sizeInet6)
	binary.BigEndian.PutUint16(a.raw[2:], ap.Port())
	if ip := ap.Addr(); ip.IsValid() {
		b := ip.As16()
		copy(a.raw[8:], b[:])
		if z := ip.Zone(); z != "" {
			if zone, err := strconv.ParseUint(z, 10, 32); err == nil {
				binary.NativeEndian.PutUint32(a.raw[24:], uint32(zone))
			}
		}
	}
}

// Unix gives the name of an AF_UNIX address as unix(7) has it: a path, without the NUL that may end it; or an abstract name, which begins with a
// NUL; or "" for none. EINVAL for a wrong length or family.
func (a *Addr) Unix() (string, syscall.Errno) {
	if a.n < sizeFamily || a.n > sizeUnix || a.Family() != syscall.AF_UNIX {
		return "", syscall.EINVAL
	}
	name := a.raw[sizeFamily:a.n]
	if len(name) > 0 && name[0] != 0 {
		for i, c := range name {
			if c == 0 {
				name = name[:i]
				break
			}
		}
	}
	return string(name), 0
}

// SetUnix makes a the AF_UNIX address of a name that Unix gave. A path gets its NUL, where there is room.
func (a *Addr) SetUnix(name string) {
	a.begin(syscall.AF_UNIX, sizeFamily)
	n := copy(a.raw[sizeFamily:sizeUnix], name)
	if n > 0 && name[0] != 0 && n < sizeUnix-sizeFamily {
		n++
	}
	a.n += uint8(n)
}

// Netlink gives port and groups of an AF_NETLINK address.
func (a *Addr) Netlink() (port, groups uint32, e syscall.Errno) {
	if a.n < sizeNetlink || a.Family() != syscall.AF_NETLINK {
		return 0, 0, syscall.EINVAL
	}
	return binary.NativeEndian.Uint32(a.raw[4:]), binary.NativeEndian.Uint32(a.raw[8:]), 0
}

// SetNetlink makes a an AF_NETLINK address.
func (a *Addr) SetNetlink(port, groups uint32) {
	a.begin(syscall.AF_NETLINK, sizeNetlink)
	binary.NativeEndian.PutUint32(a.raw[4:], port)
	binary.NativeEndian.PutUint32(a.raw[8:], groups)
}
