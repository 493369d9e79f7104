package runtime

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// A Root is a Go root prepared for building images.
type Root struct {
	Version string            // as runtime.Version says: "go1.26.8"
	GOROOT  string            // the directory to build with; a symlink outside the module cache where the user's lies inside
	GoCmd   string            // the go command to run
	Env     []string          // environment that it needs in addition
	Replace map[string]string // overlay entries: path below GOROOT/src -> file in the cache, or "" for a file that is dropped
}

// Prepare asks goCmd for its Go root, in the current directory, and returns that root prepared for goarch. Files are
// written below cacheDir only, whole or not at all, and nothing is fetched: it works offline unless GOTOOLCHAIN
// names a toolchain that is not there. A second call does little more than ask the go command.
//
// Errors: [*GoCommandError], [*VersionError], [*ArchError], [*ViewError], [*EditError], [*AddedError], and those of
// the file system where the cache or the Go root cannot be read or written.
func Prepare(ctx context.Context, goCmd, goarch, cacheDir string, groups ...*Group) (*Root, error) {
	return PrepareIn(ctx, "", goCmd, goarch, cacheDir, groups...)
}

// PrepareIn is [Prepare] for an app in dir, whose go.mod may choose the toolchain (where GOTOOLCHAIN allows).
func PrepareIn(ctx context.Context, dir, goCmd, goarch, cacheDir string, groups ...*Group) (*Root, error) {
	return (&engine{added("_goroot"), edits, groups}).prepare(ctx, dir, goCmd, goarch, cacheDir)
}

// An engine is a set of changes to make.
type engine struct {
	added  fs.FS // laid out as GOROOT/src
	edits  []Edit
	groups []*Group
}

func (e *engine) prepare(ctx context.Context, dir, goCmd, goarch, cacheDir string) (*Root, error) {
	if !slices.Contains(arches, goarch) {
		return nil, &ArchError{goarch}
	}
	cacheDir, err := filepath.Abs(cacheDir) // the go command takes absolute names in an overlay
	if err != nil {
		return nil, fmt.Errorf("cannot place the cache %s: %w", cacheDir, err)
	}
	env, err := askGo(ctx, dir, goCmd)
	if err != nil {
		return nil, err
	}
	if err := env.checkVersion(); err != nil {
		return nil, err
	}
	goroot, err := env.view(cacheDir)
	if err != nil {
		return nil, err
	}
	root := &Root{
		Version: env.GOVERSION,
		GOROOT:  goroot,
		GoCmd:   goCommand(goroot, goCmd),
		Env:     []string{"GOROOT=" + goroot, "GOTOOLCHAIN=local"},
	}
	p, err := e.plan(root.Version, goarch)
	if err != nil {
		return nil, err
	}
	files, err := p.overlay(filepath.Join(goroot, "src"), cacheDir)
	if err != nil {
		return nil, withVersion(err, root.Version)
	}
	root.Replace = make(map[string]string, len(files))
	for name, file := range files {
		root.Replace[filepath.Join(goroot, "src", filepath.FromSlash(name))] = file
	}
	return root, nil
}
