package tcp

import (
	"math"
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// TestPacing: what a connection sends keeps to its rate over any time, loss or not, and gets there; its window does not grow meanwhile, for it is not what holds sending back.
func TestPacing(t *testing.T) {
	for _, x := range []struct {
		rate uint64
		n    int
		loss float64
	}{{1 << 20, 1 << 20, 0}, {1 << 20, 1 << 20, 0.02}, {100 << 20, 4 << 20, 0}, {3000, 30_000, 0}, {3000, 30_000, 0.1}, {40, 3 * 1448, 0}} {
		w := established(t, func(a, b *Config) { a.MaxSend = 60_000 })
		a, b := w.ends[0], w.ends[1]
		w.wire.loss = x.loss
		a.c.SetMaxRate(x.rate)
		mss := a.c.mss
		burst := max(int(x.rate/1000), 2*a.c.mss)
		type sending struct {
			at   tick.Time
			size int
		}
		var all []sending
		w.wire.drop = func(to int, s *Segment) bool {
			if to == 1 && s.Size > 0 {
				all = append(all, sending{w.now, s.Size})
			}
			return false
		}
		began := w.now
		a.toSend = x.n
		if !w.run(10*time.Minute, func() bool { return b.read == x.n && a.c.sndUna == a.c.sndNxt }) {
			t.Fatalf("%+v: %v", x, w)
		}
		if info := a.c.Info(); info.MSS != mss {
			t.Errorf("%+v: segments of %d bytes, because of what had not been sent: %+v", x, info.MSS, info)
		}
		took := w.now.Sub(began).Seconds()
		least := float64(min(x.n-burst, int(maxPace.Seconds()*float64(x.rate)))) / float64(x.rate)
		if x.rate == 40 {
			least = 10 // what maxPace leaves of the rate
		}
		if took < 0.95*least || x.loss == 0 && took > 1.2*least+0.5 { // the window grows first
			t.Errorf("%+v: %.2f s, at least %.2f", x, took, least)
		}
		// A bucket of the rate, with room for a burst and for what a late timer has left.
		if x.rate > 40 {
			room, at := float64(2*burst+burst), all[0].at
			most := room
			for _, s := range all {
				room = min(most, room+s.at.Sub(at).Seconds()*float64(x.rate)) - float64(s.size)
				if at = s.at; room < -1 {
					t.Errorf("%+v: %.0f bytes too many at %v", x, -room, at)
					break
				}
			}
		}
		if n := a.c.cc.Window(); n > 64<<10 && x.rate < 100<<20 { // there are some 20 KiB on the way at the most
			t.Errorf("%+v: the window has grown to %d", x, n)
		}
		if a.c.stats.WindowProbes > 0 || x.loss == 0 && a.c.stats.Resent > 0 {
			t.Errorf("%+v: %d probes of a window that is open, %d bytes sent again", x, a.c.stats.WindowProbes, a.c.stats.Resent)
		}
	}
}

// TestPacingEnds: a rate that is lifted lets go what waits, with the next look at the connection; no rate breaks the arithmetic; a connection that has ended waits for nothing.
func TestPacingEnds(t *testing.T) {
	w := established(t, nil)
	a, b := w.ends[0], w.ends[1]
	a.c.SetMaxRate(1000)
	a.toSend = 20_000
	w.run(time.Second, func() bool { return false })
	if b.read > 6*1448 || !a.c.pace.holds() || a.c.Deadline() == 0 {
		t.Fatalf("%d bytes in a second", b.read)
	}
	a.c.SetMaxRate(0)
	if !w.run(time.Second, func() bool { return b.read == 20_000 }) {
		t.Fatal(w)
	}
	for _, rate := range []uint64{1, 999, math.MaxUint32, math.MaxUint64} {
		p := pacing{rate: rate}
		now := tick.Time(time.Hour)
		for range 3 {
			was := p.next
			p.sent(now, 1<<30)
			if p.next < was || p.next > now.Add(3*maxPace) {
				t.Errorf("rate %d: from %d to %d", rate, was, p.next)
			}
		}
	}
	a.c.SetMaxRate(1000)
	a.toSend = 20_000
	w.run(100*time.Millisecond, func() bool { return false })
	a.c.Abort()
	if a.c.Deadline() != 0 {
		t.Error("a connection that has ended has a deadline")
	}
}
