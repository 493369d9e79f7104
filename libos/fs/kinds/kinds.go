// Package kinds is where a program's own filesystem registers, so that --disk mounts it as it mounts cffs and FAT (libos/fs/volumes):
//
//	func init() { kinds.Register(kinds.Kind{Name: "logkv", Is: is, Mount: mount, Format: format}) }
//
// A disk that holds neither of those two is shown to each kind. What none knows stays unmounted and unwritten.
package kinds

import (
	"github.com/hardtack-os/hardtack/libos/fs"
	"github.com/hardtack-os/hardtack/libos/fs/block"
)

// A Kind is a filesystem that lies on a disk.
type Kind struct {
	// Name is what /proc/mounts calls it, and what ,format=NAME does.
	Name string

	// Is says whether the device holds one. It only reads, and may be shown anything.
	Is func(block.Device) bool

	// Mount mounts it. It may block on the device; it writes nothing to what it refuses, and with readOnly nothing at all. A disk that may become larger while it is used is a block.Grower.
	Mount func(dev block.Device, readOnly bool) (Volume, error)

	// Format puts an empty one on a device that holds zeroes, as far as anybody looked, and refuses others. nil: it cannot be asked for.
	Format func(block.Device) error
}

// A Volume is a filesystem that was mounted.
type Volume interface {
	fs.FileSystem

	// Close writes what is to be written and ends the use. The device stays open.
	Close() error
}

var all []Kind

// Register makes a kind known. It is for init functions of packages, main aside: volumes are mounted when the packages that import this one, and what they import, are initialized, before the program's others (libos/initorder). Two kinds of one name are one too many.
func Register(k Kind) {
	if Named(k.Name) != nil {
		panic("kinds: two filesystems are called " + k.Name)
	}
	all = append(all, k)
}

// Named is the kind of that name; nil for none.
func Named(name string) *Kind {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// Of is the kind of what is on a device; nil where nobody knows it.
func Of(dev block.Device) *Kind {
	for i := range all {
		if all[i].Is(dev) {
			return &all[i]
		}
	}
	return nil
}
