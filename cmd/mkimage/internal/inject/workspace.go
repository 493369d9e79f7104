package inject

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// workspace plans for an app in a workspace.
func (a *App) workspace(p *Plan) error {
	name := a.Env.GOWORK
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	work, err := modfile.ParseWork(name, data, nil)
	if err != nil {
		return err
	}
	root := filepath.Dir(name)
	mods, err := absoluteUses(work, root)
	if err != nil {
		return err
	}
	for _, m := range mods {
		if modulePath(m) == ModulePath {
			p.Ours = filepath.Dir(m.Syntax.Name)
			return nil
		}
	}
	if err := absoluteReplaces(work, root); err != nil {
		return err
	}
	goLine := noGoLineWork
	if work.Go != nil {
		goLine = work.Go.Version
	}
	vendored, err := a.usesWorkVendor(root, goLine)
	if err != nil {
		return err
	}
	if vendored {
		if err := a.vendorWork(p, work, mods, filepath.Join(root, "vendor")); err != nil {
			return err
		}
	}
	if err := a.useOurs(work); err != nil {
		return err
	}
	if err := a.matchGoVersion(p, goLine); err != nil {
		return err
	}
	work.Cleanup()
	sums := ""
	if !vendored {
		sums = name + ".sum"
	}
	generated, err := a.write("go.work", modfile.Format(work.Syntax), "go.work.sum", sums)
	if err != nil {
		return err
	}
	p.Env = append(p.Env, "GOWORK="+generated)
	return nil
}

// useOurs adds our module and the app's further replacements.
func (a *App) useOurs(work *modfile.WorkFile) error {
	if err := work.AddUse(a.Lay, ""); err != nil {
		return err
	}
	for path, dir := range a.Replace {
		if err := work.AddReplace(path, "", dir, ""); err != nil {
			return err
		}
	}
	return nil
}

// absoluteUses makes the used folders absolute and returns their go.mod files.
func absoluteUses(work *modfile.WorkFile, root string) ([]*modfile.File, error) {
	var dirs []string
	var mods []*modfile.File
	for _, u := range work.Use {
		dir := filepath.FromSlash(u.Path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(root, dir)
		}
		mod, err := readMod(filepath.Join(dir, "go.mod"))
		if err != nil {
			return nil, err
		}
		dirs, mods = append(dirs, dir), append(mods, mod)
	}
	uses := make([]*modfile.Use, len(dirs))
	for i, dir := range dirs {
		uses[i] = &modfile.Use{Path: filepath.ToSlash(dir), ModulePath: modulePath(mods[i])}
	}
	work.SetUse(uses)
	return mods, nil
}

// absoluteReplaces makes the folders in replace directives absolute.
func absoluteReplaces(work *modfile.WorkFile, root string) error {
	for _, r := range work.Replace {
		if r.New.Version != "" || !isRelative(r.New.Path) {
			continue
		}
		if err := work.AddReplace(r.Old.Path, r.Old.Version, filepath.Join(root, filepath.FromSlash(r.New.Path)), ""); err != nil {
			return err
		}
	}
	return nil
}

func isRelative(path string) bool {
	return path == "." || path == ".." || strings.HasPrefix(path, "./") || strings.HasPrefix(path, "../")
}
