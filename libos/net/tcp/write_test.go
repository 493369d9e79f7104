package tcp

import (
	"testing"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/buf"
	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// TestWriteEach gives a connection whose windows are open a file in pieces: written at once they leave in segments that are as large as the card takes, but for the last. Where the
// buffer is full the others are not asked for.
func TestWriteEach(t *testing.T) {
	const pieces, size = 16, 64 << 10
	cfg := testConfig()
	cfg.MaxSend, cfg.Options.NoDelay = 64<<10, true
	now := tick.Time(time.Second)
	open := func(buffer int) *Conn {
		cfg.SendBuffer = buffer
		a, b := Open(now, cfg, 1, 2, 100, 0), Open(now, cfg, 2, 1, 200, 0)
		var s Segment
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
		a.sndWnd = 2 * pieces * size
		a.cc.(*cubic).window = 2 * pieces * size
		return a
	}
	data := make([]byte, size)
	asked := 0
	ref := func(int) buf.Ref {
		asked++
		return buf.Lend(data, nil)
	}
	sent := func(c *Conn) (segments, bytes int) {
		var s Segment
		for c.Next(now, &s) {
			segments++
			bytes += s.Size
		}
		return segments, bytes
	}

	c := open(pieces * size)
	if n, err := c.WriteEach(now, pieces, ref); n != pieces || err != nil || asked != pieces {
		t.Fatal(n, err, asked)
	}
	full := (64 << 10) / c.mss * c.mss
	if n, got := sent(c); got != pieces*size || n != (pieces*size+full-1)/full {
		t.Errorf("%d bytes in %d segments of up to %d", got, n, full)
	}

	c = open(3*size + 1)
	asked = 0
	if n, err := c.WriteEach(now, pieces, ref); n != 4 || err != nil || asked != 4 || !c.sendFull {
		t.Error(n, err, asked, c.sendFull)
	}
	if n, err := c.WriteEach(now, pieces, ref); n != 0 || err != nil || asked != 4 {
		t.Error(n, err, asked)
	}
}
