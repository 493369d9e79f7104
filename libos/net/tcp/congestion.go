package tcp

import (
	"time"

	"github.com/hardtack-os/hardtack/libos/net/tick"
)

// A Congestion is a congestion control: it decides how much may be on its way. Sizes are bytes. Its methods do not block, and but for TimedOut do not allocate.
type Congestion interface {
	// Name is what TCP_CONGESTION calls it.
	Name() string

	// Start sets it to the initial window (RFC 6928) for segments of so many bytes. It is called again when the size changes or the connection
	// was idle for longer than a timeout (RFC 5681, 4.1); then the window is at most what it was.
	Start(mss int)

	// Acked tells of progress outside of loss recovery, while the window was what held sending back.
	Acked(a Acked)

	// Lost tells, once a round trip, that something was lost, or, with ecn, was marked (RFC 3168, 6.1.2).
	Lost(now tick.Time, inFlight int, ecn bool)

	// TimedOut tells that the retransmission timer has fired for the first time in a row.
	TimedOut(now tick.Time, inFlight int)

	// Undo takes the last TimedOut back, of which there was one: it came for nothing.
	Undo()

	// Window is the congestion window, Threshold the slow start threshold.
	Window() int
	Threshold() int
}

// Acked is what an acknowledgment says.
type Acked struct {
	Now   tick.Time
	Bytes int           // newly acknowledged
	RTT   time.Duration // smoothed
	MSS   int
}

// initialWindow is RFC 6928's.
func initialWindow(mss int) int { return min(10*mss, max(2*mss, 14600)) }

// infinite is a slow start threshold that nobody has set yet.
const infinite = 1 << 30

// slowStart gives the window after an acknowledgment in slow start, and how many of the bytes it did not need (RFC 5681, 3.1 with RFC 3465's bytes, L = 2 segments;
// a stretched acknowledgment counts for each of its segments, as receivers that join segments send them).
func slowStart(window, threshold, bytes int) (grown, left int) {
	grown = min(window+bytes, threshold)
	return grown, bytes - (grown - window)
}
