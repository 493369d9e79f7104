package fat

import (
	"testing"

	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// TestFormatAligns: clusters begin at a multiple of a page, whatever the table's size.
func TestFormatAligns(t *testing.T) {
	b := make([]byte, 340<<20)
	for _, size := range []int64{34 << 20, 40<<20 + 512, 261 << 20, 301 << 20, 333 << 20, 340<<20 - 512} {
		d := block.NewMemory(b[:size])
		if err := Format(d, FormatOptions{}); err != nil {
			t.Fatal(size, err)
		}
		s, why, err := readShape(d)
		if why != "" || err != nil {
			t.Fatal(size, why, err)
		}
		if s.dataAt%pages.Size != 0 || s.width != 32 {
			t.Errorf("of %d bytes clusters begin at %d", size, s.dataAt)
		}
	}
}
