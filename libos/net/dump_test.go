package inet

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/memwire"
	"github.com/hardtack-os/hardtack/libos/net/tcp"
)

// TestDump: each endpoint has its line, with what it has to say.
func TestDump(t *testing.T) {
	s := newStack(t)
	l, err := s.ListenTCP(addr("127.0.0.1:80"), 5)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := s.DialTCP(t.Context(), addr("127.0.0.1:80"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("hello"))
	u, err := s.ListenUDP(addr("127.0.0.1:53"))
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if _, err := s.DialTCP(t.Context(), addr("127.0.0.1:9")); err == nil {
		t.Fatal("somebody listens")
	}
	want := []string{
		`(?m)^tcp +1 +5 127\.0\.0\.1:80 +\* +LISTEN +half-open 0, cookies 0 \(wrong 0\), dropped 0$`,
		`(?m)^tcp +0 +\d 127\.0\.0\.1:\d+ +127\.0\.0\.1:80 +ESTABLISHED +rtt .*mss \d+ cwnd \d+ .* out 5 copied 0/5$`,
		`(?m)^tcp +5 +0 127\.0\.0\.1:80 +127\.0\.0\.1:\d+ +ESTABLISHED .* in 5 out 0 copied 0/0$`,
		`(?m)^udp +0 +0 127\.0\.0\.1:53 +\*$`,
		`(?m)^dropped 1: tcp: nobody listens$`,
		`(?m)^memory data: \d+ of \d+ blocks of 16384 bytes, 0 times none$`,
	}
	var b strings.Builder
	for range 20_000 { // until somebody has delivered it
		b.Reset()
		if err := s.Dump(&b); err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(want[2]).MatchString(b.String()) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for _, w := range want {
		if !regexp.MustCompile(w).MatchString(b.String()) {
			t.Errorf("no line like %s in\n%s", w, b.String())
		}
	}
}

// TestDropsAreCounted: what is dropped has a reason, whose count goes up by one; also after the connection has ended.
func TestDropsAreCounted(t *testing.T) {
	a, b := two(t, memwire.Options{})
	count := func(why string) uint64 {
		for _, d := range b.Dropped() {
			if d.Why == why {
				return d.Count
			}
		}
		t.Fatalf("there is no reason %q", why)
		return 0
	}
	l, err := b.ListenTCP(addr("10.0.0.2:80"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := a.DialTCP(t.Context(), addr("10.0.0.2:80"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	src, dst := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	give := func(s tcp.Segment, f func(p *packet, head []byte)) {
		s.SrcPort, s.DstPort = c.Local().Port(), 80
		r, _ := b.heads.Get()
		r.Truncate(s.Marshal(r.Bytes()))
		p := &packet{proto: protoTCP, src: src, dst: dst, verified: true, body: []buf.Ref{r}}
		if f != nil {
			f(p, r.Bytes())
		}
		b.deliver(b.now(), &delivery{packet: *p})
		b.flush()
	}
	for _, x := range []struct {
		why string
		s   tcp.Segment
		f   func(p *packet, head []byte)
	}{
		{"tcp: checksum", tcp.Segment{}, func(p *packet, _ []byte) { p.verified = false }},
		{"tcp: malformed", tcp.Segment{}, func(_ *packet, head []byte) { head[12] = 0xf0 }},
		{"tcp: nobody listens", tcp.Segment{Flags: tcp.ACK}, func(_ *packet, head []byte) { head[3]++ }},
		{"tcp: from or to many hosts", tcp.Segment{Flags: tcp.SYN}, func(p *packet, _ []byte) { p.src = netip.MustParseAddr("10.0.0.255") }},
		{"tcp: not acceptable", tcp.Segment{Flags: tcp.ACK}, nil}, // no timestamp
		{"ip: unknown protocol", tcp.Segment{}, func(p *packet, _ []byte) { p.proto = 99 }},
		{"udp: malformed", tcp.Segment{}, func(p *packet, _ []byte) { p.proto = protoUDP }},
	} {
		was := count(x.why)
		give(x.s, x.f)
		if n := count(x.why); n != was+1 {
			t.Errorf("%s: %d, was %d", x.why, n, was)
		}
	}
	was := count("tcp: not acceptable")
	c.Conn.Close(true)
	d.Conn.Close(true)
	for range 20_000 {
		if len(b.Conns()) == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if n := count("tcp: not acceptable"); len(b.Conns()) != 0 || n < was {
		t.Errorf("%d connections are left, %d drops are remembered of %d", len(b.Conns()), n, was)
	}
}
