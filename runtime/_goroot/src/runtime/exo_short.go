package runtime

import (
	"internal/abi"
	"internal/runtime/atomic"
)

// Short cuts of the scheduler where the answer is known: each function here stands before Go's own, which it asks otherwise.

// wakep has nobody to wake where there is one P: its caller has it. Go's own finds that out under the scheduler's lock, whenever a goroutine becomes ready.
//
//go:noinline
func wakep() {
	if gomaxprocs != 1 || getg().m.p == 0 {
		exoGoWakep()
	}
}

// stealWork has nobody to steal from there. Go's own looks four times round.
func stealWork(now int64) (gp *g, inheritTime bool, rnow, pollUntil int64, newWork bool) {
	if gomaxprocs == 1 {
		return nil, false, now, 0, false
	}
	return exoGoStealWork(now)
}

// exoNotSystem is where the last goroutine began that was asked about and is not the system's, whatever it does. Programs start many at one place, and it is asked when each begins and ends.
var exoNotSystem uintptr

// isSystemGoroutine looks the function up by its name only where it is another one than last time.
func isSystemGoroutine(gp *g, fixed bool) bool {
	if gp.startpc == atomic.Loaduintptr(&exoNotSystem) {
		return false
	}
	if exoGoIsSystemGoroutine(gp, fixed) {
		return true
	}
	// These two are so while they do the program's work.
	if f := findfunc(gp.startpc); f.valid() && f.funcID != abi.FuncID_runFinalizers && f.funcID != abi.FuncID_runCleanups {
		atomic.Storeuintptr(&exoNotSystem, gp.startpc)
	}
	return false
}
