package peer

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	inet "github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

var (
	began  = time.Now()
	ours   = netip.MustParsePrefix("10.0.0.1/24")
	theirs = netip.MustParsePrefix("10.0.0.2/24")
)

// A side is one of the two stacks, as package net would have it.
type side interface {
	addr() netip.Addr
	listen(port uint16) (listener, error)
	dial(ctx context.Context, to netip.AddrPort) (conn, error)
	packets(port uint16) (net.PacketConn, error)
}

type listener interface {
	Accept() (conn, error)
	Close() error
}

type conn interface {
	io.ReadWriteCloser
	CloseWrite() error
	SetDeadline(time.Time) error
}

// wire joins a stack of ours and one of gVisor's.
func wire(t *testing.T, o memwire.Options) (a, b side) {
	t.Helper()
	x, y := memwire.New(o)
	s := inet.New(inet.Config{
		Clock:  func() tick.Time { return tick.Time(time.Since(began)) + 1e9 },
		Random: func(p []byte) { rand.Read(p) },
	})
	t.Cleanup(s.Close)
	s.Host().AddAddress(tick.Time(time.Since(began))+1e9, s.Attach(x), ours)
	g, err := attach(y, theirs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { y.Close(); g.Close() })
	return hardtack{s, ours.Addr()}, netstack{g, theirs.Addr()}
}

type hardtack struct {
	s  *inet.Stack
	at netip.Addr
}

func (h hardtack) addr() netip.Addr { return h.at }

type ourListener struct{ *inet.Port }

func (l ourListener) Accept() (conn, error) {
	c, err := l.Port.Accept()
	if err != nil {
		return nil, err
	}
	return ourConn{c}, nil
}

func (l ourListener) Close() error { l.Port.Close(); return nil }

type ourConn struct{ *inet.Stream }

func (c ourConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	c.SetWriteDeadline(t)
	return nil
}

func (h hardtack) listen(port uint16) (listener, error) {
	l, err := h.s.ListenTCP(netip.AddrPortFrom(h.at, port), 16)
	return ourListener{l}, err
}

func (h hardtack) dial(ctx context.Context, to netip.AddrPort) (conn, error) {
	c, err := h.s.DialTCP(ctx, to)
	return ourConn{c}, err
}

type ourPackets struct {
	net.PacketConn // nil: only what is below is called
	p              *inet.Packets
}

func (p ourPackets) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.p.ReadFrom(b)
	return n, net.UDPAddrFromAddrPort(from), err
}

func (p ourPackets) WriteTo(b []byte, to net.Addr) (int, error) {
	return p.p.WriteTo(b, to.(*net.UDPAddr).AddrPort())
}

func (p ourPackets) SetDeadline(t time.Time) error { p.p.SetReadDeadline(t); return nil }
func (p ourPackets) Close() error                  { p.p.Close(); return nil }

func (h hardtack) packets(port uint16) (net.PacketConn, error) {
	p, err := h.s.ListenUDP(netip.AddrPortFrom(h.at, port))
	return ourPackets{p: p}, err
}

type netstack struct {
	s  *stack.Stack
	at netip.Addr
}

func (n netstack) addr() netip.Addr { return n.at }

func full(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFrom4(a.Addr().As4()), Port: a.Port()}
}

type theirListener struct{ *gonet.TCPListener }

func (l theirListener) Accept() (conn, error) {
	c, err := l.TCPListener.Accept()
	if err != nil {
		return nil, err
	}
	return c.(*gonet.TCPConn), nil
}

func (n netstack) listen(port uint16) (listener, error) {
	l, err := gonet.ListenTCP(n.s, full(netip.AddrPortFrom(n.at, port)), ipv4.ProtocolNumber)
	return theirListener{l}, err
}

func (n netstack) dial(ctx context.Context, to netip.AddrPort) (conn, error) {
	c, err := gonet.DialContextTCP(ctx, n.s, full(to), ipv4.ProtocolNumber)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (n netstack) packets(port uint16) (net.PacketConn, error) {
	a := full(netip.AddrPortFrom(n.at, port))
	c, err := gonet.DialUDP(n.s, &a, nil, ipv4.ProtocolNumber)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// both runs a test with us as the client, and with gVisor.
func both(t *testing.T, o memwire.Options, f func(t *testing.T, client, server side)) {
	for name, swap := range map[string]bool{"from us": false, "to us": true} {
		t.Run(name, func(t *testing.T) {
			a, b := wire(t, o)
			if swap {
				a, b = b, a
			}
			f(t, a, b)
		})
	}
}

// patience is for what must happen on a busy host, too.
const patience = time.Minute

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7 + i>>8)
	}
	return p
}

func connect(t *testing.T, client, server side) (c, s conn) {
	t.Helper()
	l, err := server.listen(80)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan conn, 1)
	go func() {
		s, err := l.Accept()
		if err != nil {
			t.Error(err)
			close(accepted)
			return
		}
		accepted <- s
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if c, err = client.dial(ctx, netip.AddrPortFrom(server.addr(), 80)); err != nil {
		t.Fatal(err)
	}
	s, ok := <-accepted
	if !ok {
		t.FailNow()
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	for _, x := range []conn{c, s} {
		x.SetDeadline(time.Now().Add(patience))
	}
	return c, s
}

// TestBytes: what is written arrives, both ways at once, over good wires and bad.
func TestBytes(t *testing.T) {
	for name, o := range map[string]memwire.Options{
		"plain":  {},
		"lossy":  {Seed: 3, Loss: 0.01, Reorder: 0.02, Duplicate: 0.01, Damage: 0.005, Delay: 200 * time.Microsecond, Jitter: 100 * time.Microsecond},
		"narrow": {MTU: 576},
	} {
		t.Run(name, func(t *testing.T) {
			n := 4 << 20
			if name == "lossy" {
				n = 512 << 10
			}
			both(t, o, func(t *testing.T, client, server side) {
				c, s := connect(t, client, server)
				want := pattern(n)
				var all sync.WaitGroup
				for who, x := range map[string]conn{"the client": c, "the server": s} {
					all.Go(func() {
						if _, err := x.Write(want); err != nil {
							t.Errorf("%s writes: %v", who, err)
						}
						if err := x.CloseWrite(); err != nil {
							t.Errorf("%s ends: %v", who, err)
						}
					})
					all.Go(func() {
						got, err := io.ReadAll(x)
						if err != nil || !bytes.Equal(got, want) {
							t.Errorf("%s reads %d bytes of %d, or others: %v", who, len(got), n, err)
						}
					})
				}
				all.Wait()
			})
		})
	}
}

// TestSlowReader: a window that closes opens again, by an update or a probe.
func TestSlowReader(t *testing.T) {
	both(t, memwire.Options{}, func(t *testing.T, client, server side) {
		c, s := connect(t, client, server)
		want := pattern(16 << 20) // more than both ends' buffers
		go func() {
			c.Write(want)
			c.CloseWrite()
		}()
		time.Sleep(300 * time.Millisecond) // the writer is at the end of the window
		for got := 0; got < len(want); {
			p := make([]byte, 300_000)
			n, err := s.Read(p)
			if err != nil || !bytes.Equal(p[:n], want[got:got+n]) {
				t.Fatalf("after %d bytes: %d more, or others: %v", got, n, err)
			}
			if got += n; got < 2<<20 {
				time.Sleep(10 * time.Millisecond)
			}
		}
	})
}

// TestHalfClosed: who has ended his side still reads.
func TestHalfClosed(t *testing.T) {
	both(t, memwire.Options{}, func(t *testing.T, client, server side) {
		c, s := connect(t, client, server)
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Fatalf("the end of what comes: %d, %v", n, err)
		}
		for range 3 {
			if _, err := s.Write([]byte("late")); err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 4)
			if _, err := io.ReadFull(c, p); err != nil || string(p) != "late" {
				t.Fatalf("%q, %v", p, err)
			}
		}
	})
}

// TestReset: who closes with bytes unread tells the other, who hears of it soon.
func TestReset(t *testing.T) {
	both(t, memwire.Options{}, func(t *testing.T, client, server side) {
		c, s := connect(t, client, server)
		if _, err := c.Write(pattern(1000)); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 1)
		if _, err := io.ReadFull(s, p); err != nil {
			t.Fatal(err)
		}
		s.Close()
		for end := time.Now().Add(patience); ; {
			if _, err := c.Write(p); err != nil {
				return
			}
			if time.Now().After(end) {
				t.Fatal("writing to nobody goes on")
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// TestRefused: a port where nobody listens says so.
func TestRefused(t *testing.T) {
	both(t, memwire.Options{}, func(t *testing.T, client, server side) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if _, err := client.dial(ctx, netip.AddrPortFrom(server.addr(), 9)); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// TestDatagrams: whole and in fragments.
func TestDatagrams(t *testing.T) {
	both(t, memwire.Options{}, func(t *testing.T, client, server side) {
		s, err := server.packets(7)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		c, err := client.packets(7)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s.SetDeadline(time.Now().Add(patience))
		c.SetDeadline(time.Now().Add(patience))
		for _, n := range []int{1, 1472, 1473, 4000, 9000} {
			want, got := pattern(n), make([]byte, 1<<16)
			if _, err := c.WriteTo(want, net.UDPAddrFromAddrPort(netip.AddrPortFrom(server.addr(), 7))); err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			m, from, err := s.ReadFrom(got)
			if err != nil || !bytes.Equal(got[:m], want) {
				t.Fatalf("%d bytes there: %d, or others: %v", n, m, err)
			}
			if _, err := s.WriteTo(got[:m], from); err != nil {
				t.Fatal(err)
			}
			if m, _, err = c.ReadFrom(got); err != nil || !bytes.Equal(got[:m], want) {
				t.Fatalf("%d bytes back: %d, or others: %v", n, m, err)
			}
		}
	})
}

// TestManyConnections: short ones, many at a time, one after the other from the same ports' range.
func TestManyConnections(t *testing.T) {
	both(t, memwire.Options{}, func(t *testing.T, client, server side) {
		l, err := server.listen(80)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				s, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer s.Close()
					io.Copy(s, struct{ io.Reader }{s})
				}()
			}
		}()
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 50 {
					if err := once(t, client, server, fmt.Sprintf("%d of %d", j, i)); err != nil {
						t.Errorf("%d of %d: %v", j, i, err)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

func once(t *testing.T, client, server side, say string) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.dial(ctx, netip.AddrPortFrom(server.addr(), 80))
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte(say)); err != nil {
		return err
	}
	if err := c.CloseWrite(); err != nil {
		return err
	}
	got, err := io.ReadAll(c)
	if err == nil && string(got) != say {
		err = fmt.Errorf("%q comes back", got)
	}
	return err
}
