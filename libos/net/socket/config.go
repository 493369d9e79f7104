package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// A network is how an image's first card is to be used, as the word ip= of the command line says:
//
//	ip=dhcp                                     ask a DHCP server; so it is without the word, too
//	ip=off                                      leave the cards alone
//	ip=10.0.2.15/24,gw=10.0.2.2,dns=10.0.2.3    use this address; gw, dns and search may be left out, dns and search be repeated
type network struct {
	off, dhcp bool
	prefix    netip.Prefix
	gateway   netip.Addr
	servers   []netip.Addr
	search    []string
}

// parseNetwork reads the word's value.
func parseNetwork(v string) (n network, err error) {
	switch v {
	case "", "dhcp":
		n.dhcp = true
		return n, nil
	case "off":
		n.off = true
		return n, nil
	}
	first, rest, _ := strings.Cut(v, ",")
	if n.prefix, err = netip.ParsePrefix(first); err != nil || !n.prefix.Addr().Is4() || n.prefix.Addr().IsUnspecified() {
		return n, fmt.Errorf("ip=%s: want dhcp, off, or an IPv4 address with its prefix, as 10.0.2.15/24", v)
	}
	for rest != "" {
		var word string
		word, rest, _ = strings.Cut(rest, ",")
		key, value, _ := strings.Cut(word, "=")
		var a netip.Addr
		if key == "gw" || key == "dns" {
			if a, err = netip.ParseAddr(value); err == nil && !a.Is4() {
				err = errors.New("not IPv4")
			}
		}
		switch key {
		case "gw":
			n.gateway = a
		case "dns":
			n.servers = append(n.servers, a)
		case "search":
			n.search = append(n.search, value)
		default:
			err = errors.New("unknown word")
		}
		if err != nil {
			return n, fmt.Errorf("ip=: %s: %w: want gw=ADDRESS, dns=ADDRESS or search=DOMAIN after the address", word, err)
		}
	}
	if n.gateway.IsValid() && !n.prefix.Contains(n.gateway) {
		return n, fmt.Errorf("ip=: the gateway %s is not in the network %s", n.gateway, n.prefix.Masked())
	}
	return n, nil
}
