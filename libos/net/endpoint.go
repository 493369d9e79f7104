package inet

import (
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/internal/fifo"
	"github.com/hardtack-os/hardtack/libos/net/ip"
)

// An Endpoint is what endpoints of messages have in common, [UDP] and [Raw]: what was received, options, groups, errors.
type Endpoint struct {
	s    *Stack
	v6   bool // it was made for IPv6: a UDP speaks IPv4 too, unless Only6
	hook Hook

	mu       sync.Mutex
	only6    bool
	local    netip.AddrPort
	remote   netip.AddrPort // valid: connected
	err      syscall.Errno  // of a message that was sent: SO_ERROR
	troubles []Trouble      // with RecvErr
	shut     Shut
	closed   bool
	opts     UDPOptions
	groups   []group
	bytes    buf.Queue // of all messages
	rx       fifo.Queue[datagram]
	limit    int // bytes of memory that what was received may hold on to
	last     way
	Dropped  uint64
}

func newEndpoint(s *Stack, v6 bool, h Hook) Endpoint {
	return Endpoint{s: s, v6: v6, hook: h, limit: 208 << 10, opts: UDPOptions{MulticastTTL: -1, Discover: DiscoverWant}}
}

// Shut says which ways of an endpoint were shut.
type Shut uint8

// Ways.
const (
	ShutReceive Shut = 1 << iota
	ShutSend
)

// UDPOptions are what can be set of an endpoint.
type UDPOptions struct {
	TTL            int // unicast hop limit; 0: the default
	MulticastTTL   int // -1: the default, 1
	MulticastIndex int
	NoLoop         bool // multicasts are not looped back (IP_MULTICAST_LOOP off)
	OnlyMine       bool // multicasts only of groups that it has joined itself (IP_MULTICAST_ALL off)
	TOS            int
	Broadcast      bool
	RecvErr        bool // errors are queued with what they are about: IP_RECVERR
	Discover       Discovery
	Segment        int  // UDP_SEGMENT: what is sent is cut into datagrams of so many bytes; 0: it is one
	Join           bool // UDP_GRO: datagrams that have come joined are received in one piece
	ReuseAddr      bool
	ReusePort      bool
}

// A datagram is what there is of one beside its bytes.
type datagram struct {
	n    int
	seg  int // it is several, of so many bytes each; 0: it is one
	from netip.AddrPort
	info Info
}

// Info is what IP_PKTINFO, IP_RECVTTL and the like tell of a datagram.
type Info struct {
	To        netip.Addr // whom it was sent to
	Interface int
	TTL, TOS  uint8
	Segment   int // sent: as UDPOptions.Segment, for this message
}

// A group is a multicast group and the interface that it is listened to on, 0: any.
type group struct {
	addr   netip.Addr
	index  int
	joined *ip.Interface

	include bool         // only from sources; else from all but them
	sources []netip.Addr // MaxSources of them at most
	listed  bool         // there have been some
}

// MaxSources is how many sources of a group an endpoint can name: igmp_max_msf and mld_max_msf of Linux.
func MaxSources(group netip.Addr) int {
	if group.Is4() {
		return 10
	}
	return 64
}

// datagramCost is what a datagram counts against the limit beside the blocks it is in.
const datagramCost = 128

// any is the endpoint's unspecified address.
func (u *Endpoint) any() netip.Addr {
	if u.v6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// Options gives the options; SetOptions takes them as a whole.
func (u *Endpoint) Options() UDPOptions {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.opts
}

// SetOptions sets the options.
func (u *Endpoint) SetOptions(change func(*UDPOptions)) {
	u.mu.Lock()
	change(&u.opts)
	u.mu.Unlock()
}

// SetLimit sets how much memory received datagrams may hold on to.
func (u *Endpoint) SetLimit(n int) {
	u.mu.Lock()
	u.limit = n
	u.mu.Unlock()
}

// A Datagram is what TryRecv says of one.
type Datagram struct {
	Size    int // of all of it
	Segment int // not 0: it is several datagrams, of so many bytes each but the last
	From    netip.AddrPort
	Info    Info
}

// TryRecv receives a datagram into p, as much of it as there is room for; peek leaves it.
func (u *Endpoint) TryRecv(p []byte, peek bool) (n int, d Datagram, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if e := u.err; e != 0 {
		u.err = 0
		return 0, d, e
	}
	if u.rx.Len() == 0 {
		return 0, d, syscall.EAGAIN
	}
	r := u.rx.At(0)
	d = Datagram{Size: r.n, Segment: r.seg, From: r.from, Info: r.info}
	n = min(len(p), r.n)
	u.bytes.CopyAt(p[:n], 0)
	if !peek {
		u.bytes.Discard(r.n)
		u.rx.Pop()
	}
	return n, d, nil
}

// Queued is how many bytes the next datagram has.
func (u *Endpoint) Queued() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rx.Len() == 0 {
		return 0
	}
	return u.rx.At(0).n
}

// TakeError gives the error that ICMP brought, once: SO_ERROR.
func (u *Endpoint) TakeError() syscall.Errno {
	u.mu.Lock()
	defer u.mu.Unlock()
	e := u.err
	u.err = 0
	return e
}

// Shutdown shuts ways. ENOTCONN, as on Linux, where it is not connected; the ways are shut all the same.
func (u *Endpoint) Shutdown(w Shut) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.shut |= w
	u.happened(u.ready())
	if !u.remote.IsValid() {
		return syscall.ENOTCONN
	}
	return nil
}

// Ready says what would not block.
func (u *Endpoint) Ready() Events {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ready()
}

func (u *Endpoint) ready() Events {
	ev := Writable
	if u.rx.Len() > 0 {
		ev |= Readable
	}
	if u.shut&ShutReceive != 0 {
		ev |= Readable | EOF
	}
	if u.shut == ShutReceive|ShutSend {
		ev |= HangUp
	}
	if u.err != 0 || len(u.troubles) > 0 {
		ev |= Failed
	}
	return ev
}

func (u *Endpoint) happened(ev Events) {
	if u.hook != nil {
		u.hook.Happened(ev)
	}
}

// Join makes it receive what is sent to a group on an interface, 0: where the route to it leads.
func (u *Endpoint) Join(addr netip.Addr, index int) error {
	if !addr.IsMulticast() {
		return syscall.EINVAL
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	g := group{addr: addr, index: index}
	for _, have := range u.groups {
		if have.addr == addr && have.index == index {
			return syscall.EADDRINUSE
		}
	}
	if e := u.s.find(&g); e != 0 {
		return e
	}
	u.s.join(&g)
	u.groups = append(u.groups, g)
	return nil
}

// JoinSource makes it receive what one source sends to a group on an interface; more sources may follow (RFC 4607).
func (u *Endpoint) JoinSource(addr, source netip.Addr, index int) error {
	if !addr.IsMulticast() {
		return syscall.EINVAL
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.membership(addr, index) == nil {
		g := group{addr: addr, index: index, include: true}
		if e := u.s.find(&g); e != 0 {
			return e
		}
		u.groups = append(u.groups, g)
	}
	return errOf(u.source(addr, source, index, true, true))
}

// LeaveSource ends what JoinSource began, for one source.
func (u *Endpoint) LeaveSource(addr, source netip.Addr, index int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return errOf(u.source(addr, source, index, true, false))
}

// Block ends, with on, receiving what a source sends to a group that was joined for all sources; without, it begins again.
func (u *Endpoint) Block(addr, source netip.Addr, index int, on bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return errOf(u.source(addr, source, index, false, on))
}

// SetSources makes a group that was joined one of these sources only, or, without include, of all but them: IP_MSFILTER. Of none only is to leave it. The errors are Linux's.
func (u *Endpoint) SetSources(addr netip.Addr, index int, include bool, sources []netip.Addr) error {
	switch {
	case !addr.IsMulticast():
		return syscall.EINVAL
	case include && len(sources) == 0:
		return u.Leave(addr, index)
	case len(sources) > MaxSources(addr):
		return syscall.ENOBUFS
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	g := u.membership(addr, index)
	if g == nil {
		return syscall.EINVAL
	}
	var list []netip.Addr
	for _, a := range sources {
		if a = a.WithZone(""); !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	was := *g
	now, host, bare := u.s.now(), u.s.host, addr.WithZone("")
	g.include, g.sources, g.listed = include, list, len(list) > 0
	// What is received as before is not left meanwhile.
	if include {
		for _, a := range list {
			if !was.include || !slices.Contains(was.sources, a) {
				host.JoinSource(now, g.joined, bare, a)
			}
		}
	} else if was.include {
		u.s.join(g)
	}
	if was.include {
		for _, a := range was.sources {
			if !include || !slices.Contains(list, a) {
				host.LeaveSource(now, g.joined, bare, a)
			}
		}
	} else if include {
		host.Leave(now, g.joined, bare)
	}
	u.s.armHost()
	return nil
}

// Sources tells what SetSources sets: whether only the sources listed are received, or all but them. Each is listed once, in the order in which they were added. EADDRNOTAVAIL: the group
// was not joined there; ENODEV: nor does a route lead to it, where no interface is named. It allocates the list.
func (u *Endpoint) Sources(addr netip.Addr, index int) (include bool, sources []netip.Addr, err error) {
	if !addr.IsMulticast() {
		return false, nil, syscall.EINVAL
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	g := u.membership(addr, index)
	if g == nil {
		if e := u.s.find(&group{addr: addr, index: index}); e != 0 && index == 0 {
			return false, nil, e
		}
		return false, nil, syscall.EADDRNOTAVAIL
	}
	return g.include, slices.Clone(g.sources), nil
}

// membership finds a group; mu is held.
func (u *Endpoint) membership(addr netip.Addr, index int) *group {
	for i := range u.groups {
		if g := &u.groups[i]; g.addr == addr && g.index == index {
			return g
		}
	}
	return nil
}

// source adds a source to a group's, or takes it away, where they are those that are included, or else excluded. A group that never had any goes from one to the other. The errors are
// Linux's. mu is held.
func (u *Endpoint) source(addr, source netip.Addr, index int, include, add bool) syscall.Errno {
	g := u.membership(addr, index)
	if g == nil || g.include != include && g.listed {
		return syscall.EINVAL
	}
	if g.include != include {
		if g.include = include; include {
			u.s.host.Leave(u.s.now(), g.joined, g.addr.WithZone(""))
		} else {
			u.s.join(g)
		}
	}
	source = source.WithZone("")
	at := slices.Index(g.sources, source)
	switch {
	case add && at >= 0, !add && at < 0:
		return syscall.EADDRNOTAVAIL
	case add && len(g.sources) == MaxSources(g.addr):
		return syscall.ENOBUFS
	case add:
		g.sources, g.listed = append(g.sources, source), true
		if include {
			u.s.host.JoinSource(u.s.now(), g.joined, g.addr.WithZone(""), source)
		}
	default:
		g.sources = slices.Delete(g.sources, at, at+1)
		if include {
			u.s.host.LeaveSource(u.s.now(), g.joined, g.addr.WithZone(""), source)
		}
		if include && len(g.sources) == 0 {
			u.groups = slices.DeleteFunc(u.groups, func(o group) bool { return o.addr == addr && o.index == index })
		}
	}
	u.s.armHost()
	return 0
}

// Leave ends what Join began.
func (u *Endpoint) Leave(addr netip.Addr, index int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, have := range u.groups {
		if have.addr == addr && have.index == index {
			u.groups = append(u.groups[:i], u.groups[i+1:]...)
			u.s.leave(&have)
			return nil
		}
	}
	return syscall.EADDRNOTAVAIL
}

// deliver takes a datagram's bytes over, which are those of refs, or drops them.
func (u *Endpoint) deliver(d datagram, refs []buf.Ref) {
	u.mu.Lock()
	defer u.mu.Unlock()
	cost := datagramCost * (u.rx.Len() + 1)
	for i := range refs {
		cost += blockSize(refs[i])
	}
	drop := u.closed || u.shut&ShutReceive != 0 || u.bytes.Held()+cost > u.limit
	if !drop && len(refs) > 0 && d.info.Interface != loopbackIndex {
		if share, ok := refs[0].Share(); ok && u.bytes.Held()+cost > share {
			// What a device receives into is scarce. Who has nothing to read may always have one datagram, elsewhere.
			if drop = u.rx.Len() > 0; !drop {
				refs = own(refs)
			}
		}
	}
	if drop {
		u.Dropped++
		release(refs)
		return
	}
	for i := range refs {
		u.bytes.Append(refs[i])
		refs[i] = buf.Ref{}
	}
	u.rx.Push(d)
	u.happened(Readable)
}

// hears tells whether it receives what came for a group on an interface, which somebody of this host has joined; mu is held.
func (u *Endpoint) hears(a, from netip.Addr, index int) bool {
	for _, g := range u.groups {
		if g.addr.WithZone("") == a.WithZone("") && (g.index == 0 || g.index == index) {
			return slices.Contains(g.sources, from.WithZone("")) == g.include
		}
	}
	return !u.opts.OnlyMine
}

// drop empties what was received and leaves its groups, at its end.
func (u *Endpoint) drop() {
	u.mu.Lock()
	groups := u.groups
	u.closed, u.groups, u.troubles = true, nil, nil
	u.bytes.Clear()
	u.rx.All()
	u.mu.Unlock()
	for i := range groups {
		u.s.leave(&groups[i])
	}
}

func blockSize(r buf.Ref) int {
	if r.Block() == nil {
		return 0
	}
	return r.Block().Size()
}

func release(refs []buf.Ref) {
	for i := range refs {
		refs[i].Release()
	}
}

// own copies bytes to memory of the heap and lets go of where they lay. It allocates.
func own(refs []buf.Ref) []buf.Ref {
	p := make([]byte, 0, size(refs))
	for i := range refs {
		p = append(p, refs[i].Bytes()...)
	}
	release(refs)
	return []buf.Ref{buf.Lend(p, nil)}
}

func errOf(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// loopbackOf is the loopback address of a's family.
func loopbackOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}
