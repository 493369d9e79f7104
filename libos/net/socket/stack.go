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
		if n.dhcp {
			lease(s, iface)
		} else {
			static(s, iface, &n)
		}
	}
}

// static gives an interface the address and the rest that n says.
func static(s *inet.Stack, i *ip.Interface, n *network) {
	h := s.Host()
	h.AddAddress(tick.Time(posix.Uptime()), i, n.prefix)
	if n.gateway.IsValid() {
		h.AddRoute(ip.Route{Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway: n.gateway, Interface: i})
	}
	learn(n.servers, n.search)
}

// learn notes name servers.
func learn(servers []netip.Addr, search []string) {
	known.Store(&resolver{servers: servers, search: search, changed: time.Now().Unix()})
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
			x.IPs = append(x.IPs, InterfaceIP{IP: p.Addr().AsSlice(), Bits: p.Bits(), Scope: universeScope, Flags: permanent})
		}
		list = append(list, x)
	}
	return list
}
