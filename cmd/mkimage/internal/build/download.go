package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
	"github.com/hardtack-os/hardtack/internal/cache"
)

// download gets path@version as go install does: the package's module, in its
// own right, whatever module the current folder belongs to.
func (b *Builder) download(ctx context.Context, arg string) (*target, error) {
	pkg, version, _ := strings.Cut(arg, "@")
	done := b.Progress.Step("downloading " + arg)
	defer done()
	mod, err := b.findModule(ctx, pkg, version)
	if err != nil {
		return nil, err
	}
	dir, err := b.copyModule(mod)
	if err != nil {
		return nil, err
	}
	if err := checkInstallable(arg, filepath.Join(dir, "go.mod")); err != nil {
		return nil, err
	}
	rel := strings.TrimPrefix(strings.TrimPrefix(pkg, mod.Path), "/")
	pkgDir := filepath.Join(dir, filepath.FromSlash(rel))
	if info, err := os.Stat(pkgDir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("module %s@%s found, but does not contain package %s", mod.Path, mod.Version, pkg)
	}
	return &target{
		Dir: dir, Args: []string{"./" + rel}, PkgDir: pkgDir, ImportPath: pkg,
		// go install fills gaps in go.sum, checked by the checksum database.
		Flags: gotool.Flags{"-mod=mod"},
		Env:   []string{"GOWORK=off"},
	}, nil
}

// findModule returns the module that has the package: the one with the longest
// path that exists.
func (b *Builder) findModule(ctx context.Context, pkg, version string) (*gotool.Module, error) {
	var first error
	for p := pkg; p != "." && p != "/"; p = path.Dir(p) {
		mod, err := b.downloadModule(ctx, p+"@"+version)
		if err == nil {
			return mod, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if first == nil {
			first = err
		}
	}
	return nil, fmt.Errorf("%s@%s: %w", pkg, version, first)
}

func (b *Builder) downloadModule(ctx context.Context, arg string) (*gotool.Module, error) {
	args := []string{b.GoCmd, "mod", "download", "-json", arg}
	env := []string{"GOWORK=off", "GOFLAGS=-mod=mod"}
	// An empty folder: no go.mod takes part in the choice.
	dir := filepath.Join(b.Cache, "empty")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	b.logCommand(dir, env, args)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, gotool.Environ(env...)
	out, runErr := cmd.Output()
	var mod struct {
		gotool.Module
		Error string
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return nil, errors.Join(runErr, err)
	}
	if mod.Error != "" {
		return nil, errors.New(mod.Error)
	}
	return &mod.Module, nil
}

// copyModule copies a module out of the module cache, where the go command
// allows no overlay, and returns the copy's folder.
func (b *Builder) copyModule(mod *gotool.Module) (string, error) {
	escaped, err := module.EscapePath(mod.Path)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(b.Cache, "source", filepath.FromSlash(escaped)+"@"+mod.Version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil // a version never changes
	}
	files := map[string][]byte{}
	err = fs.WalkDir(os.DirFS(mod.Dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = os.ReadFile(filepath.Join(mod.Dir, filepath.FromSlash(name)))
		return err
	})
	if err != nil {
		return "", err
	}
	if files["go.mod"] == nil {
		files["go.mod"] = []byte("module " + modfile.AutoQuote(mod.Path) + "\n")
	}
	return dir, cache.Tree(dir, files)
}

// checkInstallable refuses what go install refuses: directives that mean
// something else when the module is the main one.
func checkInstallable(arg, goMod string) error {
	data, err := os.ReadFile(goMod)
	if err != nil {
		return err
	}
	mod, err := modfile.Parse(goMod, data, nil)
	if err != nil {
		return err
	}
	if len(mod.Replace) > 0 || len(mod.Exclude) > 0 {
		return fmt.Errorf("%s: its go.mod has replace or exclude directives, so it cannot be built by path@version (go install refuses it too); clone it and name its folder", arg)
	}
	return nil
}
