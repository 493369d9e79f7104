package inet

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// A Raw is an endpoint of the network layer itself: a raw one (raw(7)), which gets a copy of each packet of its protocol, or a ping endpoint (icmp(7)), which sends echo
// requests and gets the answers to them. Over IPv4 a raw one receives packets with their header. The Try methods are those of UDP; ports are always 0.
type Raw struct {
	Endpoint
	protocol uint8
	ping     bool
	bound    netip.Addr // valid: only what is for this address. Endpoint.mu, as what follows
	held     bool       // it is in the table
	id       uint16     // a ping endpoint's identifier; 0: not bound
	header   bool       // IP_HDRINCL: the program makes the header
	checksum int        // IPV6_CHECKSUM: where in the payload it is; below 0: nowhere
	filter   ICMPFilter // of a raw endpoint of ICMP or ICMPv6
}

// An ICMPFilter has a bit for each type of message that is not received: ICMP_FILTER of raw(7), whose types end at 31, and RFC 3542, 3.2.
type ICMPFilter [8]uint32

func (f *ICMPFilter) blocks(typ uint8) bool { return f[typ/32]>>(typ%32)&1 != 0 }

// NewRaw makes a raw endpoint of a protocol.
func (s *Stack) NewRaw(v6 bool, protocol uint8, h Hook) *Raw {
	r := &Raw{Endpoint: newEndpoint(s, v6, h), protocol: protocol, checksum: -1, held: true}
	r.header = protocol == protoRaw && !v6
	if v6 && protocol == wire.ICMPv6 {
		r.checksum = wire.ICMPChecksumOffset // RFC 3542, 3.1: always
	}
	s.raw.add(r)
	return r
}

// NewPing makes a ping endpoint.
func (s *Stack) NewPing(v6 bool, h Hook) *Raw {
	r := &Raw{Endpoint: newEndpoint(s, v6, h), protocol: wire.ICMP, ping: true, checksum: -1}
	if v6 {
		r.protocol = wire.ICMPv6
	}
	return r
}

// protoRaw is IPPROTO_RAW: an endpoint that only sends.
const protoRaw = 255

// A rawTable has the endpoints by protocol. Lock order: who looks through it holds no endpoint's mutex.
type rawTable struct {
	n  atomic.Int32 // endpoints: none, mostly
	mu sync.RWMutex
	of map[uint8][]*Raw // the slices are replaced, never changed
}

func (t *rawTable) add(r *Raw) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[uint8][]*Raw{}
	}
	t.of[r.protocol] = append(append([]*Raw(nil), t.of[r.protocol]...), r)
	t.n.Add(1)
}

func (t *rawTable) remove(r *Raw) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var rest []*Raw
	for _, x := range t.of[r.protocol] {
		if x != r {
			rest = append(rest, x)
		}
	}
	t.of[r.protocol] = rest
	t.n.Add(-1)
}

func (t *rawTable) list(protocol uint8) []*Raw {
	if t.n.Load() == 0 {
		return nil
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.of[protocol]
}

// freeID gives an identifier that no ping endpoint of a protocol has; 0: there is none.
func (t *rawTable) freeID(protocol uint8, first uint16) uint16 {
	var taken [1 << 16]bool
	for _, x := range t.list(protocol) {
		taken[x.id] = true // it does not change while it is in the table
	}
	for i := range 1 << 16 {
		if id := first + uint16(i); id != 0 && !taken[id] {
			return id
		}
	}
	return 0
}

// Bind makes it receive only what is for an address; for a ping endpoint the port is the identifier that it sends with.
func (r *Raw) Bind(a netip.AddrPort) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if to := a.Addr(); !to.IsUnspecified() && !to.IsMulticast() && !r.s.isLocal(to) && !r.s.isBroadcast(to) {
		return syscall.EADDRNOTAVAIL
	}
	if r.ping && r.id != 0 {
		return syscall.EINVAL
	}
	if r.ping {
		if e := r.hold(a.Port()); e != 0 {
			return e
		}
	}
	r.bound = netip.Addr{}
	if !a.Addr().IsUnspecified() {
		r.bound = a.Addr()
	}
	r.local = netip.AddrPortFrom(a.Addr(), 0)
	return nil
}

// hold enters a ping endpoint into the table; mu is held.
func (r *Raw) hold(id uint16) syscall.Errno {
	if id == 0 {
		if id = r.s.raw.freeID(r.protocol, uint16(r.s.udpPorts.random(1<<16))); id == 0 {
			return syscall.EADDRINUSE
		}
	}
	r.id, r.held = id, true
	r.s.raw.add(r)
	return 0
}

// Connect sets whom it sends to and receives from; an invalid address undoes that.
func (r *Raw) Connect(a netip.AddrPort) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !a.IsValid() {
		r.remote, r.local = netip.AddrPort{}, netip.AddrPortFrom(r.any(), 0)
		if r.bound.IsValid() {
			r.local = netip.AddrPortFrom(r.bound, 0)
		}
		return nil
	}
	to := a.Addr()
	if to.IsUnspecified() {
		to = loopbackOf(to)
	}
	src, e := r.s.sourceFor(to, r.bound)
	if e != 0 {
		return e
	}
	if r.ping && r.id == 0 {
		if e := r.hold(0); e != 0 {
			return e
		}
	}
	r.remote, r.local, r.err = netip.AddrPortFrom(to, a.Port()), netip.AddrPortFrom(src, 0), 0
	return nil
}

// Local is the local address, with a raw endpoint's protocol or a ping endpoint's identifier as its port, as getsockname has it.
func (r *Raw) Local() netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	port := uint16(r.protocol)
	if r.ping {
		port = r.id
	}
	if !r.local.IsValid() {
		return netip.AddrPortFrom(r.any(), port)
	}
	return netip.AddrPortFrom(r.local.Addr(), port)
}

// Remote is whom it is connected to, or invalid.
func (r *Raw) Remote() netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.remote
}

// Header gives IP_HDRINCL; SetHeader sets it: what is sent begins with its IPv4 header.
func (r *Raw) Header() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.header
}

// SetHeader sets what Header gives.
func (r *Raw) SetHeader(on bool) {
	r.mu.Lock()
	r.header = on
	r.mu.Unlock()
}

// Filter gives the types of ICMP messages that are not received; SetFilter sets them.
func (r *Raw) Filter() ICMPFilter {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.filter
}

// SetFilter sets what Filter gives.
func (r *Raw) SetFilter(f ICMPFilter) {
	r.mu.Lock()
	r.filter = f
	r.mu.Unlock()
}

// Checksum gives IPV6_CHECKSUM, -1 where there is none; SetChecksum sets it: EINVAL for an odd offset, and for ICMPv6, whose checksum is always where it is.
func (r *Raw) Checksum() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.checksum
}

// SetChecksum sets what Checksum gives.
func (r *Raw) SetChecksum(offset int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.v6 || r.protocol == wire.ICMPv6 || offset > 0 && offset%2 != 0 {
		return syscall.EINVAL
	}
	r.checksum = max(offset, -1)
	return nil
}

// Close ends the endpoint.
func (r *Raw) Close() {
	r.mu.Lock()
	held := r.held
	r.held, r.closed = false, true
	r.mu.Unlock()
	if held {
		r.s.raw.remove(r)
	}
	r.drop()
}

// deliverRaw gives each raw endpoint its copy of a packet, and of ping endpoints with one identifier the last one that came; it tells whether there was any.
func (s *Stack) deliverRaw(p *packet) (any bool) {
	list, pinged := s.raw.list(p.proto), false
	for i := len(list) - 1; i >= 0; i-- {
		if r := list[i]; r.v6 == p.src.Is6() && !(r.ping && pinged) && r.receive(p) {
			any = true
			pinged = pinged || r.ping
		}
	}
	return any
}

// receive takes a copy of a packet that is for it.
func (r *Raw) receive(p *packet) bool {
	typ, id := uint8(0), uint16(0)
	if icmp := p.proto == wire.ICMP || p.proto == wire.ICMPv6; icmp {
		m := wire.ICMPHeader(p.body[0].Bytes())
		if len(m) > 0 {
			typ = m.Type()
		}
		if len(m) >= wire.ICMPSize {
			id = uint16(m.Rest() >> 16)
		}
	}
	r.mu.Lock()
	from, own := r.remote.Addr(), r.bound
	if from.IsValid() {
		own = r.local.Addr()
	}
	ok := !own.IsValid() || own.WithZone("") == p.dst.WithZone("")
	if r.ping {
		reply := uint8(wire.ICMPEchoReply)
		if r.v6 {
			reply = wire.ICMP6EchoReply
		}
		ok = ok && typ == reply && id == r.id
	} else {
		ok = ok && (!from.IsValid() || from.WithZone("") == p.src.WithZone("")) && (!p.dst.IsMulticast() || r.hears(p.dst, p.src, p.index))
		if p.proto == wire.ICMP && !r.v6 || p.proto == wire.ICMPv6 && r.v6 {
			ok = ok && !r.filter.blocks(typ)
		}
	}
	checksum := r.checksum
	r.mu.Unlock()
	if !ok || r.protocol == protoRaw {
		return false
	}
	if checksum >= 0 && !p.verified && !checksumOK(p, size(p.body)) {
		return true
	}
	body := clone(p.body)
	if !r.v6 && !r.ping {
		head, ok := r.s.headerOf(p)
		if !ok {
			release(body)
			return true
		}
		if head.Block() == p.body[0].Block() {
			body[0].Grow(head.Len(), 0)
			head.Release()
		} else {
			body = append([]buf.Ref{head}, body...)
		}
	}
	r.deliver(datagram{
		n: size(body), from: netip.AddrPortFrom(p.src, 0), info: Info{To: p.dst, Interface: p.index, TTL: p.ttl, TOS: p.tos},
	}, body)
	return true
}

// failRaw tells the endpoints whose packet did not arrive: raw ones of the protocol that are connected to where it went, or queue errors, and the ping endpoint that sent it.
func (s *Stack) failRaw(now tick.Time, e *ip.Error, index int) {
	for _, r := range s.raw.list(e.Protocol) {
		to := r.Remote().Addr().WithZone("")
		switch {
		case r.v6 != e.Remote.Addr().Is6() || to.IsValid() && to != e.Remote.Addr():
			continue
		case r.ping && r.id != e.Local.Port():
			continue
		}
		t, hard := troubleOf(e, index, 0)
		t.To = netip.AddrPortFrom(t.To.Addr(), 0)
		if e.Err == ip.ErrMTU {
			s.host.ConfirmMTU(now, e)
			hard = r.Options().Discover != DiscoverDont
		}
		r.trouble(t, hard)
	}
}

// headerOf gives a packet's IPv4 header: where it lies before the body, else made anew.
func (s *Stack) headerOf(p *packet) (buf.Ref, bool) {
	if p.header > 0 {
		h := p.body[0].Clone()
		h.Truncate(0)
		h.Grow(p.header, 0)
		return h, true
	}
	h, ok := s.heads.Get()
	if !ok {
		s.Counters.NoMemory.Add(1)
		return h, false
	}
	h.Truncate(wire.IPv4Size)
	wire.IPv4(h.Bytes()).Set(wire.V4{TOS: p.tos, Len: wire.IPv4Size + size(p.body), TTL: p.ttl, Protocol: p.proto, Src: p.src, Dst: p.dst})
	return h, true
}
