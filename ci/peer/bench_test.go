package peer

import (
	"context"
	"crypto/rand"
	"io"
	"net/netip"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"

	inet "github.com/hardtack-os/hardtack/libos/net"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// The wires of both carry frames of 1500 bytes, one by one, and leave checksums to the stacks.

func BenchmarkOurs(b *testing.B) {
	x, y := newCables(1500)
	pair := [2]side{}
	for i, d := range []*cable{x, y} {
		s := inet.New(inet.Config{
			Clock:  func() tick.Time { return tick.Time(time.Since(began)) + 1e9 },
			Random: func(p []byte) { rand.Read(p) },
		})
		b.Cleanup(s.Close)
		at := []netip.Prefix{ours, theirs}[i]
		s.Host().AddAddress(tick.Time(time.Since(began))+1e9, s.Attach(d), at)
		pair[i] = hardtack{s, at.Addr()}
	}
	bulk(b, pair[0], pair[1])
}

func BenchmarkNetstack(b *testing.B) {
	x, y := pipe.New(tcpip.LinkAddress("\x02\x00\x00\x00\x00\x01"), tcpip.LinkAddress("\x02\x00\x00\x00\x00\x02"), 1514)
	pair := [2]side{}
	for i, e := range []*pipe.Endpoint{x, y} {
		at := []netip.Prefix{ours, theirs}[i]
		s, err := newNetstack(ethernet.New(e), at)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(s.Close)
		pair[i] = netstack{s, at.Addr()}
	}
	bulk(b, pair[0], pair[1])
}

// bulk sends a MiB an operation, in writes of 64 KiB.
func bulk(b *testing.B, client, server side) {
	l, err := server.listen(80)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	ended := make(chan error, 1)
	go func() {
		s, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer s.Close()
		p := make([]byte, 64<<10)
		for {
			if _, err := s.Read(p); err != nil {
				ended <- err
				return
			}
		}
	}()
	c, err := client.dial(context.Background(), netip.AddrPortFrom(server.addr(), 80))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	p := pattern(64 << 10)
	b.SetBytes(1 << 20)
	for b.Loop() {
		for range 16 {
			if _, err := c.Write(p); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := c.CloseWrite(); err != nil {
		b.Fatal(err)
	}
	if err := <-ended; err != io.EOF {
		b.Fatal(err)
	}
}
