package inet

import (
	"bytes"
	"io"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/ip"
	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
	"github.com/hardtack-os/hardtack/libos/net/wire"
)

// soakFor is how long TestSoak loads the network: a few seconds, or what NETSOAK says (ci/soak: ten minutes).
func soakFor(t *testing.T) time.Duration {
	if v := os.Getenv("NETSOAK"); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if testing.Short() {
		return time.Second
	}
	return 5 * time.Second
}

// TestSoak has requests and answers of all sizes go over a wire that loses one frame in a hundred and brings as many late, on connections that are kept and on new ones. No request
// stands still, and afterwards no block is in use, no connection is left but in TIME-WAIT, and no goroutine.
func TestSoak(t *testing.T) {
	before := runtime.NumGoroutine()
	a, b := two(t, memwire.Options{Seed: 11, Loss: 0.01, Reorder: 0.01, Delay: 200 * time.Microsecond, Jitter: 100 * time.Microsecond})
	base := runtime.NumGoroutine()
	l, err := b.ListenTCP(addr("10.0.0.2:80"), 128)
	if err != nil {
		t.Fatal(err)
	}
	data := pattern(1 << 20)
	var servers sync.WaitGroup
	servers.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			servers.Go(func() {
				defer c.Close()
				var q [3]byte
				for {
					if _, err := io.ReadFull(c, q[:]); err != nil {
						return
					}
					n := int(q[0])<<16 | int(q[1])<<8 | int(q[2])
					if _, err := c.Write(data[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	// A stall is a request that takes this long: a segment that is lost four times in a row, which one in 10^8 is, waits 200+400+800+1600 ms.
	const stall, slow = 20 * time.Second, 3 * time.Second
	end := time.Now().Add(soakFor(t))
	var requests, moved, worst atomic.Int64
	var clients sync.WaitGroup
	for i := range 32 {
		clients.Go(func() {
			var c *Stream
			p := make([]byte, len(data))
			for n := i; time.Now().Before(end); n++ {
				began := time.Now()
				if c == nil {
					var err error
					if c, err = a.DialTCP(t.Context(), addr("10.0.0.2:80")); err != nil {
						t.Errorf("dial: %v", err)
						return
					}
				}
				size := []int{1, 100, 1460, 5000, 65536, 300_000}[n%6]
				c.SetReadDeadline(began.Add(stall))
				c.Write([]byte{byte(size >> 16), byte(size >> 8), byte(size)})
				if k, err := io.ReadFull(c, p[:size]); err != nil || !bytes.Equal(p[:size], data[:size]) {
					t.Errorf("request %d of %d bytes: %d came: %v; %+v", n, size, k, err, c.Info())
					return
				}
				requests.Add(1)
				moved.Add(int64(size))
				if d := time.Since(began); d > slow {
					t.Logf("request %d of %d bytes took %v: %+v", n, size, d.Round(time.Millisecond), c.Info())
				}
				for d := int64(time.Since(began)); ; {
					if w := worst.Load(); d <= w || worst.CompareAndSwap(w, d) {
						break
					}
				}
				if n%10 == 0 {
					c.Close()
					c = nil
				}
			}
			if c != nil {
				c.Close()
			}
		})
	}
	clients.Wait()
	l.Close()
	servers.Wait()
	t.Logf("%d requests, %d MiB, the slowest %v", requests.Load(), moved.Load()>>20, time.Duration(worst.Load()).Round(time.Millisecond))
	if requests.Load() == 0 {
		t.Error("nothing was asked")
	}
	left := ""
	for range 1000 {
		left = ""
		for _, s := range []*Stack{a, b} {
			for _, c := range s.Conns() {
				if st := c.Info().State; st != tcp.TimeWait {
					left += " " + st.String()
				}
			}
		}
		if left == "" && runtime.NumGoroutine() <= base {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); left != "" || n > base {
		t.Errorf("connections are left:%s; %d goroutines, %d before (%d without the stacks)", left, n, base, before)
	}
}

// TestFlood: hosts that are not there, up to a hundred thousand, send SYNs to a listener that answers requests. Connections that exist go on, and new ones are made. The same
// frames to a station that is not there are what this is held to: the generator has its share of the CPUs either way.
func TestFlood(t *testing.T) {
	if race {
		t.Skip("it is about speed")
	}
	a, b := two(t, memwire.Options{})
	// The way back to the sources, of whom nobody answers.
	b.host.AddRoute(ip.Route{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.0.0.1"), Interface: (*b.cards.Load())[2].iface})
	l, err := b.ListenTCP(addr("10.0.0.2:80"), 128)
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
				p := make([]byte, 100)
				for {
					n, err := c.Read(p)
					if err != nil {
						return
					}
					c.Write(p[:n])
				}
			}()
		}
	}()
	const existing = 8
	var trips atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range existing {
		c, err := a.DialTCP(t.Context(), addr("10.0.0.2:80"))
		if err != nil {
			t.Fatal(err)
		}
		clients.Go(func() {
			defer c.Close()
			p := make([]byte, 100)
			for {
				select {
				case <-stop:
					return
				default:
				}
				c.SetReadDeadline(time.Now().Add(20 * time.Second))
				c.Write(p)
				if _, err := io.ReadFull(c, p); err != nil {
					t.Errorf("an existing connection: %v", err)
					return
				}
				trips.Add(1)
			}
		})
	}
	rate := func(d time.Duration) float64 {
		n, at := trips.Load(), time.Now()
		time.Sleep(d)
		return float64(trips.Load()-n) / time.Since(at).Seconds()
	}
	rate(200 * time.Millisecond)
	// The load of the host changes by the second, so the flood comes and goes.
	var on atomic.Bool
	var flood sync.WaitGroup
	var syns atomic.Int64
	flood.Go(func() {
		for i := uint32(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if synFrom(a, i%100_000, on.Load()); on.Load() {
				syns.Add(1)
			}
			if i%16 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	var calm, under float64
	phase := soakFor(t) / 10
	dials := 0
	for range 5 {
		calm += rate(phase)
		on.Store(true)
		time.Sleep(phase / 10)
		under += rate(phase)
		c, err := a.DialTCP(t.Context(), addr("10.0.0.2:80"))
		if err != nil {
			t.Errorf("a new connection during the flood: %v", err)
		} else {
			c.Write([]byte("new"))
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
				t.Errorf("on a new connection: %v", err)
			} else {
				dials++
			}
			c.Close()
		}
		on.Store(false)
	}
	close(stop)
	clients.Wait()
	flood.Wait()
	l.Listener.mu.Lock()
	half, cookies := l.core.Half(), l.core.Cookies
	l.Listener.mu.Unlock()
	t.Logf("%d SYNs; %.0f round trips a second, %.0f during the flood (%.0f %%); %d of 5 new connections; %d half-open, %d cookies", syns.Load(), calm/5, under/5, 100*under/calm, dials, half, cookies)
	if cookies == 0 || half > 128 {
		t.Errorf("%d half-open connections and %d cookies", half, cookies)
	}
	if under < calm/2 { // 80 % is what is promised and measured; a busy host has its own mind
		t.Errorf("existing connections keep %.0f %% of their rate", 100*under/calm)
	}
	for _, c := range b.Conns() { // they would be sent SYNs for minutes
		if c.Info().State == tcp.SynReceived {
			c.Close(true)
		}
	}
}

// synFrom sends a SYN from the i-th of many hosts, to 10.0.0.2 or to a station that is not there.
func synFrom(from *Stack, i uint32, there bool) {
	src := netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)})
	dst := netip.MustParseAddr("10.0.0.2")
	s := tcp.Segment{SrcPort: 1024 + uint16(i), DstPort: 80, Flags: tcp.SYN, Seq: tcp.Seq(i * 77), Window: 65535, Options: tcp.Options{MSS: 1460}}
	n := s.HeaderLen()
	b := make([]byte, wire.EthernetSize+wire.IPv4Size+n)
	to := link.MAC{2, 0, 0, 0, 0, 2}
	if !there {
		to[5] = 9
	}
	wire.Ethernet(b).Set(to, link.MAC{2, 0, 0, 0, 0, 1}, wire.TypeIPv4)
	wire.IPv4(b[wire.EthernetSize:]).Set(wire.V4{Len: wire.IPv4Size + n, TTL: 9, Protocol: wire.TCP, Src: src, Dst: dst})
	p := b[wire.EthernetSize+wire.IPv4Size:]
	s.Marshal(p)
	sum := ^wire.Fold(wire.Sum(wire.PseudoSum(src, dst, wire.TCP, n), p))
	p[tcp.ChecksumOffset], p[tcp.ChecksumOffset+1] = byte(sum>>8), byte(sum)
	d := (*from.cards.Load())[2].iface.Device
	d.Send(0, &link.Frame{Head: buf.Lend(b, nil)})
	d.Flush(0)
}
