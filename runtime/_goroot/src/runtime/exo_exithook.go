package runtime

import (
	"internal/runtime/exithook"
	_ "unsafe"
)

// What is to happen before the image ends by itself: volumes are unmounted. Go's own hooks run it, on the goroutine that ends the program, and it may park.

//go:linkname exoAtExit github.com/hardtack-os/hardtack/libos/fs/volumes.atExit
func exoAtExit(f func()) { exithook.Add(exithook.Hook{F: f, RunOnFailure: true}) }

// exoAtDeath is for ends that the program does not choose. Only images of the group volumes wait for it then.
//
//go:linkname exoAtDeath github.com/hardtack-os/hardtack/libos/fs/volumes.atDeath
func exoAtDeath(f func()) {}

// exoAtSuccess is for ends without an error.
//
//go:linkname exoAtSuccess github.com/hardtack-os/hardtack/libos/boot/ok.atSuccess
func exoAtSuccess(f func()) { exithook.Add(exithook.Hook{F: f}) }
