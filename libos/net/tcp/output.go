package tcp

import (
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// Next gives the next segment that is to be sent now; false: there is none. out.Payload keeps its array; what is in it is the caller's to release.
// It does not block and does not allocate, but to hold more records, and Refs in out, than ever before.
func (c *Conn) Next(now tick.Time, out *Segment) bool {
	*out = Segment{Payload: out.Payload[:0], SrcPort: c.SrcPort, DstPort: c.DstPort}
	switch {
	case c.needRst:
		c.needRst = false
		out.Seq, out.Flags = c.rstSeq, RST
		c.stats.SegmentsOut++
		return true
	case c.state == Closed:
		return false
	case c.state == SynSent || c.state == SynReceived:
		return c.sendSyn(now, out)
	}
	var sent bool
	if c.pace != nil && c.pace.wait(now, c.board.lost > 0 || c.tlpProbe || c.unsent() > 0) {
		c.limited = false // the window is not what holds sending back
		sent = c.sendEmpty(now, out)
	} else {
		sent = c.resend(now, out) || c.sendTail(now, out) || c.sendNew(now, out) || c.undo.release() && c.resend(now, out) || c.sendEmpty(now, out)
	}
	if !sent {
		if c.timers.rtx == 0 && c.stuck() {
			c.armRtx(now) // the window is closed: it will be probed
		}
		return false
	}
	if c.pace != nil && out.Size > 0 {
		c.pace.sent(now, out.Size)
	}
	c.stats.SegmentsOut++
	return true
}

// stamp is our timestamp clock: milliseconds, from a moment of each peer's own (RFC 7323, 5.4 and 7.1).
func (c *Conn) stamp(now tick.Time) uint32 {
	return c.tsOff + uint32(now/tick.Time(time.Millisecond))
}

// nextStamp is the stamp of a segment to be sent, which is never before that of the one before: of two goroutines the one that read the clock first may get the connection last, and
// the peer would drop what is stamped so (RFC 7323, 5.3).
func (c *Conn) nextStamp(now tick.Time) uint32 {
	if s := c.stamp(now); c.tsSent == 0 || int32(s-c.tsSent) > 0 {
		c.tsSent = s
	}
	return c.tsSent
}

// sendSyn sends a SYN, or in SYN-RECEIVED a SYN with an acknowledgment.
func (c *Conn) sendSyn(now tick.Time, out *Segment) bool {
	if !c.needSyn {
		return false
	}
	c.needSyn = false
	out.Seq, out.Flags = c.iss, SYN
	o := &out.Options
	o.MSS = uint16(min(c.config.MSS, 0xffff))
	if c.state == SynReceived {
		out.Flags |= ACK
		out.Ack = c.rcvNxt
		if c.ecnOK {
			out.Flags |= ECE
		}
		o.SACKPermitted = c.sackOK
		o.HasScale, o.Scale = c.rcvScale > 0 || c.sndScale > 0, c.rcvScale
		if c.tsOK {
			o.HasTimestamps, o.TSVal, o.TSEcr = true, c.stamp(now), c.tsLast
		}
		c.ackNow = false
		c.lastAcked = c.rcvNxt
	} else {
		if c.config.ECN && c.retries < 2 {
			c.ecnOK = true
			out.Flags |= ECE | CWR
		}
		o.SACKPermitted = true
		o.HasScale, o.Scale = true, c.rcvScale
		if c.tsOK {
			o.HasTimestamps, o.TSVal = true, c.stamp(now)
		}
	}
	out.Window = c.synWindow()
	c.sndNxt = c.iss.Add(1)
	c.synAt = now
	c.armRtx(now)
	if c.timers.rtx == 0 {
		c.timers.rtx = now.Add(c.rtt.timeout())
	}
	c.stats.SegmentsOut++
	return true
}

// head fills in what every segment of an established connection has, and takes note that it acknowledges.
func (c *Conn) head(now tick.Time, out *Segment, first Seq) {
	out.Seq, out.Ack, out.Flags = first, c.rcvNxt, ACK
	o := &out.Options
	room := MaxSACK
	if c.tsOK {
		o.HasTimestamps, o.TSVal, o.TSEcr = true, c.nextStamp(now), c.tsLast
		room-- // 40 bytes of options
	}
	if c.hasDSACK {
		o.SACK[0], o.Blocks = c.dsack, 1
		c.hasDSACK = false
	}
	if c.sackOK && c.ooo.some() {
		c.ooo.blocks(o, room)
	}
	if c.ecnEcho {
		out.Flags |= ECE
	}
	out.Window = c.window()
	c.urgentOut(out)
	c.ackNow, c.ackLater, c.timers.ack = false, 0, 0
	c.lastAcked = c.rcvNxt
}

// effective is the payload that a segment has room for beside its options; mss has room for the timestamps only.
func (c *Conn) effective(out *Segment) int {
	n := c.mss
	if out.Options.Blocks > 0 {
		n -= 4 + 8*int(out.Options.Blocks)
	}
	return n
}

// unsent is how much of the sequence space is to be sent for the first time: data, and the FIN.
func (c *Conn) unsent() int {
	if c.finSent {
		return 0
	}
	n := c.out.Len() - c.sndNxt.Sub(c.sndUna)
	if c.finQueue {
		n++
	}
	return n
}

// quota is how much may be sent by the congestion control.
func (c *Conn) quota() int {
	if c.rec.on && !c.rec.timeout {
		return int(c.rec.quota)
	}
	return c.cc.Window() - c.pipe()
}

// idleRestart forgets a window that is older than a timeout (RFC 5681, 4.1).
func (c *Conn) idleRestart(now tick.Time) {
	if c.lastSent != 0 && len(c.board.records) == 0 && now.Sub(c.lastSent) > c.rtt.timeout() {
		c.cc.Start(c.mss)
	}
}

// load puts n bytes of the stream from first on into out; fewer if they lie in too many pieces.
func (c *Conn) load(out *Segment, first Seq, n int) int {
	out.Payload, n = c.out.View(out.Payload, first.Sub(c.sndUna), n, int(c.config.MaxPieces))
	out.Size = n
	return n
}

// resend sends the first of what is lost again.
func (c *Conn) resend(now tick.Time, out *Segment) bool {
	i, ok := c.board.firstLost()
	if !ok || c.undo.holds() {
		return false
	}
	room := c.quota()
	if room < c.mss && c.pipe() > 0 {
		c.limited = true
		return false
	}
	r := &c.board.records[i]
	r.state &^= larger // it did not arrive as such
	c.head(now, out, r.first)
	mss := c.effective(out)
	room = max(room, mss)
	if c.sndWnd == 0 {
		room = mss
	}
	n := r.len()
	fins := 0
	if r.is(fin) {
		fins = 1
		n--
	}
	want := n
	if out.Flags&URG != 0 {
		n = min(n, mss) // the pointer counts from the segment: a device must not cut it
	}
	if n > mss {
		n = min(n, room, c.largest())
		n -= n % mss
	}
	n = c.load(out, r.first, n)
	if fins == 1 && n == want {
		out.Flags |= FIN
	} else {
		fins = 0
	}
	if n > mss {
		out.SegmentSize = mss
	}
	c.board.sentAgain(i, n+fins, now)
	c.undo.sentAgain(out)
	c.rec.sent(n + fins)
	c.stats.Resent += uint64(n + fins)
	if out.Seq == c.sndUna || c.timers.rtx == 0 {
		c.timers.rtx = now.Add(c.rtt.timeout())
	}
	return true
}

// sendTail sends the tail loss probe: new data if there are, else the last segment again (RFC 8985, 7.3).
func (c *Conn) sendTail(now tick.Time, out *Segment) bool {
	if !c.tlpProbe {
		return false
	}
	c.tlpProbe = false
	if c.tlpOut || len(c.board.records) == 0 {
		return false
	}
	c.tlpOut, c.tlpEnd, c.tlpAgain = true, c.sndNxt, false
	c.stats.TailProbes++
	if n := c.unsent(); n > 0 && c.sndUna.Add(c.sndWnd).Sub(c.sndNxt) >= min(n, c.mss) {
		return c.sendData(now, out, min(n, c.mss-4-8*MaxSACK), 0)
	}
	i := len(c.board.records) - 1
	r := &c.board.records[i]
	first := r.first
	if n := r.len(); n > c.mss/2 {
		first = r.end.Add(-c.mss / 2)
		i = c.board.split(first)
		r = &c.board.records[i]
	}
	c.head(now, out, first)
	n := r.len()
	if r.is(fin) {
		out.Flags |= FIN
		n--
	}
	if got := c.load(out, first, n); got < n {
		out.Flags &^= FIN
		n = got
	} else if out.Flags&FIN != 0 {
		n++
	}
	c.tlpAgain = true
	c.board.sentAgain(i, n, now)
	c.stats.Resent += uint64(n)
	return true
}

// sendNew sends what was not sent yet, as far as windows, Nagle and the avoidance of silly windows let it (RFC 9293, 3.7.4 and 3.8.6.2.1).
func (c *Conn) sendNew(now tick.Time, out *Segment) bool {
	n := c.unsent()
	if n <= 0 {
		c.windowProbe = false
		c.limited = false
		return false
	}
	window := c.sndUna.Add(c.sndWnd).Sub(c.sndNxt)
	if c.windowProbe {
		c.windowProbe = false
		// Into a closed window goes one byte; into one that was too small to be worth a segment, what fits: that has waited long enough (RFC 9293, 3.8.6.2.1).
		return c.sendData(now, out, max(min(n, window, c.mss-4-8*MaxSACK), 1), probe)
	}
	room := c.quota()
	mss := c.mss
	if c.ooo.some() || c.hasDSACK {
		mss -= 4 + 8*MaxSACK // blocks will want room
	}
	if room < mss && (c.pipe() > 0 || c.rec.on && !c.rec.timeout) && room < n {
		c.limited = true
		return false
	}
	if c.large(now, n, min(window, room)) {
		c.hole.next = now.Add(raiseAfter)
		return c.sendData(now, out, int(c.hole.was), larger)
	}
	c.limited = c.limited && n >= room
	can := min(n, window, max(room, mss), c.largest())
	if can <= 0 {
		return false
	}
	if can >= mss {
		tail := can % mss
		if can < n || tail > 0 && !c.mayBeSmall(now, can, n, true) {
			can -= tail
		}
	} else if !c.mayBeSmall(now, can, n, len(c.board.records) > 0) {
		return false
	}
	return c.sendData(now, out, can, 0)
}

// mayBeSmall tells whether a segment may go that is not full: n of what there is to be sent, which is all.
func (c *Conn) mayBeSmall(now tick.Time, n, all int, outstanding bool) bool {
	o := &c.config.Options
	switch {
	case n < all:
		// The peer's window is what makes it small: wait until that is half open.
		return c.maxWnd > 0 && n >= c.maxWnd/2
	case c.finQueue:
		return true
	case o.Cork:
		if c.corkEnd.Due(now) {
			c.corkEnd = 0
			return true
		}
		if c.corkEnd == 0 {
			const longest = 200 * time.Millisecond
			c.corkEnd = now.Add(longest)
		}
		return false
	}
	return o.NoDelay || !outstanding
}

// sendData sends n of what was not sent yet.
func (c *Conn) sendData(now tick.Time, out *Segment, n int, s recordState) bool {
	first := c.sndNxt
	all := c.unsent()
	c.head(now, out, first)
	mss := c.effective(out)
	if out.Flags&URG != 0 {
		n = min(n, mss) // the pointer counts from the segment: a device must not cut it
	}
	data := n
	if c.finQueue && n == all {
		data--
	}
	got := c.load(out, first, data)
	if c.finQueue && got == all-1 && n == all {
		out.Flags |= FIN
		c.finSent = true
		s |= fin
		got++
	}
	if got == 0 {
		return false
	}
	if got == all {
		out.Flags |= PSH
		if out.Size == 0 {
			out.Flags &^= PSH
		}
		c.corkEnd = 0
	}
	if out.Size > mss && s&larger == 0 {
		out.SegmentSize = mss
	}
	if c.ecnOK && out.Size > 0 {
		out.ECT = true
		if c.ecnReduced {
			out.Flags |= CWR
			c.ecnReduced = false
		}
	}
	if len(c.board.records) == 0 {
		c.progress = now
	}
	c.sndNxt = first.Add(got)
	c.undo.sentFresh()
	c.board.sentNew(first, c.sndNxt, now, s)
	c.rec.sent(got)
	c.lastSent = now
	c.replies = c.replies || c.cameAt != 0 && now.Sub(c.cameAt) < ackDelay
	c.stats.BytesOut += uint64(out.Size)
	if c.timers.rtx == 0 || len(c.board.records) == 1 {
		c.timers.rtx = now.Add(c.rtt.timeout())
	}
	c.armTail(now)
	return true
}

// sendEmpty sends an acknowledgment, or what asks the peer for one: a segment that it has had already (RFC 9293, 3.8.4).
func (c *Conn) sendEmpty(now tick.Time, out *Segment) bool {
	switch {
	case c.keepProbe:
		c.keepProbe = false
		c.head(now, out, c.sndUna.Add(-1))
	case c.ackNow:
		c.head(now, out, c.ackSeq())
	default:
		return false
	}
	return true
}

// ackSeq is the sequence number of a segment that only acknowledges: what is sent next, but within the peer's window. Beyond it, where a probe of a closed window is or what was sent
// before the window was taken back, the peer would not accept it (RFC 9293, 3.10.7.4), nor heed what it acknowledges: two ends with closed windows would stand still.
func (c *Conn) ackSeq() Seq {
	if edge := c.sndUna.Add(c.sndWnd); edge.Less(c.sndNxt) {
		return edge
	}
	return c.sndNxt
}
