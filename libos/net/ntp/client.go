package ntp

import (
	"errors"
	"time"
)

// How often a server is asked (RFC 5905, section 7.3: poll intervals are powers of two; RFC 8633, section 3): soon again while nobody answers, less and less
// often once somebody does.
const (
	firstRetry = 2 * time.Second
	lastRetry  = 64 * time.Second
	firstPoll  = 64 * time.Second
	lastPoll   = 1024 * time.Second
	patience   = 2 * time.Second // for an answer
)

// A client decides whom to ask when, and what an answer means for the clock. It has no clock, socket or goroutine of its own.
type client struct {
	servers []string
	next    int           // index of the one to be asked
	wait    time.Duration // until then
	synced  bool          // somebody has answered
}

func newClient(servers []string) *client { return &client{servers: servers} }

// server is whom to ask; "" once all have refused for good.
func (c *client) server() string {
	if len(c.servers) == 0 {
		return ""
	}
	return c.servers[c.next]
}

// failed notes that the server did not answer, or with err. The next one gets its turn.
func (c *client) failed(err error) {
	var r refusal
	if errors.As(err, &r) && (r == "DENY" || r == "RSTR") {
		c.servers = append(c.servers[:c.next:c.next], c.servers[c.next+1:]...)
	} else {
		c.next++
	}
	if c.next >= len(c.servers) {
		c.next = 0
	}
	switch {
	case r == "RATE":
		c.wait = lastPoll
	case c.synced:
		c.wait = lastRetry
	default:
		c.wait = min(max(2*c.wait, firstRetry), lastRetry)
	}
}

// answered notes an answer and returns by how much to step the clock: not at all where the answer is no surer than the clock.
func (c *client) answered(s sample) time.Duration {
	if !c.synced {
		c.wait = firstPoll / 2
	}
	c.synced = true
	c.wait = min(max(2*c.wait, firstPoll), lastPoll)
	if s.offset.Abs() <= s.delay/2 {
		return 0
	}
	return s.offset
}
