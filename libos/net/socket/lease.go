package socket

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/dhcp"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// firstLease is how long a program's start waits for a DHCP server. Later answers count, too.
const firstLease = 3 * time.Second

// lease has a DHCP server configure an interface, for as long as the image runs. It parks until that is done, or firstLease is over.
func lease(s *inet.Stack, i *ip.Interface) {
	p, err := s.ListenUDP(netip.AddrPortFrom(netip.IPv4Unspecified(), dhcp.ClientPort))
	if err != nil {
		println("libos/net: DHCP's port cannot be opened:", err.Error())
		return
	}
	p.SetOptions(func(o *inet.UDPOptions) { o.Broadcast = true })
	l := &leasing{stack: s, iface: i, port: p, first: make(chan struct{})}
	l.client = dhcp.New(i.Info.MAC, hostName, func() uint64 {
		var b [8]byte
		rand.Read(b[:])
		return binary.NativeEndian.Uint64(b[:])
	})
	go l.run()
	select {
	case <-l.first:
	case <-time.After(firstLease):
		println("libos/net: no DHCP server has answered on " + i.Info.Name + " yet: the program starts without an address (--ip gives one)")
	}
}

// A leasing drives the DHCP client of one interface.
type leasing struct {
	stack  *inet.Stack
	iface  *ip.Interface
	port   *inet.Packets
	client *dhcp.Client
	first  chan struct{} // closed with the first lease
	had    dhcp.Lease
	once   bool
}

func now() tick.Time { return tick.Time(posix.Uptime()) }

func (l *leasing) run() {
	var in [1500]byte
	var out [dhcp.MaxMessage]byte
	c := l.client
	c.Start(now())
	for {
		for {
			n, to, ok := c.Next(now(), out[:])
			if !ok {
				break
			}
			if to.IsUnspecified() {
				to = netip.AddrFrom4([4]byte{255, 255, 255, 255})
			}
			// What cannot be sent is sent again by and by.
			l.port.TrySend(out[:n], netip.AddrPortFrom(to, dhcp.ServerPort), &inet.Info{Interface: l.iface.Index})
		}
		if c.Changed() {
			l.apply()
		}
		var until time.Time
		if d := c.Deadline(); d != 0 {
			until = time.Now().Add(d.Sub(now()))
		}
		l.port.SetReadDeadline(until)
		n, from, err := l.port.ReadFrom(in[:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.Tick(now())
		case err == nil && from.Port() == dhcp.ServerPort:
			c.Input(now(), in[:n])
		}
	}
}

// apply makes the interface what the lease says, or nothing where there is none any more.
func (l *leasing) apply() {
	h := l.stack.Host()
	got, ok := l.client.Lease()
	if l.had.Address.IsValid() && (!ok || l.had.Address != got.Address) {
		h.RemoveAddress(l.iface, l.had.Address)
	}
	h.RemoveRoutes(func(r ip.Route) bool { return r.Interface == l.iface && r.Prefix.Addr().Is4() })
	if l.had = got; !ok {
		println("libos/net: the DHCP lease of " + l.iface.Info.Name + " has ended")
		learn(nil)
		return
	}
	h.AddAddress(now(), l.iface, got.Address)
	routes := slices.Clone(got.Routes)
	if len(routes) == 0 && len(got.Routers) > 0 { // RFC 3442: not both
		routes = append(routes, dhcp.Route{Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway: got.Routers[0]})
	}
	for _, r := range routes {
		if !r.Gateway.IsUnspecified() {
			h.AddRoute(ip.Route{Prefix: r.Prefix, Gateway: r.Gateway, Interface: l.iface})
		}
	}
	search := got.Search
	if len(search) == 0 && got.Domain != "" {
		search = []string{got.Domain}
	}
	learn(&nameSource{servers: got.DNS, search: search, times: got.NTP})
	if !l.once {
		l.once = true
		close(l.first)
	}
}
