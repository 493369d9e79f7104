//go:build !hardtack

package image

import "testing"

// TestManyRegions makes the list of regions outgrow its first frames; once it did not grow and overwrote its neighbours.
func TestManyRegions(t *testing.T) {
	t.Parallel()
	run(t, "regions", machine{memory: "64M"}).want(t, 0, "kept\n")
}

// TestUnmap: what is to be there when it is mapped was not; tables of small pages were kept, and a page of a large one stayed mapped where no frame was left to split it with.
func TestUnmap(t *testing.T) {
	t.Parallel()
	run(t, "unmap", machine{memory: "128M"}).want(t, 0, "tables came back: true of 320\nbrought in: true true\nlarge: true\nfull: true errno 0\n1 3 true false\n")
}
