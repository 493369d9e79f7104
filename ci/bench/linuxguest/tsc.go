package linuxguest

import (
	"fmt"
	"sync"
	"time"
)

// tscWindow is how long the TSC is watched. QEMU without icount shows the guest the host's TSC.
const tscWindow = 100 * time.Millisecond

// hostTSC measures the host's TSC frequency in Hz, once.
var hostTSC = sync.OnceValues(func() (float64, error) {
	if !haveTSC {
		return 0, fmt.Errorf("the Linux guest needs an x86-64 host, whose TSC it reads; leave it out with -linux=false")
	}
	began, first := time.Now(), readTSC()
	time.Sleep(tscWindow)
	last, took := readTSC(), time.Since(began)
	if last <= first {
		return 0, fmt.Errorf("the host's TSC went from %d to %d in %v; the Linux guest cannot keep time by it", first, last, took)
	}
	return float64(last-first) / took.Seconds(), nil
})
