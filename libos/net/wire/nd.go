package wire

import (
	"net/netip"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/link"
)

// Messages of Neighbour Discovery (RFC 4861, 4), and their lengths without options.
const (
	RouterSolicitation    = 133
	RouterAdvertisement   = 134
	NeighborSolicitation  = 135
	NeighborAdvertisement = 136
	Redirect              = 137

	RouterSolicitationSize  = 8
	RouterAdvertisementSize = 16
	NeighborSize            = 24 // solicitation and advertisement
	RedirectSize            = 40
)

// Flags of a neighbour advertisement, in the message's second word.
const (
	NARouter    = 1 << 31
	NASolicited = 1 << 30
	NAOverride  = 1 << 29
)

// Options of Neighbour Discovery (RFC 4861, 4.6; RFC 8106).
const (
	OptionSource       = 1
	OptionTarget       = 2
	OptionPrefix       = 3
	OptionRedirected   = 4
	OptionMTU          = 5
	OptionRDNSS        = 25
	OptionDNSSL        = 31
	linkAddressOption  = 8
	prefixOptionLength = 32
)

// NDOptions calls f for each option, whole, in the order that they come. It tells whether their lengths make sense: a message is not to be looked at else (RFC 4861, 6.1 and 7.1).
func NDOptions(b []byte, f func(typ uint8, option []byte)) bool {
	for at := 0; at < len(b); {
		if len(b)-at < 8 || b[at+1] == 0 || at+int(b[at+1])*8 > len(b) {
			return false
		}
		at += int(b[at+1]) * 8
	}
	for len(b) > 0 {
		n := int(b[1]) * 8
		f(b[0], b[:n])
		b = b[n:]
	}
	return true
}

// LinkAddress is the station in an option of source or target address.
func LinkAddress(option []byte) (m link.MAC) {
	copy(m[:], option[2:])
	return m
}

// AppendLinkAddress appends such an option.
func AppendLinkAddress(b []byte, typ uint8, m link.MAC) []byte {
	return append(append(b, typ, 1), m[:]...)
}

// A PrefixInfo is what a prefix option tells (RFC 4861, 4.6.2).
type PrefixInfo struct {
	Prefix           netip.Prefix
	OnLink, Auto     bool
	Valid, Preferred time.Duration // below 0: for ever
}

// ParsePrefix reads a prefix option.
func ParsePrefix(o []byte) (p PrefixInfo, ok bool) {
	if len(o) != prefixOptionLength || o[2] > 128 {
		return p, false
	}
	p.Prefix = netip.PrefixFrom(netip.AddrFrom16([16]byte(o[16:32])), int(o[2])).Masked()
	p.OnLink, p.Auto = o[3]&0x80 != 0, o[3]&0x40 != 0
	p.Valid, p.Preferred = Lifetime(be.Uint32(o[4:])), Lifetime(be.Uint32(o[8:]))
	return p, true
}

// Lifetime is seconds as Neighbour Discovery counts them: all ones mean for ever, which is told as -1.
func Lifetime(s uint32) time.Duration {
	if s == 1<<32-1 {
		return -1
	}
	return time.Duration(s) * time.Second
}

// ParseRDNSS reads an option of name servers (RFC 8106, 5.1).
func ParseRDNSS(o []byte) (servers []netip.Addr, life time.Duration, ok bool) {
	if len(o) < 24 || (len(o)-8)%16 != 0 {
		return nil, 0, false
	}
	for at := 8; at < len(o); at += 16 {
		servers = append(servers, netip.AddrFrom16([16]byte(o[at:])))
	}
	return servers, Lifetime(be.Uint32(o[4:])), true
}

// ParseDNSSL reads an option of search domains (RFC 8106, 5.2). Names that no DNS name can be are left out.
func ParseDNSSL(o []byte) (domains []string, life time.Duration, ok bool) {
	if len(o) < 16 {
		return nil, 0, false
	}
	life = Lifetime(be.Uint32(o[4:]))
	var name []byte
	sound := true
	for b := o[8:]; len(b) > 0; {
		n := int(b[0])
		if n == 0 {
			if len(name) > 0 && len(name) <= 253 && sound {
				domains = append(domains, string(name))
			}
			name, sound, b = name[:0], true, b[1:]
			continue
		}
		if n > 63 || n+1 > len(b) {
			return domains, life, len(domains) > 0
		}
		if len(name) > 0 {
			name = append(name, '.')
		}
		for _, c := range b[1 : 1+n] {
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
			sound = sound && letter
			name = append(name, c)
		}
		b = b[1+n:]
	}
	return domains, life, true
}
