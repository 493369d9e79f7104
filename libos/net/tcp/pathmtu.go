package tcp

import (
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A path may drop large packets and not say so: a black hole (RFC 2923, 2.1). What times out twice in a row while it fills segments is therefore sent in smaller ones, and a single
// large segment, of data that are due anyway, asks now and then whether large ones pass again (RFC 4821, 7; RFC 8899, 4.2 and 5.1).

const (
	baseMSS    = 1160             // a packet of 1200 bytes (RFC 8899, 5.1.2, BASE_PLPMTU) less the headers of IPv4 and TCP
	raiseFirst = time.Second      // it may have been an outage
	raiseAfter = 10 * time.Minute // RFC 8899, 5.1.1: PMTU_RAISE_TIMER
)

// A blackHole is what is known of one.
type blackHole struct {
	was  int32     // mss before it was found; 0: there is none
	path int32     // pathMSS likewise
	next tick.Time // when to try a large segment
}

// suspectPath makes segments smaller; the timer has fired for the second time in a row, or the fourth.
func (c *Conn) suspectPath(now tick.Time) {
	least := defaultMSS
	if c.retries%2 != 0 || c.mss <= least || c.board.records[0].len() <= least {
		return
	}
	if c.hole.was == 0 {
		c.hole.was, c.hole.path = int32(c.mss), c.pathMSS
	}
	c.hole.next = now.Add(raiseFirst)
	if c.mss > baseMSS {
		least = baseMSS
	}
	c.SetMSS(now, least)
}

// large tells whether the next segment is to be a large one, with n bytes to send and so many that windows allow.
func (c *Conn) large(now tick.Time, n, allowed int) bool {
	was := int(c.hole.was)
	return was > c.mss && c.hole.next.Due(now) && !c.rec.on && n >= was && allowed >= was
}

// passed takes in that a large segment has arrived.
func (c *Conn) passed() {
	c.pathMSS = c.hole.path
	c.hole = blackHole{}
	c.setMSS()
}
