package runtime

import (
	"fmt"
	"go/version"
	"io/fs"
	"path"
	"strings"
)

// An Op is what an [Edit] does.
type Op string

const (
	// Drop removes the declaration Decl, with its comment and the directives in it, because an added file declares
	// it. A constant in a group, or one of several names declared together, becomes the blank identifier instead, so
	// that its neighbours keep their values.
	Drop Op = "drop"

	// Body gives the function or method Decl the statements in Text. Imports are added to the file if it lacks them.
	Body Op = "body"

	// Rename keeps the function, variable or constant Decl under the name Text, so that an added file can declare
	// Decl and call what was there. Directives in its comment stay as they are: a //go:linkname goes on naming Decl,
	// that is, the added one.
	Rename Op = "rename"

	// Redirect makes the calls of one function inside the function or method Decl go to another of the package. Text is "from to"; from may be of another package that Decl goes on using: "runtime.KeepAlive".
	Redirect Op = "redirect"

	// Field adds the fields in Text at the end of the struct type Decl.
	Field Op = "field"

	// DropFile removes a whole file, Go or assembly, from the build. An added file of the same name takes its place.
	DropFile Op = "drop file"

	// DropText removes the symbol Decl (written as after TEXT, without "(SB)": "runtime·futex") from an assembly
	// file. Preprocessor lines stay.
	DropText Op = "drop text"
)

// An Edit changes one declaration, symbol or file of the standard library. An edit of a [Group] may also name an added
// file: what a group needs of it must not weigh on images without the group.
type Edit struct {
	File    string   // slash-separated, below GOROOT/src: "runtime/os_linux.go"
	Decl    string   // "osinit", "(*FD).Read", "Time.String"; a symbol for DropText; empty for DropFile
	Op      Op       //
	Text    string   // Body: the statements, without braces; Rename: the new name; Redirect: "from to"; Field: the fields
	Imports []string // Body: import paths that Text needs, with a name before the path where it differs: "exo internal/exo"
	Since   string   // the first Go release that the edit is for, "go1.27"; empty means every one
	Until   string   // the first Go release that it is not for; empty means none
	Arch    string   // the GOARCH that the edit is for; empty means every one
	Why     string   // what the edit pays for itself with; never empty
}

// applies reports whether the edit is for this Go version and architecture.
func (e Edit) applies(goVersion, goarch string) bool {
	return (e.Arch == "" || e.Arch == goarch) &&
		(e.Since == "" || version.Compare(goVersion, e.Since) >= 0) &&
		(e.Until == "" || version.Compare(goVersion, e.Until) < 0)
}

// check tells what is wrong with the edit as it is written, whatever the Go root.
func (e Edit) check() error {
	bad := func(format string, args ...any) error {
		return &EditError{Edit: e, Err: fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))}
	}
	if !fs.ValidPath(e.File) || e.File == "." || path.Dir(e.File) == "." {
		return bad("File is not a path below GOROOT/src")
	}
	if strings.TrimSpace(e.Why) == "" {
		return bad("Why is empty")
	}
	for _, v := range []string{e.Since, e.Until} {
		if v != "" && !version.IsValid(v) {
			return bad("%q is not a Go version such as go1.27", v)
		}
	}
	ext := path.Ext(e.File)
	switch e.Op {
	case Drop, Body, Rename, Redirect, Field:
		if ext != ".go" {
			return bad("%s needs a Go file", e.Op)
		}
	case DropText:
		if ext != ".s" {
			return bad("%s needs an assembly file", e.Op)
		}
	case DropFile:
		if e.Decl != "" {
			return bad("Decl must be empty")
		}
	default:
		return bad("unknown Op %q", e.Op)
	}
	if e.Decl == "" && e.Op != DropFile {
		return bad("Decl is empty")
	}
	if wants := e.Op == Body || e.Op == Rename || e.Op == Redirect || e.Op == Field; wants != (strings.TrimSpace(e.Text) != "") {
		if wants {
			return bad("Text is empty")
		}
		return bad("Text must be empty")
	}
	if len(e.Imports) > 0 && e.Op != Body {
		return bad("Imports go with %s only", Body)
	}
	return nil
}
