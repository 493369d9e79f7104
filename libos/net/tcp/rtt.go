package tcp

import "time"

// Bounds of the retransmission timeout. RFC 6298 (2.4) wants a second at the least; 200 ms is what all hosts use since their clocks are fine: the
// variation that it adds to the round trip covers delayed ACKs, which take 40 ms here and 200 ms at most elsewhere.
const (
	minRTO     = 200 * time.Millisecond
	maxRTO     = 60 * time.Second
	initialRTO = time.Second
)

// rtt estimates the round trip and the time after which something unacknowledged counts as lost (RFC 6298).
type rtt struct {
	srtt, rttvar time.Duration
	rto          time.Duration
	least        windowedMin // of the samples of the last minutes: what RACK and the like take for the path's own
	backoff      uint8       // doublings of rto since the last answer
}

// sample takes in one measured round trip (RFC 6298, 2.2 and 2.3).
func (r *rtt) sample(now, d time.Duration) {
	d = max(d, time.Microsecond)
	if r.srtt == 0 {
		r.srtt, r.rttvar = d, d/2
	} else {
		r.rttvar += (abs(r.srtt-d) - r.rttvar) / 4
		r.srtt += (d - r.srtt) / 8
	}
	r.least.add(now, d)
	r.bound()
	r.backoff = 0
}

// bound computes the timeout (RFC 6298, 2.3 to 2.5). The clock's granularity is the millisecond of timestamps.
func (r *rtt) bound() {
	r.rto = min(max(r.srtt+max(4*r.rttvar, time.Millisecond), minRTO), maxRTO)
}

// timeout is the retransmission timeout, backed off (RFC 6298, 5.5).
func (r *rtt) timeout() time.Duration {
	d := r.rto
	if d == 0 {
		d = initialRTO
	}
	for range r.backoff {
		if d *= 2; d >= maxRTO {
			return maxRTO
		}
	}
	return d
}

func (r *rtt) backOff() {
	if r.backoff < 16 {
		r.backoff++
	}
}

func abs(d time.Duration) time.Duration { return max(d, -d) }

// windowedMin is the least of what was added in the last five to ten minutes (RFC 8985, 6.2 step 1 wants it windowed): that of the window under way and that
// of the one before.
type windowedMin struct {
	began     time.Duration
	this, old time.Duration
}

func (w *windowedMin) add(now, d time.Duration) {
	const window = 5 * time.Minute
	if w.this == 0 || now-w.began > window {
		w.old = w.this
		w.began, w.this = now, d
	}
	w.this = min(w.this, d)
}

// get is the minimum, 0 if nothing was added.
func (w *windowedMin) get() time.Duration {
	if w.old != 0 {
		return min(w.this, w.old)
	}
	return w.this
}
