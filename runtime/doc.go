// Package runtime computes the view of a Go root from which images are built.
//
// The user's own Go root is never written to and no copy of Go's sources is kept here. A view is an overlay, as
// `go build -overlay` reads it: for each file of the root that changes, the name of a file in a cache that stands for
// it. Two things go into a view:
//
//   - the added files, below _goroot/src, laid out as GOROOT/src;
//   - the edits, a table in edits.go: declarations that are dropped, renamed or given another body, found by name in
//     the syntax tree of the user's own files.
//
// Adding beats editing: what can be said by an added file is not an edit. README.md lists every declaration of the
// standard library that either of them touches, and why; a test keeps it true.
//
// What only some images need is a [Group]: files and edits of its own, beside those of every image. An image without the group
// is what it would be if the group did not exist.
//
// What an edit does not touch stays byte for byte, and lines keep their numbers, so that tracebacks point into the
// user's own files. A name that an edit asks for and the Go root does not have is an error that says which: nothing is
// guessed.
//
// Rejected: carrying patched copies or diffs (they hold Go's text and rot by line number), and a forked toolchain
// (a second Go to install, always behind).
package runtime
