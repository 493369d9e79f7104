package tcp

import (
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// scaleFor is the shift that lets a 16-bit window tell of so many bytes (RFC 7323, 2.3).
func scaleFor(bytes int) (s uint8) {
	for s < maxScale && bytes>>s > 0xffff {
		s++
	}
	return s
}

// tuning sizes the receive buffer: twice what the program reads in a round trip, so that a sender whose window doubles each round trip is never held
// back by ours (dynamic right-sizing, Fisk and Feng 2001).
type tuning struct {
	size  int32 // of the buffer
	read  int32 // in this round trip
	since tick.Time
	rtt   time.Duration // as who only receives can know it: from an acknowledgment to the data that answer it
}

// sample takes in such a time. The least counts, for the sender may have had nothing to send; if the path has become longer that shows after a while.
func (t *tuning) sample(d time.Duration) {
	switch {
	case d <= 0:
	case t.rtt == 0 || d < t.rtt:
		t.rtt = d
	default:
		t.rtt += (d - t.rtt) / 8
	}
}

func (c *Conn) tuneBuffer(now tick.Time, n int) {
	t := &c.tune
	t.read = int32(min(int(t.read)+n, maxBuffer))
	if now.Sub(t.since) < max(t.rtt, c.rtt.srtt) {
		return
	}
	if want := 2 * int(t.read); t.since != 0 && want > int(t.size) {
		t.size = int32(min(want, int(c.config.RecvMax)))
	}
	t.read, t.since = 0, now
}

// leastRead is how much a connection may always receive that holds nothing unread, in memory of the heap where that which is received into is scarce: so none stands still for what
// others hoard.
const leastRead = 4 << 10

// room is how much more may come. Blocks that hold few bytes count for a quarter of their memory. Where the memory that is received into is scarce, the peer is told of
// half of what we may still hold of it, for not all of a block is payload; who holds nothing has room for two segments.
func (c *Conn) room() int {
	room := int(c.tune.size) - max(c.in.Len(), c.in.Held()/4)
	if c.share != 0 {
		left := (int(c.share) - c.in.Held()) / 2
		if c.in.Len() == 0 {
			left = max(left, 2*int(c.config.MSS))
		}
		room = min(room, left)
	}
	return max(room, 0)
}

// mostHeld is how much memory data in order may hold on to, and these with those out of order, before a segment that comes is dropped. So a connection holds twice as much at most.
func (c *Conn) mostHeld() int { return 4*int(c.tune.size) + maxRecord }

// window moves the right edge of what the peer may send as far as there is room, but not by dribs (RFC 9293, 3.8.6.2.2), and never back (MUST-34's SHOULD-14), and returns
// the header's field.
func (c *Conn) window() uint16 {
	edge := c.rcvNxt.Add(c.room())
	if edge.Sub(c.rcvAdv) >= min(int(c.tune.size)/2, int(c.config.MSS)) {
		c.rcvAdv = edge
	}
	w := max(c.rcvAdv.Sub(c.rcvNxt), 0)
	// Rounded up, for the edge must not go back.
	w = min((w+1<<c.rcvScale-1)>>c.rcvScale, 0xffff)
	c.rcvAdv = maxSeq(c.rcvAdv, c.rcvNxt.Add(w<<c.rcvScale))
	return uint16(w)
}

// synWindow is the window of a segment with SYN, which is never scaled (RFC 7323, 2.2).
func (c *Conn) synWindow() uint16 {
	w := min(c.room(), 0xffff)
	c.rcvAdv = c.rcvNxt.Add(w)
	return uint16(w)
}

// didRead opens the window as the program makes room, and tells the peer when that is worth a segment.
func (c *Conn) didRead(now tick.Time, n int) {
	if n == 0 {
		return
	}
	c.tuneBuffer(now, n)
	switch c.state {
	case Established, FinWait1, FinWait2:
		if c.timers.ack != 0 && c.pushed && !c.replies && c.in.Len() == 0 {
			c.ackNow = true
		}
		left := c.rcvAdv.Sub(c.rcvNxt)
		gain := c.rcvNxt.Add(c.room()).Sub(c.rcvAdv)
		half := int(c.tune.size) / 2
		if gain >= half || left < 2*int(c.config.MSS) && gain >= min(half, int(c.config.MSS)) {
			c.ackNow = true
		}
	}
}

// updateWindow takes in the peer's (RFC 9293, 3.10.7.4, and 3.8.6: it may be older than the last one).
func (c *Conn) updateWindow(s *Segment) {
	if !(c.sndWl1.Less(s.Seq) || c.sndWl1 == s.Seq && c.sndWl2.LessEq(s.Ack)) {
		return
	}
	w := int(s.Window)
	if s.Flags&SYN == 0 {
		w <<= c.sndScale
	}
	c.sndWnd, c.sndWl1, c.sndWl2 = w, s.Seq, s.Ack
	c.maxWnd = max(c.maxWnd, w)
}
