package tcp

import (
	"math"
	"math/bits"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// pacing spreads what a connection sends over time, where the program asks for that: at most so many bytes of payload a second leave. What is sent again counts, what only acknowledges
// does not. nil: as fast as the windows let it, which is what RFC 5681 has, and Linux where no queue discipline paces.
//
// Rejected: pacing every connection by its window and round trip. What that is good for, short queues in the network, a card that cuts 64 KiB and an acknowledgment that stands for twenty
// segments take away again; and it costs a timer a segment.
type pacing struct {
	rate uint64    // bytes a second
	next tick.Time // nothing is sent before
	held bool      // something was to be sent, and waits
}

// paceBurst is how much is sent at once, as time at the rate, but two segments at least: small enough for queues, large enough for a timer. Who comes late by as much does not lose it.
const paceBurst = time.Millisecond

// SetMaxRate bounds the bytes of payload a second that are sent, in bursts of a millisecond's or two segments (SO_MAX_PACING_RATE of Linux); 0: nothing bounds them. It allocates the
// first time.
func (c *Conn) SetMaxRate(rate uint64) {
	switch {
	case rate == 0:
		c.pace = nil
	case c.pace == nil:
		c.pace = &pacing{rate: rate}
	case c.pace.rate != rate:
		c.pace.rate, c.pace.next = rate, 0
	}
}

// holds tells whether data wait for their time. nil holds nothing.
func (p *pacing) holds() bool { return p != nil && p.held }

// wait tells whether nothing may be sent now but what has no payload; some: there is something.
func (p *pacing) wait(now tick.Time, some bool) bool {
	p.held = some && p.next > now
	return p.held
}

// sent takes in that n bytes go out.
func (p *pacing) sent(now tick.Time, n int) {
	from := max(p.next, now.Add(-paceBurst))
	const second = uint64(time.Second)
	ns := uint64(math.MaxInt64)
	if hi, lo := bits.Mul64(uint64(n), second); hi < p.rate {
		ns, _ = bits.Div64(hi, lo, p.rate)
	}
	p.next = from.Add(time.Duration(min(ns, uint64(maxPace))))
}

// maxPace bounds how long one segment holds up the next, whatever the rate.
const maxPace = 10 * time.Second

// largest is how much payload a segment may have that the device cuts.
func (c *Conn) largest() int {
	most := int(c.config.MaxSend)
	if c.pace != nil {
		burst := min(c.pace.rate/uint64(time.Second/paceBurst), uint64(most))
		most = min(most, max(int(burst), 2*c.mss))
	}
	return most
}
