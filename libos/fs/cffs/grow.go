package cffs

import "github.com/hardtack-os/hardtack/libos/fs/block"

// A volume takes in what its disk has grown by: when it is mounted for writing, and while it is. FORMAT.md, "Growth".

// follow has the volume grow with its disk from now on.
func (f *FS) follow() {
	g, is := f.dev.(block.Grower)
	if !is {
		return
	}
	g.Notify(func() { go f.grow() }) // who tells must not wait for a commit
	f.grow()                         // it may have grown since the volume was mounted
}

// grow takes in what there is, durably. That it fails is told to those who ask for durability, as for any commit.
func (f *FS) grow() {
	f.lock()
	defer f.unlock()
	if f.closed || f.failed != nil || !f.extend() {
		return
	}
	f.change++
	f.commit()
}

// extend makes the volume as large as its disk; it says whether it was smaller. mu is held.
func (f *FS) extend() bool {
	n := blocksOf(f.dev)
	if n <= f.sb.blocks {
		return false
	}
	f.al.grow(n, f.sb.backup)
	f.sb.blocks = n
	return true
}
