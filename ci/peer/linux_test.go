//go:build linux

package peer

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/internal/netns"
	inet "github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tap"
)

// Linux's own stack at the other end of a TAP device, in a network namespace of the test's.

const (
	linuxAddr = "10.9.0.1"
	ourAddr   = "10.9.0.2"
)

// A lossy device loses frames, and lets others overtake, both ways. Linux's netem would do so in one way only, and is not in every kernel.
type lossy struct {
	*tap.Device
	loss, reorder float64

	mu   sync.Mutex
	rng  *mathrand.Rand
	held link.Frame // received, and to come after the next
	lost atomic.Int64
}

func (l *lossy) chance(p float64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rng.Float64() < p
}

func (l *lossy) loses() bool {
	if !l.chance(l.loss) {
		return false
	}
	l.lost.Add(1)
	return true
}

func (l *lossy) Send(q int, f *link.Frame) bool {
	if l.loses() {
		f.Release()
		return true
	}
	return l.Device.Send(q, f)
}

func (l *lossy) Receive(q int, f *link.Frame) bool {
	for l.Device.Receive(q, f) {
		switch {
		case l.loses():
			f.Release()
		case l.held.Len() == 0 && l.chance(l.reorder):
			l.held = *f
			*f = link.Frame{}
		default:
			return true
		}
	}
	if l.held.Len() > 0 {
		*f, l.held = l.held, link.Frame{}
		return true
	}
	return false
}

// An end is our stack on a TAP device, and the namespace with Linux's at the other.
type end struct {
	ns    *netns.Namespace
	stack *inet.Stack
	dev   *lossy
}

func newEnd(t *testing.T, loss, reorder float64) *end {
	t.Helper()
	e := &end{ns: netns.For(t)}
	var dev *tap.Device
	if err := e.ns.Do(func() (err error) {
		dev, err = tap.Open("tap0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	e.dev = &lossy{Device: dev, loss: loss, reorder: reorder, rng: mathrand.New(mathrand.NewPCG(1, 2))}
	for _, step := range []string{"address add " + linuxAddr + "/24 dev tap0", "link set tap0 up"} {
		if err := e.ns.Run("ip", strings.Fields(step)...); err != nil {
			t.Fatal(err)
		}
	}
	e.stack = inet.New(inet.Config{Clock: tap.Clock, Random: func(p []byte) { rand.Read(p) }})
	i := e.stack.Attach(e.dev)
	e.stack.Host().AddAddress(tap.Clock(), i, netip.MustParsePrefix(ourAddr+"/24"))
	t.Cleanup(e.stack.Close)
	return e
}

// dial and listen are Linux's.
func (e *end) dial(network, addr string) (c net.Conn, err error) {
	err = e.ns.Do(func() error {
		c, err = (&net.Dialer{Timeout: 20 * time.Second}).Dial(network, addr)
		return err
	})
	return c, err
}

func (e *end) listen(t *testing.T) (l net.Listener) {
	t.Helper()
	if err := e.ns.Do(func() (err error) {
		l, err = net.Listen("tcp", linuxAddr+":0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// exchange sends n bytes each way over c, shuts it for sending, and says what is wrong with what comes back: the other end sends the sum of what it received, and the same
// bytes.
func exchange(c interface {
	io.ReadWriter
	CloseWrite() error
}, n int) error {
	data := make([]byte, n)
	rand.Read(data)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		sent <- errors.Join(err, c.CloseWrite())
	}()
	got, err := io.ReadAll(c)
	if err := errors.Join(<-sent, err); err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	if len(got) != n+len(sum) || !bytes.Equal(got[:n], data) || !bytes.Equal(got[n:], sum[:]) {
		return fmt.Errorf("of %d bytes and their sum %d came back, or others", n, len(got))
	}
	return nil
}

// echo is the other end.
func echo(c io.ReadWriteCloser) error {
	defer c.Close()
	h := sha256.New()
	_, err := io.Copy(c, io.TeeReader(onlyReader{c}, h))
	if err == nil {
		_, err = c.Write(h.Sum(nil))
	}
	return err
}

type onlyReader struct{ io.Reader }

// TestLinuxStreams: Linux connects to us, and we to Linux, at once and more than one at a time, with frames lost and out of order and without.
func TestLinuxStreams(t *testing.T) {
	for name, x := range map[string]struct {
		loss, reorder float64
		size          int
		lost          int64 // frames, at the least
	}{"clean": {0, 0, 4 << 20, 0}, "lossy": {0.03, 0.05, 1 << 20, 5}} {
		t.Run(name, func(t *testing.T) {
			e := newEnd(t, x.loss, x.reorder)
			ours, err := e.stack.ListenTCP(netip.MustParseAddrPort(ourAddr+":80"), 16)
			if err != nil {
				t.Fatal(err)
			}
			defer ours.Close()
			go func() {
				for {
					c, err := ours.Accept()
					if err != nil {
						return
					}
					go echo(c)
				}
			}()
			theirs := e.listen(t)
			go func() {
				for {
					c, err := theirs.Accept()
					if err != nil {
						return
					}
					go echo(c)
				}
			}()
			ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
			defer stop()
			// Few large frames may all arrive: the lossy rounds go on until enough were lost.
			for round := 0; round == 0 || e.dev.lost.Load() < x.lost && !t.Failed() && ctx.Err() == nil; round++ {
				var all sync.WaitGroup
				for _, n := range []int{0, 1, 100000, x.size} {
					all.Go(func() {
						c, err := e.dial("tcp", ourAddr+":80")
						if err != nil {
							t.Errorf("Linux connects: %v", err)
							return
						}
						defer c.Close()
						c.SetDeadline(time.Now().Add(2 * time.Minute))
						if err := exchange(c.(*net.TCPConn), n); err != nil {
							t.Errorf("Linux sends %d bytes: %v", n, err)
						}
					})
					all.Go(func() {
						c, err := e.stack.DialTCP(ctx, netip.MustParseAddrPort(theirs.Addr().String()))
						if err != nil {
							t.Errorf("we connect: %v", err)
							return
						}
						defer c.Close()
						c.SetReadDeadline(time.Now().Add(2 * time.Minute))
						if err := exchange(c, n); err != nil {
							t.Errorf("we send %d bytes: %v", n, err)
						}
					})
				}
				all.Wait()
			}
			if n := e.dev.lost.Load(); n < x.lost {
				t.Errorf("%d frames were lost, not %d", n, x.lost)
			}
		})
	}
}

// TestLinuxRefusals: a port where nobody listens, each way; and a connection that Linux resets.
func TestLinuxRefusals(t *testing.T) {
	e := newEnd(t, 0, 0)
	if c, err := e.dial("tcp", ourAddr+":81"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Linux connects to nobody: %v, %v", c, err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	if _, err := e.stack.DialTCP(ctx, netip.MustParseAddrPort(linuxAddr+":81")); err != syscall.ECONNREFUSED {
		t.Errorf("we connect to nobody: %v", err)
	}
	l := e.listen(t)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Read(make([]byte, 1))
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}()
	c, err := e.stack.DialTCP(ctx, netip.MustParseAddrPort(l.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	c.Write([]byte("x"))
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != syscall.ECONNRESET {
		t.Errorf("of a reset we hear %v", err)
	}
	c.Close()
}

// TestLinuxDatagrams: both ways, of sizes that are cut on the way; and a port where nobody is.
func TestLinuxDatagrams(t *testing.T) {
	e := newEnd(t, 0, 0)
	ours, err := e.stack.ListenUDP(netip.MustParseAddrPort(ourAddr + ":7"))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := ours.ReadFrom(b)
			if err != nil {
				return
			}
			ours.WriteTo(b[:n], from)
		}
	}()
	defer ours.Close()
	c, err := e.dial("udp", ourAddr+":7")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, n := range []int{0, 1, 64, 1472, 1473, 9000, 65507} {
		want := make([]byte, n)
		rand.Read(want)
		if _, err := c.Write(want); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 1<<16)
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		if k, err := c.Read(got); err != nil || !bytes.Equal(got[:k], want) {
			t.Errorf("%d bytes: %d came back, %v", n, k, err)
		}
	}
	nobody, err := e.dial("udp", ourAddr+":8")
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	nobody.Write([]byte("x"))
	nobody.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := nobody.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("of a port where nobody is Linux hears %v", err)
	}
}

// TestLinuxPings: Linux pings us.
func TestLinuxPings(t *testing.T) {
	e := newEnd(t, 0, 0)
	c, err := e.dial("ip4:icmp", ourAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, n := range []int{0, 56, 1472, 4000} {
		ask := append([]byte{8, 0, 0, 0, 0x12, 0x34, 0, byte(n)}, make([]byte, n)...)
		rand.Read(ask[8:])
		var sum uint32
		for i := 0; i+1 < len(ask); i += 2 {
			sum += uint32(ask[i])<<8 | uint32(ask[i+1])
		}
		sum = sum>>16 + sum&0xffff
		sum = ^(sum>>16 + sum)
		ask[2], ask[3] = byte(sum>>8), byte(sum)
		if _, err := c.Write(ask); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		got := make([]byte, 1<<16)
		k, _, err := c.(*net.IPConn).ReadFrom(got)
		if err != nil || k != len(ask) || got[0] != 0 || !bytes.Equal(got[4:k], ask[4:]) {
			t.Errorf("%d bytes: %d came back, %v: % .20x", n, k, err, got[:k])
		}
	}
}
