package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/hardtack-os/hardtack/internal/cache"
)

// revision names the way in which edits turn into text. Raise it when patchGo or patchAsm give other text for the same
// edits, or caches keep what the old ones gave.
const revision = "1"

// A plan says what happens to each file for one Go version and architecture. Names are slash-separated paths below
// GOROOT/src. No name is in two of the maps, but that an added file may replace a dropped one, and that a group may edit
// an added file.
type plan struct {
	version string
	edits   map[string][]Edit // files that change, with what changes them
	drop    map[string]Edit   // files that leave the build
	add     map[string][]byte // files that join it
	key     string            // a hash of all of the above
}

// plan picks the edits that apply and checks everything that can be checked without a Go root. The error is an
// [*EditError].
func (e *engine) plan(goVersion, goarch string) (*plan, error) {
	p := &plan{goVersion, make(map[string][]Edit), make(map[string]Edit), nil, ""}
	key := cache.NewHash("plan " + revision)
	key.Add(goVersion, goarch)
	optional := make(map[string]bool) // files that a group edits
	for i, edit := range e.all() {
		if err := edit.check(); err != nil {
			return nil, err
		}
		if !edit.applies(goVersion, goarch) {
			continue
		}
		if edit.Op == DropFile {
			if _, twice := p.drop[edit.File]; twice {
				return nil, &EditError{goVersion, edit, ErrConflict}
			}
			p.drop[edit.File] = edit
		} else {
			p.edits[edit.File] = append(p.edits[edit.File], edit)
			optional[edit.File] = i >= len(e.edits)
		}
		edit.Why = "" // says nothing about the text
		key.Add(fmt.Sprintf("%#v", edit))
	}
	for name, edit := range p.drop {
		if _, ok := p.edits[name]; ok {
			return nil, &EditError{goVersion, edit, ErrConflict}
		}
	}
	var err error
	if p.add, err = readAll(e.added); err != nil {
		return nil, err
	}
	for _, g := range e.groups {
		files, err := readAll(g.added)
		if err != nil {
			return nil, err
		}
		for name, data := range files {
			if _, twice := p.add[name]; twice {
				return nil, &AddedError{goVersion, name}
			}
			p.add[name] = data
		}
	}
	key.Add("added")
	for _, name := range sorted(p.add) {
		if edits, ok := p.edits[name]; ok && !optional[name] {
			return nil, &EditError{goVersion, edits[0], fmt.Errorf("%w: an added file has this name", ErrConflict)}
		}
		key.Add(name)
		key.AddBytes(p.add[name])
	}
	p.key = key.Name()
	return p, nil
}

// all returns the edits that every image needs, then those of the groups.
func (e *engine) all() []Edit {
	all := slices.Clone(e.edits)
	for _, g := range e.groups {
		all = append(all, g.edits...)
	}
	return all
}

// readAll returns every file of fsys; none where fsys itself does not exist.
func readAll(fsys fs.FS) (map[string][]byte, error) {
	files := make(map[string][]byte)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if name == "." && errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if path.Dir(name) == "." {
			return fmt.Errorf("added file %s: GOROOT/src itself holds no package; move it into one", name)
		}
		files[name], err = fs.ReadFile(fsys, name)
		return err
	})
	return files, err
}
