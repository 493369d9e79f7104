package dhcp

import (
	"bytes"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/link"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

var (
	mac = link.MAC{2, 1, 2, 3, 4, 5}
	srv = netip.MustParseAddr("10.0.2.2")
	our = netip.MustParseAddr("10.0.2.15")
)

// options reads a message's options.
func options(p []byte) map[byte][]byte {
	m := map[byte][]byte{}
	for b := p[offOption:]; len(b) > 1 && b[0] != optEnd; {
		if b[0] == optPad {
			b = b[1:]
			continue
		}
		m[b[0]] = b[2 : 2+int(b[1])]
		b = b[2+int(b[1]):]
	}
	return m
}

// answer makes a server's message.
func answer(to []byte, typ byte, add func(m *builder)) []byte {
	m := newMessage(make([]byte, MaxMessage), be.Uint32(to[offXid:]), 0, link.MAC(to[offChaddr:offChaddr+6]), typ)
	m.b[offOp] = bootReply
	if typ != nak {
		a := our.As4()
		copy(m.b[offYiaddr:], a[:])
	}
	m.address(optServer, srv)
	if add != nil {
		add(m)
	}
	m.end()
	return m.b
}

func usual(m *builder) {
	m.option(optMask, 255, 255, 255, 0)
	m.address(optRouter, srv)
	m.option(optDNS, 10, 0, 2, 3, 8, 8, 8, 8)
	m.option(optLease, 0, 0, 0x0e, 0x10) // an hour
	m.option(optDomain, []byte("example.org")...)
	m.option(optMTU, 0x05, 0x78)
}

// A script drives a client.
type script struct {
	t   *testing.T
	c   *Client
	now tick.Time
	buf [MaxMessage]byte
}

func newScript(t *testing.T) *script {
	n := uint64(0)
	s := &script{t: t, now: tick.Time(time.Second)}
	s.c = New(mac, "app", func() uint64 { n += 0x9e3779b97f4a7c15; return n })
	s.c.Start(s.now)
	return s
}

// sent is the message that the client sends now.
func (s *script) sent(typ byte, to netip.Addr) []byte {
	s.t.Helper()
	n, whom, ok := s.c.Next(s.now, s.buf[:])
	if !ok {
		s.t.Fatalf("at %v nothing is sent; want type %d", time.Duration(s.now), typ)
	}
	p := bytes.Clone(s.buf[:n])
	if got := options(p)[optType]; len(got) != 1 || got[0] != typ || whom != to || n < leastMessage {
		s.t.Fatalf("type %v to %v, %d bytes; want type %d to %v", got, whom, n, typ, to)
	}
	if _, _, ok := s.c.Next(s.now, s.buf[:]); ok {
		s.t.Fatal("two messages at once")
	}
	return p
}

// wait lets time pass up to the deadline.
func (s *script) wait() time.Duration {
	s.t.Helper()
	d := s.c.Deadline()
	if d == 0 {
		s.t.Fatal("the client waits for nothing")
	}
	took := d.Sub(s.now)
	s.now = d
	s.c.Tick(d)
	return took
}

var everybody = netip.IPv4Unspecified()

// bind leads the client to a lease.
func (s *script) bind() []byte {
	s.t.Helper()
	p := s.sent(discover, everybody)
	s.c.Input(s.now, answer(p, offer, usual))
	p = s.sent(request, everybody)
	s.c.Input(s.now, answer(p, ack, usual))
	if _, ok := s.c.Lease(); !ok || !s.c.Changed() || s.c.Changed() {
		s.t.Fatal("there is no lease")
	}
	return p
}

func TestLease(t *testing.T) {
	s := newScript(t)
	p := s.bind()
	o := options(p)
	if !bytes.Equal(o[optRequested], []byte{10, 0, 2, 15}) || !bytes.Equal(o[optServer], []byte{10, 0, 2, 2}) || string(o[optHostName]) != "app" {
		t.Errorf("the request has %v", o)
	}
	want := Lease{
		Address: netip.MustParsePrefix("10.0.2.15/24"), Server: srv, Routers: []netip.Addr{srv},
		DNS: []netip.Addr{netip.MustParseAddr("10.0.2.3"), netip.MustParseAddr("8.8.8.8")}, Domain: "example.org", MTU: 1400, Time: time.Hour,
	}
	if got, _ := s.c.Lease(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRenewal(t *testing.T) {
	s := newScript(t)
	s.bind()
	if d := s.wait(); d != 30*time.Minute {
		t.Errorf("T1 is %v", d)
	}
	p := s.sent(request, srv)
	if o := options(p); o[optRequested] != nil || o[optServer] != nil || !bytes.Equal(p[offCiaddr:offCiaddr+4], []byte{10, 0, 2, 15}) {
		t.Errorf("renewal has options %v", o) // RFC 2131, 4.3.2
	}
	s.c.Input(s.now, answer(p, ack, usual))
	if s.c.Changed() {
		t.Error("the same lease again counts as news")
	}
	s.wait()
	s.sent(request, srv)
	for s.c.state == renewing {
		s.wait()
		if s.c.state == renewing {
			s.sent(request, srv)
		}
	}
	p = s.sent(request, everybody) // rebinding
	s.c.Input(s.now, answer(p, ack, usual))
	if d := s.wait(); d != 30*time.Minute {
		t.Errorf("after rebinding T1 is %v", d)
	}
}

func TestLeaseEnds(t *testing.T) {
	s := newScript(t)
	s.bind()
	began := s.now
	for range 100 {
		if _, ok := s.c.Lease(); !ok {
			break
		}
		s.wait()
		s.c.Next(s.now, s.buf[:])
	}
	if d := s.now.Sub(began); d != time.Hour || !s.c.Changed() {
		t.Errorf("the lease ended after %v", d)
	}
	if _, _, ok := s.c.Next(s.now, s.buf[:]); ok {
		t.Error("one more message")
	}
	s.wait()
	s.sent(discover, everybody)
}

func TestNobodyThere(t *testing.T) {
	s := newScript(t)
	s.sent(discover, everybody)
	last := time.Duration(0)
	for i := range 10 {
		d := s.wait()
		if base := time.Second << min(i, 6); d < base || d > base+base/4 {
			t.Errorf("pause %d is %v", i, d)
		}
		last = d
		s.sent(discover, everybody)
	}
	if last < time.Minute {
		t.Errorf("the last pause is %v", last)
	}
}

func TestServerFallsSilent(t *testing.T) {
	s := newScript(t)
	p := s.sent(discover, everybody)
	s.c.Input(s.now, answer(p, offer, usual))
	for range 4 {
		s.sent(request, everybody)
		s.wait()
	}
	s.sent(discover, everybody)
}

func TestNAK(t *testing.T) {
	s := newScript(t)
	s.bind()
	s.wait()
	p := s.sent(request, srv)
	s.c.Input(s.now, answer(p, nak, nil))
	if _, ok := s.c.Lease(); ok || !s.c.Changed() {
		t.Error("the lease is kept")
	}
	s.sent(discover, everybody)
}

func TestDecline(t *testing.T) {
	s := newScript(t)
	s.bind()
	s.c.Decline(s.now)
	if p := s.sent(decline, everybody); !bytes.Equal(options(p)[optRequested], []byte{10, 0, 2, 15}) {
		t.Errorf("declined: %v", options(p))
	}
	if d := s.wait(); d != 10*time.Second {
		t.Errorf("a new try after %v", d)
	}
	s.sent(discover, everybody)
}

func TestRelease(t *testing.T) {
	s := newScript(t)
	s.bind()
	s.c.Release(s.now)
	s.sent(release, srv)
	if _, ok := s.c.Lease(); ok || s.c.Deadline() != 0 {
		t.Error("it goes on")
	}
}

func TestInfiniteLease(t *testing.T) {
	s := newScript(t)
	p := s.sent(discover, everybody)
	forever := func(m *builder) { m.option(optLease, 255, 255, 255, 255) }
	s.c.Input(s.now, answer(p, offer, forever))
	s.c.Input(s.now, answer(s.sent(request, everybody), ack, forever))
	if l, ok := s.c.Lease(); !ok || s.c.Deadline() != 0 || l.Address.Bits() != 8 {
		t.Errorf("%+v, deadline %v", l, s.c.Deadline())
	}
}

// TestStrangers shows whose messages do not count.
func TestStrangers(t *testing.T) {
	s := newScript(t)
	p := s.sent(discover, everybody)
	good := answer(p, offer, usual)
	for name, spoil := range map[string]func(b []byte){
		"another number":  func(b []byte) { b[offXid]++ },
		"another station": func(b []byte) { b[offChaddr+5]++ },
		"a request":       func(b []byte) { b[offOp] = bootRequest },
		"no magic":        func(b []byte) { b[offMagic]++ },
		"no address":      func(b []byte) { copy(b[offYiaddr:], []byte{0, 0, 0, 0}) },
		"a group":         func(b []byte) { copy(b[offYiaddr:], []byte{224, 0, 0, 1}) },
		"a long option":   func(b []byte) { b[offOption+1] = 255 },
	} {
		b := bytes.Clone(good)
		spoil(b)
		s.c.Input(s.now, b)
		if s.c.state != selecting {
			t.Errorf("%s: believed", name)
		}
	}
	s.c.Input(s.now, good[:offOption-1])
	s.c.Input(s.now, good)
	if s.c.state != requesting {
		t.Error("the good one is not")
	}
}

func TestOptionsOfAllKinds(t *testing.T) {
	s := newScript(t)
	p := s.sent(discover, everybody)
	b := answer(p, offer, func(m *builder) {
		// Two search names, the second by a pointer into the first, in two halves (RFC 3396).
		m.option(optSearch, append([]byte{3}, "eng\x07example\x03org\x00"...)...)
		m.option(optSearch, append([]byte{3}, "lab\xc0\x04"...)...)
		m.option(optRoutes, 24, 192, 168, 7, 10, 0, 2, 9, 0, 10, 0, 2, 2)
		m.option(optOverload, 1)
	})
	copy(b[offFile:], []byte{optNTP, 4, 10, 0, 2, 7, optEnd})
	r, ok := parse(b, be.Uint32(p[offXid:]), mac)
	if !ok {
		t.Fatal("not understood")
	}
	want := []Route{{netip.MustParsePrefix("192.168.7.0/24"), netip.MustParseAddr("10.0.2.9")}, {netip.MustParsePrefix("0.0.0.0/0"), srv}}
	if l := r.lease; !slices.Equal(l.Search, []string{"eng.example.org", "lab.example.org"}) || !slices.Equal(l.Routes, want) || !slices.Equal(l.NTP, []netip.Addr{netip.MustParseAddr("10.0.2.7")}) {
		t.Errorf("%+v", l)
	}
}

func FuzzInput(f *testing.F) {
	s := newScript(new(testing.T))
	n, _, _ := s.c.Next(s.now, s.buf[:])
	f.Add(answer(s.buf[:n], offer, usual)[offOption:])
	f.Add([]byte{optSearch, 4, 0xc0, 0, 0xc0, 0, optType, 1, offer, optOverload, 1, 3})
	f.Add(bytes.Repeat([]byte{optDNS, 254}, 300)) // 2+254 is more than a byte holds
	f.Fuzz(func(t *testing.T, opts []byte) {
		s := newScript(t)
		n, _, _ := s.c.Next(s.now, s.buf[:])
		b := answer(s.buf[:n], offer, nil)[:offOption]
		b = append(b, opts...)
		s.c.Input(s.now, b)
		if n, _, ok := s.c.Next(s.now, s.buf[:]); ok && n > MaxMessage {
			t.Error("too long a message")
		}
		s.c.Input(s.now, b)
	})
}
