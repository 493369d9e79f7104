package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A network is how an image's first card is to be used, as the word ip= of the command line says:
//
//	ip=dhcp                                     ask a DHCP server; so it is without the word, too
//	ip=off                                      leave the cards alone
//	ip=10.0.2.15/24,gw=10.0.2.2,dns=10.0.2.3    use this address; gw, dns and search may be left out, dns and search be repeated
//	ip=fec0::15/64,gw=fec0::2,dns=fec0::3       the same for IPv6
//	ip=10.0.2.15/24,addr=fec0::15/64,...        further addresses, of either family; a gateway each
//	ip=dhcp,slaac=off                           do not listen to routers of IPv6, which is done as long as there is no static address of it; slaac=on does so in any case
type network struct {
	off, dhcp bool
	slaac     bool
	addresses []netip.Prefix
	gateways  []netip.Addr
	servers   []netip.Addr
	search    []string
}

// parseNetwork reads the word's value.
func parseNetwork(v string) (n network, err error) {
	first, rest, _ := strings.Cut(v, ",")
	switch first {
	case "", "dhcp":
		n.dhcp = true
	case "off":
		n.off = true
	default:
		p, err := netip.ParsePrefix(first)
		if err != nil || !usable(p) {
			return n, fmt.Errorf("ip=%s: want dhcp, off, or an address with its prefix, as 10.0.2.15/24 or fec0::15/64", v)
		}
		n.addresses = []netip.Prefix{p}
	}
	slaac := ""
	for rest != "" {
		var word string
		word, rest, _ = strings.Cut(rest, ",")
		key, value, _ := strings.Cut(word, "=")
		var a netip.Addr
		if key == "gw" || key == "dns" {
			a, err = netip.ParseAddr(value)
		}
		switch key {
		case "addr":
			var p netip.Prefix
			if p, err = netip.ParsePrefix(value); err == nil && !usable(p) {
				err = errors.New("no station can have this address")
			}
			n.addresses = append(n.addresses, p)
		case "gw":
			n.gateways = append(n.gateways, a)
		case "dns":
			n.servers = append(n.servers, a)
		case "search":
			n.search = append(n.search, value)
		case "slaac":
			if slaac = value; value != "on" && value != "off" {
				err = errors.New("neither on nor off")
			}
		default:
			err = errors.New("unknown word")
		}
		if err != nil {
			return n, fmt.Errorf("ip=: %s: %w: want addr=ADDRESS/BITS, gw=ADDRESS, dns=ADDRESS, search=DOMAIN or slaac=on|off behind what comes first", word, err)
		}
	}
	n.slaac = slaac == "on" || slaac == "" && !slices.ContainsFunc(n.addresses, func(p netip.Prefix) bool { return p.Addr().Is6() })
	return n, n.check()
}

// check refuses gateways that are on no network of ours, and two for one family.
func (n *network) check() error {
	var had [2]bool
	for _, g := range n.gateways {
		near := g.IsLinkLocalUnicast() && g.Is6() && g.Zone() == ""
		for _, p := range n.addresses {
			near = near || p.Contains(g)
		}
		if !near {
			return fmt.Errorf("ip=: the gateway %s is in no network of %v", g, n.addresses)
		}
		k := 0
		if g.Is6() {
			k = 1
		}
		if had[k] {
			return fmt.Errorf("ip=: the gateway %s is the second one of its family", g)
		}
		had[k] = true
	}
	return nil
}

// usable tells whether a station can have an address.
func usable(p netip.Prefix) bool {
	a := p.Addr()
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && !a.Is4In6() && a.Zone() == ""
}
