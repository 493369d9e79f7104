package runtime

import (
	"embed"
	"io/fs"
)

//go:embed all:_goroot all:_goroot_sched all:_goroot_volumes all:_goroot_screen
var goroot embed.FS

// added returns the files of one tree that join the Go root, laid out as GOROOT/src.
func added(tree string) fs.FS {
	sub, err := fs.Sub(goroot, tree+"/src")
	if err != nil {
		panic(err) // the path is valid as written
	}
	return sub
}
