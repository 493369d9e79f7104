package ip

import (
	"net/netip"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// A neighbour is a station on the link, or one that is looked for. The states are RFC 4861's (7.3.2), which fit ARP as well.
type neighbour struct {
	mac     link.MAC
	state   neighbourState
	at      tick.Time // when it was last heard, or asked
	asked   int       // requests without an answer
	used    tick.Time
	waiting []waiting
}

type neighbourState uint8

const (
	incomplete neighbourState = iota
	reachable
	stale // not heard of for a while: the next packet still goes out
	delay // one has: who answers it may be heard soon
	probing
)

// A waiting frame is one whose destination's address is asked for.
type waiting struct {
	frame link.Frame
	queue int
}

// Bounds and times of the neighbours' table.
const (
	maxNeighbours = 1024
	maxWaiting    = 16 // frames for each
	reachableTime = 30 * time.Second
	requestEvery  = time.Second
	maxRequests   = 3
	delayFirst    = 5 * time.Second
)

// lookup gives the neighbour's entry, made if need be; nil: the table is full of neighbours in use. mu held.
func (i *Interface) lookup(now tick.Time, a netip.Addr) *neighbour {
	if n := i.neighbour[a]; n != nil {
		return n
	}
	if len(i.neighbour) >= maxNeighbours && !i.evict(now) {
		i.host.count(NeighbourLimit)
		return nil
	}
	n := &neighbour{used: now}
	i.neighbour[a] = n
	return n
}

// evict removes the neighbour that was used least lately and does not have frames waiting.
func (i *Interface) evict(now tick.Time) bool {
	var oldest netip.Addr
	when := now + 1
	for a, n := range i.neighbour {
		if len(n.waiting) == 0 && n.used < when {
			oldest, when = a, n.used
		}
	}
	if !oldest.IsValid() {
		return false
	}
	delete(i.neighbour, oldest)
	i.host.gen.Add(1)
	return true
}

// hop finds the station of a path's next hop, or lets the frame wait for it. It takes mu. ask: a request is to be sent, to mac.
func (h *Host) hop(now tick.Time, p *Path, f *link.Frame) (known, ask bool, to link.MAC) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := p.Interface.lookup(now, p.hop)
	if n == nil {
		f.Release()
		return false, false, to
	}
	n.used = now
	switch n.state {
	case reachable:
		if now.Sub(n.at) < p.Interface.reachableTime(p.hop) {
			p.mac, p.known, p.fresh = n.mac, true, n.at.Add(p.Interface.reachableTime(p.hop))
			return true, false, to
		}
		n.state = stale
		fallthrough
	case stale:
		n.state, n.at, n.asked = delay, now, 0
		fallthrough
	case delay, probing:
		p.mac, p.known, p.fresh = n.mac, true, now.Add(requestEvery)
		return true, false, to
	}
	if len(n.waiting) >= maxWaiting {
		n.waiting[0].frame.Release()
		h.count(NeighbourFailed)
		copy(n.waiting, n.waiting[1:])
		n.waiting = n.waiting[:maxWaiting-1]
	}
	w := waiting{queue: int(p.Queue)}
	w.frame = *f
	*f = link.Frame{} // its Body's array has gone with it
	n.waiting = append(n.waiting, w)
	if n.asked == 0 {
		n.asked, n.at = 1, now
		return false, true, link.Broadcast
	}
	return false, false, to
}

// reachableTime is how long a neighbour is believed to be where it is; mu held.
func (i *Interface) reachableTime(a netip.Addr) time.Duration {
	if a.Is6() && i.six.reachable > 0 {
		return i.six.reachable // what routers say
	}
	return reachableTime
}

// asks is when a neighbour's entry is to be looked at; 0: nothing is asked for.
func (n *neighbour) asks() tick.Time {
	switch {
	case n.state == delay:
		return n.at.Add(delayFirst)
	case n.state == probing, n.state == incomplete && n.asked > 0:
		return n.at.Add(requestEvery)
	}
	return 0
}

// heard notes a neighbour's address, if it is known or asked for, or if make is set, and gives the frames that waited for it. mu held.
func (i *Interface) heard(now tick.Time, a netip.Addr, mac link.MAC, make bool) (free []waiting) {
	n := i.neighbour[a]
	if n == nil {
		if !make {
			return nil
		}
		if n = i.lookup(now, a); n == nil {
			return nil
		}
	}
	if n.mac != mac || n.state != reachable {
		i.host.gen.Add(1)
	}
	n.mac, n.state, n.at, n.asked = mac, reachable, now, 0
	free, n.waiting = n.waiting, nil
	return free
}

// inputARP takes in an ARP packet (RFC 826, RFC 5227).
func (h *Host) inputARP(now tick.Time, i *Interface, f *link.Frame) {
	p := wire.ARP(f.Head.Bytes()[wire.EthernetSize:])
	if !p.Check() || p.SenderMAC().Multicast() {
		h.count(BadARP)
		return
	}
	sender, target, mac := p.Sender(), p.Target(), p.SenderMAC()
	if mac == i.Info.MAC {
		return // our own, come back
	}
	h.mu.Lock()
	ours := false
	for _, a := range i.addresses {
		ours = ours || a.Addr() == target
	}
	conflict, defend, tell := h.conflict(now, i, sender, target)
	var free []waiting
	if !conflict && !sender.IsUnspecified() && !sender.IsMulticast() && sender != limitedBroadcast {
		// Only who asks for us is entered: gossip would let a stranger fill the table.
		free = i.heard(now, sender, mac, ours && p.Op() == wire.ARPRequest)
	}
	h.mu.Unlock()
	if conflict {
		h.count(AddressConflict)
		if defend {
			h.announce(now, i, sender)
		}
		for _, f := range tell {
			f()
		}
		return
	}
	for k := range free {
		h.transmit(i, free[k].queue, &free[k].frame, mac)
	}
	if len(free) > 0 {
		for q := range i.out {
			i.Device.Flush(q)
		}
	}
	if ours && p.Op() == wire.ARPRequest {
		h.sendARP(i, wire.ARPReply, mac, target, mac, sender)
	}
}

// Announce tells the link that an interface's addresses are ours: the link was down, or the machine has moved.
func (h *Host) Announce(now tick.Time, i *Interface) {
	for _, p := range i.Addresses() {
		h.announce(now, i, p.Addr())
	}
}

// announce tells the link that an address is ours.
func (h *Host) announce(_ tick.Time, i *Interface, a netip.Addr) {
	if a.Is6() { // RFC 4861, 7.2.6
		m := neighborMessage(wire.NeighborAdvertisement, wire.NAOverride, a, wire.AppendLinkAddress(nil, wire.OptionTarget, i.Info.MAC))
		h.sendAsk(ask{i: i, src: a, dst: allNodes, message: m, hops: 255})
		return
	}
	h.sendARP(i, wire.ARPRequest, link.Broadcast, a, link.MAC{}, a)
}

// request asks for a neighbour, all stations or the one that it was.
func (h *Host) request(i *Interface, to link.MAC, src, target netip.Addr) {
	if target.Is6() {
		dst := target
		if to == link.Broadcast {
			dst, to = wire.SolicitedNode(target), link.MAC{}
		}
		m := neighborMessage(wire.NeighborSolicitation, 0, target, wire.AppendLinkAddress(nil, wire.OptionSource, i.Info.MAC))
		h.sendAsk(ask{i: i, src: src, dst: dst, to: to, message: m, hops: 255})
		return
	}
	h.sendARP(i, wire.ARPRequest, to, src, link.MAC{}, target)
}

// sendARP sends an ARP packet of ours.
func (h *Host) sendARP(i *Interface, op uint16, to link.MAC, sender netip.Addr, targetMAC link.MAC, target netip.Addr) {
	if !sender.Is4() || !target.Is4() {
		return
	}
	r, ok := h.pool.Get()
	if !ok {
		h.count(NoMemory)
		return
	}
	r.TrimFront(link.Room)
	r.Truncate(wire.EthernetSize + wire.ARPSize)
	wire.Ethernet(r.Bytes()).Set(to, i.Info.MAC, wire.TypeARP)
	wire.ARP(r.Bytes()[wire.EthernetSize:]).Set(op, i.Info.MAC, sender, targetMAC, target)
	f := link.Frame{Head: r}
	i.send(0, &f)
	i.Device.Flush(0)
}

// Deadline is when Tick is to be called, 0: no need. It is not exact: a neighbour that is asked for is looked at once a second.
func (h *Host) Deadline() tick.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.fragments.deadline()
	for _, i := range h.interfaces {
		for _, n := range i.neighbour {
			d = tick.Sooner(d, n.asks())
		}
		d = tick.Sooner(tick.Sooner(tick.Sooner(d, i.deadline6()), i.deadlineGroups()), i.deadlineClaims())
	}
	return d
}

// Tick asks again for neighbours that have not answered, gives up what has waited too long, tells routers what they are to know, and takes claimed addresses on.
func (h *Host) Tick(now tick.Time) {
	var asks []ask
	var lost []unanswered
	var tell []func()
	changed := false
	h.mu.Lock()
	for n := h.fragments.expire(now); n > 0; n-- {
		h.count(FragmentTimeout)
	}
	for _, i := range h.interfaces {
		asks, lost = h.tickNeighbours(now, i, asks, lost)
		var c bool
		asks, c = h.tick6(now, i, asks)
		asks = h.tickGroups(now, i, asks)
		asks, tell = h.tickClaims(now, i, asks, tell)
		changed = changed || c
	}
	h.mu.Unlock()
	for _, x := range asks {
		h.sendAsk(x)
	}
	for k := range lost {
		h.lose(now, lost[k].by, &lost[k].frame)
	}
	if changed {
		h.tell()
	}
	for _, f := range tell {
		f()
	}
}

// An unanswered frame has waited for a neighbour that does not answer.
type unanswered struct {
	frame link.Frame
	by    *Interface
}

// tickNeighbours appends the questions that are due, and what has waited in vain; mu held.
func (h *Host) tickNeighbours(now tick.Time, i *Interface, asks []ask, lost []unanswered) ([]ask, []unanswered) {
	for a, n := range i.neighbour {
		if !n.asks().Due(now) {
			continue
		}
		if n.state == delay {
			n.state, n.asked = probing, 0
		}
		if n.asked < maxRequests {
			n.asked++
			n.at = now
			to := link.Broadcast
			if n.state == probing && (a.Is6() || n.asked < maxRequests) {
				to = n.mac
			}
			if src := i.source(a, a); src.IsValid() {
				asks = append(asks, ask{i: i, to: to, src: src, target: a})
			}
			continue
		}
		for k := range n.waiting {
			lost = append(lost, unanswered{n.waiting[k].frame, i})
			h.count(NeighbourFailed)
		}
		h.unreachable(now, i, a)
		delete(i.neighbour, a)
		h.gen.Add(1)
	}
	return asks, lost
}

// lose tells whose packet it was that a frame could not be sent, as a router that does not find the next hop would (RFC 1122, 3.2.2.1; RFC 4861, 7.2.2), and releases it.
func (h *Host) lose(now tick.Time, i *Interface, f *link.Frame) {
	defer f.Release()
	if h.lost == nil {
		return
	}
	e := Error{Err: ErrNoNeighbour, Type: wire.ICMPUnreachable, Code: wire.CodeHost}
	b := f.Head.Bytes()[wire.EthernetSize:]
	var src, dst netip.Addr
	// A program's own header (OutputWhole) may say anything.
	if wire.Ethernet(f.Head.Bytes()).Type() == wire.TypeIPv6 {
		x := wire.IPv6(b)
		if !x.Check() {
			return
		}
		e.Type, e.Code, e.Protocol = wire.ICMP6Unreachable, wire.Code6Address, x.Next()
		src, dst, b = x.Src(), x.Dst(), b[wire.IPv6Size:]
		if e.Protocol == wire.Fragment6 {
			if len(b) < wire.Fragment6Size || wire.Fragment6Header(b).Offset() != 0 {
				return
			}
			e.Protocol, b = b[0], b[wire.Fragment6Size:]
		}
	} else {
		x := wire.IPv4(b)
		if !x.Check() || x.Offset() != 0 {
			return
		}
		e.Protocol, src, dst, b = x.Protocol(), x.Src(), x.Dst(), b[x.HeaderLen():]
	}
	if len(b) == 0 && len(f.Body) > 0 {
		b = f.Body[0].Bytes() // a fragment's head has no more than the network's header
	}
	e.From = src
	e.ends(src, dst, b)
	h.lost(now, i, &e)
}

// unreachable notes that a neighbour does not answer: another router may (RFC 4861, 7.3.3). mu held.
func (h *Host) unreachable(now tick.Time, i *Interface, a netip.Addr) {
	for k := range i.six.routers {
		if i.six.routers[k].addr == a {
			i.six.routers[k].failed = now
		}
	}
	for dst, r := range h.redirects {
		if r.by == i && r.hop == a {
			delete(h.redirects, dst)
		}
	}
}

// A Neighbour is one entry, to be shown.
type Neighbour struct {
	Interface *Interface
	Addr      netip.Addr
	MAC       link.MAC
	State     string
}

// Neighbours gives the table.
func (h *Host) Neighbours() (list []Neighbour) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, i := range h.interfaces {
		for a, n := range i.neighbour {
			list = append(list, Neighbour{i, a, n.mac, [...]string{"incomplete", "reachable", "stale", "delay", "probe"}[n.state]})
		}
	}
	return list
}
