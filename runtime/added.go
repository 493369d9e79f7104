package runtime

import (
	"embed"
	"io/fs"
)

//go:embed all:_goroot
var goroot embed.FS

// added returns the files that join the Go root, laid out as GOROOT/src.
func added() fs.FS {
	sub, err := fs.Sub(goroot, "_goroot/src")
	if err != nil {
		panic(err) // the path is valid as written
	}
	return sub
}
