package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hardtack-os/hardtack/libos/net/setup"
)

// Kinds of Settings.Net; TapPrefix goes before the name of an interface.
const (
	NetUser   = "user"
	NetNone   = "none"
	TapPrefix = "tap="
)

// CheckNet refuses network cards that no machine can have.
func CheckNet(cards []string) error {
	taps := map[string]bool{}
	for _, v := range cards {
		name, tap := strings.CutPrefix(v, TapPrefix)
		switch {
		case v == NetUser, v == NetNone && len(cards) == 1:
		case v == NetNone:
			return fmt.Errorf("net none: there is another card, too")
		case !tap:
			return fmt.Errorf("net %q: want user, none or tap=NAME", v)
		case name == "" || len(name) > 15 || strings.ContainsAny(name, ", /\t\n"):
			return fmt.Errorf("net %q: an interface's name has 1 to 15 characters, none of them a space, comma or slash", v)
		case taps[name]:
			return fmt.Errorf("net %q: it is there twice", v)
		default:
			taps[name] = true
		}
	}
	if len(cards) > MaxCards {
		return fmt.Errorf("%d network cards: a machine has at most %d", len(cards), MaxCards)
	}
	return nil
}

// MaxCards is how many network cards a machine can have: it has places for other devices, too.
const MaxCards = 4

// CheckIP refuses what the image would refuse.
func CheckIP(cards []string) error {
	for _, v := range cards {
		if v == "" {
			return fmt.Errorf("ip %q: want dhcp, off, or an address with its prefix", v)
		}
	}
	_, err := setup.Parse(ipWord(cards))
	return err
}

// ipWord is the image's setting: the cards, separated by semicolons.
func ipWord(cards []string) string { return strings.Join(cards, ";") }

// CheckHostName refuses what the image cannot be called.
func CheckHostName(name string) error {
	if name != "" && !setup.IsHostName(name) {
		return fmt.Errorf("host name %q: want letters, digits, hyphens and dots, 64 of them at most", name)
	}
	return nil
}

// CheckNetstat refuses what is no port.
func CheckNetstat(port string) error {
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return fmt.Errorf("netstat %q: want a port, as 7070", port)
	}
	return nil
}

// A Word is one of the image's command line: ARCHITECTURE.md has them.
type Word struct{ Key, Value string }

// Words are what settings say to the image, but for its arguments and environment.
func (s Settings) Words() (words []Word, err error) {
	add := func(key, value string) {
		if value != "" {
			words = append(words, Word{key, value})
		}
	}
	add("ip", ipWord(s.IP))
	add("hostname", s.HostName)
	add("netstat", s.Netstat)
	add("ntp", strings.Join(s.NTP, ","))
	disks, err := s.DisksWord()
	add("disks", disks)
	add("pagecache", pageCacheWord(s.PageCache))
	return words, err
}

// CheckNTP refuses what is neither name nor address, with a port or without.
func CheckNTP(servers []string) error {
	for _, v := range servers {
		host, port := v, "123"
		if h, p, err := net.SplitHostPort(v); err == nil {
			host, port = h, p
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, "\" ,=\\/") {
			return fmt.Errorf("time server %q: want a name or an address, as ntp.example.com or 192.0.2.1:1123", v)
		}
	}
	return nil
}

// A Port is one of the host's that leads to one of the image's.
type Port struct {
	Host  netip.AddrPort
	Guest uint16
	UDP   bool
}

// loopback is where a port is that is given without an address: what runs in an image is not for everybody unless somebody says so.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Ports reads what is to be published: [ADDRESS:]HOST:IMAGE[/tcp|/udp], ADDRESS 127.0.0.1 if it is left out.
func Ports(list []string) (ports []Port, err error) {
	for _, v := range list {
		p, ok := parsePort(v)
		if !ok {
			return nil, fmt.Errorf("port %q: want HOST:IMAGE, as 8080:80, with an address before and /udp behind if need be, as 0.0.0.0:5353:53/udp", v)
		}
		if slices.ContainsFunc(ports, p.clashes) {
			return nil, fmt.Errorf("port %q: port %d of this machine is led to the image twice; take another one", v, p.Host.Port())
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// clashes reports whether two ports of the host cannot be had at once.
func (p Port) clashes(q Port) bool {
	a, b := p.Host.Addr(), q.Host.Addr()
	return p.Host.Port() == q.Host.Port() && p.UDP == q.UDP && (a == b || a.IsUnspecified() || b.IsUnspecified())
}

func parsePort(v string) (p Port, ok bool) {
	v, proto, has := strings.Cut(v, "/")
	if has && proto != "tcp" && proto != "udp" {
		return p, false
	}
	p.UDP = proto == "udp"
	host, guest, found := strings.Cut(v, ":")
	addr := loopback
	if a, rest, three := strings.Cut(guest, ":"); three {
		var err error
		if addr, err = netip.ParseAddr(host); err != nil || !addr.Is4() {
			return p, false
		}
		host, guest = a, rest
	}
	h, err1 := strconv.ParseUint(host, 10, 16)
	g, err2 := strconv.ParseUint(guest, 10, 16)
	if !found || err1 != nil || err2 != nil || h == 0 || g == 0 {
		return p, false
	}
	p.Host, p.Guest = netip.AddrPortFrom(addr, uint16(h)), uint16(g)
	return p, true
}
