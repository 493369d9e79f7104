package inet

import (
	"bytes"
	"context"
	"net/netip"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// linkLocalOf waits until an interface has its address for the link, and gives it with its zone.
func linkLocalOf(t *testing.T, i *ip.Interface) netip.Addr {
	t.Helper()
	for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(10 * time.Millisecond) {
		for _, p := range i.Addresses() {
			if p.Addr().Is6() {
				return p.Addr().WithZone(strconv.Itoa(i.Index))
			}
		}
	}
	t.Fatal("no address for the link after a minute")
	return netip.Addr{}
}

// TestSix: TCP, with and without a device that cuts segments, and UDP between two stacks by their link-local addresses. Zones are each side's own.
func TestSix(t *testing.T) {
	for name, o := range map[string]memwire.Options{
		"plain": {Seed: 1}, "cut by the device": {Offloads: link.TxChecksum | link.TxTSO4 | link.RxTSO4 | link.TxTSO6 | link.RxTSO6}, "bad": {Seed: 3, Loss: 0.02, Reorder: 0.02, Duplicate: 0.01, Damage: 0.01},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := two(t, o)
			ai, bi := a.host.Interfaces()[1], b.host.Interfaces()[1]
			a.Enable6(ai, false)
			b.Enable6(bi, false)
			linkLocalOf(t, ai)
			to := linkLocalOf(t, bi)
			l, err := b.ListenTCP(netip.AddrPortFrom(netip.IPv6Unspecified(), 80), 5)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			body := pattern(1 << 20)
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				if c.Remote().Addr().Zone() != "2" {
					t.Errorf("the peer's address is %v", c.Remote())
				}
				c.Write(body)
				c.Close()
			}()
			c, err := a.DialTCP(context.Background(), netip.AddrPortFrom(to, 80))
			if err != nil {
				t.Fatal(err)
			}
			c.SetReadDeadline(time.Now().Add(time.Minute))
			var got []byte
			for buf := make([]byte, 1<<16); ; {
				n, err := c.Read(buf)
				got = append(got, buf[:n]...)
				if err != nil {
					break
				}
			}
			if !bytes.Equal(got, body) {
				t.Errorf("%d bytes came", len(got))
			}
			c.Close()

			u, err := b.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), 7))
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
			v, err := a.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), 0))
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			in := make([]byte, 65536)
			for _, n := range []int{0, 1400, 1453, 30000} {
				heard := false
				for try := 0; try < 200 && !heard; try++ {
					v.WriteTo(body[:n], netip.AddrPortFrom(to, 7))
					u.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
					k, from, err := u.ReadFrom(in)
					if err != nil || k != n { // lost, or one of before once more: the wire doubles
						continue
					}
					if from.Addr().Zone() != "2" || !bytes.Equal(in[:k], body[:n]) {
						t.Fatalf("%d bytes came as others, from %v", n, from)
					}
					heard = true
				}
				if !heard {
					t.Errorf("a datagram of %d bytes did not come in 200 times", n)
				}
			}
			for _, s := range []*Stack{a, b} { // what is left of datagrams whose fragments were lost
				s.host.Tick(s.now() + tick.Time(time.Minute))
			}
		})
	}
}

// TestNoNetwork: without an address, or a route, who dials or sends is told what Linux says.
func TestNoNetwork(t *testing.T) {
	x, y := memwire.New(memwire.Options{})
	s := newStack(t)
	i := s.Attach(x)
	defer y.Close()
	want := func(what, to string, e syscall.Errno) {
		t.Helper()
		a := netip.MustParseAddrPort(to)
		if _, err := s.Dial(netip.AddrPort{}, a, DefaultTCPOptions(), nil); err != e {
			t.Errorf("%s: dial %s: %v, want %v", what, to, err, e)
		}
		u := s.NewUDP(a.Addr().Is6(), nil)
		defer u.Close()
		if _, err := u.TrySend([]byte("x"), a, nil); err != e {
			t.Errorf("%s: send to %s: %v, want %v", what, to, err, e)
		}
		if err := u.Connect(a); err != e {
			t.Errorf("%s: connect to %s: %v, want %v", what, to, err, e)
		}
	}
	for _, to := range []string{"10.1.1.1:80", "[2001:db8::1]:80", "[fe80::1%2]:80"} {
		want("no address", to, syscall.ENETUNREACH)
	}
	want("no such interface", "[fe80::1%9]:80", syscall.ENETUNREACH)
	s.host.AddAddress(s.now(), i, netip.MustParsePrefix("10.0.0.1/24"))
	s.Enable6(i, true)
	linkLocalOf(t, i)
	want("no route", "10.1.1.1:80", syscall.ENETUNREACH)
	want("no route", "[2001:db8::1]:80", syscall.ENETUNREACH)
}

// TestSoonerTick: the network layer's far deadlines, the end of a router's lifetime for one, do not keep what is due sooner from being done: a neighbour that does not answer is asked again
// and given up.
func TestSoonerTick(t *testing.T) {
	x, y := memwire.New(memwire.Options{})
	s := newStack(t)
	i := s.Attach(x)
	defer y.Close()
	s.host.AddAddress(s.now(), i, netip.MustParsePrefix("10.0.0.1/24"))
	time.Sleep(1500 * time.Millisecond) // what attaching led to has been done
	s.timers.arm(&s.hostTick, s.now().Add(time.Hour))
	u := s.NewUDP(false, nil)
	defer u.Close()
	if _, err := u.TrySend([]byte("x"), netip.MustParseAddrPort("10.0.0.9:9"), nil); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); s.host.Count(ip.NeighbourFailed) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatal("nobody has looked after the neighbour in twenty seconds")
		}
	}
}
