package inet

import (
	"crypto/rand"
	"net/netip"
	"testing"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// TestBatch: what several acknowledgments that came along with each other let go leaves in one segment, where the device cuts large ones.
func TestBatch(t *testing.T) {
	const all = link.TxChecksum | link.RxChecksum | link.TxTSO4 | link.RxTSO4
	sent := 0 // frames of TCP to b
	x, y := memwire.New(memwire.Options{Offloads: all, Observe: func(to int, p []byte) {
		if to == 1 && p[12] == 8 && p[13] == 0 && p[23] == protoTCP {
			sent++
		}
	}})
	now := tick.Time(1e9)
	make := func(c link.Device, prefix string) *Stack {
		s := New(Config{Driven: true, Clock: func() tick.Time { return now }, Random: func(p []byte) { rand.Read(p) }})
		t.Cleanup(s.Close)
		s.host.AddAddress(now, s.Attach(c), netip.MustParsePrefix(prefix))
		return s
	}
	a, b := make(x, "10.0.0.1/24"), make(y, "10.0.0.2/24")
	step := func() {
		for range 10 {
			now += 1e5
			a.Step()
			b.Step()
		}
	}
	l, err := b.ListenTCP(addr("10.0.0.2:80"), 1)
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultTCPOptions()
	o.Socket.NoDelay = true
	c, err := a.Dial(netip.AddrPort{}, addr("10.0.0.2:80"), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	step()
	if !c.Connected() {
		t.Fatal("not connected")
	}
	// The first window leaves in five segments, each of which is acknowledged.
	const mss, pieces = 1448, 5
	sent = 0
	for range pieces {
		if n, err := c.TryWrite(pattern(2 * mss)); n != 2*mss || err != nil {
			t.Fatal(n, err)
		}
	}
	if n, err := c.TryWrite(pattern(40 * mss)); n != 40*mss || err != nil {
		t.Fatal(n, err)
	}
	if sent != pieces {
		t.Fatalf("the window leaves in %d segments", sent)
	}
	now += 1e5
	b.Step()
	a.Step()
	if sent != pieces+1 {
		t.Errorf("%d acknowledgments have let go %d segments, want one", pieces, sent-pieces)
	}
	step()
	if info := c.Info(); info.Unacked != 0 {
		t.Errorf("%d bytes stay unacknowledged", info.Unacked)
	}
	c.Close(true)
	l.Close()
	step()
}
