package ip

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// Multicast groups: which an interface is in, and how routers are told: IGMPv3 (RFC 3376) and MLDv2 (RFC 3810), or what the oldest querier of the link speaks. A group is
// wanted from all sources, or from some (RFC 4607, 4): from all but some is not told to routers, for what they send more is not delivered. Host.mu guards all of it.

// A membership is an interface's of one group.
type membership struct {
	count   int                // of Join without Leave; 0: it is wanted from sources only
	sources map[netip.Addr]int // of JoinSource without LeaveSource
	left    int                // reports of a change that are still to be sent; where nobody is in it any more, it is forgotten afterwards
	mode    bool               // the change is from all sources to some, or none, or back
	news    map[netip.Addr]int // else: the sources that it is about, and how often each is still to be told
	change  tick.Time          // when
	answer  tick.Time          // when a query is to be answered; 0: none is
}

// member tells whether anybody is in the group.
func (m *membership) member() bool { return m != nil && (m.count > 0 || len(m.sources) > 0) }

// tell has routers told of a change; mu held.
func (m *membership) tell(now tick.Time) { m.left, m.change = robustness, now }

// list gives the sources of a group that is wanted from some, in order.
func (m *membership) list() []netip.Addr {
	return slices.SortedFunc(maps.Keys(m.sources), netip.Addr.Compare)
}

// A querier is what is known of the routers that ask on a link, of one family.
type querier struct {
	version int       // 1 or 2 while an older one is about (MLD: 1); else 0
	until   tick.Time // so long it is
	answer  tick.Time // when a query for all groups is to be answered; 0: none is
}

// Numbers of RFC 3376, section 8, and RFC 3810, section 9.
const (
	robustness       = 2
	unsolicitedEvery = time.Second
	olderQuerier     = robustness*125*time.Second + 10*time.Second
	maxDelay         = 10 * time.Minute // in what an answer may be wanted, at most: longer ones are forged
)

// Join makes an interface receive a multicast group's packets, as often as Leave is called for it.
func (h *Host) Join(now tick.Time, i *Interface, group netip.Addr) {
	h.mu.Lock()
	h.join1(i, group, now)
	h.mu.Unlock()
	h.Tick(now)
}

// Leave ends one Join.
func (h *Host) Leave(now tick.Time, i *Interface, group netip.Addr) {
	h.mu.Lock()
	h.leave1(i, group, now)
	h.mu.Unlock()
	h.Tick(now)
}

// join1 is Join with mu held; what is to be sent, Tick sends.
func (h *Host) join1(i *Interface, group netip.Addr, now tick.Time) {
	m := i.membership(group)
	if m.count++; m.count == 1 {
		i.hear()
		if i.reports(group) {
			m.mode, m.news = true, nil
			m.tell(now)
		}
	}
}

// membership gives a group's, made if need be; mu held.
func (i *Interface) membership(group netip.Addr) *membership {
	m := i.groups[group]
	if m == nil {
		m = new(membership)
		i.groups[group] = m
	}
	return m
}

// JoinSource makes an interface receive a group's packets of one source, as often as LeaveSource is called for it.
func (h *Host) JoinSource(now tick.Time, i *Interface, group, source netip.Addr) {
	h.mu.Lock()
	m := i.membership(group)
	if m.sources == nil {
		m.sources = map[netip.Addr]int{}
	}
	if m.sources[source]++; m.sources[source] == 1 {
		i.sourceChanged(group, source, m, now)
	}
	h.mu.Unlock()
	h.Tick(now)
}

// LeaveSource ends one JoinSource.
func (h *Host) LeaveSource(now tick.Time, i *Interface, group, source netip.Addr) {
	h.mu.Lock()
	if m := i.groups[group]; m != nil && m.sources[source] > 0 {
		if m.sources[source]--; m.sources[source] == 0 {
			delete(m.sources, source)
			i.sourceChanged(group, source, m, now)
		}
	}
	h.mu.Unlock()
	h.Tick(now)
}

// sourceChanged is what follows from a source's coming or going; mu held.
func (i *Interface) sourceChanged(group, source netip.Addr, m *membership, now tick.Time) {
	i.hear()
	switch {
	case m.count > 0: // routers send it from all sources
		return
	case !i.reports(group):
		if !m.member() {
			delete(i.groups, group)
		}
		return
	case m.left == 0:
		m.mode = false
	}
	if !m.mode { // else the record of that names all sources
		if m.news == nil {
			m.news = map[netip.Addr]int{}
		}
		m.news[source] = robustness
	}
	if !m.member() {
		m.answer = 0
	}
	m.tell(now)
}

// hear tells the device which groups' frames are wanted, if it can be told; mu held.
func (i *Interface) hear() {
	d, ok := i.Device.(link.Listening)
	if !ok {
		return
	}
	all := []link.MAC{wire.GroupMAC(allHosts), wire.GroupMAC(allNodes)}
	for g, m := range i.groups {
		if mac := wire.GroupMAC(g); m.member() && !slices.Contains(all, mac) { // several groups may have one address
			all = append(all, mac)
		}
	}
	d.Hear(all)
}

// leave1 is Leave with mu held.
func (h *Host) leave1(i *Interface, group netip.Addr, now tick.Time) {
	m := i.groups[group]
	if m == nil || m.count == 0 {
		return
	}
	if m.count--; m.count > 0 {
		return
	}
	i.hear()
	if !i.reports(group) {
		if !m.member() {
			delete(i.groups, group)
		}
		return
	}
	m.mode, m.news = true, nil
	m.tell(now)
	if !m.member() {
		m.answer = 0
	}
}

// rejoin tells of all groups of IPv6 anew, with an address that routers listen to; mu held.
func (h *Host) rejoin(i *Interface, now tick.Time) {
	for g, m := range i.groups {
		if g.Is6() && m.member() && i.reports(g) {
			m.mode, m.news = true, nil
			m.tell(now)
		}
	}
}

// reports tells whether routers are told of a group: not of those that everybody is in, nor of what does not leave the host (RFC 3810, 6).
func (i *Interface) reports(g netip.Addr) bool {
	if i.Loopback || g == allHosts || g == allNodes {
		return false
	}
	return g.Is4() || scope(g) >= scopeLink
}

func (i *Interface) in(g netip.Addr) bool { return i.groups[g].member() }

// takes tells whether a group's packets of a source are wanted.
func (i *Interface) takes(g, source netip.Addr) bool {
	m := i.groups[g]
	return m != nil && (m.count > 0 || m.sources[source] > 0)
}

func (i *Interface) querier(six bool) *querier {
	if six {
		return &i.queriers[1]
	}
	return &i.queriers[0]
}

// tickGroups appends the reports that are due; mu held.
func (h *Host) tickGroups(now tick.Time, i *Interface, asks []ask) []ask {
	var all [2][]record
	for k := range i.queriers {
		q := &i.queriers[k]
		if q.until.Due(now) {
			q.version, q.until = 0, 0
		}
		if !q.answer.Due(now) {
			continue
		}
		q.answer = 0
		for g, m := range i.groups {
			if g.Is6() != (k == 1) || !m.member() || !i.reports(g) {
				continue
			}
			if q.version != 0 {
				m.answer = now
			} else {
				all[k] = append(all[k], m.state(g)...)
			}
		}
	}
	for g, m := range i.groups {
		k := 0
		if g.Is6() {
			k = 1
		}
		old := i.queriers[k].version
		if m.answer.Due(now) {
			m.answer = 0
			if old != 0 {
				asks = append(asks, oldReport(i, g, old, true))
			} else {
				all[k] = append(all[k], m.state(g)...)
			}
		}
		if m.left == 0 || !m.change.Due(now) {
			continue
		}
		m.left--
		m.change = now.Add(1 + h.within(unsolicitedEvery))
		switch {
		case old == 0:
			all[k] = append(all[k], m.changes(g)...)
		case m.member():
			asks = append(asks, oldReport(i, g, old, true))
		case k == 1 || old == 2:
			asks = append(asks, oldReport(i, g, old, false))
			m.left = 0
		default:
			m.left = 0 // IGMPv1 knows no leaving
		}
		if m.left == 0 {
			m.news = nil
		}
		if m.left == 0 && !m.member() {
			delete(i.groups, g)
		}
	}
	for k, list := range all {
		for len(list) > 0 {
			n, size := 0, 0
			for n < len(list) && (n == 0 || size+list[n].size() <= mostRecords) {
				size += list[n].size()
				n++
			}
			asks = append(asks, report(i, k == 1, list[:n]))
			list = list[n:]
		}
	}
	return asks
}

// state is what a query is answered with about a group, all of it where only some sources were asked about: the record, or several where the sources are many (RFC 3376,
// 4.2.16).
func (m *membership) state(g netip.Addr) []record {
	if m.count > 0 {
		return []record{{kind: isExclude, group: g}}
	}
	return records(isInclude, g, m.list())
}

// changes is what is told unasked of a group, once more (RFC 3376, 5.1).
func (m *membership) changes(g netip.Addr) (all []record) {
	if m.mode {
		if m.count > 0 {
			return []record{{kind: toExclude, group: g}}
		}
		return records(toInclude, g, m.list())
	}
	var allow, block []netip.Addr
	for _, a := range slices.SortedFunc(maps.Keys(m.news), netip.Addr.Compare) {
		if m.sources[a] > 0 {
			allow = append(allow, a)
		} else {
			block = append(block, a)
		}
		if m.news[a]--; m.news[a] == 0 {
			delete(m.news, a)
		}
	}
	if len(allow) > 0 {
		all = records(allowNew, g, allow)
	}
	if len(block) > 0 {
		all = append(all, records(blockOld, g, block)...)
	}
	return all
}

// records names sources in records that fit into a report each.
func records(kind uint8, g netip.Addr, sources []netip.Addr) (all []record) {
	const most = (mostRecords - 20) / 16
	for {
		n := min(len(sources), most)
		all = append(all, record{kind, g, sources[:n]})
		if sources = sources[n:]; len(sources) == 0 {
			return all
		}
	}
}

// within draws a time of d at most.
func (h *Host) within(d time.Duration) time.Duration {
	return time.Duration(h.random() % uint64(max(d, 1)))
}

func (i *Interface) deadlineGroups() (d tick.Time) {
	for k := range i.queriers {
		d = tick.Sooner(d, i.queriers[k].answer)
	}
	for _, m := range i.groups {
		d = tick.Sooner(d, m.answer)
		if m.left > 0 {
			d = tick.Sooner(d, m.change)
		}
	}
	return d
}

// query takes in a router's question of a version (0: the newest), for a group or for all (the unspecified address), to be answered within delay; mu held.
func (h *Host) query(now tick.Time, i *Interface, six bool, version int, group netip.Addr, delay time.Duration) {
	q := i.querier(six)
	if version != 0 {
		if q.version == 0 || version < q.version {
			q.version = version
		}
		q.until = now.Add(olderQuerier)
	}
	if group.IsUnspecified() && q.version != 0 { // each group has a time of its own, and is silent if somebody else answers first (RFC 2236, 3)
		for g := range i.groups {
			if g.Is6() == six {
				h.queryGroup(now, i, g, delay)
			}
		}
		return
	}
	if !group.IsUnspecified() {
		h.queryGroup(now, i, group, delay)
		return
	}
	if at := now.Add(1 + h.within(min(delay, maxDelay))); q.answer == 0 || at < q.answer {
		q.answer = at
	}
}

// queryGroup is query for a group; mu held.
func (h *Host) queryGroup(now tick.Time, i *Interface, group netip.Addr, delay time.Duration) {
	at := now.Add(1 + h.within(min(delay, maxDelay)))
	if m := i.groups[group]; m.member() && i.reports(group) && (m.answer == 0 || at < m.answer) {
		m.answer = at
	}
}

// overheard: somebody else has told an old querier of a group, so nobody else needs to (RFC 2236, 3); mu held.
func (h *Host) overheard(i *Interface, group netip.Addr) {
	if m := i.groups[group]; m != nil && i.querier(group.Is6()).version != 0 {
		m.answer = 0
	}
}

// A record is a group's in a report (RFC 3376, 4.2.12; RFC 3810, 5.2.12).
type record struct {
	kind    uint8
	group   netip.Addr
	sources []netip.Addr
}

const (
	isInclude = 1
	isExclude = 2
	toInclude = 3
	toExclude = 4
	allowNew  = 5
	blockOld  = 6
)

// mostRecords is how many bytes of records go into a report: it fits into the least MTU.
const mostRecords = 1200

func (r *record) size() int { return 4 + r.group.BitLen()/8*(1+len(r.sources)) }

// Types of IGMP (RFC 3376, 4; RFC 2236, 2) and of MLD (RFC 3810, 5; RFC 2710, 3).
const (
	igmpQuery   = 0x11
	igmpReport1 = 0x12
	igmpReport2 = 0x16
	igmpLeave   = 0x17
	igmpReport3 = 0x22

	mldQuery   = 130
	mldReport1 = 131
	mldDone    = 132
	mldReport2 = 143
)

var (
	igmpRouters = netip.AddrFrom4([4]byte{224, 0, 0, 22})
	allRouters4 = netip.AddrFrom4([4]byte{224, 0, 0, 2})
	mldRouters  = netip.MustParseAddr("ff02::16")
)

// report makes an IGMPv3 or MLDv2 report.
func report(i *Interface, six bool, list []record) ask {
	size := 8
	for k := range list {
		size += list[k].size()
	}
	m := make([]byte, 8, size)
	if m[0] = igmpReport3; six {
		m[0] = mldReport2
	}
	binary.BigEndian.PutUint16(m[6:], uint16(len(list)))
	for _, r := range list {
		m = append(m, r.kind, 0, byte(len(r.sources)>>8), byte(len(r.sources)))
		m = append(m, r.group.AsSlice()...)
		for _, a := range r.sources {
			m = append(m, a.AsSlice()...)
		}
	}
	if six {
		return ask{i: i, src: i.reporter6(), dst: mldRouters, message: m, alert: true, hops: 1}
	}
	return ask{i: i, src: i.reporter4(), dst: igmpRouters, message: m}
}

// oldReport makes a report, or else a good-bye, of an older version.
func oldReport(i *Interface, g netip.Addr, version int, member bool) ask {
	if g.Is6() {
		m := make([]byte, 24)
		m[0] = mldReport1
		x := g.As16()
		copy(m[8:], x[:])
		a := ask{i: i, src: i.reporter6(), dst: g, message: m, alert: true, hops: 1}
		if !member {
			m[0], a.dst = mldDone, allRouters
		}
		return a
	}
	m := make([]byte, 8)
	if m[0] = igmpReport2; version == 1 {
		m[0] = igmpReport1
	}
	x := g.As4()
	copy(m[4:], x[:])
	a := ask{i: i, src: i.reporter4(), dst: g, message: m}
	if !member {
		m[0], a.dst = igmpLeave, allRouters4
	}
	return a
}

// reporter4 and reporter6 are the sources of reports; mu held.
func (i *Interface) reporter4() netip.Addr {
	for _, p := range i.addresses {
		if p.Addr().Is4() {
			return p.Addr()
		}
	}
	return netip.IPv4Unspecified()
}

func (i *Interface) reporter6() netip.Addr {
	if a := i.linkLocal(); a.IsValid() {
		return a
	}
	return netip.IPv6Unspecified()
}

// inputIGMP takes in a message of IGMP (RFC 3376, 7.1 tells versions apart). It tells whether it is a sound one.
func (h *Host) inputIGMP(now tick.Time, p *Packet) bool {
	if p.Size < 8 || p.Interface.Loopback || !p.Verified && wire.Fold(wire.SumRefs(0, p.Data)) != 0xffff {
		return false
	}
	m := p.Data[0].Bytes()
	group := netip.AddrFrom4([4]byte(m[4:]))
	h.mu.Lock()
	defer h.mu.Unlock()
	switch m[0] {
	case igmpQuery:
		if !group.IsUnspecified() && !group.IsMulticast() {
			return false
		}
		delay, version := time.Duration(m[1])*100*time.Millisecond, 0
		switch {
		case p.Size == 8 && m[1] == 0:
			delay, version = 10*time.Second, 1
		case p.Size == 8:
			version = 2
		case p.Size < 12:
			return false
		case m[1] >= 128: // RFC 3376, 4.1.1: a floating point number
			delay = time.Duration((uint32(m[1]&15)|16)<<(m[1]>>4&7+3)) * 100 * time.Millisecond
		}
		h.query(now, p.Interface, false, version, group, delay)
	case igmpReport1, igmpReport2:
		h.overheard(p.Interface, group)
	}
	return true
}

// inputMLD takes in a message of MLD (RFC 3810, 5.1.14 and 6.2).
func (h *Host) inputMLD(now tick.Time, p *Packet, typ uint8) bool {
	if p.TTL != 1 || !p.alert || p.joined || !p.Src.IsLinkLocalUnicast() || p.Size < 24 {
		return false
	}
	m := p.Data[0].Bytes()
	group := netip.AddrFrom16([16]byte(m[8:24]))
	h.mu.Lock()
	defer h.mu.Unlock()
	switch typ {
	case mldQuery:
		if !group.IsUnspecified() && !group.IsMulticast() {
			return false
		}
		ms, version := uint32(binary.BigEndian.Uint16(m[4:])), 0
		switch {
		case p.Size == 24:
			version = 1
		case p.Size < 28:
			return false
		case ms >= 1<<15: // RFC 3810, 5.1.3
			ms = (ms&0xfff | 0x1000) << (ms>>12&7 + 3)
		}
		h.query(now, p.Interface, true, version, group, time.Duration(ms)*time.Millisecond)
	case mldReport1:
		h.overheard(p.Interface, group)
	}
	return true
}

// sendIGMP sends a message of IGMP, with the router alert option (RFC 2113).
func (h *Host) sendIGMP(x ask) {
	const header = wire.IPv4Size + 4
	r, ok := h.pool.Get()
	if !ok {
		h.count(NoMemory)
		return
	}
	r.TrimFront(16) // the device's room
	n := header + len(x.message)
	if r.Len() < wire.EthernetSize+n {
		h.count(NoMemory)
		r.Release()
		return
	}
	r.Truncate(wire.EthernetSize + n)
	b := r.Bytes()
	wire.Ethernet(b).Set(wire.GroupMAC(x.dst), x.i.Info.MAC, wire.TypeIPv4)
	p := wire.IPv4(b[wire.EthernetSize:])
	p.Set(wire.V4{TOS: 0xc0, Len: n, TTL: 1, Protocol: wire.IGMP, Flags: wire.DontFragment, Src: x.src, Dst: x.dst})
	p[0] = 0x40 | header/4
	copy(p[wire.IPv4Size:], []byte{0x94, 4, 0, 0})
	p.Complete(n, 1, x.src)
	m := b[wire.EthernetSize+header:]
	copy(m, x.message)
	m[2], m[3] = 0, 0
	binary.BigEndian.PutUint16(m[2:], ^wire.Fold(wire.Sum(0, m)))
	h.sendFrame(x.i, r)
}
