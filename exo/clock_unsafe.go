package exo

import _ "unsafe" // for go:linkname

// nanotime is the runtime's monotonic clock. Package time shows it only as differences.
//
//go:linkname nanotime runtime.nanotime
func nanotime() int64
