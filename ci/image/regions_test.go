//go:build !hardtack

package image

import "testing"

// TestManyRegions makes the list of regions outgrow its first frames; once it did not grow and overwrote its neighbours.
func TestManyRegions(t *testing.T) {
	t.Parallel()
	run(t, "regions", machine{memory: "64M"}).want(t, 0, "kept\n")
}
