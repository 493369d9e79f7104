package socket

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hardtack-os/hardtack/exo"
	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/dhcp"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/setup"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// say tells who reads the console.
var say = func(what string) { println("libos/net: " + what) }

func now() tick.Time { return tick.Time(posix.Uptime()) }

// leases have DHCP servers configure cards, for as long as the image runs. There is one port for all of them, and one goroutine.
type leases struct {
	stack *inet.Stack
	port  *inet.Packets
	of    []*leasing
}

// A leasing drives the DHCP client of one interface.
type leasing struct {
	all    *leases
	iface  *ip.Interface
	probe  ip.Probing
	client *dhcp.Client
	had    dhcp.Lease
	first  func() // to be called when the address is there for the first time
	taken  bool   // somebody else has the address: who reads the console knows why the lease ends

	mu   sync.Mutex
	told []verdict // of which the goroutine has not heard yet
}

// A verdict is what became of a claim to an address.
type verdict struct {
	of   netip.Prefix
	ours bool
}

// newLeases opens the port; without one nothing is leased, and a line says so.
func newLeases(s *inet.Stack) *leases {
	p, err := s.ListenUDP(netip.AddrPortFrom(netip.IPv4Unspecified(), dhcp.ClientPort))
	if err != nil {
		println("libos/net: DHCP's port cannot be opened:", err.Error())
		return &leases{stack: s}
	}
	p.SetOptions(func(o *inet.UDPOptions) { o.Broadcast = true })
	return &leases{stack: s, port: p}
}

// add has an interface configured, from run on. first is called once, when it has an address, or at once where it never gets one.
func (ls *leases) add(i *ip.Interface, probe ip.Probing, first func()) {
	if ls.port == nil {
		first()
		return
	}
	l := &leasing{all: ls, iface: i, probe: probe, first: first}
	l.client = dhcp.New(i.Info.MAC, posix.HostName(), func() uint64 {
		var b [8]byte
		rand.Read(b[:])
		return binary.NativeEndian.Uint64(b[:])
	})
	ls.of = append(ls.of, l)
}

func (ls *leases) run() {
	if ls.port == nil {
		return
	}
	var in [1500]byte
	for _, l := range ls.of {
		l.client.Start(now())
	}
	for {
		var until tick.Time
		for _, l := range ls.of {
			l.drive()
			until = tick.Sooner(until, l.client.Deadline())
		}
		ls.sleep(until)
		n, d, err := ls.port.Recv(in[:])
		for _, l := range ls.of {
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				l.client.Tick(now())
			case err == nil && d.From.Port() == dhcp.ServerPort && d.Info.Interface == l.iface.Index:
				l.client.Input(now(), in[:n])
			}
		}
	}
}

// sleep bounds the wait for a message. Who is told of a claim meanwhile ends it: see leasing.hear.
func (ls *leases) sleep(until tick.Time) {
	var at time.Time
	if until != 0 {
		at = time.Now().Add(until.Sub(now()))
	}
	ls.port.SetReadDeadline(at)
	for _, l := range ls.of {
		l.mu.Lock()
		if len(l.told) > 0 {
			ls.port.SetReadDeadline(time.Unix(1, 0))
		}
		l.mu.Unlock()
	}
}

// hear is told of the claim to an address.
func (l *leasing) hear(v verdict) {
	l.mu.Lock()
	l.told = append(l.told, v)
	l.mu.Unlock()
	l.all.port.SetReadDeadline(time.Unix(1, 0))
}

// drive does what there is to do, and sends what is to be sent.
func (l *leasing) drive() {
	l.mu.Lock()
	told := l.told
	l.told = nil
	l.mu.Unlock()
	for _, v := range told {
		l.claimed(v)
	}
	c := l.client
	var out [dhcp.MaxMessage]byte
	for {
		from := netip.Addr{}
		if had, ok := c.Lease(); ok && l.all.stack.Host().Local(had.Address.Addr()) {
			from = had.Address.Addr()
		}
		n, to, ok := c.Next(now(), out[:])
		if !ok {
			break
		}
		if to.IsUnspecified() {
			to = netip.AddrFrom4([4]byte{255, 255, 255, 255})
		}
		// What cannot be sent is sent again by and by.
		l.all.port.TrySend(out[:n], netip.AddrPortFrom(to, dhcp.ServerPort), &inet.Info{Interface: l.iface.Index, To: from})
	}
	if c.Changed() {
		l.apply()
	}
}

// apply makes the interface what the lease says, or nothing where there is none any more.
func (l *leasing) apply() {
	h := l.all.stack.Host()
	got, ok := l.client.Lease()
	same := ok && l.had.Address == got.Address
	if l.had.Address.IsValid() && !same {
		h.RemoveAddress(l.iface, l.had.Address)
	}
	l.had = got
	switch {
	case !ok:
		l.unroute()
		learn(l.iface.Index, nil)
		if !l.taken {
			say("the DHCP lease of " + l.iface.Info.Name + " has ended")
		}
		l.taken = false
	case same:
		l.route()
	default:
		l.unroute()
		l.all.stack.Claim(l.iface, got.Address, l.probe, false, func(ours bool) { l.hear(verdict{got.Address, ours}) })
	}
}

// claimed is what becomes of the lease's address: it is ours, or somebody else has it, and the server hears of that.
func (l *leasing) claimed(v verdict) {
	if !l.had.Address.IsValid() || v.of != l.had.Address {
		return // the lease has ended meanwhile, or is of another address
	}
	if !v.ours {
		say("somebody else has the address " + l.had.Address.Addr().String() + ": " + l.iface.Info.Name + " asks for another one")
		l.taken = true
		l.client.Decline(now())
		return
	}
	l.route()
	if l.first != nil {
		l.first()
		l.first = nil
	}
}

func (l *leasing) unroute() {
	l.all.stack.Host().RemoveRoutes(func(r ip.Route) bool { return r.Interface == l.iface && r.Leased })
}

// route enters what the lease says beside the address: routes, servers, the host's name.
func (l *leasing) route() {
	l.unroute()
	got := &l.had
	routes := slices.Clone(got.Routes)
	if len(routes) == 0 && len(got.Routers) > 0 { // RFC 3442: not both
		routes = append(routes, dhcp.Route{Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway: got.Routers[0]})
	}
	for _, r := range routes {
		if !r.Gateway.IsUnspecified() {
			l.all.stack.Host().AddRoute(ip.Route{Prefix: r.Prefix, Gateway: r.Gateway, Interface: l.iface, Metric: l.iface.Index, Leased: true})
		}
	}
	search := got.Search
	if len(search) == 0 && got.Domain != "" {
		search = []string{got.Domain}
	}
	if _, fixed := exo.Setting("hostname"); !fixed && setup.IsHostName(got.HostName) {
		posix.SetHostName(got.HostName)
	}
	learn(l.iface.Index, &nameSource{servers: got.DNS, search: search, times: got.NTP})
}
