package tcp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// The MUSTs of RFC 9293 that no other test looks at. RFC9293.md says which test holds which.

// data gives a segment of bytes of the stream.
func (s *Segment) data(off, n int) {
	p := make([]byte, n)
	for i := range p {
		p[i] = stream(off + i)
	}
	s.Payload, s.Size = []buf.Ref{buf.Lend(p, nil)}, n
}

// TestUrgent: the pointer, its reach, and how a program hears of it (MUST-30 to 33, 62, 66).
func TestUrgent(t *testing.T) {
	w := established(t, func(a, b *Config) { b.RecvBuffer, b.RecvMax = 256<<10, 256<<10 })
	a, b := w.ends[0], w.ends[1]
	a.c.config.MaxSend = 64 << 10
	b.slow = -1
	var first *Segment
	w.wire.drop = func(to int, s *Segment) bool {
		if to == 1 && s.Flags&URG != 0 {
			if s.Size > a.c.mss {
				t.Errorf("an urgent segment of %d bytes will be cut", s.Size)
			}
			if first == nil {
				c := *s
				first = &c
			}
		}
		return false
	}
	// Three bytes at the end of what goes out at once.
	a.toSend = 500
	a.step(t, w.now)
	a.c.Urge()
	b.c.Events()
	w.run(time.Second, func() bool { return b.c.in.Len() == 500 })
	if first == nil || first.Seq.Add(int(first.Urgent)) != a.c.iss.Add(1+500) {
		t.Fatalf("the pointer says %+v, want the first byte that is not urgent", first)
	}
	if e := b.c.Events(); e&Pressing == 0 || b.c.Urgent() != 500 {
		t.Errorf("events %b, %d urgent bytes", e, b.c.Urgent())
	}
	read := func(n int) {
		b.slow = n
		b.step(t, w.now)
		b.slow = -1
	}
	read(499)
	if n := b.c.Urgent(); n != 1 {
		t.Errorf("before the last one %d are urgent", n)
	}
	read(1)
	if n := b.c.Urgent(); n != 0 {
		t.Errorf("after the last one %d are urgent", n)
	}
	// Any length: more than the pointer's 16 bits reach. Who reads hears that there are more.
	const long = 150_000
	a.toSend = long
	w.run(10*time.Millisecond, func() bool { a.c.Urge(); return false })
	w.run(10*time.Second, func() bool { return b.c.in.Len() == long })
	if n := b.c.Urgent(); n != long || b.c.Events()&Pressing == 0 {
		t.Errorf("of %d urgent bytes %d are known", long, n)
	}
	for b.c.in.Len() > 0 {
		read(10_000)
	}
	if w.run(time.Minute, func() bool { return a.c.sndUna == a.c.sndNxt }); b.c.Urgent() != 0 {
		t.Errorf("%d are urgent for ever", b.c.Urgent())
	}
	w.run(time.Second, func() bool { return false })
	first = nil
	a.toSend = 10
	w.run(time.Second, func() bool { return b.c.in.Len() == 10 })
	if first != nil {
		t.Error("data after the urgent ones are urgent")
	}
	// With no room for its data a segment says it all the same.
	b.c.tune.size = 10
	b.c.rcvAdv = b.c.rcvNxt
	w.inject(func(s *Segment) {
		s.Flags |= URG
		s.Urgent = 3
		s.data(0, 3)
	})
	if n := b.c.Urgent(); n != 10+3 {
		t.Errorf("into a closed window: %d urgent bytes, want 13", n)
	}
	// One that promises more than it sends before its end is not waited for.
	w = established(t, nil)
	b = w.ends[1]
	w.inject(func(s *Segment) { s.Flags |= URG | FIN; s.Urgent = 1000 })
	if n := b.c.Urgent(); n != 0 {
		t.Errorf("%d bytes behind the end are urgent", n)
	}
}

// TestOptions: any segment may have some, known or not, aligned or not, and a length that cannot be is an error and no more (MUST-4 to 7, 64, 68).
func TestOptions(t *testing.T) {
	head := func(options ...byte) []byte {
		for len(options)%4 != 0 {
			options = append(options, 0)
		}
		b := make([]byte, HeaderSize, MaxHeader)
		b[offData] = byte((HeaderSize+len(options))/4) << 4
		b[offFlags] = byte(ACK)
		return append(b, options...)
	}
	var s Segment
	for _, x := range []struct {
		what    string
		options []byte
		want    Options
		err     error
	}{
		{"unaligned", []byte{1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8, 2, 4, 5, 180}, Options{HasTimestamps: true, TSVal: 9, TSEcr: 8, MSS: 1460}, nil},
		{"unknown before known", []byte{253, 4, 1, 2, 254, 2, 3, 3, 7}, Options{HasScale: true, Scale: 7}, nil},
		{"nothing after the end", []byte{0, 2, 4, 5, 180}, Options{}, nil},
		{"MSS of a wrong length", []byte{2, 3, 5, 3, 3, 7}, Options{HasScale: true, Scale: 7}, nil},
		{"length 0", []byte{253, 0, 0, 0}, Options{}, errOptions},
		{"length 1", []byte{253, 1, 0, 0}, Options{}, errOptions},
		{"beyond the header", []byte{253, 40, 0, 0}, Options{}, errOptions},
		{"no length", []byte{1, 1, 1, 253}, Options{}, errOptions},
	} {
		if _, err := Parse(head(x.options...), &s); !errors.Is(err, x.err) || err == nil && s.Options != x.want {
			t.Errorf("%s: %+v, %v", x.what, s.Options, err)
		}
	}
	// In a segment of an established connection, options of SYNs change nothing.
	w := established(t, nil)
	b := w.ends[1].c
	mss, scale := b.mss, b.sndScale
	w.inject(func(s *Segment) {
		s.Options.MSS, s.Options.HasScale, s.Options.Scale, s.Options.SACKPermitted = 88, true, 1, true
		s.data(0, 5)
	})
	if b.in.Len() != 5 || b.mss != mss || b.sndScale != scale {
		t.Errorf("%d bytes came; MSS %d, was %d; scale %d, was %d", b.in.Len(), b.mss, mss, b.sndScale, scale)
	}
}

// TestMSS: ours is that of the interface and only a SYN says it; a peer that says nothing takes 536, or 1220 over IPv6; what is sent keeps to both and the path's
// (MUST-14 to 16, 65, 67).
func TestMSS(t *testing.T) {
	for _, x := range []struct {
		peer uint16
		six  bool
		path int
		want int
	}{{0, false, 0, 536}, {0, true, 0, 1220}, {1000, false, 0, 1000}, {9000, true, 0, 1460}, {9000, false, 700, 700}, {1, false, 0, leastMSS}} {
		cfg := testConfig()
		cfg.IPv6 = x.six
		l := &Listener{Config: cfg, Backlog: 1, Secret: &secret}
		var reply Segment
		c, _ := l.Input(1, testTuple(), &Segment{Flags: SYN, Options: Options{MSS: x.peer}}, &reply)
		if x.path > 0 {
			c.SetMSS(1, x.path)
		}
		if c.mss != x.want {
			t.Errorf("%+v: %d", x, c.mss)
		}
	}
	w := newWorld(t, 1, testConfig(), testConfig())
	w.ends[0].toSend, w.ends[1].toSend = 20_000, 20_000
	w.wire.drop = func(_ int, s *Segment) bool {
		want := uint16(0)
		if s.Flags&SYN != 0 {
			want = uint16(testConfig().MSS)
		}
		if s.Options.MSS != want || s.Size+s.Options.size() > 1460 {
			t.Errorf("%v of %d bytes has an MSS of %d", s.Flags, s.Size, s.Options.MSS)
		}
		return false
	}
	if !w.run(time.Minute, w.bothDone(20_000, 20_000)) {
		t.Fatal(w)
	}
}

// TestPush: nothing that was written waits for ever, and the last of it has PSH (MUST-60, 61).
func TestPush(t *testing.T) {
	for _, o := range []SocketOptions{{}, {NoDelay: true}, {Cork: true}} {
		w := established(t, func(a, b *Config) { a.Options.NoDelay, a.Options.Cork = o.NoDelay, o.Cork })
		a, b := w.ends[0], w.ends[1]
		end := a.c.iss.Add(1 + 10_001)
		pushed := false
		w.wire.drop = func(to int, s *Segment) bool {
			pushed = pushed || to == 1 && s.Flags&PSH != 0 && s.Seq.Add(s.Size) == end
			return false
		}
		a.toSend = 10_001
		if !w.run(500*time.Millisecond, func() bool { return b.read == 10_001 }) || !pushed {
			t.Errorf("%+v: %d bytes came, pushed: %v", o, b.read, pushed)
		}
	}
}

// TestAcknowledging: every second full segment at once, a small one within half a second, and what was queued out of order by one acknowledgment for all that it
// becomes with what filled the hole (MUST-40, 58, 59).
func TestAcknowledging(t *testing.T) {
	w := established(t, nil)
	b := w.ends[1].c
	b.quick = 0
	off := 0
	send := func(n int, f func(*Segment)) []Segment {
		return w.inject(func(s *Segment) {
			s.Seq = s.Seq.Add(off)
			s.data(off, n)
			f(s)
			off += n
		})
	}
	keep := func(*Segment) {}
	if n := len(send(1448, keep)); n != 0 {
		t.Errorf("the first full segment: %d answers", n)
	}
	if got := send(1448, keep); len(got) != 1 || got[0].Ack != b.rcvNxt {
		t.Errorf("the second: %d answers", len(got))
	}
	send(10, keep)
	at := b.Deadline()
	if at == 0 || at.Sub(w.now) >= 500*time.Millisecond {
		t.Fatalf("a small one is acknowledged after %v", at.Sub(w.now))
	}
	b.Tick(at)
	w.now = at
	var out Segment
	if !b.Next(w.now, &out) || out.Ack != b.rcvNxt {
		t.Error("it is not acknowledged")
	}
	hole := off
	off += 100
	for range 5 {
		if n := len(send(100, keep)); n != 1 {
			t.Errorf("out of order: %d answers", n)
		}
	}
	end := off
	off = hole
	if got := send(100, keep); len(got) != 1 || got[0].Ack != w.ends[0].c.sndNxt.Add(end) {
		t.Errorf("the hole is filled: %+v, want one acknowledgment up to %d", got, w.ends[0].c.sndNxt.Add(end))
	}
}

// TestSillyWindows: the receiver opens its window by no less than a segment or half its buffer and never takes it back; the sender does not fill small windows with small
// segments, but when it has waited long enough (MUST-38, 39).
func TestSillyWindows(t *testing.T) {
	w := established(t, func(a, b *Config) { b.RecvBuffer, b.RecvMax = 8<<10, 8<<10 })
	a, b := w.ends[0], w.ends[1]
	b.slow = -1
	a.toSend = 30_000
	edge := b.c.rcvAdv
	opened := 0
	w.wire.drop = func(to int, s *Segment) bool {
		if to == 0 && s.Flags&SYN == 0 {
			right := s.Ack.Add(int(s.Window) << b.c.rcvScale)
			switch d := right.Sub(edge); {
			case d < 0:
				t.Errorf("the window is taken back by %d", -d)
			case d > 0 && d < 1460:
				t.Errorf("the window opens by %d", d)
			case d > 0:
				opened++
			}
			edge = maxSeq(edge, right)
		}
		if to == 1 && s.Size > 0 && s.Size < 1000 && b.read < 20_000 && a.c.stats.WindowProbes == 0 && s.Seq.Add(s.Size) != a.c.iss.Add(1+30_000) {
			t.Errorf("a segment of %d bytes", s.Size)
		}
		return false
	}
	w.run(150*time.Millisecond, func() bool { return false })
	for b.read < 30_000 && opened < 100 {
		b.slow = 100
		b.step(t, w.now)
		b.slow = -1
		w.pump(1)
		w.run(time.Millisecond, func() bool { return false })
		w.now = w.now.Add(100 * time.Microsecond)
		if w.ops > 100_000 {
			t.Fatal(w)
		}
	}
	if opened < 5 {
		t.Errorf("it opened %d times", opened)
	}
	// A peer whose whole window is small gets small segments, for that is all it will ever take.
	w = established(t, nil)
	a = w.ends[0]
	a.c.sndWnd, a.c.maxWnd = 200, 200
	p := make([]byte, 1000)
	a.c.WriteCopy(w.now, a.pool, p)
	var out Segment
	if !a.c.Next(w.now, &out) || out.Size != 200 {
		t.Errorf("into a window of 200: %d bytes", out.Size)
	}
	out.release()
}

// TestShrinkingWindow: a peer that takes its window back, though it should not, is borne with: nothing new goes beyond it, the connection lives, all arrives (MUST-34). Windows are
// unsigned (MUST-1).
func TestShrinkingWindow(t *testing.T) {
	w := established(t, func(a, b *Config) { b.RecvMax = b.RecvBuffer })
	a, b := w.ends[0], w.ends[1]
	a.c.updateWindow(&Segment{Flags: ACK, Seq: a.c.sndWl1, Ack: a.c.sndWl2, Window: 0xffff})
	if a.c.sndWnd != 0xffff<<a.c.sndScale {
		t.Errorf("the largest window is %d", a.c.sndWnd)
	}
	a.toSend = 100_000
	a.step(t, w.now)
	for range 4 {
		a.c.Next(w.now, &w.seg)
		w.send(0)
	}
	small := Segment{Flags: ACK, Seq: a.c.rcvNxt, Ack: a.c.sndUna, Window: uint16(1000 >> a.c.sndScale)}
	small.Options.HasTimestamps, small.Options.TSVal = true, a.c.tsLast
	nxt := a.c.sndNxt
	a.c.Input(w.now, &small)
	if a.c.sndNxt.Sub(a.c.sndUna) <= a.c.sndWnd {
		t.Fatal("the window was not taken back behind what is on its way")
	}
	for a.c.Next(w.now, &w.seg) {
		if nxt.Less(w.seg.End()) {
			t.Errorf("[%d, %d) goes beyond the window that ends at %d", w.seg.Seq, w.seg.End(), a.c.sndUna.Add(a.c.sndWnd))
		}
		w.send(0)
	}
	if !w.run(time.Minute, func() bool { return b.read == 100_000 }) {
		t.Fatal(w)
	}
}

// TestSynReceived: a reset ends what a SYN began: for who has opened actively by an error, for a listener without a trace (MUST-11); an acknowledgment that is none of
// ours is answered by a reset and changes nothing.
func TestSynReceived(t *testing.T) {
	l := &Listener{Config: testConfig(), Backlog: 1, Secret: &secret}
	var reply Segment
	c, _ := l.Input(1, testTuple(), &Segment{Flags: SYN, Seq: 1000, Options: Options{MSS: 1460}}, &reply)
	if c == nil || c.state != SynReceived || l.Half() != 1 {
		t.Fatal("no connection of a SYN")
	}
	c.Next(1, &reply)
	c.Input(1, &Segment{Flags: ACK, Seq: 1001, Ack: c.iss.Add(77)})
	if !c.Next(1, &reply) || reply.Flags&RST == 0 || reply.Seq != c.iss.Add(77) || c.state != SynReceived {
		t.Errorf("a wrong acknowledgment: %v, %v", reply.Flags, c.state)
	}
	c.Input(1, &Segment{Flags: RST, Seq: 1001})
	if c.state != Closed || c.Events()&Connected != 0 {
		t.Errorf("reset: %v", c.state)
	}
	a := Open(1, testConfig(), 1, 2, 5, 0)
	a.Next(1, &reply)
	a.Input(1, &Segment{Flags: SYN, Seq: 1000, Options: Options{MSS: 1460}})
	a.Next(1, &reply)
	a.Input(1, &Segment{Flags: RST, Seq: 1001})
	if a.state != Closed || a.err != ErrRefused {
		t.Errorf("an active opener that is reset: %v, %v", a.state, a.err)
	}
}

// TestTimeWait lasts two maximum segment lifetimes, anew after each FIN that comes again, and no reset ends it but on the spot (MUST-13; RFC 1337).
func TestTimeWait(t *testing.T) {
	w := established(t, nil)
	a, b := w.ends[0], w.ends[1]
	a.c.CloseWrite(w.now)
	w.run(time.Second, func() bool { return b.c.state == CloseWait })
	b.c.CloseWrite(w.now)
	var last Segment
	w.wire.drop = func(to int, s *Segment) bool {
		if to == 0 && s.Flags&FIN != 0 {
			last = *s
		}
		return false
	}
	w.run(time.Second, func() bool { return a.c.state == TimeWait })
	if at := a.c.Deadline(); at.Sub(w.now) != a.c.config.TimeWait.duration() {
		t.Errorf("it lasts %v", at.Sub(w.now))
	}
	w.now = w.now.Add(30 * time.Second)
	last.Payload = nil
	a.c.Input(w.now, &last)
	if at := a.c.Deadline(); at.Sub(w.now) != a.c.config.TimeWait.duration() {
		t.Errorf("after the peer's FIN again it lasts %v", at.Sub(w.now))
	}
	if !a.c.Next(w.now, &last) || last.Ack != a.c.rcvNxt {
		t.Error("the FIN that came again is not acknowledged")
	}
	a.c.Tick(a.c.Deadline())
	if a.c.state != Closed || a.c.err != nil {
		t.Errorf("afterwards: %v, %v", a.c.state, a.c.err)
	}
}

// TestReusable: a SYN that is surely newer may take the place of a connection in TIME-WAIT (RFC 6191).
func TestReusable(t *testing.T) {
	c := Open(1, testConfig(), 1, 2, 5, 0)
	c.state, c.rcvNxt, c.tsLast = TimeWait, 1000, 500
	for _, x := range []struct {
		what   string
		stamps bool
		s      Segment
		want   bool
	}{
		{"a later timestamp", true, Segment{Flags: SYN, Seq: 10, Options: Options{HasTimestamps: true, TSVal: 501}}, true},
		{"an earlier timestamp", true, Segment{Flags: SYN, Seq: 2000, Options: Options{HasTimestamps: true, TSVal: 499}}, false},
		{"the same timestamp, a later number", true, Segment{Flags: SYN, Seq: 2000, Options: Options{HasTimestamps: true, TSVal: 500}}, true},
		{"no timestamp, a later number", true, Segment{Flags: SYN, Seq: 2000}, true},
		{"no timestamp, an earlier number", false, Segment{Flags: SYN, Seq: 999}, false},
		{"no SYN", false, Segment{Flags: ACK, Seq: 2000}, false},
		{"with an acknowledgment", false, Segment{Flags: SYN | ACK, Seq: 2000}, false},
	} {
		c.tsOK = x.stamps
		if got := c.Reusable(&x.s); got != x.want {
			t.Errorf("%s: %v", x.what, got)
		}
	}
}

// TestGivingUp: R2 for data and for SYNs, and how it is set (MUST-20 to 23).
func TestGivingUp(t *testing.T) {
	w := established(t, func(a, b *Config) { a.Retries = 5 })
	w.wire.loss = 1
	w.ends[0].toSend = 100
	if !w.run(10*time.Minute, func() bool { return w.ends[0].c.state == Closed }) || w.ends[0].c.err != ErrTimeout || w.ends[0].c.retries != 6 {
		t.Errorf("%v after %d timeouts", w.ends[0].c.err, w.ends[0].c.retries)
	}
	w = newWorld(t, 1, Defaults(), Defaults())
	w.wire.loss = 1
	began := w.now
	w.run(time.Hour, func() bool { return w.ends[0].c.state == Closed })
	if d := w.now.Sub(began); d < 3*time.Minute || w.ends[0].c.err != ErrTimeout {
		t.Errorf("a SYN is given up after %v: %v", d, w.ends[0].c.err)
	}
}

// TestSoftErrors: what ICMP tells ends a connection only while it is being made, and only if it will not pass; else it is told if the connection times out (MUST-47, 54,
// 56).
func TestSoftErrors(t *testing.T) {
	soft := errors.New("host unreachable")
	w := newWorld(t, 1, testConfig(), testConfig())
	c := w.ends[0].c
	if c.SoftError(soft); c.state != SynSent {
		t.Fatal("a soft error ends a connection")
	}
	w.wire.loss = 1
	w.run(time.Hour, func() bool { return c.state == Closed })
	if c.err != soft {
		t.Errorf("it ends with %v", c.err)
	}
	w = newWorld(t, 1, testConfig(), testConfig())
	if c = w.ends[0].c; true {
		c.HardError(soft)
	}
	if c.state != Closed || c.err != soft {
		t.Errorf("a hard error while it is made: %v, %v", c.state, c.err)
	}
	w = established(t, nil)
	w.ends[0].c.HardError(soft)
	if c := w.ends[0].c; c.state != Established {
		t.Errorf("a hard error afterwards: %v", c.state)
	}
}

// TestKeepAliveDefaults: off, and two hours (MUST-25, 28).
func TestKeepAliveDefaults(t *testing.T) {
	if o := Defaults().Options; o.KeepAlive || o.KeepIdle < 2*time.Hour {
		t.Errorf("%+v", o)
	}
	w := established(t, nil)
	if at := w.ends[0].c.Deadline(); at != 0 {
		t.Errorf("an idle connection wants to be looked at in %v", at.Sub(w.now))
	}
	// On, it probes only what is idle.
	w = established(t, func(a, b *Config) { a.Options.KeepAlive, a.Options.KeepIdle = true, time.Minute })
	a := w.ends[0]
	probes := 0
	w.wire.drop = func(to int, s *Segment) bool {
		if to == 1 && s.Size == 0 && s.Seq == a.c.sndUna.Add(-1) {
			probes++
		}
		return false
	}
	for range 10 {
		a.toSend = 1
		w.run(50*time.Second, func() bool { return false })
		w.now = max(w.now, tick.Time(0)).Add(50 * time.Second)
	}
	if probes != 0 {
		t.Errorf("%d probes of a connection that is not idle", probes)
	}
}

// TestChecksumField: Marshal leaves it and the end of the header as whoever computes the checksum needs it (MUST-2, 69: all padding is NOPs of whole words).
func TestChecksumField(t *testing.T) {
	b := bytes.Repeat([]byte{0xff}, MaxHeader)
	s := Segment{Flags: SYN, Options: Options{MSS: 1460, HasScale: true, Scale: 7, SACKPermitted: true, HasTimestamps: true}}
	n := s.Marshal(b)
	if binary.BigEndian.Uint16(b[ChecksumOffset:]) != 0 || n%4 != 0 || binary.BigEndian.Uint16(b[offUrgent:]) != 0 {
		t.Errorf("% x", b[:n])
	}
	for o := b[HeaderSize:n]; len(o) > 0; {
		switch {
		case o[0] == optNop:
			o = o[1:]
		case o[0] == optEnd || int(o[1]) > len(o):
			t.Fatalf("% x", b[:n])
		default:
			o = o[o[1]:]
		}
	}
}
