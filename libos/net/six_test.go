package inet

import (
	"bytes"
	"context"
	"net/netip"
	"strconv"
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
	for start := time.Now(); time.Since(start) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
		for _, p := range i.Addresses() {
			if p.Addr().Is6() {
				return p.Addr().WithZone(strconv.Itoa(i.Index))
			}
		}
	}
	t.Fatal("no address for the link after ten seconds")
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
				for try := 0; try < 20 && !heard; try++ {
					v.WriteTo(body[:n], netip.AddrPortFrom(to, 7))
					u.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
					k, from, err := u.ReadFrom(in)
					if err != nil {
						continue
					}
					if from.Addr().Zone() != "2" || !bytes.Equal(in[:k], body[:n]) {
						t.Fatalf("%d bytes came as %d, from %v", n, k, from)
					}
					heard = true
				}
				if !heard {
					t.Errorf("a datagram of %d bytes did not come in 20 times", n)
				}
			}
			for _, s := range []*Stack{a, b} { // what is left of datagrams whose fragments were lost
				s.host.Tick(s.now() + tick.Time(time.Minute))
			}
		})
	}
}
