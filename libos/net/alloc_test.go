package inet

import (
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
)

// pair gives the two ends of a connection from a to b.
func pair(t *testing.T, a, b *Stack, to string) (c, d *Conn) {
	t.Helper()
	l, err := b.ListenTCP(addr(to), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x, err := a.DialTCP(t.Context(), addr(to))
	if err != nil {
		t.Fatal(err)
	}
	y, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close(); y.Close() })
	return x.Conn, y.Conn
}

// TestNoAllocation: a request and its answer allocate nothing below a program's own, once everything has grown. Over the loopback network all of both ends' work is done by the
// caller; over a wire only the sending is, and the wire's own copies are taken off.
func TestNoAllocation(t *testing.T) {
	if race {
		t.Skip("the race detector has sync.Pool forget things on purpose")
	}
	s := newStack(t)
	c, d := pair(t, s, s, "127.0.0.1:80")
	p := make([]byte, 1000)
	trip := func() {
		for _, way := range [][2]*Conn{{c, d}, {d, c}} {
			if n, err := way[0].TryWrite(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
			for got := 0; got < len(p); {
				n, err := way[1].TryRead(p, false)
				if err == syscall.EAGAIN {
					time.Sleep(time.Millisecond) // somebody else is delivering
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				got += n
			}
		}
	}
	for range 1000 {
		trip()
	}
	if n := testing.AllocsPerRun(1000, trip); n > 0.1 {
		t.Errorf("TCP: %v allocations a round trip", n)
	}

	u, v := s.NewUDP(false, nil), s.NewUDP(false, nil)
	defer u.Close()
	defer v.Close()
	if err := v.Bind(addr("127.0.0.1:7")); err != nil {
		t.Fatal(err)
	}
	datagram := func() {
		if _, err := u.TrySend(p, addr("127.0.0.1:7"), nil); err != nil {
			t.Fatal(err)
		}
		n, _, err := v.TryRecv(p, false)
		for ; err == syscall.EAGAIN; n, _, err = v.TryRecv(p, false) {
			time.Sleep(time.Millisecond) // likewise: what the connection has still to say
		}
		if n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	for range 1000 {
		datagram()
	}
	if n := testing.AllocsPerRun(1000, datagram); n > 0.1 {
		t.Errorf("UDP: %v allocations a datagram", n)
	}
}

// TestNoAllocationOut: what is sent by a device allocates nothing above it.
func TestNoAllocationOut(t *testing.T) {
	if race {
		t.Skip("the race detector has sync.Pool forget things on purpose")
	}
	x, y := memwire.New(memwire.Options{})
	s := newStack(t)
	card := &sink{Card: x}
	s.host.AddAddress(s.now(), s.Attach(card), netip.MustParsePrefix("10.0.0.1/24"))
	b := newStack(t)
	b.host.AddAddress(b.now(), b.Attach(y), netip.MustParsePrefix("10.0.0.2/24"))
	u := s.NewUDP(false, nil)
	defer u.Close()
	p := make([]byte, 1000)
	to := addr("10.0.0.2:7")
	for !card.sent.Load() { // until the neighbour is known
		u.TrySend(p, to, nil)
		time.Sleep(time.Millisecond)
	}
	card.drop.Store(true)
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := u.TrySend(p, to, nil); err != nil {
			t.Fatal(err)
		}
	}); n > 0.1 {
		t.Errorf("%v allocations a datagram", n)
	}
}

// A sink is a card that can drop what is sent without a copy.
type sink struct {
	*memwire.Card
	drop atomic.Bool
	sent atomic.Bool // something else than a question for an address
}

func (s *sink) Send(q int, f *link.Frame) bool {
	if s.drop.Load() {
		f.Release()
		return true
	}
	if p := f.Head.Bytes(); p[12] == 8 && p[13] == 0 {
		s.sent.Store(true)
	}
	return s.Card.Send(q, f)
}
