package os

import _ "unsafe" // for go:linkname

// exoPollable is libos/posix's: whether reading or writing what fd refers to may have to wait.
//
//go:linkname exoPollable os.exoPollable
func exoPollable(fd int) bool

// exoOpened is newFile for what was just opened. A regular file or folder is never registered with the poller: newFile would find that out by making the
// descriptor nonblocking, being refused, and making it blocking again. What it leaves is the same.
func exoOpened(fd int, name string, kind newFileKind, nonBlocking bool) *File {
	if !exoPollable(fd) {
		kind, nonBlocking = kindNoPoll, false
	}
	return newFile(fd, name, kind, nonBlocking)
}
