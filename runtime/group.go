package runtime

import "io/fs"

// A Group is a set of changes that only some images need: a tree of added files and a list of edits. An image without it
// is built as if it did not exist, byte for byte.
type Group struct {
	Name  string
	added fs.FS // laid out as GOROOT/src
	edits []Edit
}

// Sched is the group that lets a module decide which goroutine runs next (package libos/sched). Without it an image has
// Go's own scheduler, untouched.
var Sched = &Group{"sched", added("_goroot_sched"), schedEdits}

// Volumes is the group that lets a program that dies write its volumes first, and take frames from the page cache (packages libos/fs/volumes, libos/fs/pagecache); and that opens files for less.
var Volumes = &Group{"volumes", added("_goroot_volumes"), volumesEdits}

// Screen is the group that has the console on a screen, too (package libos/screen).
var Screen = &Group{"screen", added("_goroot_screen"), screenEdits}

// groups are all there are, for the page and the tests.
var groups = []*Group{Sched, Volumes, Screen}
