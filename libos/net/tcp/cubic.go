package tcp

import (
	"math/bits"
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// cubic is the congestion control of RFC 9438, in integers: windows are segments times 2^16, times are milliseconds.
type cubic struct {
	window    int   // bytes
	threshold int32 // likewise
	mss       int32
	pending   int32     // acknowledged bytes that have not moved the window yet
	k         int32     // ms from epoch until the curve is at origin
	epoch     tick.Time // when the present stage of growth began; 0: at the next acknowledgment
	max       uint64    // W_max: where the last loss was
	origin    uint64    // the plateau: W_max, or where the epoch began if that is higher
	friend    uint64    // W_est: the window that Reno would have by now

	was *cubic // before the last timeout; nil: there was none
}

// Cubic makes a CUBIC congestion control.
func Cubic() Congestion { return &cubic{threshold: infinite} }

const (
	one = 1 << 16 // a segment

	// betaCubic is 0.7 and alphaReno 3*(1-0.7)/(1+0.7) (RFC 9438, 4.3 and 4.6), in 1024ths.
	betaCubic = 717
	alphaReno = 542

	// betaECN is 0.85 in 1024ths (RFC 8511).
	betaECN = 870
)

func (c *cubic) Name() string   { return "cubic" }
func (c *cubic) Window() int    { return c.window }
func (c *cubic) Threshold() int { return int(c.threshold) }

func (c *cubic) Start(mss int) {
	if c.mss == 0 {
		c.window = initialWindow(mss)
	}
	c.window = min(c.window, initialWindow(mss))
	c.mss = int32(mss)
	c.epoch = 0
}

// segments is a number of bytes as segments.
func (c *cubic) segments(bytes int) uint64 { return uint64(bytes) * one / uint64(c.mss) }

func (c *cubic) Acked(a Acked) {
	left := a.Bytes
	if threshold := int(c.threshold); c.window < threshold {
		if c.window, left = slowStart(c.window, threshold, left); left <= 0 {
			return
		}
	}
	cwnd := c.segments(c.window)
	if c.epoch == 0 {
		c.begin(a.Now, cwnd)
	}
	// W_est grows by alpha segments a window (4.3); by one once it has been where the last loss was.
	alpha := uint64(alphaReno)
	if c.friend >= c.max {
		alpha = 1024
	}
	c.friend += c.segments(left) * alpha / 1024 * one / cwnd
	// The curve a round trip from now (4.2), at most half as much again as now.
	t := int64(a.Now.Sub(c.epoch)+a.RTT) / int64(time.Millisecond)
	target := min(max(c.curve(t), c.friend, cwnd), cwnd+cwnd/2)
	if target == cwnd {
		return
	}
	// cwnd += (target-cwnd)/cwnd for each segment acknowledged (4.4), counted in bytes.
	c.pending += int32(left)
	hi, lo := bits.Mul64(target-cwnd, uint64(c.pending))
	if hi != 0 {
		hi, lo = 0, 1<<63
	}
	if grow := int(lo / cwnd); grow > 0 {
		c.window += grow
		c.pending = 0
	}
}

// begin starts a stage of growth (4.2).
func (c *cubic) begin(now tick.Time, cwnd uint64) {
	c.epoch, c.friend, c.pending = now, cwnd, 0
	c.origin, c.k = cwnd, 0
	if cwnd < c.max {
		c.origin = c.max
		// K = cbrt((W_max - cwnd) / C), C = 0.4, in seconds: in ms it is cbrt((W_max - cwnd) * 2.5 * 10^9).
		hi, lo := bits.Mul64(c.max-cwnd, 2_500_000_000)
		c.k = int32(cubeRoot(hi<<(64-16) | lo>>16))
	}
}

// curve is W_cubic(t) = C * (t - K)^3 + W_max (4.2).
func (c *cubic) curve(ms int64) uint64 {
	d := ms - int64(c.k)
	neg := d < 0
	if neg {
		d = -d
	}
	// 0.4 * d^3 / 10^9 segments. Beyond the bound the curve is steeper than any window can follow.
	const bound = 100_000
	u := uint64(min(d, bound))
	rise := u * u * u / 1000 * (one * 4 / 10) / 1_000_000
	if neg {
		return c.origin - min(rise, c.origin)
	}
	return c.origin + rise
}

func (c *cubic) Lost(_ tick.Time, inFlight int, ecn bool) {
	was := c.segments(c.window)
	beta := betaCubic
	if ecn {
		beta = betaECN
	}
	// Fast convergence: a flow that lost earlier than last time leaves room (4.7).
	if was < c.max {
		c.max = was * (1024 + betaCubic) / 2048
	} else {
		c.max = was
	}
	mss := int(c.mss)
	c.threshold = int32(max(min(c.window, max(inFlight, mss))*beta/1024, 2*mss))
	c.window, c.epoch = int(c.threshold), 0
}

func (c *cubic) TimedOut(now tick.Time, inFlight int) {
	if c.was == nil {
		c.was = new(cubic)
	}
	was := c.was
	*was = *c
	was.was = nil
	c.Lost(now, inFlight, false)
	c.window = int(c.mss)
}

// Undo is RFC 9438, 4.9.1.
func (c *cubic) Undo() {
	now := *c
	*c = *c.was
	c.window, c.threshold = max(c.window, now.window), max(c.threshold, now.threshold)
	c.mss, c.was = now.mss, now.was
}

// cubeRoot gives the largest r with r*r*r <= n.
func cubeRoot(n uint64) uint64 {
	r := uint64(0)
	for bit := uint64(1) << 21; bit > 0; bit >>= 1 {
		if t := r | bit; t <= 2642245 && t*t*t <= n {
			r = t
		}
	}
	return r
}
