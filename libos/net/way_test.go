package inet

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/hardtack-os/hardtack/libos/net/memwire"
)

// TestWay: the way of the last datagram is not taken where options, or the network, have changed since.
func TestWay(t *testing.T) {
	a, b := two(t, memwire.Options{})
	v, err := b.ListenUDP(addr("10.0.0.2:7"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	u := a.NewUDP(false, nil)
	defer u.Close()
	send := func(to string, want error) {
		t.Helper()
		if _, err := u.TrySend([]byte("x"), addr(to), nil); err != want {
			t.Errorf("to %s: %v, want %v", to, err, want)
		}
	}
	hops := func(want uint8) {
		t.Helper()
		send("10.0.0.2:7", nil)
		if _, d, err := v.Recv(make([]byte, 1)); err != nil || d.Info.TTL != want {
			t.Errorf("it came with %d hops left, %v, want %d", d.Info.TTL, err, want)
		}
	}
	hops(64)
	u.SetOptions(func(o *UDPOptions) { o.TTL = 9 })
	hops(9)
	u.SetOptions(func(o *UDPOptions) { o.TTL = 0 })
	hops(64)

	u.SetOptions(func(o *UDPOptions) { o.Broadcast = true })
	send("10.0.0.255:7", nil)
	u.SetOptions(func(o *UDPOptions) { o.Broadcast = false })
	send("10.0.0.255:7", syscall.EACCES)

	hops(64)
	i := a.host.Interfaces()[1]
	a.host.RemoveAddress(i, netip.MustParsePrefix("10.0.0.1/24"))
	send("10.0.0.2:7", syscall.ENETUNREACH)
	a.host.AddAddress(a.now(), i, netip.MustParsePrefix("10.0.0.2/24"))
	send("10.0.0.2:7", nil) // to itself now
	if _, _, err := v.TryRecv(make([]byte, 1), false); err != syscall.EAGAIN {
		t.Errorf("what was for ourselves went out: %v", err)
	}
}

// TestHopsOfConnections: a connection whose hop limit was set and is nobody's wish any more has the network's again.
func TestHopsOfConnections(t *testing.T) {
	p := path{local: true}
	for _, x := range []struct {
		asked int
		want  uint8
	}{{0, 64}, {9, 9}, {0, 64}} {
		if p.set(&TCPOptions{TTL: x.asked}); p.ttl != x.want {
			t.Errorf("%d was asked for: %d, want %d", x.asked, p.ttl, x.want)
		}
	}
}
