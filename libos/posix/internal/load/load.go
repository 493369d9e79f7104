// Package load has the load averages, those of getloadavg(3): how many CPUs had something to run, in the mean of one, five and fifteen minutes.
//
// Linux looks every five seconds who wants to run, and lets what it saw before fade. Here nobody wakes for that: it is done when somebody asks, with the mean since
// somebody last did, which is exact, as the time that CPUs were busy is. So who asks often gets what Linux tells of the same program; who asks for the first time after hours gets
// their mean. Goroutines that wait for a CPU do not count, as they do not on Linux: there it is threads, of which a Go program has no more running than it has CPUs.
package load

import (
	"math"
	"sync"

	"github.com/hardtack-os/hardtack/libos/posix"
)

// Averages are of one, five and fifteen minutes.
type Averages [3]float64

// minutes are those of Averages.
var minutes = Averages{1, 5, 15}

// A Meter has what was known when somebody last asked. The zero Meter begins at boot, with no load.
type Meter struct {
	at, busy int64 // nanoseconds since boot; of all CPUs together
	mean     Averages
}

// Read gives the averages at a time, when CPUs have been busy for so long, both in nanoseconds since boot.
func (m *Meter) Read(now, busy int64) Averages {
	if now <= m.at {
		return m.mean
	}
	since := float64(now - m.at)
	running := float64(max(busy-m.busy, 0)) / since
	for i := range m.mean {
		kept := math.Exp(-since / (minutes[i] * 60e9))
		m.mean[i] = m.mean[i]*kept + running*(1-kept)
	}
	m.at, m.busy = now, max(busy, m.busy)
	return m.mean
}

// machine is the meter of this one.
var machine struct {
	sync.Mutex
	Meter
}

// Now are the machine's averages.
func Now() Averages {
	machine.Lock()
	defer machine.Unlock()
	return machine.Read(posix.Uptime(), posix.CPUTime())
}
