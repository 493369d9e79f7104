package tcp

import (
	"math"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// timers are the moments at which a connection must be looked at; 0: none.
type timers struct {
	rtx     tick.Time // retransmission, or the probing of a closed window
	ack     tick.Time // a delayed acknowledgment
	reorder tick.Time // RACK's
	tlp     tick.Time // the tail loss probe
	keep    tick.Time // keep-alive
	fin     tick.Time // FIN-WAIT-2 of a closed connection, TIME-WAIT
}

// Deadline is when Tick must be called at the latest, 0 if nothing is waited for.
func (c *Conn) Deadline() tick.Time {
	t := &c.timers
	d := tick.Sooner(tick.Sooner(t.rtx, t.ack), tick.Sooner(t.reorder, t.tlp))
	d = tick.Sooner(d, tick.Sooner(t.keep, t.fin))
	if c.pace.holds() {
		d = tick.Sooner(d, c.pace.next)
	}
	return tick.Sooner(d, c.corkEnd)
}

// Tick does what is due. Next may have something to send afterwards.
func (c *Conn) Tick(now tick.Time) {
	t := &c.timers
	if t.ack.Due(now) {
		t.ack = 0
		c.ackNow, c.replies = true, false
	}
	if t.reorder.Due(now) {
		t.reorder = 0
		c.detectLoss(now, c.sndUna, 0)
	}
	if t.fin.Due(now) {
		t.fin = 0
		c.end(nil)
		return
	}
	if t.tlp.Due(now) {
		t.tlp = 0
		c.tlpProbe = true
		t.rtx = now.Add(c.rtt.timeout())
	}
	if t.keep.Due(now) {
		c.keepAlive(now)
	}
	if t.rtx.Due(now) {
		t.rtx = 0
		c.timedOut(now)
	}
}

// armRtx starts the retransmission timer anew if anything waits for an acknowledgment, or the peer's window for being opened (RFC 6298, 5).
func (c *Conn) armRtx(now tick.Time) {
	if len(c.board.records) == 0 && !c.needSyn && !c.stuck() {
		c.timers.rtx = 0
		c.dropTail()
		return
	}
	c.timers.rtx = now.Add(c.rtt.timeout())
}

// stuck tells whether there is something to send, nothing on its way whose acknowledgment could open the window, and no window.
func (c *Conn) stuck() bool {
	return len(c.board.records) == 0 && c.established() && c.unsent() > 0 && !c.pace.holds()
}

// timedOut is the retransmission timer's end (RFC 6298, 5.4 to 5.7).
func (c *Conn) timedOut(now tick.Time) {
	// What is to be sent again waits for its time: that nothing is heard of it says nothing.
	held := c.pace.holds() && (c.board.lost > 0 || c.tlpProbe)
	if !held {
		c.retries = min(c.retries+1, math.MaxInt16-1)
	}
	closed := c.sndWnd == 0 && c.established()
	limit := c.config.Retries
	if c.state == SynSent || c.state == SynReceived {
		limit = c.config.SynRetries
	}
	overdue := c.retries > limit
	if u := c.config.Options.UserTimeout; u > 0 && c.established() {
		overdue = now.Sub(c.progress) >= u
	}
	if c.orphan && c.retries > 8 {
		overdue = true // nobody is there any more who could wish it to go on
	}
	if overdue {
		c.stats.Timeouts++
		why := c.softErr
		if why == nil {
			why = ErrTimeout
		}
		c.end(why)
		return
	}
	if held {
		c.timers.rtx = max(now, c.pace.next).Add(c.rtt.timeout())
		return
	}
	first := c.rtt.backoff == 0
	c.rtt.backOff()
	c.dropTail()
	c.timers.reorder = 0
	switch {
	case c.state == SynSent || c.state == SynReceived:
		c.needSyn = true
		if c.ecnOK && c.retries > 1 {
			c.ecnOK = false // something on the way may not like it (RFC 3168, 6.1.1.1)
		}
	case len(c.board.records) == 0:
		c.stats.WindowProbes++
		c.windowProbe = true
	case closed:
		// What was sent before the window closed, or the probe itself: try with the first of it, without blame on the network (RFC 9293, 3.8.6.1).
		c.stats.WindowProbes++
		c.board.lose(0)
	default:
		c.suspect(first)
		if first {
			c.stats.Losses++
			c.cc.TimedOut(now, c.board.outstanding())
		}
		// Data that were acknowledged selectively twice over may have been dropped: believe it no more (RFC 2018, 8).
		c.board.loseAll(c.retries > 1)
		c.suspectPath(now)
		c.rec = recovery{on: true, timeout: true, end: c.sndNxt}
		c.ecnReduced = c.ecnOK
	}
	c.armRtx(now)
}

// dropTail gives up the tail loss probe that is to come, also one that is due and waits for its time.
func (c *Conn) dropTail() { c.timers.tlp, c.tlpProbe = 0, false }

// armTail starts the tail loss probe's timer (RFC 8985, 7.2).
func (c *Conn) armTail(now tick.Time) {
	c.dropTail()
	if !c.sackOK || c.rec.on || c.board.sacked > 0 || len(c.board.records) == 0 || c.rtt.srtt == 0 || c.sndWnd == 0 {
		return
	}
	d := 2 * c.rtt.srtt
	if c.board.outstanding() <= c.mss {
		d += 200 * time.Millisecond // the peer may delay its acknowledgment
	}
	if at := now.Add(max(d, 2*time.Millisecond)); at < c.timers.rtx {
		c.timers.tlp = at
	}
}

// armKeep starts the keep-alive timer, if the program wants that.
func (c *Conn) armKeep(now tick.Time) {
	c.timers.keep = 0
	if c.config.Options.KeepAlive && c.established() {
		c.timers.keep = c.heard.Add(c.config.Options.KeepIdle)
		if c.keepProbes > 0 || c.timers.keep <= now {
			c.timers.keep = now.Add(c.config.Options.KeepEvery)
		}
	}
}

// keepAlive is that timer's end (RFC 9293, 3.8.4).
func (c *Conn) keepAlive(now tick.Time) {
	o := &c.config.Options
	if at := c.heard.Add(o.KeepIdle); at > now {
		c.keepProbes = 0
		c.timers.keep = at
		return
	}
	if len(c.board.records) > 0 {
		c.timers.keep = now.Add(o.KeepEvery) // retransmission finds out as well
		return
	}
	if int32(c.keepProbes) >= o.KeepCount || o.UserTimeout > 0 && c.keepProbes > 0 && now.Sub(c.heard) >= o.UserTimeout {
		c.end(ErrTimeout)
		return
	}
	c.keepProbes++
	c.keepProbe = true
	c.timers.keep = now.Add(o.KeepEvery)
}
