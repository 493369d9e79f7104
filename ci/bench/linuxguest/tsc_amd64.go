package linuxguest

const haveTSC = true

// readTSC executes RDTSC.
func readTSC() uint64
