package tcp

import "time"

// A timeout may come for nothing: the path has become slower than the timer knew, and what it took for lost arrives. To send all of it again would double what is on
// a path that is slow already, and the window would be one segment for nothing. Two ways find out, by the first acknowledgments after it:
//
// With timestamps an acknowledgment that echoes one from before the retransmission answers the original (the Eifel detection algorithm, RFC 3522).
//
// Without them what was sent for the first time is sent next, and not what counts as lost: if then something is acknowledged that was not sent again, it was on its way all
// the time (F-RTO, RFC 5682, 2.1, and with SACK 3.1).
//
// What was done is undone then (RFC 4015; RFC 9438, 4.9.1): the window is what it was, nothing counts as lost, and the timer learns how slow the path is.

// An inquiry is into the last timeout. nil: there never was one.
type inquiry struct {
	stage stage
	fresh bool   // F-RTO: something was sent for the first time since
	stamp uint32 // Eifel: RetransmitTS
	end   Seq    // F-RTO: behind what was sent again, one segment
}

type stage uint8

const (
	decided stage = iota // nothing is to be found out
	fired                // nothing was sent again yet
	resent               // something was: the next acknowledgment tells, or leads to
	probing              // F-RTO: what was never sent goes out, and the acknowledgment after that tells
)

// suspect begins to look whether a timeout came for nothing, the first one in a row: its window is what Undo knows. One of a recovery that is under way, and with F-RTO a further one,
// is taken for what it seems. It allocates at a connection's first one.
func (c *Conn) suspect(first bool) {
	if !first && c.tsOK {
		return
	}
	if !first || c.rec.on {
		if c.undo != nil {
			c.undo.stage = decided
		}
		return
	}
	if c.undo == nil {
		c.undo = new(inquiry)
	}
	*c.undo = inquiry{stage: fired}
}

// sentAgain notes what is sent again: out.
func (u *inquiry) sentAgain(out *Segment) {
	if u != nil && u.stage == fired {
		u.stage, u.stamp, u.end = resent, out.Options.TSVal, out.End()
	}
}

// holds tells whether what counts as lost waits until it is known whether it is.
func (u *inquiry) holds() bool { return u != nil && u.stage == probing }

// sentFresh notes that something was sent for the first time.
func (u *inquiry) sentFresh() {
	if u != nil {
		u.fresh = true
	}
}

// release ends the wait where there is nothing to be sent for the first time, by which F-RTO would find out. It tells whether there was one.
func (u *inquiry) release() bool {
	if !u.holds() || u.fresh {
		return false
	}
	u.stage = decided
	return true
}

// judge looks at an acknowledgment, up to ack, which brought progress, or says that something came twice, or news of so many bytes below the end of what was on its way, or neither; echo is how long ago what it
// echoes was sent, 0 if that is not known.
func (c *Conn) judge(s *Segment, ack Seq, progress, dsack bool, news int, echo time.Duration) {
	u := c.undo
	if u == nil || u.stage == decided {
		return
	}
	if !c.rec.on || !c.rec.timeout {
		u.stage = decided
		return
	}
	switch {
	case u.stage == fired:
		if progress {
			c.takeBack(echo) // before anything was sent again
		}
	case c.tsOK:
		if progress {
			u.stage = decided // the first one tells (RFC 3522, 3.2, step 5)
			// One that says that something came twice was sent for what was sent again: the original has arrived, and what answered it was lost.
			if o := s.Options.TSEcr; o != 0 && int32(o-u.stamp) < 0 && !dsack {
				c.takeBack(echo)
			}
		}
	case u.stage == resent:
		switch {
		case !progress: // with SACK it waits for more (RFC 5682, 3.1, step 2), without it is over
			if !c.sackOK {
				u.stage = decided
			}
		case c.rec.end.LessEq(ack) || ack.Less(u.end):
			u.stage = decided
		default:
			u.stage, u.fresh = probing, false
		}
	case progress, news > 0 && !c.aboveRecovery(s):
		c.takeBack(echo)
	case u.fresh:
		u.stage = decided // what was sent since has arrived, and what was before it has not
	}
}

// aboveRecovery tells whether a segment's first block is of what was sent after the timeout.
func (c *Conn) aboveRecovery(s *Segment) bool {
	return s.Options.Blocks > 0 && c.rec.end.LessEq(s.Options.SACK[0].Left)
}

// takeBack undoes a timeout.
func (c *Conn) takeBack(echo time.Duration) {
	c.undo.stage = decided
	c.stats.Spurious++
	c.cc.Undo()
	c.board.found()
	c.rec = recovery{}
	c.ecnReduced = false
	if c.retries <= 1 {
		c.rtt.late(echo) // else acknowledgments were lost, too, and it says little of the path
	}
}

// late takes in how long something has taken that was given up (RFC 4015, 3.4).
func (r *rtt) late(d time.Duration) {
	if d <= 0 {
		return
	}
	r.srtt, r.rttvar = max(r.srtt, d), max(r.rttvar, d/2)
	r.bound()
}

// found takes back that anything is lost.
func (b *scoreboard) found() {
	for i := range b.records {
		b.records[i].state &^= lost
	}
	b.lost, b.hint = 0, len(b.records)
}
