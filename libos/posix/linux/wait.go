package linux

import (
	"math"

	"github.com/hardtack-os/hardtack/libos/posix"
	"github.com/hardtack-os/hardtack/libos/posix/internal/park"
)

// Deadlines are in uptime. forever never passes; 0 always has.
const forever = math.MaxInt64

// after is the deadline in ns.
func after(ns int64) int64 {
	if ns <= 0 {
		return 0
	}
	return addSaturated(posix.Uptime(), ns)
}

// afterMS converts the timeout of poll and epoll_wait: milliseconds, below 0 for ever.
func afterMS(ms int32) int64 {
	if ms < 0 {
		return forever
	}
	return after(int64(ms) * 1e6)
}

func addSaturated(a, b int64) int64 {
	if b > 0 && a > forever-b {
		return forever
	}
	return a + b
}

// parkUntil sleeps until somebody wakes p, or until deadline.
func parkUntil(p *park.Parker, deadline int64) {
	if deadline == forever {
		p.Park(-1)
		return
	}
	p.Park(max(deadline-posix.Uptime(), 0))
}

// sleepUntil sleeps until deadline.
func sleepUntil(deadline int64) {
	p := new(park.Parker)
	for posix.Uptime() < deadline {
		parkUntil(p, deadline)
	}
}
