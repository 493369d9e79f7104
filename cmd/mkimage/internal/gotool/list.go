package gotool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// A Package is what "go list -json" tells of a package, as far as it matters here.
type Package struct {
	Dir          string
	ImportPath   string
	Name         string
	Doc          string // the first sentence
	Standard     bool
	Imports      []string
	GoFiles      []string
	SFiles       []string
	CgoFiles     []string
	TestGoFiles  []string
	XTestGoFiles []string
	Module       *Module
	Error        *PackageError
}

// A Module is what the go command tells of a module.
type Module struct {
	Path, Version, Dir string
	Main               bool
	Replace            *Module
}

// A PackageError is why the go command could not load a package.
type PackageError struct{ Err string }

// listFields are the fields of Package that cost no more than reading files.
const listFields = "Dir,ImportPath,Name,Doc,Standard,Imports,GoFiles,SFiles,CgoFiles,TestGoFiles,XTestGoFiles,Module,Error"

// List runs "go list -e -json" in dir. Packages that cannot be loaded are in the
// result, with their Error.
func List(ctx context.Context, goCmd, dir string, env []string, args ...string) ([]Package, error) {
	cmd := exec.CommandContext(ctx, goCmd, append([]string{"list", "-e", "-json=" + listFields}, args...)...)
	cmd.Dir = dir
	cmd.Env = Environ(env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if s := strings.TrimSpace(stderr.String()); s != "" {
			return nil, errors.New(s)
		}
		return nil, fmt.Errorf("go list: %w", err)
	}
	var pkgs []Package
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		if err := dec.Decode(&p); err == io.EOF {
			return pkgs, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		pkgs = append(pkgs, p)
	}
}
