// Package memfile is where parts of the libOS leave the files that they have to say something in, as /etc/resolv.conf. They exist where there is a filesystem
// (libos/posix/files); without one nothing has a path.
package memfile

import "sync"

// A File is what a path has.
type File struct {
	// Contents makes them, each time that the file is opened.
	Contents func() []byte

	// Changed is when they last did, in seconds since 1970: programs that keep what they read (package net's resolver) look at it. Nil: never.
	Changed func() int64
}

// A Folder has files that come and go, as /sys/class/net has those of each interface.
type Folder struct {
	// List gives the files that there are now, by their paths below the folder. It is called each time that somebody looks.
	List func() []Named
}

// A Named is a file of a Folder.
type Named struct {
	Name string // "eth0/statistics/rx_bytes"
	File
}

var files struct {
	sync.Mutex
	given   []given
	to      func(name string, f File)
	folders []folder
	listed  func(name string, f Folder)
}

type folder struct {
	name string
	Folder
}

type given struct {
	name string
	File
}

// Provide gives the absolute path name a file. It is for init functions.
func Provide(name string, f File) {
	files.Lock()
	defer files.Unlock()
	files.given = append(files.given, given{name, f})
	if files.to != nil {
		files.to(name, f)
	}
}

// ProvideFolder gives the absolute path name a folder. It is for init functions.
func ProvideFolder(name string, f Folder) {
	files.Lock()
	defer files.Unlock()
	files.folders = append(files.folders, folder{name, f})
	if files.listed != nil {
		files.listed(name, f)
	}
}

// FoldersTo is To for folders.
func FoldersTo(f func(name string, d Folder)) {
	files.Lock()
	defer files.Unlock()
	files.listed = f
	for _, g := range files.folders {
		f(g.name, g.Folder)
	}
}

// To calls f for all files, those that are still to come included.
func To(f func(name string, f File)) {
	files.Lock()
	defer files.Unlock()
	files.to = f
	for _, g := range files.given {
		f(g.name, g.File)
	}
}
