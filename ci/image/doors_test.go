//go:build !hardtack

package image

import "testing"

// TestDoors shows that a buffer on a tiny stack survives growth, shrinking and collection inside the libOS.
func TestDoors(t *testing.T) {
	t.Parallel()
	for _, cpus := range []int{1, 2} {
		run(t, "doors", machine{cpus: cpus}).want(t, 0, "door0=0\n", "door1=0\n", "door2=0\n", "door3=0\n", "door4=0\n", "door5=0\n")
	}
}
