package runtime

import (
	"errors"
	"fmt"
	"strings"
)

// What can be wrong with an edit. An [EditError] wraps one of them.
var (
	ErrNoFile    = errors.New("this Go root has no such file")
	ErrNoDecl    = errors.New("this Go root declares no such name in the file")
	ErrNoSymbol  = errors.New("this Go root has no such TEXT symbol in the file")
	ErrAmbiguous = errors.New("the file declares the name more than once")
	ErrConflict  = errors.New("another edit changes the same text")
	ErrMalformed = errors.New("the edit is not well formed")
)

// A GoCommandError says that the go command could not be asked for its Go root.
type GoCommandError struct {
	Cmd    string // as it was run
	Stderr string // what it said
	Err    error
}

func (e *GoCommandError) Error() string {
	if s := strings.TrimSpace(e.Stderr); s != "" {
		return fmt.Sprintf("%s: %v: %s", e.Cmd, e.Err, s)
	}
	return fmt.Sprintf("%s: %v: install Go from https://go.dev/dl or say which go command to run", e.Cmd, e.Err)
}

func (e *GoCommandError) Unwrap() error { return e.Err }

// A VersionError says that the user's Go is not one that Hardtack knows.
type VersionError struct {
	Version string // as the go command says
	GOROOT  string
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("Go %s (in %s) is not supported: Hardtack builds with %s; install one of them or set GOTOOLCHAIN=%s",
		strings.TrimPrefix(e.Version, "go"), e.GOROOT, supportedList(), newestToolchain)
}

// An ArchError says that Hardtack has no bottom half for an architecture.
type ArchError struct{ Arch string }

func (e *ArchError) Error() string {
	return fmt.Sprintf("GOARCH=%s is not supported: Hardtack builds for %s", e.Arch, strings.Join(arches, " and "))
}

// An EditError says that an edit cannot be made in a Go root, and which.
type EditError struct {
	Version string // of Go; empty where the edit is wrong for every one
	Edit    Edit
	Err     error // one of the Err values, wrapped with what is known beyond it
}

func (e *EditError) Error() string {
	var b strings.Builder
	if e.Version != "" {
		fmt.Fprintf(&b, "%s: ", e.Version)
	}
	b.WriteString(e.Edit.File)
	if e.Edit.Decl != "" {
		fmt.Fprintf(&b, ": %s", e.Edit.Decl)
	}
	fmt.Fprintf(&b, ": cannot %s: %v", e.Edit.Op, e.Err)
	switch {
	case errors.Is(e.Err, ErrNoFile), errors.Is(e.Err, ErrNoDecl), errors.Is(e.Err, ErrNoSymbol):
		b.WriteString("; the Go root was changed, or runtime/edits.go needs Since or Until on this edit")
	case errors.Is(e.Err, ErrMalformed), errors.Is(e.Err, ErrConflict), errors.Is(e.Err, ErrAmbiguous):
		b.WriteString("; mend it in runtime/edits.go")
	}
	return b.String()
}

func (e *EditError) Unwrap() error { return e.Err }

// An AddedError says that an added file meets one that the Go root has already.
type AddedError struct {
	Version string
	File    string // below GOROOT/src
}

func (e *AddedError) Error() string {
	return fmt.Sprintf("%s: %s: the Go root has this file already; rename the added one in runtime/_goroot/src, or drop the Go root's in runtime/edits.go",
		e.Version, e.File)
}

// A ViewError says that a Go root below the module cache, where the go command allows no overlay, could not be reached
// by a name outside.
type ViewError struct {
	GOROOT string
	Link   string // the name that was tried
	Err    error
}

func (e *ViewError) Error() string {
	return fmt.Sprintf("the Go root %s lies in the module cache, where the go command allows no overlay, and the way around it, %s, failed: %v; install that Go release outside the module cache or choose another cache folder",
		e.GOROOT, e.Link, e.Err)
}

func (e *ViewError) Unwrap() error { return e.Err }
