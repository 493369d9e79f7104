package ip

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// An interface's addresses of IPv6, and what routers have told on its link (RFC 4861, 6.3; RFC 4862; RFC 8106). Host.mu guards all of it.

// six is what an interface has for IPv6.
type six struct {
	enabled atomic.Bool // Enable6
	auto    bool        // routers are listened to
	addrs   []address6
	onLink  []onLink
	routers []router
	hops    uint8 // of packets to be sent, as a router says; 0: none has
	mtu     int   // likewise

	reachable, retrans time.Duration // likewise; 0: RFC 4861's

	solicits int       // router solicitations still to be sent
	solicit  tick.Time // when

	servers []learned[netip.Addr]
	search  []learned[string]
}

// An address6 is one of the interface's own. Those that are not tentative are in Interface.addresses, too.
type address6 struct {
	prefix           netip.Prefix
	tentative        bool // somebody else may have it: Duplicate Address Detection runs
	probes           int  // solicitations still to be sent
	next             tick.Time
	preferred, valid tick.Time // until then; 0: for ever
	deprecated       bool
	auto             bool // of a router's prefix
}

// An onLink is a prefix whose addresses are neighbours.
type onLink struct {
	prefix netip.Prefix
	until  tick.Time // 0: for ever
}

// A router is one that has advertised itself.
type router struct {
	addr       netip.Addr
	until      tick.Time
	preference int       // RFC 4191, 2.1: 1, 0, -1
	failed     tick.Time // when it did not answer
}

type learned[T any] struct {
	what  T
	until tick.Time // 0: for ever
}

// Bounds of what strangers on the link can fill, and RFC 4861's and 4862's numbers (section 10; 5.1).
const (
	maxAddresses6 = 16
	maxOnLink     = 16
	maxRouters    = 8
	maxServers    = 6
	maxSearch     = 6

	dadTransmits    = 1
	retransTimer    = time.Second
	maxSolicits     = 3
	solicitInterval = 4 * time.Second
	twoHours        = 2 * time.Hour
)

func (s *six) on() bool { return s.enabled.Load() }

// hopLimit is that of packets of IPv6.
func (i *Interface) hopLimit() uint8 {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	if i.six.hops != 0 {
		return i.six.hops
	}
	return 64
}

// HopLimit is what routers say that packets should have, or RFC 1700's 64.
func (i *Interface) HopLimit() int { return int(i.hopLimit()) }

func (s *six) deprecated(a netip.Addr) bool {
	for k := range s.addrs {
		if s.addrs[k].prefix.Addr() == a {
			return s.addrs[k].deprecated
		}
	}
	return false
}

func (i *Interface) retransTimer() time.Duration {
	if r := i.six.retrans; r > 0 {
		return r
	}
	return retransTimer
}

// Enable6 gives an interface its link-local address and, with auto, has it ask routers for more. Devices with an MTU below 1280 cannot (RFC 8200, 5): false.
func (h *Host) Enable6(now tick.Time, i *Interface, auto bool) bool {
	const leastMTU6 = 1280
	if i.Loopback || i.Info.MTU < leastMTU6 {
		return false
	}
	h.mu.Lock()
	if i.six.on() {
		h.mu.Unlock()
		return true
	}
	i.six.auto = auto
	i.six.enabled.Store(true)
	i.six.onLink = append(i.six.onLink, onLink{prefix: linkLocal})
	h.tentative(now, i, address6{prefix: netip.PrefixFrom(wire.InterfaceID(linkLocal.Addr(), i.Info.MAC), 64)})
	h.mu.Unlock()
	h.Tick(now)
	return true
}

// AddAddress6 gives an interface an address of IPv6 for good, once Duplicate Address Detection has found nobody else with it. What is in its prefix is on the link.
func (h *Host) AddAddress6(now tick.Time, i *Interface, p netip.Prefix) {
	h.Enable6(now, i, false)
	h.mu.Lock()
	i.six.onLink = append(i.six.onLink, onLink{prefix: p.Masked()})
	h.tentative(now, i, address6{prefix: p})
	h.mu.Unlock()
	h.Tick(now)
}

// tentative begins Duplicate Address Detection (RFC 4862, 5.4); mu held.
func (h *Host) tentative(now tick.Time, i *Interface, a address6) {
	if i.six.find(a.prefix.Addr()) != nil || len(i.six.addrs) >= maxAddresses6 {
		return
	}
	a.tentative, a.probes, a.next = true, dadTransmits, now
	i.six.addrs = append(i.six.addrs, a)
	h.join1(i, wire.SolicitedNode(a.prefix.Addr()), now)
}

func (s *six) find(a netip.Addr) *address6 {
	for k := range s.addrs {
		if s.addrs[k].prefix.Addr() == a {
			return &s.addrs[k]
		}
	}
	return nil
}

// remove takes an address away; mu held.
func (h *Host) remove6(now tick.Time, i *Interface, a netip.Addr) {
	i.six.addrs = slices.DeleteFunc(i.six.addrs, func(x address6) bool { return x.prefix.Addr() == a })
	i.addresses = slices.DeleteFunc(slices.Clone(i.addresses), func(p netip.Prefix) bool { return p.Addr() == a })
	h.leave1(i, wire.SolicitedNode(a), now)
	h.gen.Add(1)
}

// duplicate is what becomes of a tentative address that somebody else has; mu held.
func (h *Host) duplicate(now tick.Time, i *Interface, a netip.Addr) {
	h.count(AddressConflict)
	own := wire.InterfaceID(linkLocal.Addr(), i.Info.MAC)
	h.remove6(now, i, a)
	if a == own { // another station has our MAC: RFC 4862, 5.4.5, wants the interface to be silent
		for len(i.six.addrs) > 0 {
			h.remove6(now, i, i.six.addrs[0].prefix.Addr())
		}
		i.six.enabled.Store(false)
	}
}

// An ask is a message that is to be sent once mu is released.
type ask struct {
	i        *Interface
	src, dst netip.Addr
	to       link.MAC // all zero: dst's group
	message  []byte
	alert    bool
	hops     uint8
	target   netip.Addr // valid: it is a request for a neighbour instead
}

// tick6 does what is due on an interface and appends what is to be sent; mu held.
func (h *Host) tick6(now tick.Time, i *Interface, asks []ask) (_ []ask, changed bool) {
	s := &i.six
	for k := 0; k < len(s.addrs); k++ {
		a := &s.addrs[k]
		addr := a.prefix.Addr()
		switch {
		case a.valid.Due(now):
			h.remove6(now, i, addr)
			k--
			changed = true
		case a.tentative && a.next.Due(now) && a.probes > 0:
			a.probes--
			a.next = now.Add(i.retransTimer())
			asks = append(asks, ask{i: i, src: netip.IPv6Unspecified(), dst: wire.SolicitedNode(addr), message: neighborMessage(wire.NeighborSolicitation, 0, addr, nil), hops: 255})
		case a.tentative && a.next.Due(now):
			a.tentative, a.next = false, 0
			i.addresses = append(slices.Clip(i.addresses), a.prefix)
			h.gen.Add(1)
			changed = true
			if addr.IsLinkLocalUnicast() && s.auto {
				s.solicits, s.solicit = maxSolicits, now
			}
			h.rejoin(i, now)
		case !a.deprecated && a.preferred.Due(now):
			a.deprecated = true
			h.gen.Add(1)
		}
	}
	if n := len(s.onLink); n > 0 {
		s.onLink = slices.DeleteFunc(s.onLink, func(o onLink) bool { return o.until.Due(now) })
		if len(s.onLink) != n {
			h.gen.Add(1)
		}
	}
	if n := len(s.routers); n > 0 {
		s.routers = slices.DeleteFunc(s.routers, func(r router) bool { return r.until.Due(now) })
		if len(s.routers) != n {
			h.gen.Add(1)
		}
	}
	n := len(s.servers) + len(s.search)
	s.servers = slices.DeleteFunc(s.servers, func(x learned[netip.Addr]) bool { return x.until.Due(now) })
	s.search = slices.DeleteFunc(s.search, func(x learned[string]) bool { return x.until.Due(now) })
	changed = changed || n != len(s.servers)+len(s.search)
	if s.solicits > 0 && s.solicit.Due(now) {
		s.solicits--
		s.solicit = now.Add(solicitInterval)
		if src := i.linkLocal(); src.IsValid() {
			m := make([]byte, wire.RouterSolicitationSize, wire.RouterSolicitationSize+8)
			m[0] = wire.RouterSolicitation
			asks = append(asks, ask{i: i, src: src, dst: allRouters, message: wire.AppendLinkAddress(m, wire.OptionSource, i.Info.MAC), hops: 255})
		}
	}
	return asks, changed
}

// deadline6 is when tick6 is to be called; mu held.
func (i *Interface) deadline6() (d tick.Time) {
	s := &i.six
	for k := range s.addrs {
		a := &s.addrs[k]
		d = tick.Sooner(tick.Sooner(d, a.next), a.valid)
		if !a.deprecated {
			d = tick.Sooner(d, a.preferred)
		}
	}
	for _, o := range s.onLink {
		d = tick.Sooner(d, o.until)
	}
	for _, r := range s.routers {
		d = tick.Sooner(d, r.until)
	}
	for _, x := range s.servers {
		d = tick.Sooner(d, x.until)
	}
	for _, x := range s.search {
		d = tick.Sooner(d, x.until)
	}
	if s.solicits > 0 {
		d = tick.Sooner(d, s.solicit)
	}
	return d
}

// linkLocal is the interface's address for the link; mu held.
func (i *Interface) linkLocal() (a netip.Addr) {
	for _, p := range i.addresses {
		if p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() {
			return p.Addr()
		}
	}
	return a
}

// Learned gives the name servers and search domains that routers have told of on all interfaces (RFC 8106). A server of one link has that interface's number as its zone.
func (h *Host) Learned() (servers []netip.Addr, search []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, i := range h.interfaces {
		for _, x := range i.six.servers {
			a := x.what
			if a.IsLinkLocalUnicast() {
				a = a.WithZone(i.Info.Name)
			}
			servers = append(servers, a)
		}
		for _, x := range i.six.search {
			search = append(search, x.what)
		}
	}
	return servers, search
}

// until is when a lifetime ends: 0, for ever, for one below 0.
func until(now tick.Time, life time.Duration) tick.Time {
	if life < 0 {
		return 0
	}
	return now.Add(max(life, 1))
}

// route6 finds the interface and the neighbour for a destination that is not ours: RFC 4861, 5.2. mu held.
func (h *Host) route6(dst netip.Addr, own, want *Interface) (*Interface, netip.Addr, error) {
	var none netip.Addr
	if dst.IsLinkLocalUnicast() && want == nil {
		// Without a zone: the one card there is, as nobody can mean another.
		for _, i := range h.interfaces {
			if i.six.on() {
				if want != nil {
					return nil, none, ErrNoRoute
				}
				want = i
			}
		}
	}
	best := -1
	var by *Interface
	for _, i := range h.interfaces {
		if want != nil && i != want {
			continue
		}
		for _, o := range i.six.onLink {
			if o.prefix.Contains(dst) && (o.prefix.Bits() > best || o.prefix.Bits() == best && i == own) {
				best, by = o.prefix.Bits(), i
			}
		}
	}
	if to, ok := h.redirects[dst]; ok && by == nil && (want == nil || to.by == want) {
		return to.by, to.hop, nil
	}
	if r := h.routed(dst, best, own, want); r != nil {
		return r.Interface, r.Gateway, nil
	}
	if by != nil {
		return by, dst, nil
	}
	var first *router
	for _, i := range h.interfaces {
		if want != nil && i != want {
			continue
		}
		for k := range i.six.routers {
			r := &i.six.routers[k]
			better := first == nil || r.before(first)
			if first != nil && (r.failed == 0) == (first.failed == 0) && (i == own) != (by == own) {
				better = i == own
			}
			if better {
				first, by = r, i
			}
		}
	}
	if first == nil {
		return nil, none, ErrNoRoute
	}
	return by, first.addr, nil
}

// before tells whether a router is the better one: one that answers before one that has not (RFC 4861, 6.3.6), then RFC 4191's preference.
func (r *router) before(o *router) bool {
	if (r.failed == 0) != (o.failed == 0) {
		return r.failed == 0
	}
	if r.failed != 0 {
		return r.failed < o.failed
	}
	return r.preference > o.preference
}
