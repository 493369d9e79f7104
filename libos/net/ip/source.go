package ip

import (
	"math/bits"
	"net/netip"
)

// Which of an interface's addresses is the source (RFC 6724).

// policies is RFC 6724's default table (2.1), the longest prefixes first; its precedence is about destinations, which Go's resolver sorts itself.
var policies = []struct {
	prefix netip.Prefix
	label  int
}{
	{netip.MustParsePrefix("::1/128"), 0},
	{netip.MustParsePrefix("::ffff:0:0/96"), 4},
	{netip.MustParsePrefix("::/96"), 3},
	{netip.MustParsePrefix("2001::/32"), 5},
	{netip.MustParsePrefix("2002::/16"), 2},
	{netip.MustParsePrefix("3ffe::/16"), 12},
	{netip.MustParsePrefix("fec0::/10"), 11},
	{netip.MustParsePrefix("fc00::/7"), 13},
	{netip.MustParsePrefix("::/0"), 1},
}

func label(a netip.Addr) int {
	for _, p := range policies {
		if p.prefix.Contains(a) {
			return p.label
		}
	}
	return 1
}

// Scopes of addresses (RFC 4007; RFC 6724, 3.1).
const (
	scopeLink   = 2
	scopeSite   = 5
	scopeGlobal = 14
)

func scope(a netip.Addr) int {
	b := a.As16()
	switch {
	case a.IsMulticast():
		return int(b[1] & 15)
	case a.IsLoopback() || a.IsLinkLocalUnicast():
		return scopeLink
	case b[0] == 0xfe && b[1]&0xc0 == 0xc0:
		return scopeSite
	}
	return scopeGlobal
}

// common is how many leading bits two addresses share, of the prefix of the first.
func common(a netip.Prefix, b netip.Addr) int {
	x, y := a.Addr().As16(), b.As16()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			return min(i*8+bits.LeadingZeros8(d), a.Bits())
		}
	}
	return a.Bits()
}

// source6 picks the source of packets to a destination: RFC 6724, 5. Rules 4 and 7 are about what there is none of here, rule 5 is kept by looking at one interface only.
// mu held.
func (i *Interface) source6(dst netip.Addr) (best netip.Addr) {
	var with netip.Prefix
	for _, p := range i.addresses {
		if p.Addr().Is6() && (!best.IsValid() || i.better(p, with, dst)) {
			best, with = p.Addr(), p
		}
	}
	return best
}

// better tells whether a is a better source than b.
func (i *Interface) better(a, b netip.Prefix, dst netip.Addr) bool {
	if a.Addr() == dst || b.Addr() == dst { // rule 1
		return a.Addr() == dst
	}
	if x, y, d := scope(a.Addr()), scope(b.Addr()), scope(dst); x != y { // rule 2
		if x < y {
			return x >= d
		}
		return y < d
	}
	if x, y := i.six.deprecated(a.Addr()), i.six.deprecated(b.Addr()); x != y { // rule 3
		return y
	}
	if x, y, d := label(a.Addr()), label(b.Addr()), label(dst); (x == d) != (y == d) { // rule 6
		return x == d
	}
	return common(a, dst) > common(b, dst) // rule 8
}
