//go:build hardtack

package exo

// The bottom half's page tables (exo_pages_amd64.go, exo_upcall_amd64.go).

// hwRange reserves addresses for a range of pages, 0 when there is no room; hwDropRange unmaps them all and gives them back.
func hwRange(pages uintptr) uintptr
func hwDropRange(lo, pages uintptr) bool

// hwRangeAt is hwRange at an address, in place of what is there if that is asked for.
func hwRangeAt(at, pages uintptr, replace bool) bool

// hwPages does a batch. false: the range is gone.
//
//go:noescape
func hwPages(b *pageBatch) bool

// hwUnmapFrames unmaps the pages of a range whose frames lie between two physical addresses.
//
//go:noescape
func hwUnmapFrames(lo, pages uintptr, frames *[2]uintptr)

// hwPhysical gives the physical address of va, and for how many of n bytes it goes on without a break; 0 where nothing is mapped.
func hwPhysical(va, n uintptr) (phys, run uintptr)

// hwDirty sets and clears dirty bits.
//
//go:noescape
func hwDirty(lo, pages uintptr, bits *uint64) int

// hwResident sets bits of pages that have frames, and counts those that are mapped.
//
//go:noescape
func hwResident(addr, pages uintptr, bits *uint64) int

// hwUpcalls says what to call on faults in ranges.
func hwUpcalls(handle func(addr, pc uintptr, write bool) int, page func(addr uintptr, write bool) bool)
