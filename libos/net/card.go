package inet

import (
	"errors"
	"math/bits"
	"net/netip"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A card is an interface with a device, and which of its transmit queues have something that the device has not been told of.
type card struct {
	stack *Stack
	iface *ip.Interface
	dirty atomic.Uint64 // a bit for each queue

	receivers []*receiver // for Step
}

// Attach makes an interface of a device and starts to receive, on a goroutine for each queue. Addresses and routes are the caller's to add. The device may have 64
// queues at most.
func (s *Stack) Attach(d link.Device) *ip.Interface {
	s.mu.Lock()
	c := &card{stack: s, iface: s.host.Attach(d, false)}
	all := append([]*card(nil), *s.cards.Load()...)
	for q := range max(c.iface.Info.Queues, 1) {
		c.receivers = append(c.receivers, newReceiver(c, q))
	}
	all = append(all, c) // the host numbers interfaces in order, from 1
	s.cards.Store(&all)
	s.mu.Unlock()
	if s.driven {
		return c.iface
	}
	for _, r := range c.receivers {
		go r.run()
	}
	return c.iface
}

// Host is the network layer: addresses, routes, neighbours.
func (s *Stack) Host() *ip.Host { return s.host }

// card gives an interface's by number; nil: there is none, or it is the loopback interface.
func (s *Stack) card(index int) *card {
	all := *s.cards.Load()
	if index < 0 || index >= len(all) {
		return nil
	}
	return all[index]
}

// Enable6 gives an interface IPv6: its address for the link, and with auto those that routers offer, some seconds later.
func (s *Stack) Enable6(i *ip.Interface, auto bool) {
	s.host.Enable6(s.now(), i, auto)
	s.armHost()
}

// AddAddress6 gives an interface an address of IPv6, once nobody else is found to have it.
func (s *Stack) AddAddress6(i *ip.Interface, p netip.Prefix) {
	s.host.AddAddress6(s.now(), i, p)
	s.armHost()
}

// Claim gives an interface an address of IPv4, once nobody else is found to have it: see [ip.Host.Claim].
func (s *Stack) Claim(i *ip.Interface, p netip.Prefix, how ip.Probing, keep bool, told func(ours bool)) {
	s.host.Claim(s.now(), i, p, how, keep, told)
	s.timers.arm(&s.hostTick, s.host.Deadline())
}

// Changed has f called after addresses, or what routers tell, have changed. f must not wait, nor change anything itself.
func (s *Stack) Changed(f func()) { s.told.Store(&f) }

// changes is what the network layer calls.
func (s *Stack) changes() {
	if f := s.told.Load(); f != nil {
		(*f)()
	}
}

func (c *card) flush() {
	c.stack.armHost() // somebody's address may have been asked for
	for dirty := c.dirty.Swap(0); dirty != 0; dirty &= dirty - 1 {
		c.iface.Device.Flush(bits.TrailingZeros64(dirty))
	}
}

// batch is how many frames are taken in before what they led to is sent.
const batch = 64

// changed does what a change of the link asks for.
func (s *Stack) changed(c *card, d link.Changing) {
	happened := d.Changes()
	if happened&(link.LinkUp|link.Announce) != 0 {
		s.host.Announce(s.now(), c.iface)
	}
	if happened&link.Announce != 0 {
		d.Announced()
	}
}

// A receiver is what takes in a queue's frames, with its scratch.
type receiver struct {
	c        *card
	queue    int
	changing link.Changing // of queue 0's device, if it tells of changes
	frame    link.Frame
	packet   ip.Packet
	delivery delivery

	frames, bytes atomic.Uint64 // received, with Ethernet's headers
}

func newReceiver(c *card, queue int) *receiver {
	r := &receiver{c: c, queue: queue}
	r.delivery.gathers = true
	if queue == 0 {
		r.changing, _ = c.iface.Device.(link.Changing)
	}
	return r
}

// take takes in a batch of frames, and has what they led to sent.
func (r *receiver) take() (n int) {
	s := r.c.stack
	if r.changing != nil {
		s.changed(r.c, r.changing)
	}
	bytes := 0
	for n < batch && r.c.iface.Device.Receive(r.queue, &r.frame) {
		now := s.now()
		bytes += r.frame.Len()
		switch s.host.Input(now, r.c.iface, &r.frame, &r.packet) {
		case ip.Transport:
			s.transport(now, r)
		case ip.Failure:
			s.failure(now, r.packet.Interface, &r.packet.Failure)
			r.packet.Release()
		}
		n++
	}
	if n > 0 {
		r.frames.Add(uint64(n))
		r.bytes.Add(uint64(bytes))
		r.delivery.settle(s.now())
		s.armHost()
		s.flush()
	}
	return n
}

// run takes in what arrives until the device is closed.
func (r *receiver) run() {
	for {
		if r.take() == batch {
			continue
		}
		if r.c.iface.Device.Wait(r.queue) != nil {
			return
		}
		r.c.iface.Drain(r.queue)
	}
}

// Step takes in all that has arrived and fires the timers that are due; next is when the first of the others is, 0 if there are none. It is for a stack with Config.Driven, one goroutine at
// a time.
func (s *Stack) Step() (next tick.Time) {
	for {
		n := 0
		for _, c := range *s.cards.Load() {
			if c == nil {
				continue
			}
			for _, r := range c.receivers {
				c.iface.Drain(r.queue)
				n += r.take()
			}
		}
		next, _ = s.timers.expire(s.clock)
		if n == 0 {
			return next
		}
	}
}

// transport delivers the packet that the network layer has given r.
func (s *Stack) transport(now tick.Time, r *receiver) {
	p, k := &r.packet, &r.delivery.packet
	*k = packet{
		proto: p.Protocol, src: zoned(p.Src, p.Interface.Index), dst: zoned(p.Dst, p.Interface.Index), index: p.Interface.Index, ttl: p.TTL, tos: p.TOS, verified: p.Verified, gso: p.SegmentSize,
		group: p.Group, header: p.Header, body: p.Data, from: p,
	}
	s.deliver(now, &r.delivery)
	*k = packet{}
	p.Release()
}

// failure tells the endpoint whose packet did not arrive.
func (s *Stack) failure(now tick.Time, i *ip.Interface, e *ip.Error) {
	index := 0
	if i != nil {
		index = i.Index
	}
	s.failRaw(now, e, index)
	switch e.Protocol {
	case protoUDP:
		u := s.udp.find(e.Remote, e.Local)
		if u == nil {
			return
		}
		t, hard := troubleOf(e, index, udpHeader)
		if e.Err == ip.ErrMTU {
			d := u.Options().Discover
			if d != DiscoverOmit && d != DiscoverInterface {
				s.host.ConfirmMTU(now, e)
			}
			hard = d != DiscoverDont
		}
		u.trouble(t, hard)
	case protoTCP:
		c := s.tcp.get(key(tcp.Tuple{Local: e.Local, Remote: e.Remote}))
		if c == nil || !c.sent(tcp.Seq(e.Seq)) {
			return // an attacker's guess
		}
		if e.Err == ip.ErrMTU {
			s.host.ConfirmMTU(now, e)
			c.setMTU(e.MTU)
			return
		}
		hard := e.Err == ip.ErrNoNeighbour || e.Err == ip.ErrPortUnreachable || e.Err == ip.ErrProtocolUnreachable || e.Err == ip.ErrProhibited
		c.fail(errnoOfIP(e.Err), hard)
	}
}

// errnoOfIP says what package ip says as Linux does (its icmp_err_convert).
func errnoOfIP(err error) syscall.Errno {
	for _, x := range []struct {
		err error
		e   syscall.Errno
	}{
		{ip.ErrNoRoute, syscall.ENETUNREACH}, {ip.ErrNoSource, syscall.EADDRNOTAVAIL}, {ip.ErrTooLong, syscall.EMSGSIZE}, {ip.ErrNoBuffers, syscall.ENOBUFS},
		{ip.ErrNetUnreachable, syscall.ENETUNREACH}, {ip.ErrHostUnreachable, syscall.EHOSTUNREACH}, {ip.ErrNoNeighbour, syscall.EHOSTUNREACH}, {ip.ErrProtocolUnreachable, syscall.ENOPROTOOPT},
		{ip.ErrPortUnreachable, syscall.ECONNREFUSED}, {ip.ErrProhibited, syscall.EHOSTUNREACH}, {ip.ErrTimeExceeded, syscall.EHOSTUNREACH},
		{ip.ErrParameter, syscall.EPROTO}, {ip.ErrMTU, syscall.EMSGSIZE},
	} {
		if errors.Is(err, x.err) {
			return x.e
		}
	}
	return syscall.EIO
}

// zoned gives an address that is only of a link its interface's number as its zone.
func zoned(a netip.Addr, index int) netip.Addr {
	if a.Is6() && (a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast()) && a.Zone() == "" {
		return a.WithZone(strconv.Itoa(index))
	}
	return a
}

// zoneIndex is the interface that a zone names, by number.
func zoneIndex(a netip.Addr) int {
	zone := a.Zone()
	if zone == "" {
		return 0
	}
	n, _ := strconv.Atoi(zone)
	return n
}

// The network layer's own timers (neighbours, fragments) are looked at a second after something was sent or received, and on as long as it has a deadline: an idle
// host has none.
const hostEvery = time.Second

// armHost is called for each packet that is sent alone: where the timer runs it has nothing to do.
func (s *Stack) armHost() {
	if !s.hostArmed.Load() && !s.hostArmed.Swap(true) {
		s.timers.arm(&s.hostTick, s.now().Add(hostEvery))
	}
}

// tickHost looks at all that was there when it began, and later armHost arms again.
func (s *Stack) tickHost(now tick.Time) {
	s.hostArmed.Store(false)
	s.host.Tick(now)
	if d := s.host.Deadline(); d != 0 {
		s.timers.arm(&s.hostTick, max(d, now.Add(hostEvery/100)))
	}
}
