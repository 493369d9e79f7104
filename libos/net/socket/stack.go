package socket

import (
	"crypto/rand"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// stack is the image's, made when the first socket of AF_INET or AF_INET6 is, or before main where there are cards. It may park, for as long as a card is being set
// up: a program that dials first thing finds the network there.
var stack = sync.OnceValue(func() *inet.Stack {
	s := inet.New(inet.Config{
		Clock:  func() tick.Time { return tick.Time(posix.Uptime()) },
		Random: func(p []byte) { rand.Read(p) },
		Memory: memory,
	})
	theStack.Store(s)
	bringUp(s)
	return s
})

// Stack is the image's network, for a program that uses package inet itself beside, or instead of, package net. It parks while a card is being set up.
func Stack() *inet.Stack { return stack() }

// theStack is stack, for who looks only.
var theStack atomic.Pointer[inet.Stack]

// The machine's side; nil, as hosted: there is none.
var (
	openCards func() ([]link.Device, error)
	memory    func(n int) (mem []byte, phys uint64)
)

// known is what was learnt of name servers.
var known atomic.Pointer[resolver]

// bringUp sets the cards up as the command line says. What is wrong is told on the console, and the program starts all the same: it finds no network, and gets the
// errors that Linux gives.
func bringUp(s *inet.Stack) {
	if openCards == nil {
		return
	}
	word, _ := exo.Setting("ip")
	n, err := parseNetwork(word)
	if err != nil {
		println("libos/net:", err.Error())
		return
	}
	if n.off {
		return
	}
	cards, err := openCards()
	if err != nil {
		println("libos/net:", err.Error())
	}
	for i, c := range cards {
		iface := s.Attach(c)
		if i > 0 {
			continue // a second card is the program's to use, by package inet
		}
		configured.Store(&nameSource{servers: n.servers, search: n.search})
		s.Changed(relearn)
		relearn()
		s.Enable6(iface, n.slaac)
		static(s, iface, &n)
		if n.dhcp {
			lease(s, iface)
		}
	}
}

// static gives an interface the addresses and routes that n says.
func static(s *inet.Stack, i *ip.Interface, n *network) {
	h := s.Host()
	for _, p := range n.addresses {
		if p.Addr().Is6() {
			s.AddAddress6(i, p)
		} else {
			h.AddAddress(now(), i, p)
		}
	}
	for _, g := range n.gateways {
		all := netip.IPv4Unspecified()
		if g.Is6() {
			all = netip.IPv6Unspecified()
		}
		h.AddRoute(ip.Route{Prefix: netip.PrefixFrom(all, 0), Gateway: g, Interface: i})
	}
}

// A nameSource is name servers and the like from one source.
type nameSource struct {
	servers []netip.Addr
	search  []string
	times   []netip.Addr // time servers
}

// TimeServers gives those that the lease names (RFC 2132, 8.3): libos/net/ntp asks them where it is told so. It waits, as a first socket does, until the card is configured.
func TimeServers() []netip.Addr {
	stack()
	if l := leased.Load(); l != nil {
		return l.times
	}
	return nil
}

// Where they come from, beside routers: the command line and a lease.
var configured, leased atomic.Pointer[nameSource]

// relearning keeps what is known in order: changes may come on several goroutines.
var relearning sync.Mutex

// relearn puts together what is known of name servers, and notes when that has changed.
func relearn() {
	relearning.Lock()
	defer relearning.Unlock()
	var r resolver
	all := []*nameSource{configured.Load(), leased.Load()}
	if s := theStack.Load(); s != nil {
		servers, search := s.Host().Learned()
		all = append(all, &nameSource{servers: servers, search: search})
	}
	for _, x := range all {
		if x == nil {
			continue
		}
		r.servers = append(r.servers, x.servers...)
		for _, d := range x.search {
			if !slices.Contains(r.search, d) {
				r.search = append(r.search, d)
			}
		}
	}
	old := known.Load()
	if old != nil && slices.Equal(old.servers, r.servers) && slices.Equal(old.search, r.search) {
		return
	}
	if r.changed = time.Now().Unix(); old != nil {
		r.changed = max(r.changed, old.changed+1) // who looks at the time sees two changes within a second, too
	}
	known.Store(&r)
}

// learn notes what a lease says of servers.
func learn(l *nameSource) {
	leased.Store(l)
	relearn()
}

func init() {
	interfaces = listInterfaces
	resolvers = func() resolver {
		stack() // waits until the first card is configured: a program whose first act is to look up a name asks whom the network names
		if r := known.Load(); r != nil {
			return *r
		}
		return resolver{changed: 1}
	}
}

// Scopes and flags of addresses: rtnetlink(7).
const (
	universeScope = 0
	linkScope     = 253
	hostScope     = 254
	permanent     = 0x80
)

// listInterfaces gives the loopback interface and the cards.
func listInterfaces() []Interface {
	ip6 := netip.IPv6Loopback().As16()
	list := []Interface{{
		Index: 1, Name: "lo", MTU: 65536, Type: syscall.ARPHRD_LOOPBACK, Flags: syscall.IFF_UP | syscall.IFF_LOOPBACK | syscall.IFF_RUNNING, Address: make([]byte, 6),
		IPs: []InterfaceIP{
			{IP: []byte{127, 0, 0, 1}, Bits: 8, Scope: hostScope, Flags: permanent},
			{IP: ip6[:], Bits: 128, Scope: hostScope, Flags: permanent},
		},
	}}
	s := stack()
	for _, i := range s.Host().Interfaces() {
		if i.Loopback {
			continue
		}
		x := Interface{
			Index: i.Index, Name: i.Info.Name, MTU: i.Info.MTU, Type: syscall.ARPHRD_ETHER, Flags: syscall.IFF_UP | syscall.IFF_BROADCAST | syscall.IFF_MULTICAST,
			Address: i.Info.MAC[:],
		}
		if i.Device.Up() {
			x.Flags |= syscall.IFF_RUNNING
		}
		for _, p := range i.Addresses() {
			scope := uint8(universeScope)
			if p.Addr().IsLinkLocalUnicast() {
				scope = linkScope
			}
			x.IPs = append(x.IPs, InterfaceIP{IP: p.Addr().AsSlice(), Bits: p.Bits(), Scope: scope, Flags: permanent})
		}
		list = append(list, x)
	}
	return list
}
