package inet

import (
	"net/netip"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
)

// TestSourceStays: a connection, and a connected endpoint of UDP, keeps the address that it was made with, though a later one would be a better source.
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
	v, err := b.ListenUDP(addr("10.0.0.3:7"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	u := a.NewUDP(false, nil)
	defer u.Close()
	if err := u.Connect(addr("10.0.0.3:7")); err != nil {
		t.Fatal(err)
	}
	a.host.AddAddress(a.now(), i, netip.MustParsePrefix("10.0.0.2/24"))
	if _, err := u.TrySend([]byte("x"), netip.AddrPort{}, nil); err != nil {
		t.Fatal(err)
	}
	if _, d, err := v.Recv(make([]byte, 1)); err != nil || d.From != u.Local() || d.From.Addr() != netip.MustParseAddr("10.9.0.1") {
		t.Errorf("a datagram of %v came from %v, %v", u.Local(), d.From, err)
	}
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
