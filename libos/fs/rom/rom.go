// Package rom is a filesystem that cannot be written to: any io/fs.FS, as an app may have embedded one, and the archive that mkimage puts into an
// image.
//
// What is there is looked at when it is first touched, folder by folder and file by file, and then remembered.
package rom

import (
	"io/fs"

	"github.com/hardtack-os/hardtack/libos/fs/mem"
)

// New makes one of f's files. They may not change.
func New(f fs.FS) *mem.FS { return mem.New(mem.Options{Seed: f, Sealed: true}) }
