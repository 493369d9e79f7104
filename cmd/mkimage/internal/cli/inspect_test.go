package cli

import (
	"maps"
	"testing"

	"github.com/hardtack-os/hardtack/internal/elfimage"
)

// TestFolders sums up packages, whatever a file names them.
func TestFolders(t *testing.T) {
	got, total := folders([]elfimage.Group{{Name: "a/b", Bytes: 1}, {Name: "a/c", Bytes: 2}, {Name: "/x/y", Bytes: 4}, {Name: "//", Bytes: 8}, {Name: "..", Bytes: 16}, {Name: "", Bytes: 32}})
	for name, want := range map[string]uint64{"a": 3, "a/b": 1, "a/c": 2, "/x": 4, "/x/y": 4} {
		if got[name] != want {
			t.Errorf("%q: %d bytes, not %d", name, got[name], want)
		}
	}
	if total != 63 {
		t.Errorf("%d bytes in %v", total, maps.Collect(maps.All(got)))
	}
}
