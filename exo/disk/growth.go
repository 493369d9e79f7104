package disk

import (
	"slices"
	"sync"

	"github.com/hardtack-os/hardtack/exo/flow"
)

// Growth is the part of a driver that tells of a disk which has become larger. The zero value is ready.
type Growth struct {
	mu   sync.Mutex
	list []func() // under mu
}

// Notify implements Disk.
func (g *Growth) Notify(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.list = append(g.list, f)
}

// Grow is for the driver: the disk says that it has so many sectors. Where these are not more than before, or more than there can be, nothing happens: sectors that a disk has lost give errors when they are asked for.
func (g *Growth) Grow(space *flow.Disk, sectors uint64) {
	if space.Grow(sectors) != nil {
		return
	}
	g.mu.Lock()
	list := slices.Clone(g.list)
	g.mu.Unlock()
	for _, f := range list {
		f()
	}
}
