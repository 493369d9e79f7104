package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
)

// A target is the main package of a build.
type target struct {
	Dir        string            // where the go command runs
	Args       []string          // how the package is named to it from there
	PkgDir     string            // the package's folder
	ImportPath string            // for the image's record and the program's name
	Files      bool              // Args are .go files
	Replace    map[string]string // modules to take from another folder
	Flags      gotool.Flags      // in addition to the user's
	Env        []string
}

// locate finds the package that a user names as go run would.
func (b *Builder) locate(ctx context.Context, args []string) (*target, error) {
	if len(args) == 0 {
		args = []string{"."}
	}
	if strings.HasSuffix(args[0], ".go") {
		return locateFiles(args)
	}
	if len(args) > 1 {
		return nil, fmt.Errorf("one package at a time, not %s; arguments for the program go after --", strings.Join(args, " "))
	}
	arg := args[0]
	switch {
	case strings.Contains(arg, "..."):
		return nil, fmt.Errorf("%s: name one main package, not a pattern", arg)
	case isLocal(arg):
		return locateDir(arg)
	case strings.Contains(arg, "@"):
		return b.download(ctx, arg)
	}
	t, err := b.locateImport(ctx, arg)
	if err == nil {
		return t, nil
	}
	switch info, serr := os.Stat(arg); {
	case serr != nil:
	case info.IsDir():
		return nil, fmt.Errorf("%w; for the folder here say ./%s", err, filepath.ToSlash(arg))
	default:
		return nil, noPackage(arg)
	}
	return nil, err
}

// noPackage refuses a file that is given for a package.
func noPackage(name string) error {
	return fmt.Errorf("%s is neither a folder nor a .go file, and no image either", name)
}

// isLocal reports whether a package is named by its folder, as the go command
// decides it.
func isLocal(arg string) bool {
	slashed := filepath.ToSlash(arg)
	return slashed == "." || slashed == ".." || strings.HasPrefix(slashed, "./") || strings.HasPrefix(slashed, "../") || filepath.IsAbs(arg)
}

func locateFiles(args []string) (*target, error) {
	t := &target{Files: true}
	for _, arg := range args {
		abs, err := filepath.Abs(arg)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(abs); err != nil {
			return nil, err
		}
		dir, base := filepath.Split(abs)
		dir = filepath.Clean(dir)
		if t.PkgDir != "" && t.PkgDir != dir {
			return nil, fmt.Errorf("named files must all be in one directory; have %s and %s", t.PkgDir, dir)
		}
		t.PkgDir, t.Dir = dir, dir
		t.Args = append(t.Args, base)
	}
	t.ImportPath = strings.TrimSuffix(t.Args[0], ".go")
	return t, nil
}

// locateDir finds a package by its folder. The go command runs in the current
// folder, where patterns in flags mean what the user thinks; or, if the package
// belongs to another module than it, in the package's.
func locateDir(arg string) (*target, error) {
	abs, err := filepath.Abs(arg)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(abs); err != nil {
		return nil, fmt.Errorf("no package %s: %w", arg, err)
	} else if !info.IsDir() {
		return nil, noPackage(arg)
	}
	dir, pattern, err := PatternDir(arg)
	if err != nil {
		return nil, err
	}
	return &target{Dir: dir, Args: []string{pattern}, PkgDir: abs, ImportPath: importPath(abs)}, nil
}

// PatternDir returns the folder to run the go command in for a package pattern,
// and the pattern as seen from there.
func PatternDir(pattern string) (dir, seen string, err error) {
	cwd, err := os.Getwd()
	if err != nil || !isLocal(pattern) {
		return cwd, pattern, err
	}
	slashed := filepath.ToSlash(pattern)
	base, dots := slashed, ""
	if i := strings.Index(slashed, "..."); i >= 0 {
		i = strings.LastIndexByte(slashed[:i], '/') + 1
		base, dots = slashed[:i], "/"+slashed[i:]
	}
	abs, err := filepath.Abs(filepath.FromSlash(base))
	if err != nil {
		return "", "", err
	}
	if _, err := os.Stat(abs); err != nil {
		return "", "", fmt.Errorf("no package %s: %w", pattern, err)
	}
	if rel, err := filepath.Rel(cwd, abs); err == nil && sameBuild(cwd, abs) {
		return cwd, "./" + path.Join(filepath.ToSlash(rel)) + dots, nil
	}
	return abs, "." + dots, nil
}

// sameBuild reports whether the go command takes two folders for parts of the
// same module or workspace.
func sameBuild(a, b string) bool {
	if wa, wb := above(a, "go.work"), above(b, "go.work"); wa != wb {
		return false
	} else if wa != "" && os.Getenv("GOWORK") != "off" {
		return above(a, "go.mod") != "" && above(b, "go.mod") != ""
	}
	return above(a, "go.mod") == above(b, "go.mod")
}

// above returns the nearest file of a name in dir or above it, or "".
func above(dir, name string) string {
	for {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() {
			return file
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// importPath returns the import path of a folder, by the go.mod above it.
func importPath(dir string) string {
	mod := above(dir, "go.mod")
	if mod == "" {
		return filepath.Base(dir)
	}
	data, err := os.ReadFile(mod)
	if err != nil {
		return filepath.Base(dir)
	}
	rel, err := filepath.Rel(filepath.Dir(mod), dir)
	if err != nil {
		return filepath.Base(dir)
	}
	return path.Join(modfile.ModulePath(data), filepath.ToSlash(rel))
}

// locateImport finds a package by its import path, among the packages that the
// module in the current folder can import.
func (b *Builder) locateImport(ctx context.Context, arg string) (*target, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	pkgs, err := gotool.List(ctx, b.GoCmd, cwd, gotool.Target, "-find", arg)
	if err != nil {
		return nil, err
	}
	if len(pkgs) != 1 {
		return nil, fmt.Errorf("%s names %d packages; name one main package", arg, len(pkgs))
	}
	p := pkgs[0]
	if p.Error != nil {
		return nil, errors.New(p.Error.Err)
	}
	t := &target{Dir: cwd, Args: []string{p.ImportPath}, PkgDir: p.Dir, ImportPath: p.ImportPath}
	env, err := gotool.Ask(ctx, b.GoCmd, cwd)
	if err != nil {
		return nil, err
	}
	if p.Module == nil || !below(env.GOMODCACHE, p.Dir) {
		return t, nil
	}
	// The go command lays nothing over the module cache: use a copy.
	source := p.Module
	if source.Replace != nil {
		source = source.Replace
	}
	dir, err := b.copyModule(source)
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(source.Dir, p.Dir)
	if err != nil {
		return nil, err
	}
	t.PkgDir = filepath.Join(dir, rel)
	t.Replace = map[string]string{p.Module.Path: dir}
	return t, nil
}

// below reports whether path lies below dir.
func below(dir, path string) bool {
	if dir == "" {
		return false
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

var versionElement = regexp.MustCompile(`^v[0-9]+$`)

// Name returns the base name that the go command gives the program.
func (t *target) Name() string {
	dir, base := path.Split(t.ImportPath)
	if versionElement.MatchString(base) && dir != "" {
		base = path.Base(dir)
	}
	return base
}
