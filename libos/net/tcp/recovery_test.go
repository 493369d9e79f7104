package tcp

import (
	"testing"
	"time"
)

// TestLossOfTheLast: an acknowledgment that tells of a loss near the end of a window has acknowledged nearly all of it. What counts is what was on its way until then: the window
// falls to what CUBIC leaves of it, not to what it leaves of the rest. The recovery's rate is of what it will hear of (RFC 9937, 6).
func TestLossOfTheLast(t *testing.T) {
	for _, x := range []struct{ before, with int }{{0, 5}, {2, 5}} { // segments behind the hole that are said to have arrived before the acknowledgment, and with it
		w := established(t, nil)
		c := w.ends[0].c
		w.wire.rate, w.wire.queue = 10<<20, 1<<20
		w.ends[0].toSend = 60 * 1448 // the window grows
		if !w.run(time.Second, func() bool { return w.ends[0].toSend == 0 && c.sndUna == c.sndNxt }) {
			t.Fatal(w)
		}
		window, first := c.cc.Window(), c.sndNxt
		all := window / c.mss
		w.wire.drop = func(to int, s *Segment) bool { return to == 0 } // the test tells what has arrived
		w.ends[0].toSend = 3 * window
		if w.run(40*time.Millisecond, func() bool { return false }); c.sndNxt.Sub(first) != all*c.mss {
			t.Fatalf("%d bytes of a window of %d are on their way", c.sndNxt.Sub(first), window)
		}
		hole := first.Add((all - 6) * c.mss)
		tell := func(ack Seq, behind int) {
			s := Segment{SrcPort: c.DstPort, DstPort: c.SrcPort, Seq: c.rcvNxt, Ack: ack, Flags: ACK, Window: 1000}
			s.Options = Options{HasTimestamps: true, TSVal: c.tsLast, TSEcr: c.stamp(w.now.Add(-20 * time.Millisecond))}
			if behind > 0 {
				s.Options.Blocks = 1
				s.Options.SACK[0] = Block{hole.Add(c.mss), hole.Add((1 + behind) * c.mss)}
			}
			c.Input(w.now, &s)
		}
		if x.before > 0 { // too few for a loss; and what was acknowledged makes room for more
			tell(hole, x.before)
			for out := new(Segment); c.Next(w.now, out); {
				out.release()
			}
			if c.rec.on {
				t.Fatal("it is lost already")
			}
			window = c.cc.Window()
		}
		want := c.sndNxt.Sub(c.sndUna) - x.before*c.mss
		tell(hole, x.with)
		if !c.rec.on {
			t.Fatalf("no recovery: %v", w)
		}
		if got, want := c.cc.Window(), window*7/10; got < want-c.mss || got > want+c.mss {
			t.Errorf("%+v: of a window of %d there are %d left, want about %d", x, window, got, want)
		}
		if got := int(c.rec.flight); got != want {
			t.Errorf("%+v: the recovery counts %d bytes, want %d", x, got, want)
		}
		w.wire.drop = nil
		if sum := w.ends[0].written + w.ends[0].toSend; !w.run(10*time.Second, func() bool { return w.ends[1].read == sum }) {
			t.Fatal(w)
		}
	}
}
