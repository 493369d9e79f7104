package inet

import (
	"net/netip"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
)

// TestSourceStays: a connection keeps the address that it was made with, though a later one would be a better source.
func TestSourceStays(t *testing.T) {
	x, y := memwire.New(memwire.Options{})
	a, b := newStack(t), newStack(t)
	i, j := a.Attach(x), b.Attach(y)
	a.host.AddAddress(a.now(), i, netip.MustParsePrefix("10.9.0.1/24"))
	b.host.AddAddress(b.now(), j, netip.MustParsePrefix("10.0.0.3/24"))
	a.host.AddRoute(ip.Route{Prefix: netip.MustParsePrefix("10.0.0.0/25"), Gateway: netip.MustParseAddr("10.0.0.3"), Interface: i})
	b.host.AddRoute(ip.Route{Prefix: netip.MustParsePrefix("10.9.0.0/24"), Gateway: netip.MustParseAddr("10.9.0.1"), Interface: j})
	l, err := b.ListenTCP(addr("10.0.0.3:80"), 5)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := a.Dial(netip.AddrPort{}, addr("10.0.0.3:80"), DefaultTCPOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(true)
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a.host.AddAddress(a.now(), i, netip.MustParsePrefix("10.0.0.2/24"))
	if n, err := c.TryWrite([]byte("x")); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	came := make(chan error, 1)
	go func() { _, err := s.Read(make([]byte, 1)); came <- err }()
	select {
	case err := <-came:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Errorf("nothing came; the connection is from %v to %v", c.Local(), c.Remote())
	}
}
