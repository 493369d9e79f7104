package tcp

import (
	"testing"
	"time"
)

// TestBlackHole: a path that drops large packets without a word is found out, small ones get through, and large ones are tried again until they pass.
func TestBlackHole(t *testing.T) {
	for _, x := range []struct {
		passes, want int // payload that the path lets through, and the segments that it leads to
	}{{1200, baseMSS - timestampLen}, {600, defaultMSS - timestampLen}} {
		w := established(t, func(a, b *Config) { a.MaxSend = 16 << 10 })
		a, b := w.ends[0], w.ends[1]
		full := a.c.mss
		limit, tried := x.passes, 0
		w.wire.drop = func(to int, s *Segment) bool {
			if s.Size > limit {
				tried++
			}
			return s.Size > limit
		}
		a.toSend = 200_000
		if !w.run(time.Minute, func() bool { return b.read == 200_000 }) {
			t.Fatal(w)
		}
		if a.c.mss != x.want || int(a.c.hole.was) != full {
			t.Fatalf("a path of %d: segments of %d, want %d", x.passes, a.c.mss, x.want)
		}
		// While it lasts it costs a segment every ten minutes.
		tried = 0
		for range 30 {
			a.toSend = 20_000
			w.run(time.Minute, func() bool { return a.toSend == 0 && a.c.sndUna == a.c.sndNxt })
			w.now = w.now.Add(time.Minute)
		}
		if tried < 2 || tried > 4 || a.c.mss != x.want {
			t.Errorf("%d large segments in half an hour, segments of %d", tried, a.c.mss)
		}
		limit = 1 << 20
		w.now = w.now.Add(11 * time.Minute)
		a.toSend = 100_000
		if !w.run(time.Minute, func() bool { return b.read == a.written && a.toSend == 0 && a.c.sndUna == a.c.sndNxt }) || a.c.mss != full {
			t.Errorf("the hole is gone, and segments have %d bytes, had %d", a.c.mss, full)
		}
	}
	// An outage is none: afterwards segments are soon as large as before.
	w := established(t, nil)
	a, b := w.ends[0], w.ends[1]
	full := a.c.mss
	a.toSend = 300_000
	w.wire.loss = 1
	w.run(5*time.Second, func() bool { return false })
	w.wire.loss = 0
	if !w.run(time.Minute, func() bool { return b.read == 300_000 }) || a.c.mss != full {
		t.Errorf("after an outage segments have %d bytes, had %d: %v", a.c.mss, full, w)
	}
}
