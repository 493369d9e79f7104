package ntp

import (
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"
)

// stamp is a time as NTP writes it.
func stamp(t time.Time) uint64 {
	return uint64(t.Unix()+at1970)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// reply is a server's answer.
func reply(cookie uint64, in, out time.Time) []byte {
	p := make([]byte, messageLen)
	p[0], p[1] = version<<3|modeServer, 2
	binary.BigEndian.PutUint64(p[24:], cookie)
	binary.BigEndian.PutUint64(p[32:], stamp(in))
	binary.BigEndian.PutUint64(p[40:], stamp(out))
	return p
}

func near(a, b time.Duration) bool { return (a - b).Abs() < time.Microsecond }

// TestOffset: what the clocks differ by, and the way there and back, come out of four times, whatever the era.
func TestOffset(t *testing.T) {
	for _, year := range []int{1970, 2020, 2026, 2036, 2037, 2150} {
		sent := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
		server := max(year, 2020)
		in := time.Date(server, 2, 7, 6, 28, 16, 999_999_999, time.UTC)
		s, err := answer(reply(9, in, in.Add(30*time.Millisecond)), 9, sent, sent.Add(50*time.Millisecond))
		if want := in.Sub(sent) - 10*time.Millisecond; err != nil || !near(s.offset, want) || !near(s.delay, 20*time.Millisecond) {
			t.Errorf("%d: %v, %v, want %v and 20 ms; %v", server, s.offset, s.delay, want, err)
		}
	}
}

// TestAnswers has what may come instead of a good answer.
func TestAnswers(t *testing.T) {
	now := time.Now()
	change := func(f func(p []byte)) []byte {
		p := reply(9, now, now)
		f(p)
		return p
	}
	foreign, any := errForeign, errors.New("any")
	for name, c := range map[string]struct {
		p    []byte
		want error // any: some other than errForeign
	}{
		"good":          {reply(9, now, now), nil},
		"with more":     {append(reply(9, now, now), 1, 2, 3), nil},
		"version 3":     {change(func(p []byte) { p[0] = 3<<3 | modeServer }), nil},
		"empty":         {nil, foreign},
		"cut":           {reply(9, now, now)[:47], foreign},
		"other":         {reply(8, now, now), foreign},
		"question":      {change(func(p []byte) { p[0] = version<<3 | modeClient }), foreign},
		"version 7":     {change(func(p []byte) { p[0] = 7<<3 | modeServer }), foreign},
		"refusal":       {change(func(p []byte) { p[1] = 0; copy(p[12:], "RATE") }), refusal("RATE")},
		"unset":         {change(func(p []byte) { p[0] |= leapUnknown << 6 }), any},
		"stratum 16":    {change(func(p []byte) { p[1] = 16 }), any},
		"no time":       {change(func(p []byte) { binary.BigEndian.PutUint64(p[40:], 0) }), any},
		"unsure":        {change(func(p []byte) { p[9] = 17 }), any},
		"negative":      {change(func(p []byte) { p[4] = 0x80 }), any},
		"out before in": {reply(9, now, now.Add(-time.Second)), any},
	} {
		_, err := answer(c.p, 9, now, now.Add(time.Millisecond))
		if err != c.want && (c.want != any || err == nil || err == errForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	now := time.Unix(1_790_000_000, 0)
	f.Add(reply(9, now, now))
	f.Fuzz(func(t *testing.T, p []byte) {
		s, err := answer(p, 9, now, now.Add(time.Second))
		if err == nil && (s.delay < 0 || s.delay > time.Second || len(p) < messageLen) {
			t.Errorf("%+v of %x", s, p)
		}
	})
}

// TestClient follows whom it asks and when.
func TestClient(t *testing.T) {
	silent := errors.New("no answer")
	c := newClient([]string{"a", "b", "c"})
	want := func(server string, wait time.Duration) {
		t.Helper()
		if c.server() != server || c.wait != wait {
			t.Fatalf("asks %q in %v, want %q in %v", c.server(), c.wait, server, wait)
		}
	}
	want("a", 0)
	c.failed(silent)
	want("b", 2*time.Second)
	c.failed(refusal("DENY"))
	want("c", 4*time.Second)
	for range 10 {
		c.failed(silent)
	}
	want("c", 64*time.Second)
	if got := c.answered(sample{-time.Hour, time.Second}); got != -time.Hour {
		t.Errorf("steps by %v", got)
	}
	want("c", 64*time.Second)
	if got := c.answered(sample{time.Second / 2, time.Second}); got != 0 {
		t.Errorf("steps by %v though the answer may be wrong by as much", got)
	}
	want("c", 128*time.Second)
	for range 10 {
		c.answered(sample{})
	}
	want("c", 1024*time.Second)
	c.failed(silent)
	want("a", 64*time.Second)
	c.failed(refusal("RATE"))
	want("c", 1024*time.Second)
	c.failed(refusal("RSTR"))
	want("a", 64*time.Second)
	c.failed(refusal("DENY"))
	want("", 64*time.Second)
}

// TestAsk asks a server over UDP that first sends what is not an answer.
func TestAsk(t *testing.T) {
	s, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go func() {
		var p [1500]byte
		_, from, err := s.ReadFrom(p[:])
		if err != nil {
			return
		}
		cookie := binary.BigEndian.Uint64(p[40:])
		now := time.Now().Add(time.Hour)
		s.WriteTo([]byte("noise"), from)
		s.WriteTo(reply(cookie+1, now, now), from)
		s.WriteTo(reply(cookie, now, now), from)
	}()
	got, err := ask(s.LocalAddr().String())
	if d := (got.offset - time.Hour).Abs(); err != nil || d > got.delay/2+time.Millisecond {
		t.Errorf("%v, wrong by %v; %v", got, d, err)
	}
}

// TestLease: the name dhcp is for the servers of the lease, each asked in its turn; a lease without any is an error that may pass.
func TestLease(t *testing.T) {
	defer func(f func() []string) { leased = f }(leased)
	server := func(good bool) string {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		go func() {
			var p [512]byte
			for {
				n, from, err := c.ReadFrom(p[:])
				if err != nil {
					return
				}
				if good && n >= messageLen {
					now := time.Now().Add(time.Hour)
					c.WriteTo(reply(binary.BigEndian.Uint64(p[40:]), now, now), from)
				}
			}
		}()
		return c.LocalAddr().String()
	}
	leased = func() []string { return nil }
	if _, err := askAny(fromLease); err != errNoneLeased {
		t.Errorf("of a lease without servers: %v", err)
	}
	var r refusal
	if errors.As(errNoneLeased, &r) {
		t.Error("which is for good")
	}
	list := []string{server(false), server(true)}
	leased = func() []string { return list }
	if s, err := askAny(fromLease); err != nil || s.offset < 59*time.Minute || s.offset > 61*time.Minute {
		t.Errorf("%v, %v", s, err)
	}
}
