package tcp

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A wire is what lies between two ends: it delays, loses, doubles, reorders and marks segments, by a seed.
type wire struct {
	rng                         *rand.Rand
	delay, jitter               time.Duration
	loss, dup, reorder, mark    float64
	rate                        int // bytes a second in each direction; 0: no limit
	queue                       int // bytes that wait at most, with rate
	busy                        [2]tick.Time
	events                      packets
	seq                         int
	lost, sent, doubled, marked int
	drop                        func(to int, s *Segment) bool // more losses, by a test's wish
}

type packet struct {
	at   tick.Time
	seq  int
	to   int
	raw  []byte
	ce   bool
	unit int
}

type packets []packet

func (p packets) Len() int { return len(p) }
func (p packets) Less(i, j int) bool {
	return p[i].at < p[j].at || p[i].at == p[j].at && p[i].seq < p[j].seq
}
func (p packets) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *packets) Push(x any)   { *p = append(*p, x.(packet)) }
func (p *packets) Pop() any {
	n := len(*p) - 1
	x := (*p)[n]
	*p = (*p)[:n]
	return x
}

// put sends a segment to end to, cut as a device would.
func (w *wire) put(now tick.Time, to int, s *Segment) {
	var data []byte
	for _, r := range s.Payload {
		data = append(data, r.Bytes()...)
	}
	for first := true; first || len(data) > 0; first = false {
		one := *s
		one.Payload = nil
		one.Size = len(data)
		if s.SegmentSize > 0 {
			one.Size = min(one.Size, s.SegmentSize)
		}
		rest := data[one.Size:]
		if len(rest) > 0 {
			one.Flags &^= FIN | PSH
		}
		w.one(now, to, &one, data[:one.Size], s.SegmentSize)
		s.Seq = s.Seq.Add(one.Size)
		data = rest
	}
}

func (w *wire) one(now tick.Time, to int, s *Segment, data []byte, unit int) {
	w.sent++
	if w.drop != nil && w.drop(to, s) || w.rng.Float64() < w.loss {
		w.lost++
		return
	}
	var head [MaxHeader]byte
	n := s.Marshal(head[:])
	raw := append(append([]byte(nil), head[:n]...), data...)
	at := now.Add(w.delay)
	if w.rate > 0 {
		start := max(now, w.busy[to])
		if int(start.Sub(now))*w.rate/int(time.Second) > w.queue {
			w.lost++
			return
		}
		w.busy[to] = start.Add(time.Duration(len(raw)+40) * time.Second / time.Duration(w.rate))
		at = w.busy[to].Add(w.delay)
	}
	if w.jitter > 0 {
		at = at.Add(time.Duration(w.rng.Int64N(int64(w.jitter))))
	}
	if w.rng.Float64() < w.reorder {
		at = at.Add(w.delay)
	}
	ce := s.ECT && w.rng.Float64() < w.mark
	if ce {
		w.marked++
	}
	w.seq++
	heap.Push(&w.events, packet{at, w.seq, to, raw, ce, unit})
	if w.rng.Float64() < w.dup {
		w.doubled++
		w.seq++
		heap.Push(&w.events, packet{at.Add(w.delay / 2), w.seq, to, raw, ce, unit})
	}
}

// A side is one end with its program: it writes and reads streams made of a seed.
type side struct {
	c             *Conn
	pool          *buf.Pool
	toSend        int // bytes still to be written
	written, read int
	closed        bool // CloseWrite was called
	closeAt       int  // close when so much was written; -1: never
	slow          int  // reads at most so much in each step, with slow > 0
	take          bool // reads and writes by reference
	lent, back    int  // blocks handed over, and given back
	err           error
}

// stream is the byte at an offset: what both programs know.
func stream(off int) byte { return byte(uint32(off)*2654435761>>11) ^ byte(off) }

func (e *side) step(t *testing.T, now tick.Time) {
	c := e.c
	for e.toSend > 0 {
		n := min(e.toSend, 3000)
		p := make([]byte, n)
		for i := range p {
			p[i] = stream(e.written + i)
		}
		if e.take {
			r := buf.Lend(p, func() { e.back++ })
			ok, err := c.Write(now, &r)
			if !ok {
				r.Release()
				e.lent++
				if err != nil {
					e.err = err
				}
				break
			}
			e.lent++
		} else {
			var err error
			if n, err = c.WriteCopy(now, e.pool, p); n == 0 {
				e.err = err
				break
			}
		}
		e.written += n
		e.toSend -= n
	}
	if e.toSend == 0 && !e.closed && e.closeAt >= 0 && c.state >= Established {
		e.closed = true
		c.CloseWrite(now)
	}
	check := func(p []byte) {
		for i, b := range p {
			if b != stream(e.read+i) {
				t.Fatalf("byte %d of the stream is %#x, want %#x", e.read+i, b, stream(e.read+i))
			}
		}
		e.read += len(p)
	}
	limit := e.slow
	if limit == 0 {
		limit = 1 << 30
	}
	for limit > 0 {
		if e.take {
			r := c.Take(now, limit)
			if r.Len() == 0 {
				break
			}
			check(r.Bytes())
			limit -= r.Len()
			r.Release()
			continue
		}
		var p [4096]byte
		n := c.Read(now, p[:min(limit, len(p))])
		if n == 0 {
			break
		}
		check(p[:n])
		limit -= n
	}
}

// A world is two ends and a wire, with its own time.
type world struct {
	t    *testing.T
	now  tick.Time
	wire *wire
	ends [2]*side
	l    *Listener
	tup  Tuple
	segs int
	in   *buf.Pool
	seg  Segment
	ops  int
}

var secret = Secret{1, 2, 3, 4, 5, 6, 7, 8, 9}

func testTuple() Tuple {
	return Tuple{netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.2:40000")}
}

// newWorld opens a connection from end 0 to end 1, which listens.
func newWorld(t *testing.T, seed uint64, a, b Config) *world {
	w := &world{t: t, now: tick.Time(time.Second), tup: testTuple(), wire: &wire{rng: rand.New(rand.NewPCG(seed, 1)), delay: 10 * time.Millisecond}}
	w.in = buf.NewPool("wire", 2048, 1<<16, buf.Heap)
	back := Tuple{w.tup.Remote, w.tup.Local}
	w.ends[0] = &side{c: Open(w.now, a, 40000, 80, secret.ISN(w.now, back), secret.Stamp(back)), pool: buf.NewPool("a", 2048, 1<<16, buf.Heap), closeAt: 0}
	w.ends[1] = &side{pool: buf.NewPool("b", 2048, 1<<16, buf.Heap), closeAt: 0}
	w.l = &Listener{Config: b, Backlog: 8, Secret: &secret}
	return w
}

// pump sends what an end has to send.
func (w *world) pump(i int) {
	e := w.ends[i]
	if e.c == nil {
		return
	}
	e.step(w.t, w.now)
	for n := 0; e.c.Next(w.now, &w.seg); n++ {
		if n > 1<<16 {
			w.t.Fatal("Next never ends")
		}
		w.send(i)
		e.step(w.t, w.now)
	}
	w.check(e.c)
}

func (w *world) send(from int) {
	s := &w.seg
	if s.Size > 0 {
		n := 0
		for _, r := range s.Payload {
			n += r.Len()
		}
		if n != s.Size {
			w.t.Fatalf("a segment says it has %d bytes and has %d", s.Size, n)
		}
	}
	w.segs++
	w.wire.put(w.now, 1-from, s)
	s.release()
}

// check asserts what is always true.
func (w *world) check(c *Conn) {
	if c.state == Closed {
		return
	}
	if c.sndNxt.Less(c.sndUna) {
		w.t.Fatalf("snd.nxt %d before snd.una %d", c.sndNxt, c.sndUna)
	}
	b := &c.board
	at, sackedBytes, lostBytes := c.sndUna, 0, 0
	if c.state < Established {
		return
	}
	for i := range b.records {
		r := &b.records[i]
		if r.first != at || r.len() <= 0 {
			w.t.Fatalf("record %d is [%d, %d), want it to begin at %d", i, r.first, r.end, at)
		}
		at = r.end
		if r.is(sacked) {
			sackedBytes += r.len()
		}
		if r.is(lost) {
			lostBytes += r.len()
			if i < b.hint {
				w.t.Fatalf("record %d is lost before the hint %d", i, b.hint)
			}
		}
	}
	if at != c.sndNxt || sackedBytes != b.sacked || lostBytes != b.lost {
		w.t.Fatalf("records end at %d, snd.nxt is %d; sacked %d (%d), lost %d (%d)", at, c.sndNxt, b.sacked, sackedBytes, b.lost, lostBytes)
	}
	if c.board.outstanding() > 0 && c.timers.rtx == 0 {
		w.t.Fatal("something is on its way and no timer runs")
	}
	for i := 0; c.ooo.some() && i < len(c.ooo.runs); i++ {
		r := &c.ooo.runs[i]
		if r.data.Len() != r.end.Sub(r.first) || i > 0 && r.first.LessEq(c.ooo.runs[i-1].end) || r.first.LessEq(c.rcvNxt) {
			w.t.Fatalf("run %d [%d, %d) has %d bytes; rcv.nxt %d", i, r.first, r.end, r.data.Len(), c.rcvNxt)
		}
	}
}

// deliver hands a packet to its end.
func (w *world) deliver(p packet) {
	var s Segment
	n, err := Parse(p.raw, &s)
	if err != nil {
		w.t.Fatal(err)
	}
	for data := p.raw[n:]; len(data) > 0; {
		r, ok := w.in.Get()
		if !ok {
			w.t.Fatal("the wire has no blocks left")
		}
		m := copy(r.Bytes(), data)
		r.Truncate(m)
		data = data[m:]
		s.Payload = append(s.Payload, r)
		s.Size += m
	}
	s.CE = p.ce
	e := w.ends[p.to]
	if e.c == nil {
		c, answer := w.l.Input(w.now, w.tup, &s, &w.seg)
		if answer {
			w.send(p.to)
		}
		e.c = c
		return
	}
	e.c.Input(w.now, &s)
}

// run lets time pass until done, at most for the given time.
func (w *world) run(limit time.Duration, done func() bool) bool {
	end := w.now.Add(limit)
	for w.now < end {
		w.pump(0)
		w.pump(1)
		if done() {
			return true
		}
		next := tick.Time(0)
		if len(w.wire.events) > 0 {
			next = w.wire.events[0].at
		}
		for _, e := range w.ends {
			if e.c != nil {
				next = tick.Sooner(next, e.c.Deadline())
				if e.slow > 0 && e.c.in.Len() > 0 {
					next = tick.Sooner(next, w.now.Add(time.Millisecond))
				}
			}
		}
		if next == 0 {
			return done()
		}
		if w.ops++; w.ops > 5_000_000 {
			w.t.Fatal("it does not come to an end")
		}
		w.now = max(w.now, min(next, end))
		for len(w.wire.events) > 0 && w.wire.events[0].at <= w.now {
			w.deliver(heap.Pop(&w.wire.events).(packet))
		}
		for _, e := range w.ends {
			if e.c != nil && e.c.Deadline().Due(w.now) {
				e.c.Tick(w.now)
			}
		}
	}
	return done()
}

// finish drops what is on the wire and asserts that no block is left anywhere.
func (w *world) finish() {
	for _, e := range w.ends {
		if e.c != nil {
			e.c.Release()
		}
		if n := e.pool.Stats().InUse; n != 0 {
			w.t.Errorf("%d blocks of a sender are never released", n)
		}
		if e.lent != e.back {
			w.t.Errorf("%d blocks were handed over, %d came back", e.lent, e.back)
		}
	}
	if n := w.in.Stats().InUse; n != 0 {
		w.t.Errorf("%d received blocks are never released", n)
	}
}

func (w *world) String() string {
	s := fmt.Sprintf("at %v, %d sent, %d lost on the wire", time.Duration(w.now), w.wire.sent, w.wire.lost)
	for i, e := range w.ends {
		if e.c != nil {
			s += fmt.Sprintf("\n  end %d: wrote %d, read %d, err %v; %+v; timers %+v, now %d", i, e.written, e.read, e.c.err, e.c.Info(), e.c.timers, w.now)
		}
	}
	return s
}

// bothDone is that all that was to be sent has been read and both ends are closed.
func (w *world) bothDone(a, b int) func() bool {
	return func() bool {
		x, y := w.ends[0], w.ends[1]
		return y.c != nil && y.read == a && x.read == b && (x.c.state == Closed || x.c.state == TimeWait) && (y.c.state == Closed || y.c.state == TimeWait)
	}
}

func testConfig() Config {
	c := Defaults()
	return c
}

func TestTransfer(t *testing.T) {
	for _, x := range []struct {
		name  string
		bytes int
		limit time.Duration
		set   func(w *world, a, b *Config)
	}{
		{"clean", 1 << 20, 10 * time.Second, nil},
		{"nothing", 0, 10 * time.Second, nil},
		{"one byte", 1, 10 * time.Second, nil},
		{"large segments", 4 << 20, 10 * time.Second, func(w *world, a, b *Config) { a.MaxSend, b.MaxSend = 64<<10, 64<<10 }},
		{"loss 1%", 1 << 20, time.Minute, func(w *world, a, b *Config) { w.wire.loss = 0.01 }},
		{"loss 10%", 1 << 19, 2 * time.Minute, func(w *world, a, b *Config) { w.wire.loss = 0.1 }},
		{"loss 30%", 1 << 16, 10 * time.Minute, func(w *world, a, b *Config) { w.wire.loss = 0.3 }},
		{"loss 1% of large segments", 4 << 20, time.Minute, func(w *world, a, b *Config) { w.wire.loss = 0.01; a.MaxSend = 64 << 10 }},
		{"reordering", 1 << 20, time.Minute, func(w *world, a, b *Config) { w.wire.reorder = 0.1; w.wire.jitter = 2 * time.Millisecond }},
		{"duplication", 1 << 20, time.Minute, func(w *world, a, b *Config) { w.wire.dup = 0.1 }},
		{"all at once", 1 << 19, 3 * time.Minute, func(w *world, a, b *Config) {
			w.wire.loss, w.wire.dup, w.wire.reorder, w.wire.jitter = 0.05, 0.05, 0.05, 5*time.Millisecond
			a.MaxSend = 16 << 10
		}},
		{"slow reader", 1 << 18, 10 * time.Minute, func(w *world, a, b *Config) {
			w.ends[0].slow, w.ends[1].slow = 700, 700
			b.RecvBuffer, b.RecvMax = 8<<10, 8<<10
		}},
		{"slow reader and loss", 1 << 17, 10 * time.Minute, func(w *world, a, b *Config) {
			w.ends[0].slow, w.ends[1].slow = 700, 700
			b.RecvBuffer, b.RecvMax = 8<<10, 8<<10
			w.wire.loss = 0.05
		}},
		{"no options of the peer", 1 << 19, time.Minute, func(w *world, a, b *Config) { b.NoTimestamp = true; w.wire.loss = 0.02 }},
		{"bottleneck", 4 << 20, time.Minute, func(w *world, a, b *Config) { w.wire.rate, w.wire.queue = 1<<20, 64<<10 }},
		{"bottleneck, reno", 4 << 20, time.Minute, func(w *world, a, b *Config) { w.wire.rate, w.wire.queue = 1<<20, 64<<10; a.Congestion = NewReno }},
		{"marks", 1 << 20, time.Minute, func(w *world, a, b *Config) { a.ECN, b.ECN = true, true; w.wire.mark = 0.05 }},
		{"by reference", 1 << 20, time.Minute, func(w *world, a, b *Config) {
			w.ends[0].take, w.ends[1].take = true, true
			w.wire.loss = 0.02
			a.MaxSend = 32 << 10
		}},
		{"tiny segments", 1 << 15, time.Minute, func(w *world, a, b *Config) { a.MSS, b.MSS = 100, 100; w.wire.loss = 0.02 }},
		{"no delay", 1 << 16, time.Minute, func(w *world, a, b *Config) { a.Options.NoDelay = true; w.wire.loss = 0.02 }},
	} {
		t.Run(x.name, func(t *testing.T) {
			for seed := range uint64(5) {
				a, b := testConfig(), testConfig()
				scratch := newWorld(t, seed, a, b)
				if x.set != nil {
					x.set(scratch, &a, &b)
				}
				w := newWorld(t, seed, a, b)
				rng := w.wire.rng
				*w.wire = *scratch.wire
				w.wire.rng = rng
				for i := range w.ends {
					w.ends[i].slow, w.ends[i].take, w.ends[i].toSend = scratch.ends[i].slow, scratch.ends[i].take, x.bytes
				}
				if !w.run(x.limit, w.bothDone(x.bytes, x.bytes)) {
					t.Fatalf("seed %d: not done after %v: %v", seed, x.limit, w)
				}
				if testing.Verbose() && seed == 0 {
					t.Log(w)
				}
				w.finish()
			}
		})
	}
}
