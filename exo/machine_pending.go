//go:build hardtack

package exo

import "runtime"

// What the bottom half will give, and until then cannot: package runtime has to push these four as it does those of
// machine_hardtack.go, where their declarations then belong, and this file goes.

// hwTakeFrame takes the frame at physical address phys out of the free ones; false if it is not free.
func hwTakeFrame(phys uintptr) bool { return false }

// hwTakeVector gives out vector v; false if it is given out or outside 48..238.
func hwTakeVector(v int) bool { return false }

// hwWakeVector wakes the goroutine in hwVectorWait as if the vector had fired.
func hwWakeVector(v int) {}

// canWake says whether hwWakeVector does.
const canWake = false

// hwQuiesce returns when every goroutine has been at a safe point since the call: it stops the world once.
func hwQuiesce() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
}
