package inject

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/hardtack-os/hardtack/internal/cache"
)

// usesVendor reports whether "go build" would build a module from its vendor
// folder: as told by -mod, or because the folder is there and go.mod says Go
// 1.14 or newer.
func (a *App) usesVendor(root, goLine string) (bool, error) {
	switch mod, _ := a.Flags.Last("mod"); mod {
	case "vendor":
		return true, nil
	case "mod", "readonly":
		return false, nil
	}
	if older(goLine, "1.14") {
		return false, nil
	}
	return isVendor(filepath.Join(root, "vendor"))
}

// usesWorkVendor reports the same of a workspace, where only the vendor folder
// of the workspace itself counts.
func (a *App) usesWorkVendor(root, goLine string) (bool, error) {
	if mod, _ := a.Flags.Last("mod"); mod == "readonly" || mod == "mod" {
		return false, nil
	}
	if older(goLine, "1.22") {
		return false, nil
	}
	return isVendor(filepath.Join(root, "vendor"))
}

func isVendor(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, "modules.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// A vendored is one module in vendor/modules.txt.
type vendored struct {
	path, version string
	explicit      bool   // go.mod requires it
	goLine        string // of its go.mod
	packages      int
}

// readVendor reads vendor/modules.txt, whose format the go command defines
// (cmd/go, "go mod vendor"): "# path version [=> replacement]" starts a module,
// "## a; b" annotates it, other lines name its packages.
func readVendor(dir string) ([]vendored, error) {
	name := filepath.Join(dir, "modules.txt")
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%w; run go mod vendor", err)
	}
	var mods []vendored
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.HasPrefix(line, "## "):
			if len(mods) > 0 {
				mods[len(mods)-1].annotate(line[3:])
			}
		case strings.HasPrefix(line, "# "):
			f := strings.Fields(line[2:])
			m := vendored{goLine: noGoLine}
			if len(f) > 0 {
				m.path = f[0]
			}
			if len(f) > 1 && f[1] != "=>" {
				m.version = f[1]
			}
			mods = append(mods, m)
		default:
			if len(mods) > 0 {
				mods[len(mods)-1].packages++
			}
		}
	}
	// A line without version repeats a replacement that go.mod has for every
	// version. It says nothing about what is vendored.
	return slices.DeleteFunc(mods, func(m vendored) bool { return m.version == "" }), nil
}

func (m *vendored) annotate(text string) {
	for a := range strings.SplitSeq(text, ";") {
		a = strings.TrimSpace(a)
		if a == "explicit" {
			m.explicit = true
		}
		if v, ok := strings.CutPrefix(a, "go "); ok {
			m.goLine = v
		}
	}
}

// vendorModule makes mod, the app's go.mod, take every vendored module from
// below vendor.
func (a *App) vendorModule(p *Plan, mod *modfile.File, vendor string) error {
	mods, err := readVendor(vendor)
	if err != nil {
		return err
	}
	if err := checkVendor(mod, mods, vendor); err != nil {
		return err
	}
	for _, r := range slices.Clone(mod.Replace) {
		if err := mod.DropReplace(r.Old.Path, r.Old.Version); err != nil {
			return err
		}
	}
	for _, m := range mods {
		if m.path == ModulePath {
			continue
		}
		if !slices.ContainsFunc(mod.Require, func(r *modfile.Require) bool { return r.Mod.Path == m.path }) {
			mod.AddNewRequire(m.path, m.version, true)
		}
		dir, err := a.layVendored(p, m, vendor)
		if err != nil {
			return err
		}
		if err := mod.AddReplace(m.path, "", dir, ""); err != nil {
			return err
		}
	}
	// All that is needed is there now: no lock on go.mod, no network.
	p.Flags = append(p.Flags.Without("mod"), "-mod=mod")
	p.Env = append(p.Env, "GOPROXY=off")
	return nil
}

// vendorWork does the same for a workspace. Modules that its members require
// but that give no package to the build are replaced by empty ones.
func (a *App) vendorWork(p *Plan, work *modfile.WorkFile, members []*modfile.File, vendor string) error {
	mods, err := readVendor(vendor)
	if err != nil {
		return err
	}
	for _, member := range members {
		for _, r := range member.Require {
			known := slices.ContainsFunc(mods, func(m vendored) bool { return m.path == r.Mod.Path })
			used := slices.ContainsFunc(members, func(m *modfile.File) bool { return modulePath(m) == r.Mod.Path })
			if !known && !used {
				mods = append(mods, vendored{path: r.Mod.Path, version: r.Mod.Version, goLine: noGoLine})
			}
		}
	}
	for _, r := range slices.Clone(work.Replace) {
		if err := work.DropReplace(r.Old.Path, r.Old.Version); err != nil {
			return err
		}
	}
	for _, m := range mods {
		if m.path == ModulePath {
			continue
		}
		dir, err := a.layVendored(p, m, vendor)
		if err != nil {
			return err
		}
		if err := work.AddReplace(m.path, "", dir, ""); err != nil {
			return err
		}
	}
	p.Flags = p.Flags.Without("mod")
	p.Env = append(p.Env, "GOPROXY=off")
	return nil
}

// layVendored lays a go.mod over a vendored module's folder and returns the
// folder. A module that gives no package to the build gets an empty one.
func (a *App) layVendored(p *Plan, m vendored, vendor string) (string, error) {
	text := []byte(fmt.Sprintf("module %s\n\ngo %s\n", modfile.AutoQuote(m.path), m.goLine))
	h := cache.NewHash("inject")
	h.AddBytes(text)
	dir := filepath.Join(a.Cache, "inject", h.Name())
	laid := filepath.Join(dir, "go.mod")
	if _, err := os.Stat(laid); err != nil {
		if err := cache.File(laid, text); err != nil {
			return "", err
		}
	}
	if m.packages == 0 {
		return dir, nil
	}
	dir = filepath.Join(vendor, filepath.FromSlash(m.path))
	p.Overlay[filepath.Join(dir, "go.mod")] = laid
	return dir, nil
}

// checkVendor refuses a vendor folder that does not fit go.mod, as "go build"
// does: what is built would not be what go.mod says.
func checkVendor(mod *modfile.File, mods []vendored, vendor string) error {
	var wrong []string
	for _, r := range mod.Require {
		i := slices.IndexFunc(mods, func(m vendored) bool { return m.path == r.Mod.Path })
		switch {
		case i < 0 || mods[i].version != r.Mod.Version:
			wrong = append(wrong, fmt.Sprintf("\t%s@%s: is explicitly required in go.mod, but not marked as such in vendor/modules.txt", r.Mod.Path, r.Mod.Version))
		case !mods[i].explicit && !older(goVersion(mod.Go), "1.14"):
			wrong = append(wrong, fmt.Sprintf("\t%s@%s: is not marked explicit in vendor/modules.txt", r.Mod.Path, r.Mod.Version))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("inconsistent vendoring in %s:\n%s\nrun go mod vendor to mend it", filepath.Dir(vendor), strings.Join(wrong, "\n"))
}
