package ip

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// Errors of Path and Output.
var (
	ErrNoRoute   = errors.New("ip: no route to the destination: add one, or an interface that has it in its prefix")
	ErrNoSource  = errors.New("ip: the source address is no interface's")
	ErrTooLong   = errors.New("ip: the packet is larger than the path's MTU and may not be fragmented")
	ErrNoBuffers = errors.New("ip: no memory for a header")
)

// A Host is a network layer. Make it with New.
type Host struct {
	pool   *buf.Pool // headers of what the host itself sends
	random func() uint64

	gen atomic.Uint64 // changes with whatever a Path has copied
	ids atomic.Uint32 // of IPv4 packets that may be fragmented

	mu         sync.Mutex
	interfaces []*Interface
	routes     []Route
	pmtu       map[netip.Addr]pathMTU
	fragments  reassembly
	redirects  map[netip.Addr]redirect
	answers    limiter // ICMP errors
	echoes     limiter // ICMP echo replies
	changed    func()
	lost       func(tick.Time, *Interface, *Error)
	stats      [reasons]atomic.Uint64
}

// Changed has f called after addresses, or what routers tell (Learned), have changed, without a lock held. It is to be called before anything is attached.
func (h *Host) Changed(f func()) { h.changed = f }

// Lost has f called by Tick for each packet that waited for a neighbour in vain, without a lock held. It is to be called before anything is attached.
func (h *Host) Lost(f func(now tick.Time, i *Interface, e *Error)) { h.lost = f }

func (h *Host) tell() {
	if h.changed != nil {
		h.changed()
	}
}

// New makes a host that takes memory for its own packets from pool, whose blocks have 256 bytes at least. random is called for each packet that may be fragmented, and must be safe for
// any number of goroutines.
func New(pool *buf.Pool, random func() uint64) *Host {
	h := &Host{pool: pool, random: random, pmtu: make(map[netip.Addr]pathMTU)}
	h.gen.Store(1)
	h.ids.Store(uint32(random()))
	h.fragments.init()
	// RFC 1812, 4.3.2.8, wants limits; a thousand a second is what Linux allows.
	h.answers = limiter{rate: 1000, burst: 50}
	h.echoes = limiter{rate: 10000, burst: 1000}
	return h
}

// An Interface is a device with its addresses.
type Interface struct {
	Index    int // from 1, the loopback interface's
	Device   link.Device
	Info     link.Info
	Loopback bool

	host      *Host
	addresses []netip.Prefix // Host.mu; the slice is replaced, never changed
	claims    []claim        // of those of IPv4
	groups    map[netip.Addr]*membership
	queriers  [2]querier // of IPv4 and IPv6
	neighbour map[netip.Addr]*neighbour
	out       []sender // a transmit queue each
	six       six
}

// Attach makes an interface of a device. It has no address.
func (h *Host) Attach(d link.Device, loopback bool) *Interface {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := &Interface{
		Index: len(h.interfaces) + 1, Device: d, Info: d.Info(), Loopback: loopback, host: h,
		groups: make(map[netip.Addr]*membership), neighbour: make(map[netip.Addr]*neighbour),
	}
	i.out = make([]sender, max(i.Info.Queues, 1))
	i.hear()
	h.interfaces = append(slices.Clip(h.interfaces), i)
	return i
}

// Interfaces gives all of them, in the order of their indexes.
func (h *Host) Interfaces() []*Interface {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.interfaces
}

// Addresses gives the interface's addresses, each with the prefix that is on the link. They are not to be changed.
func (i *Interface) Addresses() []netip.Prefix {
	i.host.mu.Lock()
	defer i.host.mu.Unlock()
	return i.addresses
}

// AddAddress gives an interface an address at once. What is in its prefix is reached by the link. One of IPv4 is announced to the link, and defended (RFC 5227, 2.3 and 2.4 (c)).
func (h *Host) AddAddress(now tick.Time, i *Interface, p netip.Prefix) {
	if p.Addr().Is4() && !i.Loopback {
		if !slices.Contains(i.Addresses(), p) {
			h.Claim(now, i, p, Not, true, nil)
		}
		return
	}
	h.mu.Lock()
	h.own(i, p)
	h.mu.Unlock()
	h.tell()
}

// RemoveAddress takes it away again, or ends the claim to it.
func (h *Host) RemoveAddress(i *Interface, p netip.Prefix) {
	h.mu.Lock()
	i.disclaim(p)
	h.disown(i, p)
	h.mu.Unlock()
	h.tell()
}

// Joined tells whether an interface receives a group's packets.
func (h *Host) Joined(i *Interface, group netip.Addr) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	group = group.WithZone("")
	return i.in(group) || group == allHosts || group == allNodes
}

// Local tells whether an address is one of ours; zones do not count.
func (h *Host) Local(a netip.Addr) bool {
	a = a.WithZone("")
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.local(a) != nil
}

// local gives the interface that has the address; mu held. All of 127/8 is the loopback interface's (RFC 1122, 3.2.1.3).
func (h *Host) local(a netip.Addr) *Interface {
	for _, i := range h.interfaces {
		if i.Loopback && a.IsLoopback() {
			return i
		}
		for _, p := range i.addresses {
			if p.Addr() == a {
				return i
			}
		}
	}
	return nil
}

// Broadcast tells whether an address is all hosts of a network of ours, or of a link.
func (h *Host) Broadcast(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.broadcast(a)
}

// broadcast is Broadcast; mu held.
func (h *Host) broadcast(a netip.Addr) bool {
	for _, i := range h.interfaces {
		if i.broadcast(a) {
			return true
		}
	}
	return false
}

// broadcast tells whether an address is all hosts of one of the interface's networks; mu held.
func (i *Interface) broadcast(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	if a == limitedBroadcast {
		return true
	}
	for _, p := range i.addresses {
		if directed(p, a) {
			return true
		}
	}
	return false
}

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// directed tells whether a is the address of all hosts in p's network (RFC 919, section 7); networks of two hosts have none (RFC 3021).
func directed(p netip.Prefix, a netip.Addr) bool {
	if !p.Addr().Is4() || !a.Is4() || p.Bits() > 30 {
		return false
	}
	own, other := p.Addr().As4(), a.As4()
	hosts := uint32(1)<<(32-p.Bits()) - 1
	return binary.BigEndian.Uint32(other[:]) == binary.BigEndian.Uint32(own[:])|hosts
}

// limiter is a token bucket.
type limiter struct {
	rate, burst int64 // tokens a second, at most
	tokens      int64 // in ns of rate
	at          tick.Time
}

func (l *limiter) allow(now tick.Time) bool {
	const second = 1_000_000_000
	if l.at == 0 {
		l.tokens = l.burst * second
	} else if d := int64(now - l.at); d > 0 {
		l.tokens = min(l.tokens+min(d, second)*l.rate, l.burst*second)
	}
	l.at = now
	if l.tokens < second {
		return false
	}
	l.tokens -= second
	return true
}
