package runtime

import _ "unsafe" // linkname

// Spare frames, where there are none: images of the group volumes have another file in the place of this one.

func exoSpareTake(n, align uintptr, try int) bool { return false }

func exoSpareFree() uintptr { return 0 }

//go:linkname exoHwSpareOpen github.com/hardtack-os/hardtack/exo.hwSpareOpen
func exoHwSpareOpen(n, least uintptr, short func(frames int) int) uintptr { return 0 }

//go:linkname exoHwSpareFill github.com/hardtack-os/hardtack/exo.hwSpareFill
func exoHwSpareFill(i uintptr) uintptr { return 0 }

//go:linkname exoHwSpareDrop github.com/hardtack-os/hardtack/exo.hwSpareDrop
func exoHwSpareDrop(i uintptr) {}

//go:linkname exoHwSpareTaken github.com/hardtack-os/hardtack/exo.hwSpareTaken
func exoHwSpareTaken() uint64 { return 0 }
