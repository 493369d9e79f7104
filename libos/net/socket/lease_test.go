package socket

import (
	"crypto/rand"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
	"github.com/hardtack-os/hardtack/libos/net/tick"
	"github.com/hardtack-os/hardtack/libos/posix"
)

// A dhcpServer gives one address on a link, on a stack of its own. It leases for an hour and wants to be asked again after a second.
type dhcpServer struct {
	stack *inet.Stack
	iface *ip.Interface
	addr  netip.Addr // its own
	gives netip.Addr
	seen  chan string // what it is asked, and from where
}

func newStack(t *testing.T) *inet.Stack {
	s := inet.New(inet.Config{Clock: func() tick.Time { return tick.Time(posix.Uptime()) }, Random: func(p []byte) { rand.Read(p) }})
	t.Cleanup(s.Close)
	return s
}

func (d *dhcpServer) run(t *testing.T) {
	p, err := d.stack.ListenUDP(netip.MustParseAddrPort("0.0.0.0:67"))
	if err != nil {
		t.Error(err)
		return
	}
	p.SetOptions(func(o *inet.UDPOptions) { o.Broadcast = true })
	names := map[byte]string{1: "discover", 3: "request", 4: "decline"}
	for b := make([]byte, 1500); ; {
		n, from, err := p.ReadFrom(b)
		if err != nil || n < 243 || b[240] != 53 {
			return
		}
		m := append([]byte(nil), b[:240]...)
		m[0] = 2
		a := d.gives.As4()
		copy(m[16:], a[:])
		own := d.addr.As4()
		typ := map[byte]byte{1: 2, 3: 5}[b[242]]
		m = append(m, 53, 1, typ, 54, 4, own[0], own[1], own[2], own[3], 51, 4, 0, 0, 14, 16, 58, 4, 0, 0, 0, 1, 1, 4, 255, 255, 255, 0, 3, 4, own[0], own[1], own[2], own[3], 12, 5, 'n', 'a', 'm', 'e', 'd', 255)
		select {
		case d.seen <- names[b[242]] + " " + from.Addr().String():
		default:
		}
		if typ != 0 {
			to := netip.AddrFrom4([4]byte{255, 255, 255, 255})
			if !from.Addr().IsUnspecified() {
				to = from.Addr()
			}
			p.TrySend(m, netip.AddrPortFrom(to, 68), &inet.Info{Interface: d.iface.Index})
		}
	}
}

// TestLeases: two cards ask the servers of their links by one port. The first server gives what somebody else has and hears so; the other one's address is used, with what
// belongs to it, and asked for again in time, from itself.
func TestLeases(t *testing.T) {
	var said struct {
		sync.Mutex
		lines []string
	}
	defer func(f func(string)) { say = f }(say)
	say = func(what string) {
		said.Lock()
		said.lines = append(said.lines, what)
		said.Unlock()
	}
	s := newStack(t)
	ls := newLeases(s)
	var servers []*dhcpServer
	var ready [2]atomic.Bool
	for k := range 2 {
		x, y := memwire.New(memwire.Options{})
		d := &dhcpServer{stack: newStack(t), addr: netip.AddrFrom4([4]byte{10, 5, byte(k), 1}), gives: netip.AddrFrom4([4]byte{10, 5, byte(k), 50}), seen: make(chan string, 100)}
		d.iface = d.stack.Attach(y)
		h := d.stack.Host()
		h.AddAddress(now(), d.iface, netip.PrefixFrom(d.addr, 24))
		if k == 0 {
			h.AddAddress(now(), d.iface, netip.PrefixFrom(d.gives, 24))
		}
		servers = append(servers, d)
		go d.run(t)
		ls.add(s.Attach(x), ip.Quickly, func() { ready[k].Store(true) })
	}
	defer learn(3, nil)
	defer posix.SetHostName(posix.HostName())
	go ls.run()
	hears := func(d *dhcpServer, want ...string) {
		t.Helper()
		for _, w := range want {
			for {
				select {
				case got := <-d.seen:
					if got != w { // said again, on a busy host
						continue
					}
				case <-time.After(20 * time.Second):
					t.Fatalf("no %s", w)
				}
				break
			}
		}
	}
	hears(servers[0], "discover 0.0.0.0", "request 0.0.0.0", "decline 0.0.0.0")
	hears(servers[1], "discover 0.0.0.0", "request 0.0.0.0", "request 10.5.1.50", "request 10.5.1.50")
	if ready[0].Load() || !ready[1].Load() {
		t.Errorf("ready: %v %v", ready[0].Load(), ready[1].Load())
	}
	if s.Host().Local(servers[0].gives) || !s.Host().Local(servers[1].gives) {
		t.Error("the wrong addresses are ours")
	}
	routes := s.Host().Routes()
	if !slices.ContainsFunc(routes, func(r ip.Route) bool { return r.Gateway == servers[1].addr && r.Prefix.Bits() == 0 }) || len(routes) != 1 {
		t.Errorf("routes %v", routes)
	}
	said.Lock()
	if want := []string{"somebody else has the address 10.5.0.50: mem asks for another one"}; !slices.Equal(said.lines, want) {
		t.Errorf("it says %q, want %q", said.lines, want)
	}
	said.Unlock()
	if posix.HostName() != "named" {
		t.Errorf("called %s", posix.HostName())
	}
}
