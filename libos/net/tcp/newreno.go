package tcp

import "github.com/hardtack-os/hardtack/libos/net/tick"

// newReno is the standard's congestion control (RFC 5681; recovery itself is RFC 9937's, here as with every other one).
type newReno struct {
	window, threshold int
	mss               int
	acked             int // bytes since the window last grew, in congestion avoidance
	was               struct{ window, threshold int }
}

// NewReno makes a NewReno congestion control.
func NewReno() Congestion { return &newReno{threshold: infinite} }

func (r *newReno) Name() string   { return "reno" }
func (r *newReno) Window() int    { return r.window }
func (r *newReno) Threshold() int { return r.threshold }

func (r *newReno) Start(mss int) {
	if r.mss == 0 {
		r.window = initialWindow(mss)
	}
	r.window = min(r.window, initialWindow(mss))
	r.mss = mss
}

func (r *newReno) Acked(a Acked) {
	left := a.Bytes
	if r.window < r.threshold {
		if r.window, left = slowStart(r.window, r.threshold, left); left <= 0 {
			return
		}
	}
	// A segment more for each window acknowledged (RFC 5681, 3.1, equation 2, counted).
	r.acked += left
	for r.acked >= r.window {
		r.acked -= r.window
		r.window += r.mss
	}
}

// half is what is left of what was on its way (RFC 5681, equation 4).
func (r *newReno) half(inFlight int) int { return max(inFlight/2, 2*r.mss) }

// Lost takes the window where more was on its way: the acknowledgment that ends a recovery may tell of the next loss, and of what was sent before the window shrank.
func (r *newReno) Lost(_ tick.Time, inFlight int, _ bool) {
	r.threshold = r.half(min(inFlight, r.window))
	r.window, r.acked = r.threshold, 0
}

func (r *newReno) TimedOut(_ tick.Time, inFlight int) {
	r.was.window, r.was.threshold = r.window, r.threshold
	r.threshold = r.half(inFlight)
	r.window, r.acked = r.mss, 0
}

func (r *newReno) Undo() {
	r.window, r.threshold = max(r.window, r.was.window), max(r.threshold, r.was.threshold)
}
