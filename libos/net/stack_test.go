package inet

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

var start = time.Now()

func newStack(t *testing.T) *Stack {
	s := New(Config{
		Clock:  func() tick.Time { return tick.Time(time.Since(start)) + 1e9 },
		Random: func(p []byte) { rand.Read(p) },
	})
	t.Cleanup(s.Close)
	return s
}

// two gives two stacks, 10.0.0.1 and 10.0.0.2, joined by a wire. At the end no block may be left.
func two(t *testing.T, o memwire.Options) (a, b *Stack) {
	x, y := memwire.New(o)
	a, b = newStack(t), newStack(t)
	a.host.AddAddress(a.now(), a.Attach(x), netip.MustParsePrefix("10.0.0.1/24"))
	b.host.AddAddress(b.now(), b.Attach(y), netip.MustParsePrefix("10.0.0.2/24"))
	t.Cleanup(func() {
		left := ""
		for range 3000 {
			left = ""
			for i, s := range []*Stack{a, b} {
				for _, m := range s.Memory() {
					if m.InUse != 0 {
						left += fmt.Sprintf(" %d %s of %d", m.InUse, m.Name, i)
					}
				}
			}
			for _, c := range []*memwire.Card{x, y} {
				if n := c.Pool().Stats().InUse; n != 0 {
					left += fmt.Sprintf(" %d of a card", n)
				}
			}
			if left == "" {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("blocks are left:%s", left)
	})
	return a, b
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

// exchange has clients send n bytes each to a server that sends them back.
func exchange(t *testing.T, a, b *Stack, clients, n int) {
	t.Helper()
	l, err := b.ListenTCP(addr("0.0.0.0:80"), 16)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, struct{ io.Reader }{c})
			}()
		}
	}()
	want := pattern(n)
	var all sync.WaitGroup
	for range clients {
		all.Add(1)
		go func() {
			defer all.Done()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			c, err := a.DialTCP(ctx, addr("10.0.0.2:80"))
			if err != nil {
				t.Errorf("dial: %v", err)
				return
			}
			defer c.Close()
			c.SetReadDeadline(time.Now().Add(60 * time.Second))
			go func() {
				c.Write(want)
				c.CloseWrite()
			}()
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d of %d bytes came back, or others: %v; %+v", len(got), n, err, c.Info())
			}
		}()
	}
	all.Wait()
}

func TestTCP(t *testing.T) {
	for name, o := range map[string]memwire.Options{
		"plain":  {},
		"cut":    {Offloads: link.TxChecksum | link.RxChecksum | link.TxTSO4 | link.RxTSO4},
		"lossy":  {Seed: 1, Loss: 0.01, Reorder: 0.01, Duplicate: 0.01, Damage: 0.005, Delay: 100 * time.Microsecond, Jitter: 50 * time.Microsecond},
		"narrow": {MTU: 600},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := two(t, o)
			n := 2 << 20
			if name == "lossy" {
				n = 300 << 10
			}
			exchange(t, a, b, 4, n)
			if n := b.tcp.count(); n != 0 { // the clients closed first, so TIME-WAIT is theirs
				for range 6000 { // their last segments may be lost, more than once
					if n = b.tcp.count(); n == 0 {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				if n != 0 {
					t.Errorf("%d connections are left at the server", n)
				}
			}
		})
	}
}

func TestRefused(t *testing.T) {
	a, _ := two(t, memwire.Options{})
	if _, err := a.DialTCP(t.Context(), addr("10.0.0.2:9")); err != syscall.ECONNREFUSED {
		t.Errorf("a port where nobody listens: %v", err)
	}
	if _, err := a.DialTCP(t.Context(), addr("10.9.0.2:9")); err != syscall.ENETUNREACH {
		t.Errorf("a network without a route: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := a.DialTCP(ctx, addr("10.0.0.77:9")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a host that is not there: %v", err)
	}
	u, err := a.ListenUDP(addr("0.0.0.0:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if err := u.Connect(addr("10.0.0.2:9")); err != nil {
		t.Fatal(err)
	}
	u.TrySend([]byte("x"), netip.AddrPort{}, nil)
	u.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, _, err := u.ReadFrom(make([]byte, 1)); err != syscall.ECONNREFUSED {
		t.Errorf("a datagram to a port that nobody has: %v", err)
	}
}

// TestNobodyThere: who dials a host of the link that is not there is told so once it has not answered three requests for its address, as on Linux, over IPv4 and IPv6, and the
// sender of a datagram if he wants to know.
func TestNobodyThere(t *testing.T) {
	a, _ := two(t, memwire.Options{})
	a.AddAddress6((*a.cards.Load())[2].iface, netip.MustParsePrefix("fd00::1/64"))
	var all sync.WaitGroup
	for _, to := range []string{"10.0.0.77:9", "[fd00::77]:9"} {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for {
				c, err := a.DialTCP(ctx, addr(to))
				if ctx.Err() == nil && (err == syscall.EADDRNOTAVAIL || err == syscall.ENETUNREACH) { // the address of IPv6 is still looked at
					time.Sleep(50 * time.Millisecond)
					continue
				}
				if err != syscall.EHOSTUNREACH {
					t.Errorf("%s: %v, %v", to, c, err)
				}
				return
			}
		})
	}
	u, err := a.ListenUDP(addr("10.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	u.SetOptions(func(o *UDPOptions) { o.RecvErr = true })
	if _, err := u.WriteTo([]byte("hello"), addr("10.0.0.78:9")); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	for range 100 {
		p := make([]byte, 10)
		n, x, err := u.TryRecvError(p)
		if err == syscall.EAGAIN {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if err != nil || string(p[:n]) != "hello" || x.Errno != syscall.EHOSTUNREACH || x.To != addr("10.0.0.78:9") || x.From != netip.MustParseAddr("10.0.0.1") {
			t.Errorf("the datagram's error: %q, %+v, %v", p[:n], x, err)
		}
		return
	}
	t.Error("the datagram's error is not told")
}

// A counting card counts how often it is told that there is something to send, and of how many frames of ARP it was told.
type counting struct {
	*memwire.Card
	flushes, arp, told atomic.Int64
}

func (c *counting) Send(q int, f *link.Frame) bool {
	if p := f.Head.Bytes(); p[12] == 8 && p[13] == 6 {
		c.arp.Add(1)
	}
	return c.Card.Send(q, f)
}

func (c *counting) Flush(q int) {
	c.flushes.Add(1)
	c.told.Store(c.arp.Load())
	c.Card.Flush(q)
}

// TestQueue: of datagrams that are queued the device is told once, and all arrive.
func TestQueue(t *testing.T) {
	x, y := memwire.New(memwire.Options{})
	// Of two announcements of the address the second one never comes: it would be one more flush.
	a, b := New(Config{Clock: func() tick.Time { return 1e9 }, Random: func(p []byte) { rand.Read(p) }}), newStack(t)
	t.Cleanup(a.Close)
	card := &counting{Card: x}
	a.host.AddAddress(a.now(), a.Attach(card), netip.MustParsePrefix("10.0.0.1/24"))
	b.host.AddAddress(b.now(), b.Attach(y), netip.MustParsePrefix("10.0.0.2/24"))
	to, err := b.ListenUDP(addr("10.0.0.2:7"))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	u := a.NewUDP(false, nil)
	defer u.Close()
	p := make([]byte, 10)
	receive := func() {
		t.Helper()
		to.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, _, err := to.ReadFrom(p); n != 5 || err != nil {
			t.Fatalf("%d bytes, %v", n, err)
		}
	}
	if _, err := u.TrySend([]byte("first"), addr("10.0.0.2:7"), nil); err != nil {
		t.Fatal(err)
	}
	receive() // the neighbour is known
	for range 1000 {
		if card.told.Load() >= 2 { // the announcement and the question
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	before := card.flushes.Load()
	for range 30 {
		if _, err := u.TryQueue([]byte("again"), addr("10.0.0.2:7"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := card.flushes.Load() - before; n != 0 {
		t.Errorf("the device was told %d times before Flush", n)
	}
	a.Flush()
	if n := card.flushes.Load() - before; n != 1 {
		t.Errorf("the device was told %d times, want once", n)
	}
	for range 30 {
		receive()
	}
}

func TestUDP(t *testing.T) {
	a, b := two(t, memwire.Options{})
	s, err := b.ListenUDP(addr("0.0.0.0:7"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := a.ListenUDP(addr("10.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, n := range []int{0, 1, 1472, 1473, 4000, 65507} {
		p := pattern(n)
		if _, err := c.WriteTo(p, addr("10.0.0.2:7")); err != nil {
			t.Errorf("%d bytes: %v", n, err)
			continue
		}
		got := make([]byte, 1<<16)
		s.SetReadDeadline(time.Now().Add(20 * time.Second))
		k, from, err := s.ReadFrom(got)
		if err != nil || !bytes.Equal(got[:k], p) || from != c.Local() {
			t.Errorf("%d bytes: %d came from %v: %v", n, k, from, err)
		}
	}
	s.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, _, err := s.ReadFrom(nil); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a deadline: %v", err)
	}
}

// TestNoCopies: bytes that are handed over both ways are copied by nobody, which the counters of the connection say.
func TestNoCopies(t *testing.T) {
	a, b := two(t, memwire.Options{})
	l, err := b.ListenTCP(addr("10.0.0.2:80"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := pattern(1 << 20)
	back := make(chan bool, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := buf.Lend(want, func() { back <- true })
		c.WriteBuf(&r)
	}()
	c, err := a.DialTCP(t.Context(), addr("10.0.0.2:80"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got []byte
	for {
		r, err := c.ReadBuf(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		if r.Len() == 0 {
			break
		}
		got = append(got, r.Bytes()...)
		r.Release()
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes came, or others", len(got))
	}
	if i := c.Info(); i.Stats.CopiedIn != 0 || i.Stats.CopiedOut != 0 {
		t.Errorf("%d bytes were copied", i.Stats.CopiedIn+i.Stats.CopiedOut)
	}
	select {
	case <-back:
	case <-time.After(time.Minute):
		t.Error("what was lent did not come back")
	}
}

// TestICMPFromStrangers: a forged error that names no sequence number under way does nothing.
func TestICMPFromStrangers(t *testing.T) {
	a, b := two(t, memwire.Options{})
	l, err := b.ListenTCP(addr("10.0.0.2:80"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := a.DialTCP(t.Context(), addr("10.0.0.2:80"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := ip.Packet{Failure: ip.Error{Err: ip.ErrPortUnreachable, Protocol: protoTCP, Local: c.Local(), Remote: c.Remote(), Seq: 12345}}
	a.failure(a.now(), p.Interface, &p.Failure)
	if e := c.TakeError(); e != 0 {
		t.Errorf("it did: %v", e)
	}
}

// TestCloseEndsAccept: who waits for a connection when the stack is closed is told so, and waits no longer.
func TestCloseEndsAccept(t *testing.T) {
	s := newStack(t)
	p, err := s.ListenTCP(addr("127.0.0.1:0"), 5)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := p.Accept()
		ended <- err
	}()
	time.Sleep(5 * time.Millisecond) // mostly it waits by then
	s.Close()
	select {
	case err := <-ended:
		if err != syscall.EINVAL {
			t.Errorf("Accept ends with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("Accept still waits")
	}
	if _, err := p.Accept(); err != syscall.EINVAL {
		t.Errorf("Accept afterwards: %v", err)
	}
}
