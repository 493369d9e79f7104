// Package setup reads how an image's network cards are to be set up: what the words ip= and hostname= of the command line say, and mkimage's flags that become them.
//
// The value of ip= is a list of cards, separated by semicolons:
//
//	dhcp                                          ask a DHCP server; so it is without the word, too
//	off                                           leave the card alone
//	10.0.2.15/24,gw=10.0.2.2,dns=10.0.2.3         use this address; gw, dns and search may be left out, dns and search be repeated
//	fec0::15/64,gw=fec0::2,dns=fec0::3            the same for IPv6
//	10.0.2.15/24,addr=fec0::15/64,...             further addresses, of either family; a gateway each
//	dhcp,slaac=off                                do not listen to routers of IPv6, which is done as long as there is no static address of it; slaac=on does so in any case
//	dhcp,probe=full                               ask for four to seven seconds whether somebody else on the link has the address (RFC 5227); probe=fast for 20 ms, as without
//	                                              the word; probe=off not at all
//	eth1=10.0.3.15/24                             that of one card, by the name that the image gives it, or its station address, as 52:54:00:12:34:56
//
// What is said without a card's name is about the first card if it has an address, and else about all that are not named.
package setup

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/libos/net/ip"
)

// A Card is how one network card is to be set up.
type Card struct {
	Name      string // of the card, or its station address in lower case; "": see Cards.For
	Off, DHCP bool
	SLAAC     bool // IPv6 as the link's routers have it
	Probe     ip.Probing
	Addresses []netip.Prefix
	Gateways  []netip.Addr // one of each family at most, in one of Addresses or of the link
	Servers   []netip.Addr // of names
	Search    []string     // domains
}

// Cards is what the word ip= says.
type Cards []Card

// first is what the image calls its first card.
const first = "eth0"

// For gives how a card is to be set up, by its name and station address.
func (cs Cards) For(name, mac string) Card {
	for _, c := range cs {
		if c.Name == name || c.Name == mac {
			return c
		}
	}
	for _, c := range cs {
		if c.Name == "" && (name == first || len(c.Addresses) == 0) {
			return c
		}
	}
	return Card{DHCP: true, SLAAC: true}
}

// Off tells whether a card is to be left alone by what is said of its name.
func (cs Cards) Off(name string) bool {
	return slices.ContainsFunc(cs, func(c Card) bool { return c.Name == name && c.Off })
}

// AllOff tells whether no card is wanted.
func (cs Cards) AllOff() bool {
	return !slices.ContainsFunc(cs, func(c Card) bool { return !c.Off }) && slices.ContainsFunc(cs, func(c Card) bool { return c.Name == "" })
}

// Parse reads the value of ip=.
func Parse(v string) (cs Cards, err error) {
	for section := range strings.SplitSeq(v, ";") {
		name := ""
		if before, rest, found := strings.Cut(section, "="); found && !strings.Contains(before, ",") {
			if name = strings.ToLower(before); !isCard(name) {
				return nil, fmt.Errorf("ip=: %q is no card: want a name as eth1, or a station address as 52:54:00:12:34:56", before)
			}
			section = rest
		}
		if slices.ContainsFunc(cs, func(c Card) bool { return c.Name == name }) {
			if name == "" {
				name = "what has no card's name"
			}
			return nil, fmt.Errorf("ip=%s: %s is there twice", v, name)
		}
		c, err := parse(section)
		if err != nil {
			return nil, err
		}
		c.Name = name
		cs = append(cs, c)
	}
	return cs, nil
}

// isCard tells whether a text names a card.
func isCard(s string) bool {
	if n, ok := strings.CutPrefix(s, "eth"); ok {
		return n != "" && len(n) < 4 && strings.Trim(n, "0123456789") == "" && (n == "0" || n[0] != '0')
	}
	bytes := strings.Split(s, ":")
	return len(bytes) == 6 && !slices.ContainsFunc(bytes, func(b string) bool { return len(b) != 2 || strings.Trim(b, "0123456789abcdef") != "" })
}

// parse reads what is said of one card.
func parse(v string) (c Card, err error) {
	first, rest, _ := strings.Cut(v, ",")
	switch first {
	case "", "dhcp":
		c.DHCP = true
	case "off":
		c.Off = true
	default:
		p, err := netip.ParsePrefix(first)
		if err != nil || !usable(p) {
			return c, fmt.Errorf("ip=%s: want dhcp, off, or an address with its prefix, as 10.0.2.15/24 or fec0::15/64", v)
		}
		c.Addresses = []netip.Prefix{p}
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
			c.Addresses = append(c.Addresses, p)
		case "gw":
			c.Gateways = append(c.Gateways, a)
		case "dns":
			c.Servers = append(c.Servers, a)
		case "search":
			if !IsName(value) {
				err = errors.New("no domain")
			}
			c.Search = append(c.Search, value)
		case "slaac":
			if slaac = value; value != "on" && value != "off" {
				err = errors.New("neither on nor off")
			}
		case "probe":
			how, ok := map[string]ip.Probing{"fast": ip.Quickly, "full": ip.Fully, "off": ip.Not}[value]
			if c.Probe = how; !ok {
				err = errors.New("neither fast nor full nor off")
			}
		default:
			err = errors.New("unknown word")
		}
		if err != nil {
			return c, fmt.Errorf("ip=: %s: %w: want addr=ADDRESS/BITS, gw=ADDRESS, dns=ADDRESS, search=DOMAIN, slaac=on|off or probe=fast|full|off behind what comes first", word, err)
		}
	}
	c.SLAAC = slaac == "on" || slaac == "" && !slices.ContainsFunc(c.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() })
	return c, c.check()
}

// check refuses gateways that are on no network of ours, and two for one family.
func (c *Card) check() error {
	var had [2]bool
	for _, g := range c.Gateways {
		near := g.IsLinkLocalUnicast() && g.Is6() && g.Zone() == ""
		for _, p := range c.Addresses {
			near = near || p.Contains(g)
		}
		if !near {
			return fmt.Errorf("ip=: the gateway %s is in no network of %v", g, c.Addresses)
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

// IsName tells whether a text can be a host's or a domain's name: labels of letters, digits, hyphens and underscores, 253 bytes at most.
func IsName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(c rune) bool {
			return !(c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z')
		}) {
			return false
		}
	}
	return true
}

// IsHostName tells whether the image can be called so: a name of 64 bytes at most, which is what uname(2) has room for.
func IsHostName(s string) bool { return len(s) <= 64 && !strings.HasSuffix(s, ".") && IsName(s) }
