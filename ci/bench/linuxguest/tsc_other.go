//go:build !amd64

package linuxguest

const haveTSC = false

func readTSC() uint64 { panic("linuxguest: there is no TSC on this architecture") }
