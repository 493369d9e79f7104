package testrun

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
)

// A testPackage is a package to test, and the context it is compiled in.
type testPackage struct {
	gotool.Package
	ctx *build.Context
}

// folder is where go test would run the binary: its current folder in the image, too.
func (p *testPackage) folder() string { return p.Dir }

// environ is the environment of the package's tests: where they run, what is
// particular to them, and what the user sets, which wins.
func (p *testPackage) environ(user []string) []string {
	env := []string{config.Home, "PWD=" + filepath.ToSlash(p.folder())}
	if p.Standard && p.ImportPath == "runtime" {
		// Its tests count on the collector being off when they have turned it off: the signal handler of those of
		// debug calls has write barriers and may have no P (a TODO there names Go's issue 49370). An image's
		// memory has a limit, at which the collector runs all the same; a process of Linux has none.
		env = append(env, "GOMEMLIMIT=off")
	}
	return append(env, user...)
}

func (p *testPackage) hasTests() bool { return len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 }

// load finds the packages that patterns name, in their order.
func (r *Runner) load(ctx context.Context, patterns []string) ([]*testPackage, error) {
	if len(patterns) == 0 {
		patterns = []string{"."}
	}
	byDir := map[string][]string{}
	var dirs []string
	for _, p := range patterns {
		if err := checkPattern(p); err != nil {
			return nil, err
		}
		dir, pattern, err := build.PatternDir(p)
		if err != nil {
			return nil, err
		}
		if byDir[dir] == nil {
			dirs = append(dirs, dir)
		}
		byDir[dir] = append(byDir[dir], pattern)
	}
	var all []*testPackage
	for _, dir := range dirs {
		pkgs, err := r.loadIn(ctx, dir, byDir[dir])
		if err != nil {
			return nil, err
		}
		all = append(all, pkgs...)
	}
	return all, nil
}

// checkPattern refuses files, which go test would make a package of.
func checkPattern(pattern string) error {
	info, err := os.Stat(pattern)
	if !strings.HasSuffix(pattern, ".go") || err != nil || info.IsDir() {
		return nil
	}
	dir := filepath.Dir(pattern)
	if filepath.IsLocal(dir) && dir != "." {
		dir = "./" + filepath.ToSlash(dir)
	}
	return fmt.Errorf("%s is a file, and tests are run by package: name its folder, as in mkimage test %s", pattern, dir)
}

// loadIn finds packages as seen from dir.
func (r *Runner) loadIn(ctx context.Context, dir string, patterns []string) ([]*testPackage, error) {
	modules, err := build.Modules(r.Settings)
	if err != nil {
		return nil, err
	}
	c, err := r.Builder.NewContext(ctx, dir, nil, r.goFlags, nil, modules)
	if err != nil {
		return nil, err
	}
	listed, err := list(ctx, c, patterns)
	if err != nil {
		return nil, err
	}
	var pkgs []*testPackage
	var std []string
	for i := range listed {
		if listed[i].Standard {
			std = append(std, listed[i].ImportPath)
		}
	}
	stdCtx := c
	if len(std) > 0 {
		if stdCtx, err = r.stdContext(ctx, modules); err != nil {
			return nil, err
		}
	}
	for _, p := range listed {
		tp := &testPackage{Package: p, ctx: c}
		if p.Standard {
			tp.ctx = stdCtx
		}
		pkgs = append(pkgs, tp)
	}
	return pkgs, nil
}

// stdContext is the context for the standard library: a folder outside every
// module and workspace.
func (r *Runner) stdContext(ctx context.Context, modules []string) (*build.Context, error) {
	dir := filepath.Join(r.Builder.Cache, "empty")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	return r.Builder.NewContext(ctx, dir, []string{"GOWORK=off"}, r.goFlags, nil, modules)
}

func list(ctx context.Context, c *build.Context, patterns []string) ([]gotool.Package, error) {
	overlay, err := c.WriteOverlay(nil)
	if err != nil {
		return nil, err
	}
	flags := append(c.ListFlags(), overlay)
	pkgs, err := gotool.List(ctx, c.GoCmd, c.Dir, c.Env, slices.Concat(flags, patterns)...)
	if err != nil {
		return nil, err
	}
	if len(pkgs) == 0 {
		return nil, fmt.Errorf("no packages match %s", strings.Join(patterns, " "))
	}
	return pkgs, nil
}
