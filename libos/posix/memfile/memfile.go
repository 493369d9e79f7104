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

var files struct {
	sync.Mutex
	given []given
	to    func(name string, f File)
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

// To calls f for all files, those that are still to come included.
func To(f func(name string, f File)) {
	files.Lock()
	defer files.Unlock()
	files.to = f
	for _, g := range files.given {
		f(g.name, g.File)
	}
}
