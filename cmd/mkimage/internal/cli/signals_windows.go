package cli

import "os"

// stopSignals ask a running image to stop.
var stopSignals = []os.Signal{os.Interrupt}
