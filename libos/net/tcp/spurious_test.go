package tcp

import (
	"container/heap"
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestSpuriousTimeout: the path stands still for half a second, in which the timer fires, and then brings all that was on it. The window is what it was, and next to nothing
// is sent again (RFC 3522, RFC 4015; without timestamps RFC 5682). Where something is lost in truth nothing is undone.
func TestSpuriousTimeout(t *testing.T) {
	for _, x := range []struct {
		name        string
		stamps, sel bool
		cc          func() Congestion
	}{
		{"timestamps", true, true, Cubic}, {"timestamps without SACK", true, false, NewReno}, {"SACK", false, true, Cubic}, {"SACK, NewReno", false, true, NewReno}, {"neither", false, false, NewReno},
	} {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprint(x.name, " lost ", lost), func(t *testing.T) {
				w := established(t, func(a, b *Config) { a.NoTimestamp, a.Congestion = !x.stamps, x.cc })
				a, b := w.ends[0], w.ends[1]
				a.c.sackOK, b.c.sackOK = x.sel, x.sel
				w.wire.rate, w.wire.queue = 1<<20, 1<<20
				const all = 1 << 20
				a.toSend = all
				if !w.run(10*time.Second, func() bool { return b.read > all/4 }) {
					t.Fatal(w)
				}
				window, resent := a.c.cc.Window(), a.c.stats.Resent
				// What is on its way, and what is sent until it arrives, waits.
				const pause = 500 * time.Millisecond
				if until := w.now.Add(pause); lost {
					w.wire.events = slices.DeleteFunc(w.wire.events, func(p packet) bool { return p.to == 1 })
					w.wire.drop = func(to int, s *Segment) bool { return to == 1 && w.now < until }
				} else {
					for i := range w.wire.events {
						w.wire.events[i].at = w.wire.events[i].at.Add(pause)
					}
					for i := range w.wire.busy {
						w.wire.busy[i] = max(w.wire.busy[i], w.now).Add(pause)
					}
				}
				heap.Init(&w.wire.events)
				if !w.run(3*time.Second, func() bool { return a.c.stats.Losses > 0 }) {
					t.Fatalf("the timer has not fired: %v", w)
				}
				if cw := a.c.cc.Window(); cw != a.c.mss {
					t.Fatalf("after a timeout the window is %d", cw)
				}
				if !w.run(time.Minute, func() bool { return a.c.stats.Spurious > 0 || b.read == all }) {
					t.Fatal(w)
				}
				now := a.c.cc.Window()
				if !w.run(2*time.Minute, func() bool { return b.read == all && a.c.sndUna == a.c.sndNxt }) {
					t.Fatal(w)
				}
				again := a.c.stats.Resent - resent
				if lost {
					if a.c.stats.Spurious != 0 {
						t.Errorf("losses are taken for nothing %d times; %d bytes sent again", a.c.stats.Spurious, again)
					}
					return
				}
				if a.c.stats.Spurious != 1 || now < window || again > uint64(4*a.c.mss) || a.c.stats.Losses > 1 {
					t.Errorf("%d of %d recoveries came for nothing; the window is %d, was %d; %d bytes were sent again", a.c.stats.Spurious, a.c.stats.Losses, now, window, again)
				}
			})
		}
	}
}

// TestSpuriousWithoutNews: without timestamps, and without anything to send for the first time, a timeout cannot be found out; what counts as lost is sent again, and the timer does not
// have to fire twice for that.
func TestSpuriousWithoutNews(t *testing.T) {
	w := established(t, func(a, b *Config) { a.NoTimestamp = true })
	a, b := w.ends[0], w.ends[1]
	n := 0
	w.wire.drop = func(to int, s *Segment) bool {
		if to == 1 && s.Size > 0 {
			n++
		}
		return to == 1 && s.Size > 0 && n <= 8
	}
	a.toSend = 8 * 1460
	began := w.now
	if !w.run(time.Minute, func() bool { return b.read == 8*1460 }) {
		t.Fatal(w)
	}
	if d := w.now.Sub(began); d > 5*time.Second || a.c.stats.Spurious != 0 {
		t.Errorf("all is there after %v, %d timeouts came for nothing", d, a.c.stats.Spurious)
	}
}

// TestSpuriousForAnother: a congestion control that was set after a timeout has nothing to take back when that turns out to have come for nothing.
func TestSpuriousForAnother(t *testing.T) {
	w := established(t, func(a, b *Config) { a.Congestion = NewReno })
	a, b := w.ends[0], w.ends[1]
	a.toSend = 4 * 1460
	w.wire.rate, w.wire.queue = 1<<20, 1<<20
	w.run(time.Minute, func() bool { return a.c.sndNxt != a.c.sndUna })
	for i := range w.wire.busy {
		w.wire.busy[i] = max(w.wire.busy[i], w.now).Add(time.Second)
	}
	for i := range w.wire.events {
		w.wire.events[i].at = w.wire.events[i].at.Add(time.Second)
	}
	heap.Init(&w.wire.events)
	if !w.run(time.Minute, func() bool { return a.c.stats.Losses > 0 }) {
		t.Fatalf("the timer has not fired: %v", w)
	}
	a.c.SetCongestion(Cubic)
	if !w.run(time.Minute, func() bool { return b.read == 4*1460 && a.c.sndUna == a.c.sndNxt }) {
		t.Fatal(w)
	}
	if a.c.stats.Spurious != 0 {
		t.Errorf("%d timeouts were undone by a congestion control that knows of none", a.c.stats.Spurious)
	}
}
