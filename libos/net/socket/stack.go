package socket

import (
	"crypto/rand"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/setup"
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
	openCards func(leaveOut func(name string) bool) ([]link.Device, error)
	memory    func(n int) (mem []byte, phys uint64)
)

// bringUp sets the cards up as the command line says. It parks until they have their addresses, or firstLease is over. What is wrong is told on the console, and the program
// starts all the same: it finds no network, and gets the errors that Linux gives.
func bringUp(s *inet.Stack) {
	if openCards == nil {
		return
	}
	word, _ := exo.Setting("ip")
	plan, err := setup.Parse(word)
	if err != nil {
		println("libos/net:", err.Error())
		return
	}
	if plan.AllOff() {
		return
	}
	cards, err := openCards(plan.Off)
	if err != nil {
		println("libos/net:", err.Error())
	}
	noCard.Store(len(cards) == 0)
	var b bringing
	s.Changed(relearn)
	for _, c := range cards {
		info := c.Info()
		how := plan.For(info.Name, info.MAC.String())
		if how.Off {
			c.Close()
			continue
		}
		b.card(s, s.Attach(c), how)
	}
	configured.Store(&b.servers) // whole: who reads it takes no lock
	relearn()
	b.wait()
}

// noCard: there is none, and nobody has been told so. He is when he wants to reach somebody: many programs never do.
var noCard atomic.Bool

// A bringing is what is waited for while cards are set up.
type bringing struct {
	cards   []*upcoming
	leases  *leases
	slowly  bool // somebody asks for as long as RFC 5227 says
	servers nameSource
}

// An upcoming card gets its addresses of IPv4.
type upcoming struct {
	name string
	dhcp bool
	left atomic.Int32  // addresses of which it is not known yet whether it gets them
	done chan struct{} // closed when there are none
}

func (u *upcoming) got() {
	if u.left.Add(-1) == 0 {
		close(u.done)
	}
}

// card begins to set one up.
func (b *bringing) card(s *inet.Stack, i *ip.Interface, c setup.Card) {
	b.servers.servers = append(b.servers.servers, c.Servers...)
	b.servers.search = append(b.servers.search, c.Search...)
	s.Enable6(i, c.SLAAC)
	u := &upcoming{name: i.Info.Name, dhcp: c.DHCP, done: make(chan struct{})}
	u.left.Store(1)
	for _, p := range c.Addresses {
		if p.Addr().Is6() {
			s.AddAddress6(i, p)
			continue
		}
		u.left.Add(1)
		claim(s, i, p, c.Probe, u.got)
	}
	for _, g := range c.Gateways {
		all := netip.IPv4Unspecified()
		if g.Is6() {
			all = netip.IPv6Unspecified()
		}
		s.Host().AddRoute(ip.Route{Prefix: netip.PrefixFrom(all, 0), Gateway: g, Interface: i, Metric: i.Index})
	}
	if c.DHCP {
		if b.leases == nil {
			b.leases = newLeases(s)
		}
		u.left.Add(1)
		b.leases.add(i, c.Probe, u.got)
	}
	u.got()
	b.cards = append(b.cards, u)
	b.slowly = b.slowly || c.Probe == ip.Fully
}

// claim gives an interface an address of the command line. One that somebody else has is asked for again, once a minute (RFC 5227, 2.1.1); one that is ours stays so.
func claim(s *inet.Stack, i *ip.Interface, p netip.Prefix, how ip.Probing, settled func()) {
	const again = time.Minute
	s.Claim(i, p, how, true, func(ours bool) {
		settled()
		if !ours {
			println("libos/net: somebody else has the address " + p.Addr().String() + ": " + i.Info.Name + " goes without it")
			time.AfterFunc(again, func() { claim(s, i, p, how, func() {}) })
		}
	})
}

// firstLease is how long a program's start waits for addresses. Later answers count, too. fullProbe is how much longer where RFC 5227 is followed to the letter.
const (
	firstLease = 3 * time.Second
	fullProbe  = 7 * time.Second
)

// wait waits until every card has what it is to have.
func (b *bringing) wait() {
	if b.leases != nil {
		go b.leases.run()
	}
	most := firstLease
	if b.slowly {
		most += fullProbe
	}
	over := time.NewTimer(most)
	defer over.Stop()
	late := false
	for _, u := range b.cards {
		if !late {
			select {
			case <-u.done:
				continue
			case <-over.C:
				late = true
			}
		}
		if u.left.Load() > 0 && u.dhcp {
			println("libos/net: no DHCP server has answered on " + u.name + " yet: the program starts without an address (--ip gives one)")
		}
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
