// Package dhcp is a client of the Dynamic Host Configuration Protocol for IPv4 (RFC 2131, RFC 2132) as a state machine: it is told the time and given messages, and is
// asked for messages to send. It has no socket, clock or goroutine; the stack has.
//
// Kept: discovery, request, renewal at T1, rebinding at T2, the end of a lease, NAK, retransmission with doubling pauses and noise (4.1), decline of an address that somebody else
// uses, release; long and overloaded options, search lists (RFC 3397) and classless routes (RFC 3442). A reply counts only if it has our number and station address, so that nobody
// off the link can guess one.
//
// Not as RFC 2131 says: the first pause is one second, not four: an image boots in milliseconds and wants to be on the network. Not here yet: INFORM, INIT-REBOOT (there is no memory
// of the last lease), FORCERENEW.
package dhcp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// The ports (RFC 2131, 4.1).
const (
	ServerPort = 67
	ClientPort = 68
)

// MaxMessage is room enough for any message that Next writes.
const MaxMessage = 576

// A Route is one that the server tells of. An unspecified gateway says that the prefix is on the link.
type Route struct {
	Prefix  netip.Prefix
	Gateway netip.Addr
}

// A Lease is what a server has given.
type Lease struct {
	Address  netip.Prefix
	Server   netip.Addr
	Routers  []netip.Addr // not to be used if there are Routes (RFC 3442)
	Routes   []Route
	DNS, NTP []netip.Addr
	HostName string
	Domain   string
	Search   []string
	MTU      int           // 0: nothing was said
	Time     time.Duration // how long it is good for
}

type state uint8

const (
	idle      state = iota // it begins when it is asked for a message
	selecting              // RFC 2131, 4.4, figure 5
	requesting
	bound
	renewing
	rebinding
	declining
	releasing
	stopped
)

// A Client asks for one interface's address. One goroutine at a time.
type Client struct {
	mac    link.MAC
	host   string // our name, for the server; may be empty
	random func() uint64

	state   state
	xid     uint32
	began   tick.Time // of the exchange, for secs
	tries   int
	send    bool      // a message is due
	again   tick.Time // when it is to be sent once more; 0: not
	offered reply

	lease   Lease
	have    bool
	changed bool
	t1, t2  tick.Time
	ends    tick.Time
}

// New makes a client. random must be good enough that nobody guesses it.
func New(mac link.MAC, host string, random func() uint64) *Client {
	return &Client{mac: mac, host: host, random: random}
}

// Lease is what holds now; ok is false without one. Changed tells, once, that it is another one than before, or none any more.
func (c *Client) Lease() (l Lease, ok bool) { return c.lease, c.have }

// Changed see Lease.
func (c *Client) Changed() bool {
	is := c.changed
	c.changed = false
	return is
}

// Start begins to look for a server.
func (c *Client) Start(now tick.Time) { c.begin(now, selecting) }

// begin starts an exchange of messages.
func (c *Client) begin(now tick.Time, s state) {
	c.state, c.tries, c.send, c.began = s, 0, true, now
	c.again = 0
	if s != requesting {
		c.xid = uint32(c.random())
	}
}

// Deadline is when Tick must be called, 0: nothing is waited for.
func (c *Client) Deadline() tick.Time {
	switch c.state {
	case bound:
		return c.t1
	case renewing:
		return tick.Sooner(c.again, c.t2)
	case rebinding:
		return tick.Sooner(c.again, c.ends)
	}
	return c.again
}

// Tick does what is due.
func (c *Client) Tick(now tick.Time) {
	switch {
	case c.have && c.ends.Due(now) && c.state != releasing:
		c.lose(now)
		return
	case c.state == bound && c.t1.Due(now):
		c.begin(now, renewing)
		return
	case c.state == renewing && c.t2.Due(now):
		c.begin(now, rebinding)
		return
	}
	if !c.again.Due(now) {
		return
	}
	c.again = 0
	if c.state == declining {
		c.begin(now, selecting)
		return
	}
	if c.state == requesting && c.tries >= 4 {
		c.begin(now, selecting) // the server that made the offer is silent
		return
	}
	c.send = true
}

// lose ends the lease and begins anew (RFC 2131, 4.4.5).
func (c *Client) lose(now tick.Time) {
	c.changed = c.changed || c.have
	c.lease, c.have = Lease{}, false
	c.t1, c.t2, c.ends = 0, 0, 0
	c.begin(now, selecting)
}

// pause is how long to wait for an answer (4.1): doubling, up to 64 s, and up to a quarter of noise; in renewal half of the time that is left, a minute at least (4.4.5).
func (c *Client) pause(now tick.Time) time.Duration {
	left := tick.Time(0)
	switch c.state {
	case renewing:
		left = c.t2
	case rebinding:
		left = c.ends
	}
	if left != 0 {
		return max(left.Sub(now)/2, time.Minute)
	}
	d := time.Second << min(c.tries, 6)
	return d + time.Duration(c.random()%uint64(d/4))
}

// Next writes the next message to b, which has MaxMessage bytes, and returns its length and whom it is for: a server, or, with the unspecified address, everybody. From the
// lease's address, or the unspecified one without one. false: there is nothing to send now.
func (c *Client) Next(now tick.Time, b []byte) (n int, to netip.Addr, ok bool) {
	if !c.send {
		return 0, to, false
	}
	c.send = false
	to = netip.IPv4Unspecified()
	secs := uint16(min(now.Sub(c.began)/time.Second, 0xffff))
	typ := byte(request)
	switch c.state {
	case selecting:
		typ = discover
	case declining:
		typ = decline
	case releasing:
		typ = release
	case requesting, renewing, rebinding:
	default:
		return 0, to, false
	}
	m := newMessage(b, c.xid, secs, c.mac, typ)
	m.option(optClientID, append([]byte{1}, c.mac[:]...)...)
	switch c.state {
	case selecting:
		be.PutUint16(m.b[offFlags:], broadcast)
		c.ask(m)
	case requesting:
		be.PutUint16(m.b[offFlags:], broadcast)
		m.address(optRequested, c.offered.yiaddr)
		m.address(optServer, c.offered.server)
		c.ask(m)
	case renewing, rebinding:
		a := c.lease.Address.Addr().As4()
		copy(m.b[offCiaddr:], a[:])
		if c.state == renewing {
			to = c.lease.Server
		}
		c.ask(m)
	case declining:
		m.address(optRequested, c.offered.yiaddr)
		m.address(optServer, c.offered.server)
		c.again = now.Add(10 * time.Second) // RFC 2131, 3.1, 5: not at once again
		return m.end(), to, true
	case releasing:
		a := c.lease.Address.Addr().As4()
		copy(m.b[offCiaddr:], a[:])
		m.address(optServer, c.lease.Server)
		to = c.lease.Server
		c.state, c.have, c.changed = stopped, false, true
		c.lease = Lease{}
		return m.end(), to, true
	}
	c.again = now.Add(c.pause(now))
	c.tries++
	return m.end(), to, true
}

// ask adds what we want to know.
func (c *Client) ask(m *builder) {
	m.option(optParameters, optMask, optRouter, optDNS, optHostName, optDomain, optMTU, optNTP, optLease, optT1, optT2, optSearch, optRoutes)
	m.option(optMaxSize, 1500>>8, 1500&0xff)
	if n := len(c.host); n > 0 && n <= 63 {
		m.option(optHostName, []byte(c.host)...)
	}
}

// Input takes in a message that has come to the client's port.
func (c *Client) Input(now tick.Time, p []byte) {
	r, ok := parse(p, c.xid, c.mac)
	if !ok {
		return
	}
	switch {
	case r.typ == offer && c.state == selecting && usable(r.yiaddr) && r.server.IsValid():
		c.offered = r
		c.begin(now, requesting)
	case r.typ == nak && (c.state == requesting || c.state == renewing || c.state == rebinding):
		c.lose(now)
	case r.typ == ack && c.state == requesting && r.yiaddr == c.offered.yiaddr && r.server == c.offered.server,
		r.typ == ack && (c.state == renewing || c.state == rebinding) && r.yiaddr == c.lease.Address.Addr():
		c.bind(now, r)
	}
}

// usable tells whether an address may be a host's.
func usable(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// bind takes a lease (4.4.5).
func (c *Client) bind(now tick.Time, r reply) {
	l := r.lease
	if l.Time < time.Minute {
		l.Time = max(l.Time, time.Minute) // a server that forgets it, or wants to be asked all the time
	}
	if !l.Server.IsValid() {
		l.Server = c.lease.Server
	}
	c.changed = c.changed || !c.have || !same(l, c.lease)
	c.lease, c.have = l, true
	c.state, c.again, c.send = bound, 0, false
	c.t1, c.t2, c.ends = 0, 0, 0
	if l.Time == infinite {
		return
	}
	t1, t2 := r.t1, r.t2
	if t2 <= 0 || t2 >= l.Time {
		t2 = l.Time / 8 * 7
	}
	if t1 <= 0 || t1 >= t2 {
		t1 = min(l.Time/2, t2)
	}
	c.t1, c.t2, c.ends = now.Add(t1), now.Add(t2), now.Add(l.Time)
}

// same tells whether two leases say the same of the network.
func same(a, b Lease) bool {
	return a.Address == b.Address && a.Server == b.Server && slices.Equal(a.Routers, b.Routers) && slices.Equal(a.Routes, b.Routes) && slices.Equal(a.DNS, b.DNS) &&
		slices.Equal(a.NTP, b.NTP) && a.HostName == b.HostName && a.Domain == b.Domain && slices.Equal(a.Search, b.Search) && a.MTU == b.MTU
}

// Decline tells the server that somebody else uses the address (RFC 2131, 3.1, 5; the stack has it from ARP), and begins anew after a while.
func (c *Client) Decline(now tick.Time) {
	if !c.have {
		return
	}
	c.offered.yiaddr, c.offered.server = c.lease.Address.Addr(), c.lease.Server
	c.lease, c.have, c.changed = Lease{}, false, true
	c.t1, c.t2, c.ends = 0, 0, 0
	c.begin(now, declining)
}

// Release gives the lease back and stops.
func (c *Client) Release(now tick.Time) {
	if !c.have {
		c.state, c.send, c.again = stopped, false, 0
		return
	}
	c.begin(now, releasing)
}
