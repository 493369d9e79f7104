package ip

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// A Route tells by whom to reach a prefix.
type Route struct {
	Prefix    netip.Prefix
	Gateway   netip.Addr // a neighbour on the interface's link
	Interface *Interface
	Metric    int  // of two routes to one prefix the lower one counts
	Leased    bool // a DHCP server has told of it
}

// AddRoute enters a route. One for the same prefix, interface and metric is replaced.
func (h *Host) AddRoute(r Route) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Prefix = r.Prefix.Masked()
	h.routes = slices.DeleteFunc(h.routes, func(o Route) bool {
		return o.Prefix == r.Prefix && o.Interface == r.Interface && o.Metric == r.Metric
	})
	h.routes = append(h.routes, r)
	slices.SortStableFunc(h.routes, func(a, b Route) int {
		if d := b.Prefix.Bits() - a.Prefix.Bits(); d != 0 {
			return d
		}
		return a.Metric - b.Metric
	})
	h.gen.Add(1)
}

// RemoveRoutes takes away the routes that match says.
func (h *Host) RemoveRoutes(match func(Route) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.routes = slices.DeleteFunc(h.routes, match)
	h.gen.Add(1)
}

// Routes gives them, the most specific ones first.
func (h *Host) Routes() []Route {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.routes)
}

// A Path is how packets get from a source to a destination. It is a value that its holder keeps; Output brings it up to date where routes or
// neighbours have changed. One goroutine at a time.
type Path struct {
	Src, Dst  netip.Addr
	Interface *Interface
	MTU       int32 // of IP packets
	Queue     int32 // the interface's transmit queue

	want  *Interface // nil: any
	hop   netip.Addr
	gen   uint64
	fresh tick.Time // until then; 0: for good
	mac   link.MAC
	known bool // mac is the hop's
	group bool // to many: no neighbour
	bound bool // Src was asked for

	Broadcast bool // Dst is all hosts of a network of ours, or of the link
}

// Path finds the way to dst, from src (the zero Addr: the best of ours) and by an interface (nil: any). The hash spreads flows over the interface's transmit queues.
func (h *Host) Path(now tick.Time, dst, src netip.Addr, by *Interface, hash uint32) (Path, error) {
	dst, src = dst.WithZone(""), src.WithZone("")
	p := Path{Src: src, Dst: dst, bound: src.IsValid() && !src.IsUnspecified(), want: by}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.resolve(now, &p); err != nil {
		return Path{}, err
	}
	p.Queue = int32(hash % uint32(len(p.Interface.out)))
	return p, nil
}

// resolve fills a path in; mu held.
func (h *Host) resolve(now tick.Time, p *Path) error {
	gen := h.gen.Load()
	p.known, p.group, p.fresh = false, false, 0
	p.Broadcast = h.broadcast(p.Dst)
	by, hop, err := h.route(p.Dst, p.Src, p.bound, p.want)
	if err != nil {
		return err
	}
	if !p.bound {
		if p.Src = by.source(p.Dst, hop); !p.Src.IsValid() {
			if p.Dst.Is4() {
				return ErrNoRoute // the interface's address is still asked about, or somebody else has it
			}
			return ErrNoSource // as Linux says of IPv6
		}
	}
	p.Interface, p.hop = by, hop
	p.Queue %= int32(len(by.out))
	p.MTU = int32(by.Info.MTU)
	if p.Dst.Is6() && by.six.mtu > 0 {
		p.MTU = min(p.MTU, int32(by.six.mtu)) // what a router says (RFC 4861, 6.3.4)
	}
	if len(h.pmtu) == 0 {
		// as nearly always
	} else if m, ok := h.pmtu[p.Dst]; ok && !by.Loopback {
		if m.until > now {
			p.MTU = min(p.MTU, int32(m.mtu))
		} else {
			delete(h.pmtu, p.Dst)
		}
	}
	switch {
	case by.Loopback:
		p.known = true
		p.mac = by.Info.MAC
	case p.Dst.IsMulticast():
		p.known, p.group = true, true
		p.mac = wire.GroupMAC(p.Dst)
	case p.Broadcast && by.broadcast(p.Dst):
		p.known, p.group = true, true
		p.mac = link.Broadcast
	}
	p.gen = gen
	return nil
}

// route finds the interface and the neighbour; mu held.
func (h *Host) route(dst, src netip.Addr, bound bool, want *Interface) (*Interface, netip.Addr, error) {
	var none netip.Addr
	var own *Interface // who has the source knows best how to reach what is reached by several (RFC 6724, 5, rule 5; RFC 8028 has why)
	if bound {
		if own = h.local(src); own == nil {
			return nil, none, ErrNoSource
		}
	}
	if i := h.local(dst); i != nil {
		// What is for ourselves goes round by the loopback interface, whichever address it has.
		for _, lo := range h.interfaces {
			if lo.Loopback {
				return lo, dst, nil
			}
		}
		return nil, none, ErrNoRoute
	}
	if dst.IsLoopback() {
		return nil, none, ErrNoRoute
	}
	if dst.IsMulticast() || dst == limitedBroadcast {
		if i := h.forGroup(dst, src, bound, want); i != nil {
			return i, dst, nil
		}
		return nil, none, ErrNoRoute
	}
	if dst.Is6() {
		return h.route6(dst, own, want)
	}
	best := -1
	var by *Interface
	for _, i := range h.interfaces {
		if want != nil && i != want {
			continue
		}
		for _, p := range i.addresses {
			if p.Contains(dst) && (p.Bits() > best || p.Bits() == best && i == own) {
				best, by = p.Bits(), i
			}
		}
	}
	if r := h.routed(dst, best, own, want); r != nil {
		return r.Interface, r.Gateway, nil
	}
	if by == nil {
		return nil, none, ErrNoRoute
	}
	return by, dst, nil
}

// routed finds the route for a destination, one of more bits than least; of equal ones own's, then that of the lowest metric. mu held.
func (h *Host) routed(dst netip.Addr, least int, own, want *Interface) (best *Route) {
	for k := range h.routes { // sorted
		r := &h.routes[k]
		if r.Prefix.Bits() <= least || best != nil && r.Prefix.Bits() < best.Prefix.Bits() {
			break // what is on a link goes before routes of the same length
		}
		if !r.Prefix.Contains(dst) || want != nil && r.Interface != want {
			continue
		}
		if own == nil || r.Interface == own {
			return r
		}
		if best == nil {
			best = r
		}
	}
	return best
}

// forGroup picks the interface for a packet to many: the one that was named, or has the source, or the default route, or the first one.
func (h *Host) forGroup(dst, src netip.Addr, bound bool, want *Interface) *Interface {
	if want != nil {
		return want
	}
	if bound {
		return h.local(src)
	}
	for _, r := range h.routes {
		if r.Prefix.Contains(dst) {
			return r.Interface
		}
	}
	for _, i := range h.interfaces {
		if !i.Loopback && (dst.Is4() || i.six.on()) {
			return i
		}
	}
	for _, i := range h.interfaces {
		return i
	}
	return nil
}

// source picks an interface's address to reach a destination with: one whose prefix the next hop is in (RFC 6724, 5, rule 8 for addresses of one interface), else the first.
func (i *Interface) source(dst, hop netip.Addr) netip.Addr {
	if i.Loopback && (dst.IsLoopback() || i.host.local(dst) != nil) {
		return dst
	}
	if dst.Is6() {
		return i.source6(dst)
	}
	var first netip.Addr
	for _, p := range i.addresses {
		switch {
		case p.Addr().Is4() != dst.Is4():
		case p.Contains(hop):
			return p.Addr()
		case !first.IsValid():
			first = p.Addr()
		}
	}
	if !first.IsValid() && dst == limitedBroadcast {
		return netip.IPv4Unspecified() // DHCP has no other yet
	}
	return first
}

// pathMTU is what a router has told (RFC 1191).
type pathMTU struct {
	mtu   int
	until tick.Time
}

// Bounds of path MTUs: RFC 791's 68 bytes would let a stranger make us send crumbs; nothing today has less than 552 (as Linux, min_pmtu). RFC 1191, 6.3: ten minutes.
const (
	leastMTU    = 552
	mtuLife     = 10 * time.Minute
	maxPathMTUs = 1024
)

// learnMTU notes that a path takes packets of mtu bytes and returns whether that is news.
func (h *Host) learnMTU(now tick.Time, dst netip.Addr, mtu int) bool {
	if dst.Is4() {
		mtu = max(mtu, leastMTU)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if old, ok := h.pmtu[dst]; ok && old.until > now && old.mtu <= mtu {
		return false
	}
	if len(h.pmtu) >= maxPathMTUs {
		for a := range h.pmtu { // any: a table so full is an attack's
			delete(h.pmtu, a)
			break
		}
	}
	h.pmtu[dst] = pathMTU{mtu, now.Add(mtuLife)}
	h.gen.Add(1)
	return true
}
