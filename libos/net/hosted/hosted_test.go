//go:build linux && !hardtack

package hosted

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A pair is two hosts on one wire, which a test can cut and listen on.
type pair struct {
	t    *testing.T
	a, b *Net
	lose func(fromA bool, k int, frame []byte) bool
	n    int
	seen bytes.Buffer // all frames, in order
}

func newPair(t *testing.T, seed uint64) *pair {
	return &pair{t: t,
		a: New(Config{Address: netip.MustParsePrefix("10.0.0.1/24"), Seed: seed}),
		b: New(Config{Address: netip.MustParsePrefix("10.0.0.2/24"), MAC: link.MAC{2, 0, 0, 0, 0, 2}, Seed: seed + 1}),
	}
}

// carry moves frames until there are none.
func (p *pair) carry() {
	for moved := true; moved; {
		moved = false
		for _, x := range []struct{ from, to *Net }{{p.a, p.b}, {p.b, p.a}} {
			for f := x.from.FrameOut(); f != nil; f = x.from.FrameOut() {
				moved = true
				p.n++
				fmt.Fprintf(&p.seen, "%v %d %x\n", x.from == p.a, x.from.Now(), f)
				if p.lose == nil || !p.lose(x.from == p.a, p.n, f) {
					x.to.FrameIn(bytes.Clone(f))
				}
			}
		}
	}
}

// advance moves both clocks by d, from timer to timer.
func (p *pair) advance(d time.Duration) {
	end := p.a.Now().Add(d)
	for now := p.a.Now(); ; {
		p.carry()
		next := tick.Sooner(p.a.Advance(now), p.b.Advance(now))
		p.carry()
		next = tick.Sooner(tick.Sooner(next, p.a.Advance(now)), p.b.Advance(now))
		if now >= end {
			return
		}
		if now = end; next != 0 {
			now = min(max(next, p.a.Now()+1), end)
		}
	}
}

func (p *pair) ok(what string, e syscall.Errno) {
	p.t.Helper()
	if e != 0 {
		p.t.Fatalf("%s: %v", what, e)
	}
}

// connect makes a connection from a to b, and gives its ends.
func (p *pair) connect(port uint16) (client, server int) {
	p.t.Helper()
	l, e := p.b.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	p.ok("socket", e)
	to := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), port)
	p.ok("bind", p.b.Bind(l, to))
	p.ok("listen", p.b.Listen(l, 8))
	if _, _, e := p.b.Accept(l); e != syscall.EAGAIN {
		p.t.Fatalf("accept at first: %v", e)
	}
	client, e = p.a.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	p.ok("socket", e)
	if e := p.a.Connect(client, to); e != syscall.EINPROGRESS {
		p.t.Fatalf("connect: %v", e)
	}
	p.advance(0)
	if p.b.Poll(l)&0x1 == 0 {
		p.t.Fatalf("the listener polls as %#x", p.b.Poll(l))
	}
	server, from, e := p.b.Accept(l)
	p.ok("accept", e)
	name, e := p.a.Name(client)
	p.ok("getsockname", e)
	if from != name {
		p.t.Errorf("accepted from %v, which is %v", from, name)
	}
	p.ok("close", p.b.Close(l))
	return client, server
}

// move sends so many bytes from one end to the other, and returns what arrived.
func (p *pair) move(from *Net, fd int, to *Net, other int, n int) []byte {
	p.t.Helper()
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	var got []byte
	buf := make([]byte, 10000)
	for rest, idle := data, 0; len(got) < n; {
		if len(rest) > 0 {
			k, e := from.Write(fd, rest)
			if e == 0 {
				rest = rest[k:]
			} else if e != syscall.EAGAIN {
				p.t.Fatal(e)
			}
		}
		p.advance(10 * time.Millisecond)
		k, e := to.Read(other, buf)
		switch {
		case e == 0 && k > 0:
			got, idle = append(got, buf[:k]...), 0
		case e != syscall.EAGAIN:
			p.t.Fatalf("read: %d, %v", k, e)
		default:
			if idle++; idle > 2000 {
				p.t.Fatalf("%d of %d bytes in 20 seconds", len(got), n)
			}
		}
	}
	if !bytes.Equal(got, data) {
		p.t.Error("other bytes came")
	}
	return got
}

func TestStream(t *testing.T) {
	p := newPair(t, 1)
	client, server := p.connect(80)
	p.move(p.a, client, p.b, server, 300000)
	p.move(p.b, server, p.a, client, 5000)
	info, e := p.a.Option(client, syscall.IPPROTO_TCP, syscall.TCP_INFO)
	if e != 0 || len(info) < 104 || info[0] != 1 || binary.NativeEndian.Uint32(info[16:]) < 1400 {
		t.Errorf("TCP_INFO: %v %x", e, info)
	}
	p.ok("TCP_NODELAY", p.a.SetOption(client, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, []byte{1, 0, 0, 0}))
	if v, e := p.a.Option(client, syscall.IPPROTO_TCP, syscall.TCP_NODELAY); e != 0 || !bytes.Equal(v, []byte{1, 0, 0, 0}) {
		t.Errorf("TCP_NODELAY is % x, %v", v, e)
	}
	p.ok("shutdown", p.a.Shutdown(client, syscall.SHUT_WR))
	p.advance(time.Second)
	if k, e := p.b.Read(server, make([]byte, 10)); k != 0 || e != 0 {
		t.Errorf("behind the end: %d, %v", k, e)
	}
	p.move(p.b, server, p.a, client, 5000) // the other way is open still
	p.ok("close", p.b.Close(server))
	p.advance(time.Second)
	if k, e := p.a.Read(client, make([]byte, 10)); k != 0 || e != 0 {
		t.Errorf("behind the end: %d, %v", k, e)
	}
	p.ok("close", p.a.Close(client))
	p.advance(3 * time.Minute)
	for _, n := range []*Net{p.a, p.b} {
		for _, m := range n.Stack().Memory() {
			if m.InUse != 0 {
				t.Errorf("%d %s are left", m.InUse, m.Name)
			}
		}
		if u := n.dev.pool.Stats().InUse; u != 0 {
			t.Errorf("%d received blocks are left", u)
		}
	}
}

// TestLoss: lost frames are sent again when the clock says so, and not before.
func TestLoss(t *testing.T) {
	p := newPair(t, 2)
	client, server := p.connect(80)
	lost := 0
	p.lose = func(fromA bool, k int, f []byte) bool {
		if len(f) > 100 && k%7 == 0 {
			lost++
			return true
		}
		return false
	}
	p.move(p.a, client, p.b, server, 200000)
	if lost < 10 {
		t.Errorf("%d frames were lost", lost)
	}
	p.lose = func(bool, int, []byte) bool { return true }
	if _, e := p.a.Write(client, []byte("x")); e != 0 {
		t.Fatal(e)
	}
	p.carry()
	p.n = 0
	p.advance(100 * time.Microsecond)
	if p.n != 0 {
		t.Errorf("%d frames after 100 microseconds", p.n)
	}
	p.advance(10 * time.Second)
	if p.n < 3 || p.n > 12 {
		t.Errorf("%d frames in ten seconds without an answer", p.n)
	}
}

// TestRepeats: the same calls lead to the same frames at the same times, and another seed to others.
func TestRepeats(t *testing.T) {
	run := func(seed uint64) string {
		p := newPair(t, seed)
		client, server := p.connect(80)
		p.lose = func(_ bool, k int, _ []byte) bool { return k%11 == 5 }
		p.move(p.a, client, p.b, server, 100000)
		return p.seen.String()
	}
	first := run(5)
	if first != run(5) {
		t.Error("the same calls led to other frames")
	}
	if first == run(6) {
		t.Error("the seed means nothing")
	}
}

func TestDatagrams(t *testing.T) {
	p := newPair(t, 3)
	a, _ := p.a.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	b, _ := p.b.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	to := netip.MustParseAddrPort("10.0.0.2:53")
	p.ok("bind", p.b.Bind(b, to))
	for _, n := range []int{0, 1, 1472, 1473, 20000} {
		want := bytes.Repeat([]byte{byte(n)}, n)
		if k, e := p.a.SendTo(a, want, to); k != n || e != 0 {
			t.Fatal(k, e)
		}
		p.carry()
		buf := make([]byte, 1<<16)
		k, from, e := p.b.RecvFrom(b, buf, 0)
		if k != n || e != 0 || !bytes.Equal(buf[:k], want) || from.Addr() != netip.MustParseAddr("10.0.0.1") {
			t.Errorf("%d bytes: %d from %v, %v", n, k, from, e)
		}
	}
	p.ok("connect", p.a.Connect(a, netip.MustParseAddrPort("10.0.0.2:54"))) // nobody there
	if _, e := p.a.Write(a, []byte("x")); e != 0 {
		t.Error(e)
	}
	p.carry()
	if _, e := p.a.Read(a, make([]byte, 1)); e != syscall.ECONNREFUSED {
		t.Errorf("of a port where nobody is one hears %v", e)
	}
}

// TestFull: frames that nobody takes are not without end, and what waits goes out when they are.
func TestFull(t *testing.T) {
	n := New(Config{Address: netip.MustParsePrefix("10.0.0.1/24")})
	fd, _ := n.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	one := []byte{1, 0, 0, 0}
	if e := n.SetOption(fd, syscall.SOL_SOCKET, syscall.SO_BROADCAST, one); e != 0 {
		t.Fatal(e)
	}
	for range 3 * maxOut {
		n.SendTo(fd, []byte("x"), netip.MustParseAddrPort("10.0.0.255:9"))
	}
	k := 0
	for n.FrameOut() != nil {
		k++
	}
	if k <= maxOut || k > 2*maxOut {
		t.Errorf("%d frames came out", k)
	}
}

// TestBadNumbers: what is no socket, or no frame, is told and changes nothing.
func TestBadNumbers(t *testing.T) {
	n := New(Config{Address: netip.MustParsePrefix("10.0.0.1/24")})
	for n.FrameOut() != nil { // announcements
	}
	for _, fd := range []int{-1, 0, 1 << 40} {
		_, _, e := n.Accept(fd)
		_, e2 := n.Read(fd, nil)
		if e != syscall.EBADF || e2 != syscall.EBADF || n.Close(fd) != syscall.EBADF || n.Poll(fd) != 0x20 || n.Listen(fd, 1) != syscall.EBADF {
			t.Errorf("%d: %v, %v", fd, e, e2)
		}
	}
	if _, e := n.Socket(99, 1, 0); e != syscall.EAFNOSUPPORT {
		t.Error(e)
	}
	fd, _ := n.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if e := n.Connect(fd, netip.AddrPort{}); e == 0 || e == syscall.EINPROGRESS {
		t.Error(e)
	}
	if e := n.Shutdown(fd, 9); e != syscall.EINVAL {
		t.Error(e)
	}
	for size := range 200 {
		n.FrameIn(make([]byte, size))
	}
	n.FrameIn(make([]byte, 1<<20))
	if f := n.FrameOut(); f != nil {
		t.Errorf("rubbish is answered by % x", f)
	}
}

// FuzzFrames lets anything in, with a listener, a connection under way and time going on.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1}, uint16(80))
	f.Fuzz(func(t *testing.T, b []byte, cut uint16) {
		n := New(Config{Address: netip.MustParsePrefix("10.0.0.1/24"), Seed: 1})
		l, _ := n.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		n.Bind(l, netip.MustParseAddrPort("10.0.0.1:80"))
		n.Listen(l, 2)
		c, _ := n.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		n.Connect(c, netip.MustParseAddrPort("10.0.0.2:80"))
		for len(b) > 0 {
			k := min(len(b), 1+int(cut%1600))
			frame := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, b[:k]...)
			if b[0]&0xf0 == 0 {
				frame[12], frame[13] = 8, 6
			}
			n.FrameIn(frame)
			n.Advance(n.Now().Add(time.Duration(b[0]) * time.Millisecond))
			for n.FrameOut() != nil {
			}
			n.Accept(l)
			b = b[k:]
		}
	})
}
