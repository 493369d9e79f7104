package tcp

import "github.com/hardtack-os/hardtack/libos/net/tick"

// A Listener is a listening port (LISTEN of RFC 9293): it makes connections of SYNs. It does not hold them: who drives them tells it what becomes of
// them. Fields before Input is first called, afterwards by one goroutine at a time.
//
// At most Backlog connections wait for the program, and as many again (64 at least) for the third step of the handshake. Beyond that a SYN is answered by a cookie, which takes no
// memory (RFC 4987, 3.6); when the program itself does not keep up, SYNs are dropped, and the peers try again.
type Listener struct {
	Config  Config
	Backlog int
	Secret  *Secret

	half, ready int
	flooded     tick.Time // when a cookie was last sent

	Cookies, BadCookies, Dropped uint64
}

// Half and Ready tell how many connections are in the two queues.
func (l *Listener) Half() int  { return l.half }
func (l *Listener) Ready() int { return l.ready }

func (l *Listener) halfLimit() int { return max(l.Backlog, 64) }

// Flooded tells whether more has come lately than the queue of half-open connections holds.
func (l *Listener) Flooded(now tick.Time) bool {
	return l.flooded != 0 && now.Sub(l.flooded) < cookieTick
}

// spareRetries is how often a half-open connection sends its SYN again though its listener is flooded, as on Linux at the least.
const spareRetries = 2

// Spare is for after Tick, where the listener that a connection is of is flooded: most such connections are of hosts that are not there, and each would have its SYN sent to them eight
// times. It keeps its place, for a cookie costs less than whoever would take it; and a peer that is there sends its own SYN again, which is answered.
func (c *Conn) Spare() {
	if c.state == SynReceived && c.retries > spareRetries {
		c.needSyn = false
	}
}

// Established tells that a connection that Input made is established and waits for the program.
func (l *Listener) Established() {
	l.half--
	l.ready++
}

// Failed tells that one never was. Accepted tells that the program has taken one, or that one has ended in the queue.
func (l *Listener) Failed() { l.half-- }

// Accepted see Failed.
func (l *Listener) Accepted() { l.ready-- }

// Input takes in a segment to the port that belongs to no connection (RFC 9293, 3.10.7.2). It gives a connection to be entered and driven, or, with answer, a segment to
// be sent, or neither. A connection made by a cookie is established already; s was its input.
func (l *Listener) Input(now tick.Time, t Tuple, s, reply *Segment) (c *Conn, answer bool) {
	defer s.release()
	switch {
	case s.Flags&RST != 0:
		return nil, false
	case s.Flags&ACK != 0:
		if c = l.byCookie(now, t, s); c == nil {
			return nil, Refuse(s, reply)
		}
		return c, false
	case s.Flags&SYN == 0:
		return nil, false
	case l.ready >= max(l.Backlog, 1):
		l.Dropped++
		return nil, false
	case l.half >= l.halfLimit():
		l.flooded = now
		l.Cookies++
		l.cookie(now, t, s, reply)
		return nil, true
	}
	l.half++
	return l.accept(now, t, s, l.Secret.ISN(now, t)), false
}

// accept makes a connection of a SYN.
func (l *Listener) accept(now tick.Time, t Tuple, s *Segment, iss Seq) *Conn {
	c := newConn(now, l.Config, t.Local.Port(), t.Remote.Port(), iss, l.Secret.Stamp(t))
	c.negotiate(now, s)
	c.ecnOK = s.Flags.Has(ECE | CWR) // who is asked says yes, as Linux does (tcp_ecn of 2)
	c.state = SynReceived
	c.needSyn = true
	return c
}

// Refuse makes the answer to a segment that belongs to nothing (RFC 9293, 3.10.7.1); false: none is due.
func Refuse(s, reply *Segment) bool {
	if s.Flags&RST != 0 {
		return false
	}
	*reply = Segment{Payload: reply.Payload[:0], SrcPort: s.DstPort, DstPort: s.SrcPort, Flags: RST}
	if s.Flags&ACK != 0 {
		reply.Seq = s.Ack
		return true
	}
	reply.Ack = s.End()
	reply.Flags |= ACK
	return true
}
