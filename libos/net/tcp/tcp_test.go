package tcp

import (
	"bytes"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

func TestSeq(t *testing.T) {
	for _, base := range []Seq{0, 1, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		for _, d := range []int{0, 1, 1000, 1<<31 - 1} {
			s := base.Add(d)
			if s.Sub(base) != d || base.Less(s) != (d > 0) || !base.LessEq(s) || s.Less(base) {
				t.Errorf("%d and %d later", base, d)
			}
			if !base.In(base, 1) || s.In(base, d) || d > 0 && !s.Add(-1).In(base, d) {
				t.Errorf("%d: the window of %d", base, d)
			}
		}
	}
}

func TestHeader(t *testing.T) {
	for _, s := range []Segment{
		{SrcPort: 1, DstPort: 2, Seq: 3, Ack: 4, Flags: ACK | PSH, Window: 5},
		{Flags: SYN, Options: Options{MSS: 1460, HasScale: true, Scale: 7, SACKPermitted: true, HasTimestamps: true, TSVal: 9, TSEcr: 8}},
		{Flags: SYN, Options: Options{MSS: 1460, SACKPermitted: true}},
		{Flags: ACK, Options: Options{HasTimestamps: true, TSVal: 9, TSEcr: 8, Blocks: 3, SACK: [4]Block{{1, 2}, {3, 4}, {5, 6}}}},
		{Flags: ACK | ECE | CWR, Options: Options{Blocks: 4, SACK: [4]Block{{1, 2}, {3, 4}, {5, 6}, {7, 8}}}},
	} {
		var b [MaxHeader]byte
		n := s.Marshal(b[:])
		if n != s.HeaderLen() || n%4 != 0 {
			t.Errorf("%d bytes, said to be %d", n, s.HeaderLen())
		}
		var got Segment
		m, err := Parse(b[:n], &got)
		if err != nil || m != n || got.Options != s.Options || got.Flags != s.Flags || got.Seq != s.Seq || got.Ack != s.Ack || got.Window != s.Window || got.SrcPort != s.SrcPort || got.DstPort != s.DstPort {
			t.Errorf("%+v came back as %+v, %v", s, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	var b [MaxHeader]byte
	s := Segment{Flags: SYN, Options: Options{MSS: 1460, HasScale: true, Scale: 7, SACKPermitted: true, HasTimestamps: true}}
	f.Add(b[:s.Marshal(b[:])])
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Segment
		n, err := Parse(b, &s)
		if err != nil {
			return
		}
		if n < HeaderSize || n > len(b) || s.Options.Blocks > MaxSACK || s.Options.Scale > maxScale {
			t.Errorf("%d of %d bytes: %+v", n, len(b), s)
		}
		// What we write of what was understood is understood the same.
		if s.HeaderLen() <= MaxHeader {
			var out [MaxHeader]byte
			var again Segment
			if _, err := Parse(out[:s.Marshal(out[:])], &again); err != nil || again.Options != s.Options {
				t.Errorf("%+v came back as %+v, %v", s.Options, again.Options, err)
			}
		}
	})
}

// TestCubic holds the integers to RFC 9438's formulas in floating point.
func TestCubic(t *testing.T) {
	const mss = 1448
	c := Cubic().(*cubic)
	c.Start(mss)
	c.window = 1000 * mss
	c.Lost(0, 1000*mss, false)
	if w := float64(c.window) / mss; math.Abs(w-700) > 1 {
		t.Fatalf("after a loss the window is %.1f segments, want 700", w)
	}
	wmax, start := 1000.0, float64(c.window)/mss
	k := math.Cbrt((wmax - start) / 0.4)
	const rtt = 100 * time.Millisecond
	now := tick.Time(time.Second)
	began := now
	for range 120 { // 12 s: through the plateau and beyond
		for acked := 0; acked < c.window; acked += 2 * mss {
			c.Acked(Acked{Now: now, Bytes: 2 * mss, RTT: rtt, MSS: mss})
		}
		now = now.Add(rtt)
		at := now.Sub(began).Seconds()
		want := 0.4*math.Pow(at-k, 3) + wmax
		if got := float64(c.window) / mss; math.Abs(got-want) > want/30 {
			t.Fatalf("after %.1f s the window is %.1f segments, the formula says %.1f", at, got, want)
		}
	}
	// Fast convergence: a loss below the last maximum leaves room to others.
	c.window = 500 * mss
	c.max = 1000 * one
	c.Lost(now, 500*mss, false)
	if got := float64(c.max) / one; math.Abs(got-425) > 2 {
		t.Errorf("W_max after a loss at half of it is %.1f, want 425", got)
	}
}

func TestCubeRoot(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	check := func(n uint64) {
		r := cubeRoot(n)
		if r*r*r > n || r < 2642245 && (r+1)*(r+1)*(r+1) <= n {
			t.Fatalf("the cube root of %d is not %d", n, r)
		}
	}
	for n := range uint64(1000) {
		check(n)
	}
	for range 10000 {
		check(rng.Uint64() >> rng.IntN(64))
	}
	check(math.MaxUint64)
}

// TestNewReno has the window grow by a segment a round trip, and halve.
func TestNewReno(t *testing.T) {
	const mss = 1000
	r := NewReno()
	r.Start(mss)
	if r.Window() != 10*mss {
		t.Errorf("it begins with %d", r.Window())
	}
	for range 10 { // slow start doubles
		before := r.Window()
		for acked := 0; acked < before; acked += mss {
			r.Acked(Acked{Bytes: mss, MSS: mss})
		}
		if r.Window() != 2*before {
			t.Fatalf("%d after %d in slow start", r.Window(), before)
		}
	}
	before := r.Window()
	r.Lost(0, before, false)
	if r.Window() != before/2 {
		t.Errorf("%d after a loss at %d", r.Window(), before)
	}
	before = r.Window()
	for acked := 0; acked < before; acked += mss {
		r.Acked(Acked{Bytes: mss, MSS: mss})
	}
	if r.Window() != before+mss {
		t.Errorf("%d a round trip after %d", r.Window(), before)
	}
	r.TimedOut(0, before)
	if r.Window() != mss || r.Threshold() != before/2 {
		t.Errorf("after a timeout: window %d, threshold %d", r.Window(), r.Threshold())
	}
	before = r.Window()
	if r.Lost(0, 8*mss, false); r.Window() > max(before, 2*mss) { // sent before the timeout
		t.Errorf("the window grew by a loss from %d to %d", before, r.Window())
	}
}

// TestRTT follows RFC 6298's formulas.
func TestRTT(t *testing.T) {
	var r rtt
	if r.timeout() != time.Second {
		t.Errorf("before a sample: %v", r.timeout())
	}
	r.sample(0, 400*time.Millisecond)
	if r.srtt != 400*time.Millisecond || r.timeout() != 1200*time.Millisecond {
		t.Errorf("after the first: %v, %v", r.srtt, r.timeout())
	}
	r.sample(0, 800*time.Millisecond)
	// rttvar = 3/4*200 + 1/4*400 = 250; srtt = 7/8*400 + 1/8*800 = 450
	if r.srtt != 450*time.Millisecond || r.rttvar != 250*time.Millisecond || r.timeout() != 1450*time.Millisecond {
		t.Errorf("after the second: %v, %v, %v", r.srtt, r.rttvar, r.timeout())
	}
	for range 20 {
		r.backOff()
	}
	if r.timeout() != maxRTO {
		t.Errorf("backed off: %v", r.timeout())
	}
	r.sample(0, 800*time.Millisecond)
	if r.backoff != 0 {
		t.Error("a sample does not end the backing off")
	}
}

// TestScoreboard does the same to a scoreboard and to a map of bytes.
func TestScoreboard(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var b scoreboard
		const out, sackd, lostd = 1, 2, 3
		oracle := map[Seq]int{}
		una, nxt := Seq(1<<32-500), Seq(1<<32-500)
		for step := range 200 {
			switch op := rng.IntN(6); {
			case op <= 1:
				n := 1 + rng.IntN(40)
				b.sentNew(nxt, nxt.Add(n), tick.Time(step+1), 0)
				for i := range n {
					oracle[nxt.Add(i)] = out
				}
				nxt = nxt.Add(n)
			case nxt == una:
			case op == 2:
				n := rng.IntN(nxt.Sub(una) + 1)
				b.acked(una.Add(n), func(*record) {})
				for i := range n {
					delete(oracle, una.Add(i))
				}
				una = una.Add(n)
			case op == 3:
				lo := rng.IntN(nxt.Sub(una))
				hi := lo + 1 + rng.IntN(nxt.Sub(una)-lo)
				b.sack(Block{una.Add(lo), una.Add(hi)}, func(*record) {})
				for i := lo; i < hi; i++ {
					oracle[una.Add(i)] = sackd
				}
			case op == 4 && len(b.records) > 0:
				i := rng.IntN(len(b.records))
				r := b.records[i]
				b.lose(i)
				for q := r.first; q != r.end; q++ {
					if oracle[q] == out {
						oracle[q] = lostd
					}
				}
			case op == 5:
				if i, ok := b.firstLost(); ok {
					r := b.records[i]
					n := 1 + rng.IntN(r.len())
					b.sentAgain(i, n, tick.Time(step+1))
					for k := range n {
						oracle[r.first.Add(k)] = out
					}
				}
			}
			sums := [4]int{}
			for _, s := range oracle {
				sums[s]++
			}
			if b.sacked != sums[sackd] || b.lost != sums[lostd] || b.outstanding() != len(oracle) {
				t.Fatalf("seed %d step %d: sacked %d lost %d outstanding %d, want %v", seed, step, b.sacked, b.lost, b.outstanding(), sums)
			}
			first := Seq(0)
			found := false
			for q := una; q != nxt; q++ {
				if oracle[q] == lostd {
					first, found = q, true
					break
				}
			}
			if i, ok := b.firstLost(); ok != found || ok && b.records[i].first != first {
				t.Fatalf("seed %d step %d: the first lost is %v, want %d %v", seed, step, b.records, first, found)
			}
		}
	}
}

// TestReassembly gives pieces of a stream in any order, often doubled, and has them come out in order.
func TestReassembly(t *testing.T) {
	pool := buf.NewPool("r", 256, 1<<12, buf.Heap)
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var a reassembly
		var q buf.Queue
		base := Seq(rng.Uint32())
		nxt := base
		const total = 2000
		covered := make([]bool, total)
		for q.Len() < total {
			from := rng.IntN(total)
			n := 1 + rng.IntN(min(200, total-from))
			if from < nxt.Sub(base) {
				continue
			}
			s := Segment{Seq: base.Add(from)}
			for k := from; k < from+n; {
				r, _ := pool.Get()
				m := min(1+rng.IntN(100), from+n-k)
				for i := range m {
					r.Bytes()[i] = stream(k + i)
				}
				r.Truncate(m)
				s.Payload = append(s.Payload, r)
				s.Size += m
				k += m
			}
			if from+n == total {
				s.Flags = FIN
			}
			was := false
			for _, c := range covered[from : from+n] {
				was = was || c
			}
			_, dup := a.add(&s)
			s.release()
			if dup != was {
				t.Fatalf("seed %d: [%d, %d) counts as doubled: %v, want %v", seed, from, from+n, dup, was)
			}
			for i := range covered[from : from+n] {
				covered[from+i] = true
			}
			var fin bool
			nxt, fin = a.ready(nxt, &q)
			if nxt.Sub(base) != q.Len() || fin != (q.Len() == total) {
				t.Fatalf("seed %d: nxt %d, %d bytes, fin %v", seed, nxt.Sub(base), q.Len(), fin)
			}
		}
		got := make([]byte, total)
		q.Read(got)
		for i, b := range got {
			if b != stream(i) {
				t.Fatalf("seed %d: byte %d is %#x", seed, i, b)
			}
		}
		if len(a.runs) != 0 || pool.Stats().InUse != 0 {
			t.Fatalf("seed %d: %d runs and %d blocks are left", seed, len(a.runs), pool.Stats().InUse)
		}
	}
}

// TestNoSampleOfWaiting: what waited at the peer behind a hole, or was acknowledged selectively and taken back, says nothing of the round trip (RFC 6298, 3).
func TestNoSampleOfWaiting(t *testing.T) {
	for _, stamps := range []bool{true, false} {
		w := established(t, func(a, b *Config) { a.NoTimestamp = !stamps })
		a := w.ends[0]
		first, lost := a.c.sndNxt, 0
		w.wire.drop = func(to int, s *Segment) bool {
			// The first segment is lost until long after the sender believes no selective acknowledgment any more; the others arrive once.
			if to == 1 && s.Size > 0 && s.Seq == first && w.now < tick.Time(10*time.Second) {
				lost++
				return true
			}
			return to == 1 && lost > 2
		}
		a.toSend = 8000
		w.run(9*time.Second, func() bool { return false })
		w.wire.drop = nil
		if !w.run(time.Minute, func() bool { return w.ends[1].read == 8000 && a.c.sndUna == a.c.sndNxt }) {
			t.Fatal(w)
		}
		if i := a.c.Info(); lost < 3 || i.RTT > 100*time.Millisecond || i.RTO > time.Second {
			t.Errorf("stamps %v: on a path of 20 ms the round trip is %v, the timeout %v; %d were lost", stamps, i.RTT, i.RTO, lost)
		}
	}
}

// TestNoSampleOfLostAcknowledgments: acknowledgments are lost for seconds. The one that comes through at last answers what came twice: what its timestamp echoes is as old as the first
// arrival, and no round trip.
func TestNoSampleOfLostAcknowledgments(t *testing.T) {
	w := established(t, nil)
	a, b := w.ends[0], w.ends[1]
	until := w.now.Add(5 * time.Second)
	w.wire.drop = func(to int, s *Segment) bool { return to == 0 && w.now < until }
	a.toSend = 2000
	if !w.run(time.Minute, func() bool { return b.read == 2000 && a.c.sndUna == a.c.sndNxt }) {
		t.Fatal(w)
	}
	if n := a.c.Info(); n.RTT > 100*time.Millisecond {
		t.Errorf("on a path of 20 ms the round trip is %v", n.RTT)
	}
}

// TestLongerPath: a path becomes much longer than the retransmission timer while requests are answered one by one, each answer acknowledging its request. Nothing is lost, and soon nothing
// is sent again.
func TestLongerPath(t *testing.T) {
	w := established(t, nil)
	a, b := w.ends[0], w.ends[1]
	trip := func() {
		a.toSend += 100
		want := b.read + 100
		if !w.run(time.Minute, func() bool { return b.read == want }) {
			t.Fatal(w)
		}
		b.toSend += 100
		want = a.read + 100
		if !w.run(time.Minute, func() bool { return a.read == want && b.c.sndUna == b.c.sndNxt }) {
			t.Fatal(w)
		}
	}
	for range 30 {
		trip()
	}
	w.wire.delay = 500 * time.Millisecond
	for range 10 {
		trip()
	}
	resent := a.c.stats.Resent
	for range 10 {
		trip()
	}
	if n := a.c.stats.Resent - resent; n != 0 || resent == 0 {
		t.Errorf("of a path that takes a second %v are known; %d bytes were sent again at first, and later %d", a.c.Info().RTT, resent, n)
	}
}

// TestLostSYN: with timestamps the round trip is known although the first SYN was lost; without, the first timeout is 3 seconds (RFC 6298, 5.7).
func TestLostSYN(t *testing.T) {
	for _, stamps := range []bool{true, false} {
		for end := range 2 {
			cfg := testConfig()
			cfg.NoTimestamp = !stamps
			w := newWorld(t, 1, cfg, cfg)
			w.ends[0].closeAt, w.ends[1].closeAt = -1, -1
			n := 0
			w.wire.drop = func(to int, s *Segment) bool { n++; return n == 1+end } // its SYN
			w.run(time.Minute, func() bool {
				return w.ends[1].c != nil && w.ends[0].c.state == Established && w.ends[1].c.state == Established
			})
			if rto := w.ends[end].c.rtt.timeout(); stamps && rto > time.Second || !stamps && rto != 3*time.Second {
				t.Errorf("stamps %v, end %d: the timeout is %v", stamps, end, rto)
			}
		}
	}
}

// TestMemoryIsShort: a pool without memory makes writers wait, not fail, and each gets a little through.
func TestMemoryIsShort(t *testing.T) {
	w := established(t, nil)
	a := w.ends[0]
	none := buf.NewPool("none", 64, 1, buf.Heap)
	r, _ := none.Get()
	a.pool = none
	a.toSend = 20_000
	if !w.run(time.Minute, func() bool { return w.ends[1].read == 20_000 && a.c.out.Len() == 0 }) {
		t.Fatal(w)
	}
	// One that has something on its way gets none, and hears when to try again.
	p := make([]byte, 100)
	for i := range p {
		p[i] = stream(20_000 + i)
	}
	if n, err := a.c.WriteCopy(w.now, none, p); n != 100 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := a.c.WriteCopy(w.now, none, p); n != 0 || err != nil || a.c.Ready() {
		t.Fatal(n, err, a.c.Ready())
	}
	a.c.Events()
	w.run(time.Second, func() bool { return a.c.sndUna == a.c.sndNxt && a.c.out.Len() == 0 })
	if a.c.Events()&Writable == 0 || !a.c.Ready() {
		t.Error("nobody is told that there is room")
	}
	r.Release()
}

// TestHoleIsFilled: what lies behind a hole fills all memory that a connection may have, and then that comes which fills the hole.
func TestHoleIsFilled(t *testing.T) {
	w := established(t, func(a, b *Config) { b.RecvBuffer, b.RecvMax = 16<<10, 16<<10 })
	c := w.ends[1].c
	pool := buf.NewPool("crumbs", 64<<10, 64, buf.Heap)
	crumb := func(off int) {
		s := Segment{Flags: ACK, Seq: w.ends[0].c.sndNxt.Add(off), Ack: c.sndNxt, Window: 1000, Size: 1}
		s.Options.HasTimestamps, s.Options.TSVal = true, c.tsLast
		r, ok := pool.Get()
		if !ok {
			t.Fatal("no bound holds")
		}
		r.Truncate(1)
		r.Bytes()[0] = byte(off)
		s.Payload = append(s.Payload, r)
		c.Input(w.now, &s)
	}
	const n = 40
	for off := 1; off < n; off++ {
		crumb(off)
	}
	if c.stats.NoMemory == 0 {
		t.Fatal("the bound was not reached")
	}
	var p [n]byte
	for off := 0; off < n; { // the peer sends again what was dropped
		before := off
		crumb(off)
		off += c.Read(w.now, p[off:])
		if off == before {
			t.Fatalf("byte %d is dropped for ever: %+v", off, c.Info())
		}
	}
	for i, b := range p {
		if int(b) != i {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
	c.Release()
	if n := pool.Stats().InUse; n != 0 {
		t.Errorf("%d blocks are left", n)
	}
}

func TestHolesAreBounded(t *testing.T) {
	pool := buf.NewPool("h", 64, 1<<12, buf.Heap)
	var a reassembly
	for i := range 3 * maxHoles {
		r, _ := pool.Get()
		r.Truncate(1)
		s := Segment{Seq: Seq(2 * i), Payload: []buf.Ref{r}, Size: 1}
		if full := a.full(&s); full != (i >= maxHoles) {
			t.Fatalf("after %d holes it is full: %v", i, full)
		} else if !full {
			a.add(&s)
		}
		s.release()
	}
	if s := (Segment{Seq: 1, Size: 1}); a.full(&s) {
		t.Error("what fills a hole has no room")
	}
	if len(a.runs) != maxHoles || pool.Stats().InUse != maxHoles {
		t.Errorf("%d runs, %d blocks", len(a.runs), pool.Stats().InUse)
	}
	a.clear()
	if pool.Stats().InUse != 0 {
		t.Error("clear leaves blocks")
	}
}

// TestSipHash is one of the vectors of SipHash's authors: key and message count up from 0, and the message has eight bytes.
func TestSipHash(t *testing.T) {
	var k Secret
	for i := range k {
		k[i] = byte(i)
	}
	m := make([]byte, 8)
	for i := range m {
		m[i] = byte(i)
	}
	if got := sipHash(&k, m); got != 0x93f5f5799a932462 {
		t.Errorf("got %#x", got)
	}
}

func TestISN(t *testing.T) {
	tup := testTuple()
	a := secret.ISN(0, tup)
	if d := secret.ISN(tick.Time(4*time.Millisecond), tup).Sub(a); d != 1000 {
		t.Errorf("in 4 ms it moves by %d", d)
	}
	other := tup
	other.Remote = netip.AddrPortFrom(tup.Remote.Addr(), 40001)
	if secret.ISN(0, other) == a || secret.Stamp(other) != secret.Stamp(tup) {
		t.Error("the next port: its numbers must differ, its timestamps not")
	}
}

func TestPorts(t *testing.T) {
	p := Ports{First: 50000, Last: 50009}
	seen := map[uint16]bool{}
	for range 10 {
		port, ok := p.Pick(&secret, testTuple(), func(q uint16) bool { return seen[q] })
		if !ok || seen[port] || port < p.First || port > p.Last {
			t.Fatalf("port %d, %v", port, ok)
		}
		seen[port] = true
	}
	if port, ok := p.Pick(&secret, testTuple(), func(uint16) bool { return true }); ok {
		t.Errorf("all are busy, and %d is given", port)
	}
}

// established gives a world with a connection, quiet.
func established(t *testing.T, set func(a, b *Config)) *world {
	a, b := testConfig(), testConfig()
	if set != nil {
		set(&a, &b)
	}
	w := newWorld(t, 1, a, b)
	w.ends[0].closeAt, w.ends[1].closeAt = -1, -1
	if !w.run(time.Second, func() bool {
		return w.ends[1].c != nil && w.ends[0].c.state == Established && w.ends[1].c.state == Established && len(w.wire.events) == 0
	}) {
		t.Fatal(w)
	}
	return w
}

// inject gives end 1 a segment as if end 0 had sent it, changed by f, and returns what end 1 answers.
func (w *world) inject(f func(s *Segment)) (answers []Segment) {
	a, b := w.ends[0].c, w.ends[1].c
	s := Segment{SrcPort: a.SrcPort, DstPort: a.DstPort, Seq: a.sndNxt, Ack: a.rcvNxt, Flags: ACK, Window: 1000}
	s.Options.HasTimestamps, s.Options.TSVal, s.Options.TSEcr = true, a.stamp(w.now), a.tsLast
	f(&s)
	b.Input(w.now, &s)
	for {
		var out Segment
		if !b.Next(w.now, &out) {
			return answers
		}
		answers = append(answers, out)
	}
}

// TestBlindAttacks is RFC 5961: what a stranger may send costs nothing but an acknowledgment, and not many of these.
func TestBlindAttacks(t *testing.T) {
	for name, f := range map[string]func(s *Segment){
		"reset beside the spot": func(s *Segment) { s.Flags, s.Seq = RST, s.Seq.Add(100) },
		"SYN":                   func(s *Segment) { s.Flags = SYN },
		"SYN in the window":     func(s *Segment) { s.Flags, s.Seq = SYN, s.Seq.Add(1000) },
		"ack of the future":     func(s *Segment) { s.Ack = s.Ack.Add(1) },
		"ack of the far past":   func(s *Segment) { s.Ack = s.Ack.Add(-1 << 30) },
	} {
		w := established(t, nil)
		n := 0
		for range 100 {
			n += len(w.inject(f))
		}
		if b := w.ends[1].c; b.state != Established || n > 1 {
			t.Errorf("%s: %v, %d answers", name, b.state, n)
		}
	}
	w := established(t, nil)
	for range 100 {
		w.inject(func(s *Segment) { s.Flags, s.Seq = RST, s.Seq.Add(1<<30) })
	}
	if b := w.ends[1].c; b.state != Established || b.stats.Challenges != 0 {
		t.Error("a reset outside of the window has an effect")
	}
	w.inject(func(s *Segment) { s.Flags = RST })
	if b := w.ends[1].c; b.state != Closed || b.err != ErrReset {
		t.Errorf("a reset on the spot: %v, %v", b.state, b.err)
	}
}

// TestPAWS drops what is older than what has come (RFC 7323, 5).
// TestStampsNeverGoBack: whoever comes late with an earlier time sends no earlier stamp.
func TestStampsNeverGoBack(t *testing.T) {
	w := established(t, nil)
	c := w.ends[0].c
	late := w.now.Add(50 * time.Millisecond)
	stamps := make([]uint32, 0, 3)
	for _, now := range []tick.Time{w.now, late, w.now} {
		var s Segment
		c.ackNow = true
		for c.Next(now, &s) {
			stamps = append(stamps, s.Options.TSVal)
			s.Release()
			s = Segment{}
		}
	}
	for i := 1; i < len(stamps); i++ {
		if int32(stamps[i]-stamps[i-1]) < 0 {
			t.Errorf("stamps %v", stamps)
		}
	}
	if len(stamps) < 3 || stamps[len(stamps)-1] == stamps[0] {
		t.Errorf("stamps %v: want three segments, at two times", stamps)
	}
}

func TestPAWS(t *testing.T) {
	w := established(t, nil)
	w.inject(func(s *Segment) {
		s.Options.TSVal -= 100
		s.Payload, s.Size = []buf.Ref{buf.Lend([]byte("old"), nil)}, 3
	})
	if b := w.ends[1].c; b.in.Len() != 0 || b.stats.OldTimestamps != 1 {
		t.Errorf("%d bytes of an old segment are taken", b.in.Len())
	}
	w.inject(func(s *Segment) {
		s.Options.HasTimestamps = false
		s.Payload, s.Size = []buf.Ref{buf.Lend([]byte("x"), nil)}, 1
	})
	if w.ends[1].c.in.Len() != 0 {
		t.Error("a segment without a timestamp is taken")
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t, 1, testConfig(), testConfig())
	c := w.ends[0].c
	var syn, rst Segment
	if !c.Next(w.now, &syn) || !Refuse(&syn, &rst) {
		t.Fatal("no SYN, or no answer to it")
	}
	c.Input(w.now, &rst)
	if c.state != Closed || c.err != ErrRefused || c.Events()&Ended == 0 {
		t.Errorf("%v, %v", c.state, c.err)
	}
	if Refuse(&rst, &syn) {
		t.Error("a reset is answered")
	}
}

func TestNobodyAnswers(t *testing.T) {
	a := testConfig()
	w := newWorld(t, 1, a, a)
	w.wire.loss = 1
	began := w.now
	if !w.run(10*time.Minute, func() bool { return w.ends[0].c.state == Closed }) {
		t.Fatal(w)
	}
	if c := w.ends[0].c; c.err != ErrTimeout || w.wire.sent != a.SynRetries+1 {
		t.Errorf("%v after %v and %d SYNs", c.err, w.now.Sub(began), w.wire.sent)
	}
}

func TestSimultaneousOpen(t *testing.T) {
	cfg := testConfig()
	now := tick.Time(time.Second)
	a, b := Open(now, cfg, 1, 2, 100, 0), Open(now, cfg, 2, 1, 200, 0)
	for range 10 {
		var fromA, fromB []Segment
		for _, x := range []struct {
			c    *Conn
			list *[]Segment
		}{{a, &fromA}, {b, &fromB}} {
			for {
				var s Segment
				if !x.c.Next(now, &s) {
					break
				}
				*x.list = append(*x.list, s)
			}
		}
		for i := range fromA {
			b.Input(now, &fromA[i])
		}
		for i := range fromB {
			a.Input(now, &fromB[i])
		}
		now = now.Add(time.Millisecond)
	}
	if a.state != Established || b.state != Established {
		t.Errorf("%v and %v", a.state, b.state)
	}
}

// TestZeroWindow shows that a window that is closed and whose opening is lost is probed, for as long as the peer answers.
func TestZeroWindow(t *testing.T) {
	w := established(t, func(a, b *Config) { b.RecvBuffer, b.RecvMax = 4<<10, 4<<10 })
	a, b := w.ends[0], w.ends[1]
	b.c.Events()
	a.toSend = 20 << 10
	b.slow = -1 // reads nothing
	hold := true
	w.run(10*time.Minute, func() bool { return a.c.stats.WindowProbes > 8 || !hold })
	if a.c.state != Established || a.c.stats.WindowProbes < 8 || b.c.in.Len() != 4<<10 {
		t.Fatalf("%v, %d probes, %d bytes wait", a.c.state, a.c.stats.WindowProbes, b.c.in.Len())
	}
	// Its opening is lost, once.
	w.wire.drop = func(to int, s *Segment) bool {
		if to == 0 && s.Window > 0 && hold {
			hold = false
			return true
		}
		return false
	}
	b.slow = 0
	if !w.run(5*time.Minute, func() bool { return b.read == 20<<10 }) {
		t.Fatal(w)
	}
}

// TestClosedWindowAcknowledges: who probes a closed window has sent beyond it. What he acknowledges is heeded all the same, at once.
func TestClosedWindowAcknowledges(t *testing.T) {
	w := established(t, func(a, b *Config) { b.RecvBuffer, b.RecvMax = 4<<10, 4<<10 })
	a, b := w.ends[0], w.ends[1]
	a.toSend = 20 << 10
	b.slow = -1 // reads nothing
	if !w.run(10*time.Minute, func() bool { return a.c.stats.WindowProbes >= 3 }) || a.c.sndWnd != 0 {
		t.Fatal(w)
	}
	b.toSend = 50 << 10
	if !w.run(time.Second, func() bool { return a.read == 50<<10 && b.c.sndUna == b.c.sndNxt }) {
		t.Errorf("%d bytes have come in a second, %d of what was sent are not acknowledged: %v", a.read, b.c.sndNxt.Sub(b.c.sndUna), w)
	}
	b.slow = 0
	if !w.run(5*time.Minute, func() bool { return b.read == 20<<10 }) {
		t.Error(w)
	}
}

func TestKeepAlive(t *testing.T) {
	w := established(t, func(a, b *Config) {
		a.Options.KeepAlive, a.Options.KeepIdle, a.Options.KeepEvery, a.Options.KeepCount = true, time.Minute, 10*time.Second, 3
	})
	began := w.now
	w.run(10*time.Minute, func() bool { return w.ends[0].c.state == Closed })
	if c := w.ends[0].c; c.state != Established || c.stats.SegmentsOut < 8 {
		t.Fatalf("with a peer that answers: %v after %v, %d segments", c.state, w.now.Sub(began), c.stats.SegmentsOut)
	}
	w.wire.loss = 1
	began = w.now
	if !w.run(10*time.Minute, func() bool { return w.ends[0].c.state == Closed }) {
		t.Fatal("with a silent peer it lives on")
	}
	if c := w.ends[0].c; c.err != ErrTimeout || w.now.Sub(began) > 2*time.Minute {
		t.Errorf("%v after %v", c.err, w.now.Sub(began))
	}
}

func TestUserTimeout(t *testing.T) {
	w := established(t, func(a, b *Config) { a.Options.UserTimeout = 5 * time.Second })
	w.wire.loss = 1
	w.ends[0].toSend = 100
	began := w.now
	if !w.run(10*time.Minute, func() bool { return w.ends[0].c.state == Closed }) {
		t.Fatal("it lives on")
	}
	if d := w.now.Sub(began); d < 5*time.Second || d > 15*time.Second || w.ends[0].c.err != ErrTimeout {
		t.Errorf("after %v: %v", d, w.ends[0].c.err)
	}
}

// TestNagle counts the segments of many small writes.
func TestNagle(t *testing.T) {
	count := func(set func(o *SocketOptions)) uint64 {
		w := established(t, func(a, b *Config) { set(&a.Options) })
		a := w.ends[0]
		before := a.c.stats.SegmentsOut
		for range 20 {
			a.toSend = 10
			a.step(t, w.now)
			w.run(time.Millisecond, func() bool { return false })
			w.now = w.now.Add(100 * time.Microsecond)
		}
		w.run(5*time.Second, func() bool { return w.ends[1].read == 200 })
		return a.c.stats.SegmentsOut - before
	}
	nagle := count(func(*SocketOptions) {})
	quick := count(func(o *SocketOptions) { o.NoDelay = true })
	cork := count(func(o *SocketOptions) { o.Cork = true })
	if nagle > 5 || quick != 20 || cork != 1 {
		t.Errorf("segments for 20 writes: %d, without delay %d, corked %d", nagle, quick, cork)
	}
}

func TestCloseWithUnreadData(t *testing.T) {
	w := established(t, nil)
	a, b := w.ends[0], w.ends[1]
	b.slow = -1
	a.toSend = 1000
	w.run(time.Second, func() bool { return b.c.in.Len() == 1000 })
	b.c.Close(w.now)
	w.run(time.Second, func() bool { return a.c.state == Closed })
	if a.c.err != ErrReset {
		t.Errorf("the peer ends with %v", a.c.err)
	}
}

// TestHalfClose reads on after closing for writing.
func TestHalfClose(t *testing.T) {
	w := established(t, nil)
	a, b := w.ends[0], w.ends[1]
	a.c.CloseWrite(w.now)
	w.run(time.Second, func() bool { return b.c.state == CloseWait })
	if _, eof := b.c.Readable(); !eof || b.c.Events()&PeerClosed == 0 {
		t.Error("the end does not show")
	}
	b.toSend = 100_000
	if !w.run(10*time.Second, func() bool { return a.read == 100_000 }) {
		t.Fatal(w)
	}
	b.c.CloseWrite(w.now)
	w.run(time.Second, func() bool { return b.c.state == Closed })
	if b.c.state != Closed || b.c.err != nil || a.c.state != TimeWait {
		t.Errorf("%v %v, %v", b.c.state, b.c.err, a.c.state)
	}
	if _, err := a.c.WriteCopy(w.now, a.pool, []byte("x")); err != ErrPipe {
		t.Errorf("written after close: %v", err)
	}
	w.run(2*time.Minute, func() bool { return a.c.state == Closed })
	if a.c.err != nil {
		t.Error(a.c.err)
	}
}

// TestFloodOfSYNs fills a listener and shows that cookies let honest peers in.
func TestFloodOfSYNs(t *testing.T) {
	for _, stamps := range []bool{true, false} {
		cfg := testConfig()
		cfg.NoTimestamp = !stamps
		l := &Listener{Config: cfg, Backlog: 4, Secret: &secret}
		now := tick.Time(time.Hour)
		tuple := func(i int) Tuple {
			t := testTuple()
			t.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 999)
			return t
		}
		conns := 0
		for i := range 1000 {
			s := Segment{Flags: SYN, Seq: Seq(i), Options: Options{MSS: 1460}}
			var reply Segment
			c, _ := l.Input(now, tuple(i), &s, &reply)
			if c != nil {
				conns++
			}
		}
		if conns != l.halfLimit() || l.Cookies == 0 {
			t.Fatalf("%d half-open connections, %d cookies", conns, l.Cookies)
		}
		tup := testTuple()
		c := Open(now, cfg, 40000, 80, 77, 5)
		var syn, reply, out Segment
		c.Next(now, &syn)
		if got, answer := l.Input(now, tup, &syn, &reply); got != nil || !answer {
			t.Fatal("an honest SYN is not answered")
		}
		c.Input(now, &reply)
		if c.state != Established {
			t.Fatalf("the honest peer is in %v", c.state)
		}
		pool := buf.NewPool("c", 256, 16, buf.Heap)
		c.WriteCopy(now, pool, []byte("hello"))
		var server *Conn
		for c.Next(now, &out) {
			if server == nil {
				server, _ = l.Input(now, tup, &out, &reply)
			} else {
				server.Input(now, &out)
			}
		}
		if server == nil || server.state != Established || server.in.Len() != 5 {
			t.Fatalf("stamps %v: the cookie's connection: %+v", stamps, server)
		}
		if server.sackOK != stamps || server.mss != c.mss || stamps && server.sndScale != c.rcvScale {
			t.Errorf("stamps %v: what the SYN said is lost: SACK %v, mss %d and %d, scale %d and %d", stamps, server.sackOK, server.mss, c.mss, server.sndScale, c.rcvScale)
		}
		// A stranger's guess, and a cookie that is too old.
		bad := Segment{Flags: ACK, Seq: 5, Ack: 12345}
		if got, answer := l.Input(now, tup, &bad, &reply); got != nil || !answer || reply.Flags&RST == 0 {
			t.Error("a guessed cookie passes")
		}
		c2 := Open(now, cfg, 40000, 80, 77, 5)
		c2.Next(now, &syn)
		l.Input(now, tup, &syn, &reply)
		c2.Input(now, &reply)
		c2.Next(now, &out)
		l.flooded = now.Add(10 * time.Minute)
		if got, _ := l.Input(now.Add(10*time.Minute), tup, &out, &reply); got != nil {
			t.Error("a cookie of ten minutes ago passes")
		}
	}
}

// TestNothingAllocates moves segments of an established connection and counts allocations.
func TestNothingAllocates(t *testing.T) {
	cfg := testConfig()
	now := tick.Time(time.Second)
	a, b := Open(now, cfg, 1, 2, 100, 0), Open(now, cfg, 2, 1, 200, 0)
	pool := buf.NewPool("p", 2048, 1024, buf.Heap)
	var s Segment
	data := bytes.Repeat([]byte{1}, 1000)
	read := make([]byte, 4096)
	round := func() {
		for moved := true; moved; {
			moved = false
			for a.Next(now, &s) {
				b.Input(now, &s)
				moved = true
			}
			for b.Next(now, &s) {
				a.Input(now, &s)
				moved = true
			}
		}
		now = now.Add(time.Millisecond)
	}
	work := func() {
		a.WriteCopy(now, pool, data)
		b.WriteCopy(now, pool, data)
		round()
		for b.Read(now, read) > 0 {
		}
		for a.Read(now, read) > 0 {
		}
	}
	round()
	for range 50 {
		work()
	}
	if n := testing.AllocsPerRun(100, work); n != 0 {
		t.Errorf("%v allocations for two segments there and back", n)
	}
}

// FuzzInput gives a connection any segments at any time.
func FuzzInput(f *testing.F) {
	f.Add([]byte{16, 0, 0, 0, 0, 10, 1, 17, 0, 0, 1, 0, 5, 2})
	f.Add(bytes.Repeat([]byte{16, 10, 0, 0, 1, 100, 0, 24, 200, 1, 9, 3}, 20))
	f.Fuzz(func(t *testing.T, in []byte) {
		next := func() (v byte) {
			if len(in) > 0 {
				v, in = in[0], in[1:]
			}
			return v
		}
		w := established(t, func(a, b *Config) { a.RecvBuffer, b.RecvBuffer = 32<<10, 32<<10; a.ECN, b.ECN = true, true })
		pool := buf.NewPool("f", 256, 1<<12, buf.Heap)
		c := w.ends[1].c
		for len(in) > 0 && c.state != Closed {
			switch op := next(); op % 8 {
			case 0:
				c.WriteCopy(w.now, pool, bytes.Repeat([]byte{op}, int(next())*16))
			case 1:
				var p [512]byte
				c.Read(w.now, p[:next()])
			case 2:
				w.now = w.now.Add(time.Duration(next()) * 10 * time.Millisecond)
				if c.Deadline().Due(w.now) {
					c.Tick(w.now)
				}
			case 3:
				if next() > 200 {
					c.CloseWrite(w.now)
				}
			default:
				s := Segment{Flags: Flags(next()), Window: uint16(next()) << (next() & 7), CE: op&16 != 0}
				if op&32 != 0 {
					s.Flags = s.Flags&^(SYN|RST) | ACK
				}
				s.Seq = c.rcvNxt.Add(int(int8(next())) * 16)
				s.Ack = c.sndUna.Add(int(int8(next())) * 64)
				s.Options.HasTimestamps = op&64 == 0
				s.Options.TSVal = c.tsLast + uint32(int8(next()))
				s.Options.TSEcr = c.stamp(w.now) - uint32(next())
				s.Options.Blocks = next() % (MaxSACK + 1)
				for i := range s.Options.Blocks {
					l := c.sndUna.Add(int(int8(next())) * 64)
					s.Options.SACK[i] = Block{l, l.Add(int(int8(next())) * 64)}
				}
				for range next() & 3 {
					r, ok := pool.Get()
					if !ok {
						break
					}
					r.Truncate(1 + int(next())%200)
					s.Size += r.Len()
					s.Payload = append(s.Payload, r)
				}
				c.Input(w.now, &s)
			}
			w.check(c)
			for n := 0; c.Next(w.now, &w.seg); n++ {
				if n > 1<<12 {
					t.Fatal("Next never ends")
				}
				if c.state >= Established && w.seg.Flags&RST == 0 && (w.seg.Seq.Less(c.sndUna.Add(-1)) || c.sndNxt.Less(w.seg.End())) {
					t.Fatalf("sent [%d, %d), of [%d, %d)", w.seg.Seq, w.seg.End(), c.sndUna, c.sndNxt)
				}
				w.seg.release()
			}
			w.check(c)
			if c.in.Held()+c.ooo.held() > 2*(c.mostHeld()+maxRecord) {
				t.Fatalf("%d bytes are held", c.in.Held()+c.ooo.held())
			}
		}
		c.Release()
		if n := pool.Stats().InUse; n != 0 {
			t.Fatalf("%d blocks are left", n)
		}
	})
}

// TestFloodedConnectionsAreQuiet: a half-open connection of a listener that is flooded sends its SYN three times, not eight, answers one that comes again, and is given up as late as any.
func TestFloodedConnectionsAreQuiet(t *testing.T) {
	for _, flooded := range []bool{false, true} {
		l := &Listener{Config: testConfig(), Backlog: 1, Secret: &secret}
		now := tick.Time(time.Hour)
		syn := Segment{Flags: SYN, Seq: 7, Options: Options{MSS: 1460}}
		var reply, out Segment
		c, _ := l.Input(now, testTuple(), &syn, &reply)
		sent, began := 0, now
		for c.state != Closed {
			for c.Next(now, &out) {
				if sent++; out.Flags != SYN|ACK {
					t.Fatalf("it sends %v", out.Flags)
				}
			}
			if flooded { // others go on coming
				for i := range 100 {
					syn = Segment{Flags: SYN, Seq: Seq(i)}
					l.Input(now, Tuple{testTuple().Local, netip.AddrPortFrom(testTuple().Remote.Addr(), uint16(i))}, &syn, &reply)
				}
			}
			if l.Flooded(now) != flooded {
				t.Fatal("whether the listener is flooded")
			}
			now = c.Deadline()
			if c.Tick(now); flooded {
				c.Spare()
			}
			if sent == 3 && flooded && now.Sub(began) > 10*time.Second { // the peer is there
				syn = Segment{Flags: SYN, Seq: 7, Options: Options{MSS: 1460}}
				c.Input(now, &syn)
				if !c.Next(now, &out) || out.Flags != SYN|ACK {
					t.Fatal("a SYN that comes again is not answered")
				}
				sent++
			}
		}
		if want := map[bool]int{false: 8, true: 4}[flooded]; sent != want || now.Sub(began) < 3*time.Minute {
			t.Errorf("flooded %v: %d SYNs, want %d, given up after %v", flooded, sent, want, now.Sub(began))
		}
	}
}
