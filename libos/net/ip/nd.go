package ip

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// Neighbour Discovery (RFC 4861, for hosts). The table is neighbour.go's, which ARP has as well.

// neighborMessage is a neighbour solicitation or advertisement. option: that of a link-layer address, or none.
func neighborMessage(typ uint8, flags uint32, target netip.Addr, option []byte) []byte {
	m := make([]byte, wire.NeighborSize, wire.NeighborSize+8)
	m[0] = typ
	binary.BigEndian.PutUint32(m[4:], flags)
	t := target.As16()
	copy(m[8:], t[:])
	return append(m, option...)
}

// inputND takes in a message of Neighbour Discovery. It tells whether that is a sound one (RFC 4861, 6.1, 7.1, 8.1).
func (h *Host) inputND(now tick.Time, p *Packet, typ uint8) bool {
	i := p.Interface
	if p.TTL != 255 || p.joined || !i.six.on() || !h.whole(p, p.Size) { // RFC 6980: never in fragments
		return false
	}
	m := p.Data[0].Bytes()
	size := map[uint8]int{
		wire.RouterAdvertisement: wire.RouterAdvertisementSize, wire.NeighborSolicitation: wire.NeighborSize,
		wire.NeighborAdvertisement: wire.NeighborSize, wire.Redirect: wire.RedirectSize,
	}[typ]
	if m[1] != 0 || len(m) < size {
		return false
	}
	var mac link.MAC
	has := false
	want := uint8(wire.OptionSource)
	if typ == wire.NeighborAdvertisement || typ == wire.Redirect {
		want = wire.OptionTarget
	}
	sound := wire.NDOptions(m[size:], func(t uint8, o []byte) {
		if t == want && len(o) == 8 && !wire.LinkAddress(o).Multicast() {
			mac, has = wire.LinkAddress(o), true
		}
	})
	if !sound {
		return false
	}
	switch typ {
	case wire.NeighborSolicitation:
		return h.solicited(now, p, netip.AddrFrom16([16]byte(m[8:])), mac, has)
	case wire.NeighborAdvertisement:
		return h.neighbourAdvertised(now, p, m, mac, has)
	case wire.RouterAdvertisement:
		return h.advertised(now, p, m, mac, has)
	}
	return h.redirected(now, p, m, mac, has)
}

// solicited answers who looks for an address of ours (RFC 4861, 7.2.3 and 7.2.4; RFC 4862, 5.4.3).
func (h *Host) solicited(now tick.Time, p *Packet, target netip.Addr, mac link.MAC, has bool) bool {
	i := p.Interface
	probe := p.Src.IsUnspecified()
	if target.IsMulticast() || probe && (has || p.Dst != wire.SolicitedNode(target)) {
		return false
	}
	h.mu.Lock()
	var free []waiting
	a := i.six.find(target)
	switch {
	case a == nil:
	case a.tentative && probe:
		h.duplicate(now, i, target)
		a = nil
	case a.tentative:
		a = nil
	case has && !probe:
		free = i.learn(now, p.Src, mac)
	}
	answer := a != nil && h.answers.allow(now)
	h.mu.Unlock()
	h.release(i, free, mac)
	if !answer {
		return true
	}
	option := wire.AppendLinkAddress(nil, wire.OptionTarget, i.Info.MAC)
	if probe {
		h.sendAsk(ask{i: i, src: target, dst: allNodes, message: neighborMessage(wire.NeighborAdvertisement, wire.NAOverride, target, option), hops: 255})
		return true
	}
	x := ask{i: i, src: target, dst: p.Src, to: mac, message: neighborMessage(wire.NeighborAdvertisement, wire.NASolicited|wire.NAOverride, target, option), hops: 255}
	if !has { // a unicast solicitation need not say where it comes from: the table does
		h.mu.Lock()
		n := i.neighbour[p.Src]
		known := n != nil && n.state != incomplete
		if known {
			x.to = n.mac
		}
		h.mu.Unlock()
		if !known {
			h.viaPath(now, x)
			return true
		}
	}
	h.sendAsk(x)
	return true
}

// neighbourAdvertised takes in an advertisement (RFC 4861, 7.2.5; RFC 4862, 5.4.4).
func (h *Host) neighbourAdvertised(now tick.Time, p *Packet, m []byte, mac link.MAC, has bool) bool {
	i := p.Interface
	flags, target := binary.BigEndian.Uint32(m[4:]), netip.AddrFrom16([16]byte(m[8:]))
	solicited, override := flags&wire.NASolicited != 0, flags&wire.NAOverride != 0
	if target.IsMulticast() || solicited && p.Dst.IsMulticast() {
		return false
	}
	h.mu.Lock()
	if a := i.six.find(target); a != nil {
		if a.tentative {
			h.duplicate(now, i, target)
		} else {
			h.count(AddressConflict)
		}
		h.mu.Unlock()
		return true
	}
	var free []waiting
	if n := i.neighbour[target]; n != nil {
		other := has && n.mac != mac
		switch {
		case n.state == incomplete:
			if has {
				n.mac, n.at, n.asked = mac, now, 0
				if n.state = stale; solicited {
					n.state = reachable
				}
				free, n.waiting = n.waiting, nil
				h.gen.Add(1)
			}
		case other && !override:
			if n.state == reachable {
				n.state = stale
				h.gen.Add(1)
			}
		default:
			if other {
				n.mac = mac
				h.gen.Add(1)
			}
			if solicited {
				n.state, n.at, n.asked = reachable, now, 0
			} else if other {
				n.state = stale
			}
		}
		if n.state == reachable {
			i.six.answered(target)
		}
	}
	if flags&wire.NARouter == 0 { // a router that is none any more
		before := len(i.six.routers)
		i.six.routers = slices.DeleteFunc(i.six.routers, func(r router) bool { return r.addr == target })
		if len(i.six.routers) != before {
			h.gen.Add(1)
		}
	}
	h.mu.Unlock()
	h.release(i, free, mac)
	return true
}

func (s *six) answered(a netip.Addr) {
	for k := range s.routers {
		if s.routers[k].addr == a {
			s.routers[k].failed = 0
		}
	}
}

// advertised takes in what a router tells (RFC 4861, 6.3.4).
func (h *Host) advertised(now tick.Time, p *Packet, m []byte, mac link.MAC, has bool) bool {
	i := p.Interface
	if !p.Src.IsLinkLocalUnicast() {
		return false
	}
	h.mu.Lock()
	s := &i.six
	if !s.auto {
		h.mu.Unlock()
		return true
	}
	if hops := m[4]; hops != 0 {
		s.hops = hops
	}
	h.heardRouter(now, i, p.Src, time.Duration(binary.BigEndian.Uint16(m[6:]))*time.Second, m[5])
	const day = 24 * time.Hour
	if ms := binary.BigEndian.Uint32(m[8:]); ms != 0 {
		s.reachable = min(time.Duration(ms)*time.Millisecond, day)
	}
	if ms := binary.BigEndian.Uint32(m[12:]); ms != 0 {
		s.retrans = min(max(time.Duration(ms)*time.Millisecond, 100*time.Millisecond), time.Minute)
	}
	var free []waiting
	if has {
		free = i.learn(now, p.Src, mac)
	}
	changed := false
	wire.NDOptions(m[wire.RouterAdvertisementSize:], func(t uint8, o []byte) {
		switch t {
		case wire.OptionMTU:
			if mtu := int(binary.BigEndian.Uint32(o[4:])); len(o) == 8 && mtu >= 1280 && mtu <= i.Info.MTU && s.mtu != mtu {
				s.mtu = mtu
				h.gen.Add(1)
			}
		case wire.OptionPrefix:
			if x, ok := wire.ParsePrefix(o); ok && !x.Prefix.Addr().IsLinkLocalUnicast() && !x.Prefix.Addr().IsMulticast() {
				h.heardPrefix(now, i, x)
			}
		case wire.OptionRDNSS:
			if servers, life, ok := wire.ParseRDNSS(o); ok {
				for _, a := range servers {
					if !a.IsMulticast() && !a.IsUnspecified() && !a.IsLoopback() {
						changed = note(now, &s.servers, a, life, maxServers) || changed
					}
				}
			}
		case wire.OptionDNSSL:
			if domains, life, ok := wire.ParseDNSSL(o); ok {
				for _, d := range domains {
					changed = note(now, &s.search, d, life, maxSearch) || changed
				}
			}
		}
	})
	s.solicits = 0
	h.mu.Unlock()
	h.release(i, free, mac)
	h.Tick(now)
	if changed {
		h.tell()
	}
	return true
}

// note enters what a router tells, or renews it, or with a lifetime of 0 takes it out. It tells whether the list has changed.
func note[T comparable](now tick.Time, list *[]learned[T], what T, life time.Duration, most int) bool {
	at := slices.IndexFunc(*list, func(x learned[T]) bool { return x.what == what })
	switch {
	case life == 0 && at >= 0:
		*list = slices.Delete(*list, at, at+1)
		return true
	case life == 0 || at < 0 && len(*list) >= most:
		return false
	case at >= 0:
		(*list)[at].until = until(now, life)
		return false
	}
	*list = append(*list, learned[T]{what, until(now, life)})
	return true
}

// heardRouter enters a router, renews it, or for a lifetime of 0 takes it out; mu held.
func (h *Host) heardRouter(now tick.Time, i *Interface, a netip.Addr, life time.Duration, flags uint8) {
	s := &i.six
	at := slices.IndexFunc(s.routers, func(r router) bool { return r.addr == a })
	preference := [...]int{0, 1, 0, -1}[flags>>3&3]
	switch {
	case life == 0 && at >= 0:
		s.routers = slices.Delete(s.routers, at, at+1)
		h.gen.Add(1)
	case life == 0 || at < 0 && len(s.routers) >= maxRouters:
	case at >= 0:
		s.routers[at].until = now.Add(life)
		if s.routers[at].preference != preference {
			s.routers[at].preference = preference
			h.gen.Add(1)
		}
	default:
		s.routers = append(s.routers, router{addr: a, until: now.Add(life), preference: preference})
		h.gen.Add(1)
	}
}

// heardPrefix takes in a prefix: whether it is on the link, and an address of ours in it (RFC 4861, 6.3.4; RFC 4862, 5.5.3). mu held.
func (h *Host) heardPrefix(now tick.Time, i *Interface, x wire.PrefixInfo) {
	s := &i.six
	if x.OnLink {
		at := slices.IndexFunc(s.onLink, func(o onLink) bool { return o.prefix == x.Prefix })
		switch {
		case x.Valid == 0 && at >= 0:
			s.onLink = slices.Delete(s.onLink, at, at+1)
			h.gen.Add(1)
		case x.Valid == 0 || at < 0 && len(s.onLink) >= maxOnLink:
		case at >= 0:
			s.onLink[at].until = until(now, x.Valid)
		default:
			s.onLink = append(s.onLink, onLink{x.Prefix, until(now, x.Valid)})
			h.gen.Add(1)
		}
	}
	longer := x.Preferred < 0 && x.Valid >= 0 || x.Valid >= 0 && x.Preferred > x.Valid
	if !x.Auto || longer || x.Prefix.Bits() != 64 {
		return
	}
	own := wire.InterfaceID(x.Prefix.Addr(), i.Info.MAC)
	a := s.find(own)
	if a == nil {
		if x.Valid != 0 {
			h.tentative(now, i, address6{
				prefix: netip.PrefixFrom(own, 64), preferred: until(now, x.Preferred), valid: until(now, x.Valid), auto: true,
			})
		}
		return
	}
	if !a.auto {
		return
	}
	if a.preferred = until(now, x.Preferred); a.deprecated != (x.Preferred == 0) {
		a.deprecated = x.Preferred == 0
		h.gen.Add(1)
	}
	left := a.valid.Sub(now)
	switch { // RFC 4862, 5.5.3 (e): who forges an advertisement shall not end an address at once
	case x.Valid < 0 || x.Valid > twoHours || a.valid != 0 && x.Valid > left:
		a.valid = until(now, x.Valid)
	case a.valid == 0 || left > twoHours:
		a.valid = now.Add(twoHours)
	}
}

// A redirect is a better first hop for one destination (RFC 4861, 8).
type redirect struct {
	by  *Interface
	hop netip.Addr
}

// maxRedirects bounds the table; one more empties it, which costs detours only.
const maxRedirects = 256

// redirected takes in a redirect (RFC 4861, 8.1 and 8.3).
func (h *Host) redirected(now tick.Time, p *Packet, m []byte, mac link.MAC, has bool) bool {
	target, dst := netip.AddrFrom16([16]byte(m[8:])), netip.AddrFrom16([16]byte(m[24:]))
	if !p.Src.IsLinkLocalUnicast() || dst.IsMulticast() || target != dst && !target.IsLinkLocalUnicast() || dst.IsLoopback() || dst.IsUnspecified() {
		return false
	}
	i := p.Interface
	h.mu.Lock()
	by, hop, err := h.route6(dst, nil, i)
	if err != nil || by != i || hop != p.Src || h.local(dst) != nil {
		h.mu.Unlock()
		return false
	}
	if len(h.redirects) >= maxRedirects {
		clear(h.redirects)
	}
	if h.redirects == nil {
		h.redirects = map[netip.Addr]redirect{}
	}
	h.redirects[dst] = redirect{i, target}
	h.gen.Add(1)
	var free []waiting
	if has {
		free = i.learn(now, target, mac)
	}
	h.mu.Unlock()
	h.release(i, free, mac)
	return true
}

// learn notes where a neighbour says that it is, without proof that it hears us: new addresses are stale. It gives the frames that waited. mu held.
func (i *Interface) learn(now tick.Time, a netip.Addr, mac link.MAC) (free []waiting) {
	n := i.lookup(now, a)
	if n == nil {
		return nil
	}
	if n.state == incomplete || n.mac != mac {
		n.mac, n.state, n.at, n.asked = mac, stale, now, 0
		i.host.gen.Add(1)
	}
	free, n.waiting = n.waiting, nil
	return free
}

// release sends frames that waited for a neighbour.
func (h *Host) release(i *Interface, free []waiting, to link.MAC) {
	for k := range free {
		h.transmit(i, free[k].queue, &free[k].frame, to)
	}
	if len(free) > 0 {
		for q := range i.out {
			i.Device.Flush(q)
		}
	}
}

// sendAsk sends a message of ICMPv6 that goes past the routes: to a group, or to a station that is known.
func (h *Host) sendAsk(x ask) {
	if x.target.IsValid() {
		h.request(x.i, x.to, x.src, x.target)
		return
	}
	if x.dst.Is4() {
		h.sendIGMP(x)
		return
	}
	r, ok := h.pool.Get()
	if !ok {
		h.count(NoMemory)
		return
	}
	head := wire.EthernetSize + wire.IPv6Size
	if x.alert {
		head += 8
	}
	r.TrimFront(link.Room)
	if r.Len() < head+len(x.message) {
		h.count(NoMemory)
		r.Release()
		return
	}
	r.Truncate(head + len(x.message))
	b := r.Bytes()
	to := x.to
	if to == (link.MAC{}) {
		to = wire.GroupMAC(x.dst)
	}
	wire.Ethernet(b).Set(to, x.i.Info.MAC, wire.TypeIPv6)
	v := wire.V6{Len: len(b) - wire.EthernetSize - wire.IPv6Size, Next: wire.ICMPv6, HopLimit: x.hops, Src: x.src, Dst: x.dst}
	if x.alert {
		v.Next = wire.HopByHop
		copy(b[wire.EthernetSize+wire.IPv6Size:], []byte{wire.ICMPv6, 0, 5, 2, 0, 0, 1, 0}) // router alert for MLD (RFC 2711)
	}
	wire.IPv6(b[wire.EthernetSize:]).Set(v)
	m := b[head:]
	copy(m, x.message)
	m[2], m[3] = 0, 0
	sum := ^wire.Fold(wire.Sum(wire.PseudoSum(x.src, x.dst, wire.ICMPv6, len(m)), m))
	binary.BigEndian.PutUint16(m[2:], sum)
	h.sendFrame(x.i, r)
}

// sendFrame sends a whole frame of the host's own.
func (h *Host) sendFrame(i *Interface, r buf.Ref) {
	f := link.Frame{Head: r}
	h.count(PacketsOut)
	i.send(0, &f)
	i.Device.Flush(0)
}

// viaPath sends a message of ICMPv6 as any packet: its neighbour is looked for.
func (h *Host) viaPath(now tick.Time, x ask) {
	path, err := h.Path(now, x.dst, x.src, x.i, 0)
	if err != nil {
		return
	}
	f, ok := h.message(0, 0, 0)
	if !ok {
		return
	}
	f.Head.Grow(0, len(x.message)-wire.ICMPSize)
	copy(f.Head.Bytes(), x.message)
	if h.Output(now, &path, &f, Out{Protocol: wire.ICMPv6, TTL: x.hops, Checksum: wire.ICMPChecksumOffset, Pseudo: true}) == nil {
		path.Flush()
	}
}
