package inject

import (
	"fmt"
	"go/version"
	"path/filepath"

	"golang.org/x/mod/modfile"

	"github.com/hardtack-os/hardtack/internal/cache"
)

// noGoLine is the language of a go.mod without a go line ("go help go.mod").
const noGoLine = "1.16"

// noGoLineWork is the same of a go.work.
const noGoLineWork = "1.18"

// goVersion returns a go line's version.
func goVersion(line *modfile.Go) string {
	if line == nil {
		return noGoLine
	}
	return line.Version
}

// older reports whether go line a is before b.
func older(a, b string) bool { return version.Compare("go"+a, "go"+b) < 0 }

// matchGoVersion makes our module acceptable to an app whose go line is older
// than ours; see the package's documentation.
func (a *App) matchGoVersion(p *Plan, app string) error {
	name := filepath.Join(a.Lay, "go.mod")
	mod, err := readMod(name)
	if err != nil {
		return err
	}
	ours := goVersion(mod.Go)
	if !older(app, ours) {
		return nil
	}
	if err := mod.AddGoStmt(app); err != nil {
		return err
	}
	mod.DropToolchainStmt()
	text, err := mod.Format()
	if err != nil {
		return err
	}
	h := cache.NewHash("inject")
	h.AddBytes(text)
	laid := filepath.Join(a.Cache, "inject", h.Name(), "hardtack.mod")
	if err := cache.File(laid, text); err != nil {
		return err
	}
	p.Overlay[name] = laid
	p.Flags = append(p.Flags, fmt.Sprintf("-gcflags=%s/...=-lang=%s", ModulePath, version.Lang("go"+ours)))
	return nil
}
