//go:build !hardtack

package exo

import "time"

// hwPredicate waits by looking again and again: the host's scheduler looks for nobody. Time is the host's, whatever machine is simulated.
func hwPredicate(look func() bool) (wait func(deadline int64)) {
	return func(deadline int64) {
		for !look() && (deadline == 0 || Now() < deadline) {
			time.Sleep(50 * time.Microsecond)
		}
	}
}

func hwPoke() {}
