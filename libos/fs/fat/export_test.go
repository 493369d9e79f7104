package fat

import (
	"bytes"

	"github.com/hardtack-os/hardtack/libos/fs/block"
	"github.com/hardtack-os/hardtack/libos/fs/pages"
)

// MostAhead is mostAhead.
const MostAhead = mostAhead

// Cached counts the pages that a volume has in its cache, and those of them that are not what its device has.
func (f *FS) Cached(d *block.Memory) (n, wrong int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first, count := f.span(f.dataAt, int64(f.clusters)*f.cluster)
	f.settle(f.dataAt, int64(f.clusters)*f.cluster)
	for p := first; p < first+count; p++ {
		if h := f.cache.Run(p, noSums[:1]); h.Data != nil {
			if n++; !bytes.Equal(h.Data, d.Bytes()[f.dataAt+int64(p-1)*pages.Size:][:pages.Size]) {
				wrong++
			}
			h.Release()
		}
	}
	return n, wrong
}
