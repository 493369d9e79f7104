package tcp

import (
	"math"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// Input takes in a segment that has come for the connection (RFC 9293, 3.10.7), its payload with it. The checksum was right and the addresses were ours. It does not
// block; it allocates only where more is held than ever before.
func (c *Conn) Input(now tick.Time, s *Segment) {
	c.stats.SegmentsIn++
	switch c.state {
	case Closed:
	case SynSent:
		c.inputSynSent(now, s)
	default:
		c.inputSynchronized(now, s)
	}
	s.release()
}

// inputSynSent is RFC 9293, 3.10.7.3.
func (c *Conn) inputSynSent(now tick.Time, s *Segment) {
	if s.Flags&ACK != 0 && !(c.iss.Less(s.Ack) && s.Ack.LessEq(c.sndNxt)) {
		if s.Flags&RST == 0 {
			c.needRst, c.rstSeq = true, s.Ack
		}
		return
	}
	if s.Flags&RST != 0 {
		if s.Flags&ACK != 0 {
			c.end(ErrRefused)
		}
		return
	}
	if s.Flags&SYN == 0 {
		return
	}
	c.heard = now
	c.negotiate(now, s)
	if s.Flags&ACK == 0 { // both ends have opened at the same time
		c.ecnOK = false
		c.state = SynReceived
		c.needSyn = true
		return
	}
	c.ecnOK = c.ecnOK && s.Flags&(ECE|CWR) == ECE
	c.needSyn = false
	c.sndUna = s.Ack
	c.nowEstablished(now, s)
	c.ackNow = true
	// What the SYN brought with it.
	s.Seq++
	s.Flags &^= SYN
	c.urgentIn(s)
	c.payload(now, s)
}

// negotiate takes in what a SYN says of the peer.
func (c *Conn) negotiate(now tick.Time, s *Segment) {
	o := &s.Options
	c.irs = s.Seq
	c.rcvNxt = s.Seq.Add(1)
	c.rcvAdv = c.rcvNxt
	c.lastAcked = c.rcvNxt
	c.sackOK = c.sackOK && o.SACKPermitted
	c.tsOK = c.tsOK && o.HasTimestamps
	if c.tsOK {
		c.tsLast, c.tsAt = o.TSVal, now
	}
	if c.sndScale = o.Scale; !o.HasScale {
		c.rcvScale = 0
	}
	c.peerMSS = c.config.defaultMSS()
	if o.MSS != 0 {
		c.peerMSS = int32(o.MSS)
	}
	c.setMSS()
	c.cc.Start(c.mss)
}

// nowEstablished ends the handshake.
func (c *Conn) nowEstablished(now tick.Time, s *Segment) {
	echo := time.Duration(0) // each SYN has its own timestamp
	if c.tsOK && s.Options.TSEcr != 0 {
		echo = time.Duration(int32(c.stamp(now)-s.Options.TSEcr)) * time.Millisecond
	}
	switch {
	case c.retries == 0:
		c.rtt.sample(time.Duration(now), now.Sub(c.synAt))
	case echo > 0:
		c.rtt.sample(time.Duration(now), echo)
	default:
		// RFC 6298, 5.7, and RFC 6928, 2: a SYN was lost, so begin carefully.
		c.rtt.rto, c.rtt.backoff = 3*time.Second, 0
	}
	c.retries = 0
	c.progress = now
	c.timers.rtx = 0
	c.state = Established
	if c.finQueue {
		c.state = FinWait1
	}
	c.sndWl1, c.sndWl2 = s.Seq, s.Ack
	c.sndWnd, c.maxWnd = 0, 0
	c.updateWindow(s)
	c.events |= Connected | Writable
	c.armKeep(now)
}

// established tells whether data may be exchanged.
func (c *Conn) established() bool { return c.state >= Established }

// inputSynchronized is RFC 9293, 3.10.7.4, with RFC 7323 and RFC 5961.
func (c *Conn) inputSynchronized(now tick.Time, s *Segment) {
	o := &s.Options
	if c.state == SynReceived && s.Flags&(SYN|ACK|RST) == SYN|ACK && s.Seq == c.irs && s.Ack == c.sndNxt {
		// Both ends have opened at the same time: we know the SYN already (RFC 9293, 3.5, figure 7).
		s.Seq++
		s.Flags &^= SYN
	}
	if c.tsOK && s.Flags&RST == 0 {
		if !o.HasTimestamps {
			c.stats.Unacceptable++
			return // RFC 7323, 3.2
		}
		const outdated = 24 * 24 * time.Hour // by then the clock may have gone round (5.5)
		if int32(o.TSVal-c.tsLast) < 0 && now.Sub(c.tsAt) < outdated {
			c.stats.OldTimestamps++
			c.rejected(now, s)
			return
		}
	}
	if !c.acceptable(s) {
		c.rejected(now, s)
		return
	}
	if s.Flags&RST != 0 {
		// RFC 5961, 3.2: only what hits the spot is believed.
		if s.Seq != c.rcvNxt {
			c.challengeAck(now)
			return
		}
		c.reset()
		return
	}
	if s.Flags&SYN != 0 {
		c.challengeAck(now) // RFC 5961, 4.2
		return
	}
	if s.Flags&ACK == 0 {
		c.stats.Unacceptable++
		return
	}
	if c.state == SynReceived {
		if !(c.iss.Less(s.Ack) && s.Ack.LessEq(c.sndNxt)) {
			c.needRst, c.rstSeq = true, s.Ack
			return
		}
		c.needSyn = false
		c.sndUna = c.iss.Add(1)
		c.nowEstablished(now, s)
	}
	// RFC 5961, 5.2.
	if c.sndNxt.Less(s.Ack) || s.Ack.Less(c.sndUna.Add(-c.maxWnd)) {
		c.challengeAck(now)
		return
	}
	c.heard = now
	c.keepProbes = 0
	// RFC 7323, 4.3.
	if c.tsOK && s.Seq.LessEq(c.lastAcked) {
		c.tsLast, c.tsAt = o.TSVal, now
	}
	c.acknowledge(now, s)
	if c.state == Closed {
		return
	}
	c.urgentIn(s)
	c.payload(now, s)
}

// acceptable is the test of RFC 9293, 3.10.7.4, first step, in the window that we told. A closed window lets control in, and what begins at its
// edge: its payload will be cut off, its acknowledgment counts.
func (c *Conn) acceptable(s *Segment) bool {
	n, w := s.Len(), c.rcvAdv.Sub(c.rcvNxt)
	if s.Seq == c.rcvNxt {
		return true
	}
	if n == 0 {
		return s.Seq.In(c.rcvNxt, w)
	}
	return s.Seq.In(c.rcvNxt, w) || s.Seq.Add(n-1).In(c.rcvNxt, w)
}

// rejected answers what is not acceptable.
func (c *Conn) rejected(now tick.Time, s *Segment) {
	c.stats.Unacceptable++
	if s.Flags&RST != 0 {
		return
	}
	if c.state == SynReceived && s.Flags&SYN != 0 && s.Seq == c.irs {
		c.needSyn = true // our SYN was lost
		if c.tsOK && s.Options.HasTimestamps {
			c.tsLast, c.tsAt = s.Options.TSVal, now
		}
		return
	}
	if c.state == TimeWait && s.Flags&FIN != 0 {
		c.timers.fin = now.Add(c.config.TimeWait.duration())
	}
	if s.Len() == 0 || s.Size == 0 && s.Flags&FIN == 0 {
		c.challengeAck(now)
		return
	}
	if s.Size > 0 && s.Seq.Less(c.rcvNxt) {
		c.duplicate(Block{s.Seq, minSeq(s.Seq.Add(s.Size), c.rcvNxt)})
	}
	c.ackNow = true
}

// duplicate notes bytes that came twice, to be told once (RFC 2883).
func (c *Conn) duplicate(b Block) {
	c.stats.Duplicates++
	if c.sackOK {
		c.dsack, c.hasDSACK = b, true
	}
}

// challengeAck acknowledges what somebody may have made up (RFC 5961), not more often than twice a second, or two peers that misunderstand each other would go on
// for ever. The limit is the connection's own: a common one would tell who else is talking (CVE-2016-5696).
func (c *Conn) challengeAck(now tick.Time) {
	const every = 500 * time.Millisecond
	if c.challenge != 0 && now.Sub(c.challenge) < every {
		return
	}
	c.challenge = now
	c.stats.Challenges++
	if c.state == SynReceived {
		c.needSyn = true
		return
	}
	c.ackNow = true
}

// reset ends the connection as the peer wants.
func (c *Conn) reset() {
	switch c.state {
	case SynReceived:
		c.end(ErrRefused)
	case Closing, LastAck, TimeWait:
		c.end(nil)
	default:
		c.end(ErrReset)
	}
}

// acknowledge takes in what a segment says of what we sent.
func (c *Conn) acknowledge(now tick.Time, s *Segment) {
	una, ack := c.sndUna, maxSeq(s.Ack, c.sndUna)
	progress := una.Less(ack)
	wasOut, wasWnd := len(c.board.records) > 0, c.sndWnd
	c.updateWindow(s)

	echo := time.Duration(0)
	if c.tsOK && s.Options.TSEcr != 0 {
		echo = time.Duration(int32(c.stamp(now)-s.Options.TSEcr)) * time.Millisecond
	}
	got, sample, unsure := 0, time.Duration(-1), false
	arrived := func(r *record) {
		got += r.len()
		if r.is(larger) && r.len() > c.mss {
			c.passed()
		}
		if d := now.Sub(r.sent); r.is(again) {
			unsure = true
		} else if sample < 0 || d < sample {
			sample = d
		}
		c.rack.delivered(now, r, echo, c.rtt.least.get())
	}
	if progress {
		c.acked(now, ack, arrived)
		if unsure {
			// Karn's algorithm (RFC 6298, 3), and more: what was sent only once may have waited at the peer for what was sent again.
			sample = -1
		}
	}
	news, stamped := 0, echo
	echo = 0 // a segment that acknowledges selectively echoes what came before the hole (RFC 7323, 4.3): it says nothing of what came behind it
	dsack := c.selective(s, &news, arrived)
	switch {
	case dsack:
		sample = -1 // it answers what came twice: what it is the first to tell of may have come long before, and its acknowledgment been lost
	case progress && stamped > 0 && (sample < 0 || unsure && stamped < sample):
		// Data may have been sent by the peer's own timer, and are no answer then. But where a program answers each request they are all that tells of a path that has become longer.
		sample = stamped
	}
	if sample >= 0 {
		c.rtt.sample(time.Duration(now), sample)
	}
	same := !progress && s.Ack == una && s.Size == 0 && s.Flags&FIN == 0 && wasWnd == c.sndWnd
	dup := same && wasOut
	if !c.sackOK && dup {
		c.rec.dups++
		got += c.mss
	}
	c.tailAnswered(now, s, same, dsack)
	c.judge(s, ack, progress, dsack, news, stamped)
	c.marked(now, s, c.sndNxt.Sub(una), progress)
	c.recover(now, una, got, progress, dup)
	if c.rec.on && !c.rec.timeout {
		c.rec.update(got, c.pipe(), c.mss, progress)
	} else if got > 0 && progress && c.limited {
		c.cc.Acked(Acked{now, ack.Sub(una), c.rtt.srtt, c.mss})
	}
	if progress {
		c.retries, c.rtt.backoff = 0, 0
		c.progress = now
		c.sendLim = max(c.sendLim, int32(min(2*c.cc.Window(), int(c.config.SendMax))))
		c.armRtx(now)
		c.armTail(now)
	} else if c.sndWnd > 0 && wasWnd == 0 {
		c.rtt.backoff, c.retries = 0, 0
		c.armRtx(now)
	}
	if c.sndWnd == 0 {
		c.retries = 0 // it lives, and has no room: that may last (RFC 9293, 3.8.6.1)
	}
	if news > 0 {
		c.dropTail()
	}
	if c.sendFull && c.out.Len() <= int(c.sendLim)*2/3 {
		c.sendFull = false
		c.events |= Writable
	}
}

// acked moves SND.UNA.
func (c *Conn) acked(now tick.Time, ack Seq, arrived func(*record)) {
	n := ack.Sub(c.sndUna)
	c.board.acked(ack, arrived)
	finAcked := c.finSent && ack == c.sndNxt
	if finAcked {
		n--
	}
	c.out.Discard(min(n, c.out.Len()))
	c.sndUna = ack
	if !finAcked {
		return
	}
	c.events |= Finished
	switch c.state {
	case FinWait1:
		c.state = FinWait2
		if c.orphan {
			c.timers.fin = now.Add(c.config.FinTimeout.duration())
		}
	case Closing:
		c.timeWait(now)
	case LastAck:
		c.end(nil)
	}
}

func (c *Conn) timeWait(now tick.Time) {
	c.state = TimeWait
	c.timers = timers{fin: now.Add(c.config.TimeWait.duration())}
}

// selective takes in SACK's blocks (RFC 2018, RFC 6675, 5) and tells whether the first says that something came twice (RFC 2883, 4).
func (c *Conn) selective(s *Segment, news *int, arrived func(*record)) (dsack bool) {
	if !c.sackOK {
		return false
	}
	blocks := s.Options.SACK[:s.Options.Blocks]
	if len(blocks) > 0 {
		b := blocks[0]
		if b.Right.LessEq(s.Ack) || len(blocks) > 1 && blocks[1].Left.LessEq(b.Left) && b.Right.LessEq(blocks[1].Right) {
			dsack = b.Left.Less(b.Right)
			c.stats.DSACKs++
			c.rack.duplicate(c.sndUna, c.sndNxt)
			blocks = blocks[1:]
		}
	}
	for _, b := range blocks {
		// A peer that tells of what was never sent, or is acknowledged, is not listened to.
		if b.Left.Less(b.Right) && c.sndUna.LessEq(b.Left) && b.Right.LessEq(c.sndNxt) && len(c.board.records) > 0 {
			*news += c.board.sack(b, arrived)
		}
	}
	return dsack
}

// tailAnswered looks what became of a tail loss probe (RFC 8985, 7.4.2). dup: the segment says nothing that the one before it did not.
func (c *Conn) tailAnswered(now tick.Time, s *Segment, dup, dsack bool) {
	if !c.tlpOut || c.sndUna.Less(c.tlpEnd) {
		return
	}
	switch {
	case !c.tlpAgain, dsack, dup && s.Options.Blocks == 0:
		c.tlpOut = false // nothing was lost: the probe was new, or came twice
	case c.tlpEnd.Less(c.sndUna):
		c.tlpOut = false
		if !c.rec.on {
			// The probe has mended a loss that nobody saw: the window has to know, all of which may have been on its way then.
			c.cc.Lost(now, c.cc.Window(), false)
			c.stats.Losses++
		}
	}
	// Else the original may have been acknowledged, late: the answer to the probe tells.
}

// marked reacts to ECN's echo, once a window (RFC 3168, 6.1.2), of which so many bytes were on their way.
func (c *Conn) marked(now tick.Time, s *Segment, flight int, progress bool) {
	if !c.ecnOK || s.Flags&ECE == 0 || !progress || c.rec.on || c.sndUna.LessEq(c.ecnEnd) {
		return
	}
	c.ecnEnd = c.sndNxt
	c.ecnReduced = true
	c.stats.Marks++
	c.cc.Lost(now, flight, true)
}

// recover finds what is lost and keeps the account of the recovery. una is what SND.UNA was before this acknowledgment, which says that got bytes have arrived.
func (c *Conn) recover(now tick.Time, una Seq, got int, progress, dup bool) {
	if c.rec.on && c.rec.end.LessEq(c.sndUna) {
		c.rec = recovery{}
		c.rack.recovered()
	}
	if c.sackOK {
		if c.board.sacked > 0 || c.rec.on {
			c.detectLoss(now, una, got)
		} else {
			c.timers.reorder = 0
		}
		return
	}
	// Without SACK: RFC 6582.
	switch {
	case progress && !c.rec.on:
		c.rec.dups = 0
	case progress && !c.rec.timeout:
		c.rec.dups = max(c.rec.dups-1, 0)
		c.loseFirst()
	case dup && c.rec.dups == 3 && !c.rec.on:
		c.loseFirst()
		c.beginRecovery(now, una, 0) // each duplicate has been counted for itself
	}
}

// loseFirst marks the first segment lost.
func (c *Conn) loseFirst() {
	if len(c.board.records) == 0 {
		return
	}
	if r := &c.board.records[0]; r.len() > c.mss {
		c.board.split(r.first.Add(c.mss))
	}
	c.board.lose(0)
}

// detectLoss asks RACK, after an acknowledgment as recover has it.
func (c *Conn) detectLoss(now tick.Time, una Seq, got int) {
	wait := c.rack.window(&c.rtt, c.rec.on, c.board.sacked/c.mss)
	news, next := c.rack.detect(now, &c.board, wait)
	c.timers.reorder = next
	if news > 0 && !c.rec.on {
		c.beginRecovery(now, una, got)
	}
}

// beginRecovery slows down, once for what was on its way when the acknowledgment came that tells of the loss: it may have acknowledged most of that. The recovery's rate is of what it will
// hear of: what was not said before to have arrived (RFC 9937, 6: RecoverFS).
func (c *Conn) beginRecovery(now tick.Time, una Seq, got int) {
	c.stats.Losses++
	c.cc.Lost(now, c.sndNxt.Sub(una), false)
	c.rec.begin(c.sndNxt, c.cc.Threshold(), c.board.outstanding()-c.board.sacked+got, c.mss)
	c.ecnReduced = c.ecnOK
	c.ecnEnd = c.sndNxt
	c.dropTail()
}

// pipe is what is on its way.
func (c *Conn) pipe() int {
	p := c.board.pipe()
	if !c.sackOK {
		p = max(p-int(c.rec.dups)*c.mss, 0)
	}
	return p
}

// payload is the rest of RFC 9293, 3.10.7.4: text and FIN.
func (c *Conn) payload(now tick.Time, s *Segment) {
	fin := s.Flags&FIN != 0
	if s.Size == 0 && !fin {
		return
	}
	switch c.state {
	case Established, FinWait1, FinWait2:
	default:
		if fin || s.Size > 0 {
			c.ackNow = true // the peer's FIN is behind us already
		}
		return
	}
	if c.ecnOK && s.Size > 0 {
		if s.Flags&CWR != 0 {
			c.ecnEcho = false
		}
		if s.CE {
			c.ecnEcho, c.ackNow = true, true
		}
	}
	if n := c.rcvNxt.Sub(s.Seq); n > 0 && s.Size > 0 {
		n = min(n, s.Size)
		c.duplicate(Block{s.Seq, s.Seq.Add(n)})
		c.ackNow = true
		s.trimFront(n)
	}
	if over := s.Seq.Add(s.Size).Sub(c.rcvAdv); over > 0 {
		s.truncate(max(s.Size-over, 0))
		fin = false
		s.Flags &^= FIN
		c.ackNow = true
	}
	if s.Size > 0 && c.orphan {
		// Nobody will read it, and the peer shall know (RFC 9293, 3.6.1).
		c.needRst, c.rstSeq = true, c.sndNxt
		c.end(ErrReset)
		return
	}
	// A peer that sends crumbs in whole blocks could have us hold many times what the window says. What has come out of order does not count against what comes in order:
	// only the latter lets go of it.
	held := c.in.Held()
	if s.Seq != c.rcvNxt {
		held += c.ooo.held()
	}
	c.share = int32(min(s.Share, math.MaxInt32))
	scarce := s.Size > 0 && s.Share != 0 && held > s.Share
	if scarce && s.Seq == c.rcvNxt && c.in.Len() == 0 {
		if s.Size > leastRead {
			s.truncate(leastRead)
			fin = false
			s.Flags &^= FIN
			c.ackNow = true
		}
		s.own()
		scarce = false
	}
	if scarce || held > c.mostHeld() {
		c.stats.NoMemory++
		c.ackNow = true
		return
	}
	mss := int(c.config.MSS)
	c.rcvMSS = max(c.rcvMSS, int32(min(max(s.SegmentSize, min(s.Size, mss)), mss)))
	if s.Seq != c.rcvNxt {
		c.stats.OutOfOrder++
		if c.ooo == nil {
			c.ooo = new(reassembly)
		}
		if c.ooo.full(s) {
			c.stats.Holes++
			c.ackNow = true
			return
		}
		if b, dup := c.ooo.add(s); dup {
			c.duplicate(b)
		}
		c.ackNow = true
		return
	}
	if s.Size > 0 {
		if c.tsOK && s.Options.TSEcr != 0 && s.Size >= int(c.rcvMSS) {
			c.tune.sample(time.Duration(int32(c.stamp(now)-s.Options.TSEcr)) * time.Millisecond)
		}
		n := s.Size
		c.rcvNxt = c.rcvNxt.Add(n)
		c.stats.BytesIn += uint64(n)
		if c.readOff {
			s.release()
		} else {
			appendAll(&c.in, s, n)
		}
		c.delayAck(now, n)
		c.pushed, c.cameAt = s.Flags&PSH != 0, now
		c.events |= Readable
	}
	if c.ooo.some() {
		was := c.rcvNxt
		var filled bool
		c.rcvNxt, filled = c.ooo.ready(was, &c.in)
		fin = fin || filled
		c.stats.BytesIn += uint64(c.rcvNxt.Sub(was))
		if c.readOff {
			c.in.Clear()
		}
		c.ackNow = true // a hole was filled, in whole or in part (RFC 5681, 4.2)
	}
	if fin {
		c.peerClosed(now)
	}
}

const (
	ackDelay = 40 * time.Millisecond
	ackBytes = 16 << 10 // where segments are large the sender may have no more than that
)

// delayAck decides when to acknowledge (RFC 9293, 3.8.6.3; RFC 5681, 4.2): two full segments at once, and what the sender pushed as soon as the program has read it, unless
// the program is one that answers.
func (c *Conn) delayAck(now tick.Time, n int) {
	c.ackLater += int32(n)
	switch {
	case int(c.ackLater) >= min(2*max(int(c.rcvMSS), min(c.mss, defaultMSS)), ackBytes) || c.config.Options.QuickAck:
		c.ackNow = true
	case c.quick > 0:
		c.quick--
		c.ackNow = true
	case c.timers.ack == 0:
		c.timers.ack = now.Add(ackDelay)
	}
}

// peerClosed takes in the peer's FIN, in order.
func (c *Conn) peerClosed(now tick.Time) {
	c.peerFin, c.finSeq = true, c.rcvNxt
	c.rcvNxt++
	c.ackNow = true
	c.events |= Readable | PeerClosed
	switch c.state {
	case Established:
		c.state = CloseWait
	case FinWait1:
		c.state = Closing
	case FinWait2:
		c.timeWait(now)
	}
}

// Reusable tells whether a SYN may begin a new connection in place of this one, which is in TIME-WAIT: it is surely newer than anything that is left of the old
// one (RFC 6191; RFC 9293, 3.6.1).
func (c *Conn) Reusable(s *Segment) bool {
	if c.state != TimeWait || s.Flags&(SYN|ACK|RST) != SYN {
		return false
	}
	if c.tsOK && s.Options.HasTimestamps && s.Options.TSVal != c.tsLast {
		return int32(s.Options.TSVal-c.tsLast) > 0
	}
	return c.rcvNxt.Less(s.Seq)
}
