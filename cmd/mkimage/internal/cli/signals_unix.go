//go:build unix

package cli

import (
	"os"
	"syscall"
)

// stopSignals ask a running image to stop.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
