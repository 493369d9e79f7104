// Package rom is a filesystem that cannot be written to: any io/fs.FS, as an app may have embedded one, and the archive that mkimage puts into an
// image.
//
// What is there is looked at when it is first touched, folder by folder and file by file, and then remembered: a file's contents are read whole, and stay on the heap.
//
// A package of an app mounts one in an init function, and main finds the files by package os. It is linked where main imports it, or by --module, so that main need not change:
//
//	//go:embed page style
//	var assets embed.FS
//
//	func init() {
//		root := files.Tree.Root() // libos/posix/files
//		defer root.Drop()
//		files.Tree.Mkdir(root, "/assets", 0o755)
//		if _, e := files.Tree.Mount("/assets", "rom", rom.New(assets)); e != 0 {
//			panic(e)
//		}
//	}
//
// Files in memory that together take no more than a size of their own are mounted so, too: mem.New(mem.Options{Limit: 64 << 20}).
package rom

import (
	"io/fs"

	"github.com/hardtack-os/hardtack/libos/fs/mem"
)

// New makes one of f's files. They may not change. It reads nothing and does not fail: what f cannot give is EIO for who asks for it. Who writes gets EROFS.
func New(f fs.FS) *mem.FS { return mem.New(mem.Options{Seed: f, Sealed: true}) }
