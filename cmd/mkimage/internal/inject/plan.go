package inject

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/gotool"
	"github.com/hardtack-os/hardtack/internal/cache"
)

// ModulePath is the path of our module.
const ModulePath = "github.com/hardtack-os/hardtack"

// injectedVersion is the version that our module is required at. It is always
// replaced by a folder, so no such version needs to exist.
const injectedVersion = "v0.0.0"

// An App is where a build starts from.
type App struct {
	Env   *gotool.Env
	Flags gotool.Flags // of go build, with those of GOFLAGS
	Lay   string       // folder of our module
	Cache string       // folder for generated files

	// Replace maps the paths of further modules to folders that stand for
	// them in this build.
	Replace map[string]string
}

// A Plan is what a go command needs in addition to build the app with our module.
type Plan struct {
	Flags   gotool.Flags      // replaces the app's flags
	Env     []string          // environment variables
	Overlay map[string]string // overlay entries
	Ours    string            // folder of our module in this build
}

// New makes the plan for an app.
func New(app App) (*Plan, error) {
	p := &Plan{Flags: app.Flags, Overlay: map[string]string{}, Ours: app.Lay}
	switch {
	case app.Env.GO111MODULE == "off":
		return nil, fmt.Errorf("GO111MODULE=off: images are built in module mode; unset it (go env -u GO111MODULE)")
	case app.Env.InWorkspace():
		return p, app.workspace(p)
	case app.Env.InModule():
		return p, app.module(p)
	}
	return p, app.loose(p)
}

// module plans for an app with a go.mod of its own.
func (a *App) module(p *Plan) error {
	name := a.Env.GOMOD
	if f, ok := a.Flags.Last("modfile"); ok {
		name = f
	}
	mod, err := readMod(name)
	if err != nil {
		return err
	}
	root := filepath.Dir(a.Env.GOMOD)
	if modulePath(mod) == ModulePath {
		p.Ours = root
		return nil
	}
	vendored, err := a.usesVendor(root, goVersion(mod.Go))
	if err != nil {
		return err
	}
	if vendored {
		if err := a.vendorModule(p, mod, filepath.Join(root, "vendor")); err != nil {
			return err
		}
	}
	if err := a.requireOurs(mod); err != nil {
		return err
	}
	for path, dir := range a.Replace {
		if err := replaceModule(mod, path, dir); err != nil {
			return err
		}
	}
	if err := a.matchGoVersion(p, goVersion(mod.Go)); err != nil {
		return err
	}
	mod.Cleanup()
	text, err := mod.Format()
	if err != nil {
		return err
	}
	sums := ""
	if !vendored {
		sums = strings.TrimSuffix(name, ".mod") + ".sum"
	}
	generated, err := a.write("go.mod", text, "go.sum", sums)
	if err != nil {
		return err
	}
	p.Flags = append(p.Flags.Without("modfile"), "-modfile="+generated)
	return nil
}

// requireOurs makes mod require our module, in our folder.
func (a *App) requireOurs(mod *modfile.File) error {
	required := slices.ContainsFunc(mod.Require, func(r *modfile.Require) bool { return r.Mod.Path == ModulePath })
	if !required {
		mod.AddNewRequire(ModulePath, injectedVersion, false)
	}
	return replaceModule(mod, ModulePath, a.Lay)
}

// replaceModule makes dir stand for every version of a module.
func replaceModule(mod *modfile.File, path, dir string) error {
	for _, r := range slices.Clone(mod.Replace) {
		if r.Old.Path == path {
			if err := mod.DropReplace(r.Old.Path, r.Old.Version); err != nil {
				return err
			}
		}
	}
	return mod.AddReplace(path, "", dir, "")
}

// loose plans for Go files outside any module, and for tests of the standard
// library. Language version and GODEBUG settings are then the toolchain's own.
func (a *App) loose(p *Plan) error {
	v, _, _ := strings.Cut(strings.TrimPrefix(a.Env.GOVERSION, "go"), " ")
	v, _, _ = strings.Cut(v, "-")
	work := fmt.Sprintf("go %s\n\nuse %s\n", v, modfile.AutoQuote(filepath.ToSlash(a.Lay)))
	generated, err := a.write("go.work", []byte(work), "", "")
	if err != nil {
		return err
	}
	p.Env = append(p.Env, "GOWORK="+generated)
	return nil
}

// write stores a generated file, and a copy of sums beside it as sumName, in a
// folder named by their contents. It returns the file's path.
func (a *App) write(name string, text []byte, sumName, sums string) (string, error) {
	h := cache.NewHash("inject")
	h.Add(name)
	h.AddBytes(text)
	files := map[string][]byte{name: text}
	if sums != "" {
		data, err := os.ReadFile(sums)
		switch {
		case err == nil:
			files[sumName] = data
			h.AddBytes(data)
		case !os.IsNotExist(err):
			return "", err
		}
	}
	dir := filepath.Join(a.Cache, "inject", h.Name())
	for name, data := range files {
		path := filepath.Join(dir, name)
		// The go command may have completed it since (-mod=mod): let it be.
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if err := cache.File(path, data); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, name), nil
}

func readMod(name string) (*modfile.File, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return modfile.Parse(name, data, nil)
}

func modulePath(mod *modfile.File) string {
	if mod.Module == nil {
		return ""
	}
	return mod.Module.Mod.Path
}
