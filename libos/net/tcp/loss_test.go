package tcp

import (
	"container/heap"
	"testing"
	"time"
)

// TestECN: who asks and who answers, an echo until the sender has slowed down, one slowing down a window, marks on new data only (RFC 3168, 6.1).
func TestECN(t *testing.T) {
	for _, x := range []struct {
		ask, lose bool // the first two SYNs
		want      bool
	}{{false, false, false}, {true, false, true}, {true, true, false}} {
		w := newWorld(t, 1, testConfig(), testConfig())
		w.ends[0].c.config.ECN = x.ask
		w.ends[0].closeAt, w.ends[1].closeAt = -1, -1
		syns := 0
		w.wire.drop = func(to int, s *Segment) bool {
			if s.Flags&SYN != 0 && s.ECT {
				t.Error("a SYN is ECT") // 6.1.1
			}
			if to == 1 && s.Flags&SYN != 0 {
				syns++
				return x.lose && syns <= 2
			}
			return false
		}
		w.run(time.Minute, func() bool {
			return w.ends[1].c != nil && w.ends[0].c.state == Established && w.ends[1].c.state == Established
		})
		if a, b := w.ends[0].c, w.ends[1].c; b == nil || a.ecnOK != x.want || b.ecnOK != x.want {
			t.Errorf("%+v: %v", x, w)
		}
	}
	w := established(t, func(a, b *Config) { a.ECN = true })
	a, b := w.ends[0], w.ends[1]
	const burst = 7 * 1448
	a.toSend = burst
	var echoes, reduced, resent int
	w.wire.drop = func(to int, s *Segment) bool {
		switch {
		case to == 0 && s.Flags&ECE != 0:
			echoes++
		case to == 1 && s.Flags&CWR != 0:
			reduced++
		}
		if to == 1 && s.Size > 0 {
			if s.Seq.Less(a.c.sndNxt.Add(-s.Size)) && s.ECT {
				resent++
			}
		}
		return false
	}
	w.wire.mark = 1
	w.run(15*time.Millisecond, func() bool { return false })
	w.wire.mark = 0
	before := a.c.cc.Window()
	w.run(time.Second, func() bool { return b.read == burst && a.c.sndUna == a.c.sndNxt })
	if echoes == 0 || a.c.stats.Marks != 1 || a.c.cc.Window() >= before {
		t.Errorf("%d echoes, %d reactions, window %d, was %d", echoes, a.c.stats.Marks, a.c.cc.Window(), before)
	}
	if reduced != 0 {
		t.Errorf("%d segments say that it has slowed down, with nothing new to send", reduced)
	}
	a.toSend = 3000
	w.run(time.Second, func() bool { return b.read == burst+3000 && a.c.sndUna == a.c.sndNxt })
	if reduced != 1 || b.c.ecnEcho {
		t.Errorf("%d segments say that it has slowed down; the echo goes on: %v", reduced, b.c.ecnEcho)
	}
}

// TestTailLoss: the last segments of a burst are lost. A probe finds out in about two round trips, not in a timeout (RFC 8985, 7).
func TestTailLoss(t *testing.T) {
	for lost := 2; lost <= 4; lost++ { // one alone may wait for a delayed acknowledgment, as long as for a timeout
		w := established(t, nil)
		a, b := w.ends[0], w.ends[1]
		a.toSend = 2000 // the round trip becomes known, again and again: its variation goes
		for range 30 {
			a.toSend = 2000
			w.run(200*time.Millisecond, func() bool { return a.toSend == 0 && a.c.sndUna == a.c.sndNxt })
		}
		sum := a.written
		n := 0
		end := a.c.sndNxt.Add(10 * 1448)
		w.wire.drop = func(to int, s *Segment) bool {
			if to == 1 && s.Size > 0 && end.Add(-lost*1448).LessEq(s.Seq) && n < lost {
				n++
				return true
			}
			return false
		}
		a.toSend = 10 * 1448
		began := w.now
		if !w.run(10*time.Second, func() bool { return b.read == sum+10*1448 }) {
			t.Fatal(w)
		}
		// A round trip until the rest is acknowledged, two of the smoothed ones, another to hear of it, half for what is sent again; the timer would be at 220 ms.
		if d := w.now.Sub(began); d > 200*time.Millisecond || a.c.stats.TailProbes == 0 || n != lost {
			t.Errorf("%d of ten segments lost at the end: all is there after %v, %d probes", n, d, a.c.stats.TailProbes)
		}
		if a.c.rtt.backoff != 0 || a.c.retries != 0 {
			t.Error("the retransmission timer has fired")
		}
	}
}

// TestFirstIsSentAgain: of twenty segments on their way one arrives, and tells that the first is lost: seven tenths of a segment may be sent by the rate, and the first is sent again all the
// same (RFC 5681, 3.2).
func TestFirstIsSentAgain(t *testing.T) {
	const mss = 1448
	var p recovery
	p.begin(0, 14*mss, 20*mss, mss)
	if p.update(mss, 16*mss, mss, false); p.quota != mss {
		t.Errorf("%d bytes may be sent at first", p.quota)
	}
	p.sent(mss)
	if p.update(mss, 16*mss, mss, false); p.quota != 2*14*mss/20+1-mss {
		t.Errorf("%d bytes may be sent then", p.quota)
	}
}

// TestTailNotLost: the last acknowledgments of a burst come late, and a probe is sent in vain. The window stays what it was: that the probe came twice is told after the burst is
// acknowledged (RFC 8985, 7.4.2), or never, by a peer that tells of no duplicates; and then the next burst is acknowledged as any other.
func TestTailNotLost(t *testing.T) {
	for _, told := range []bool{true, false} {
		w := established(t, nil)
		a, b := w.ends[0], w.ends[1]
		w.wire.rate, w.wire.queue = 10<<20, 1<<20 // nothing overtakes
		for range 30 {                            // the round trip becomes known, and the window larger
			a.toSend = 20 * 1448
			w.run(200*time.Millisecond, func() bool { return a.toSend == 0 && a.c.sndUna == a.c.sndNxt })
		}
		window, sum := a.c.cc.Window(), a.written
		late := 0
		w.wire.drop = func(to int, s *Segment) bool {
			if to == 0 && !told {
				late += int(s.Options.Blocks)
				s.Options.Blocks, s.Window = 0, 0x7fff // what was read since would make it another segment
			}
			return false
		}
		a.toSend = 20 * 1448
		if !w.run(time.Second, func() bool { return b.read >= sum+18*1448 }) {
			t.Fatal(w)
		}
		for i := range w.wire.events {
			if p := &w.wire.events[i]; p.to == 0 {
				p.at = p.at.Add(100 * time.Millisecond)
			}
		}
		w.wire.busy[0] = max(w.wire.busy[0], w.now).Add(100 * time.Millisecond)
		heap.Init(&w.wire.events)
		if !w.run(10*time.Second, func() bool { return a.c.sndUna == a.c.sndNxt && a.toSend == 0 }) {
			t.Fatal(w)
		}
		w.run(100*time.Millisecond, func() bool { return false })
		a.toSend = 2000
		w.run(time.Second, func() bool { return a.c.sndUna == a.c.sndNxt && a.toSend == 0 })
		if st := a.c.stats; st.TailProbes != 1 || st.Losses != 0 || a.c.cc.Window() < window {
			t.Errorf("told %v: %d probes, %d losses, the window is %d, was %d", told, st.TailProbes, st.Losses, a.c.cc.Window(), window)
		}
		if !told && late == 0 {
			t.Error("the peer has told of no duplicate anyway")
		}
	}
}

// TestReordering: what comes late by a part of a round trip is not sent again, once the path is known to do that (RFC 8985, 6.2).
func TestReordering(t *testing.T) {
	w := established(t, func(a, b *Config) { a.Congestion = NewReno })
	a, b := w.ends[0], w.ends[1]
	w.wire.reorder, w.wire.delay = 0, 10*time.Millisecond
	w.wire.jitter = 4 * time.Millisecond // of a round trip of 20 ms and more
	a.toSend = 1 << 20
	if !w.run(time.Minute, func() bool { return b.read == 1<<20 }) {
		t.Fatal(w)
	}
	first := a.c.stats.Resent
	a.toSend = 1 << 20
	if !w.run(time.Minute, func() bool { return b.read == 2<<20 }) {
		t.Fatal(w)
	}
	if again := a.c.stats.Resent - first; again > 1<<20/100 || !a.c.rack.reordering {
		t.Errorf("%d bytes of the second MiB were sent again, %d of the first; reordering seen: %v", again, first, a.c.rack.reordering)
	}
	if b.c.stats.OutOfOrder == 0 {
		t.Error("nothing came out of order")
	}
}

// TestTuning: the receive buffer follows a program that reads what a long fat path brings, to its limit, and not one that does not read.
func TestTuning(t *testing.T) {
	size := func(slow int) (*Conn, time.Duration) {
		w := established(t, func(a, b *Config) { a.SendMax = 16 << 20; b.RecvBuffer, b.RecvMax = 64<<10, 4<<20 })
		w.wire.delay = 50 * time.Millisecond // and so it is longer than the handshake has measured it
		a, b := w.ends[0], w.ends[1]
		a.c.config.MaxSend = 64 << 10
		b.slow = slow
		a.toSend = 16 << 20
		began := w.now
		w.run(20*time.Second, func() bool { return b.read == 16<<20 })
		return b.c, w.now.Sub(began)
	}
	fast, took := size(0)
	if fast.tune.size < 1<<20 || fast.tune.size > 4<<20 || took > 5*time.Second {
		t.Errorf("a fast reader: a buffer of %d bytes, 16 MiB in %v; with 64 KiB a round trip of 100 ms lets 640 KB a second pass", fast.tune.size, took)
	}
	if slow, _ := size(-1); slow.tune.size != 64<<10 {
		t.Errorf("one that does not read: %d bytes", slow.tune.size)
	}
}

// TestQuickAck: each segment is acknowledged at once (TCP_QUICKACK).
func TestQuickAck(t *testing.T) {
	for _, quick := range []bool{false, true} {
		w := established(t, nil)
		b := w.ends[1].c
		b.quick = 0
		o := b.Options()
		o.QuickAck = quick
		b.SetOptions(w.now, o)
		off := 0
		for range 5 {
			n := len(w.inject(func(s *Segment) {
				s.Seq = s.Seq.Add(off)
				s.data(off, 10)
			}))
			if off += 10; n != map[bool]int{true: 1}[quick] {
				t.Errorf("quick: %v: %d answers", quick, n)
			}
		}
	}
}
