// Package initorder has the libOS initialized before the program's packages. mkimage links it into images with more than libos/posix and an allocator.
//
// Go initializes a package after those that it imports, and of two packages of which neither imports the other that whose path is first
// (go.dev/ref/spec#Program_initialization). A program that opens a file in the initializer of a package's variable imports nothing of the libOS, so
// it may come first, and would find nothing at any path. Here all that serves a program's calls comes before it.
//
// The packages that come first are those in [packages], a list that mkimage writes for each image: the libOS modules, the program's own filesystems (libos/fs/kinds), and all
// that these import. So each of them comes after what it imports, as the language wants it, and among each other they keep the linker's order. Packages of the program that one of
// its own modules imports are among them, and find what they would find without this package.
//
// Rejected: an import, of which the language's order would come by itself, because no package of the standard library may import one of ours; filesystems that are made when the
// first path is named, because their packages' own variables are not initialized then.
package initorder

import "slices"

var after []func()

// After has f called when the packages that come first are initialized, before all others are. It is for their init functions.
func After(f func()) { after = append(after, f) }

// isFirst reports whether a package comes first. Its path is as the linker writes it.
func isFirst(path string) bool {
	_, found := slices.BinarySearch(packages, path)
	return found
}
