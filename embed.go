// Package hardtack carries the source of its own module, so that the tool can build an app with it without fetching
// anything: the library operating systems that an image is linked with are exactly those that the tool was built with.
package hardtack

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/hardtack-os/hardtack/internal/cache"
)

// Source holds go.mod, go.sum where there is one, exo and libos, laid out as in the module. (The pattern go.[ms]* asks
// for go.mod and for a go.sum if there is one; go.work is not the app's business.)
//
//go:embed go.[ms]* exo libos
var Source embed.FS

// Lay writes [Source] below cacheDir, in a folder named by its contents, whole or not at all, and returns that folder,
// the root of a module. Tests are left out: they are no part of an image, and a change to one must not rebuild any.
//
// Errors are those of the file system, naming the file.
func Lay(cacheDir string) (dir string, err error) {
	files := make(map[string][]byte)
	hash := cache.NewHash("module")
	err = fs.WalkDir(Source, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case d.IsDir() || strings.HasSuffix(path.Base(name), "_test.go"):
			return nil
		}
		data, err := Source.ReadFile(name)
		if err != nil {
			return err
		}
		files[name] = data
		hash.Add(name)
		hash.AddBytes(data)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("cannot read the embedded module: %w", err)
	}
	dir, err = filepath.Abs(filepath.Join(cacheDir, "module", hash.Name()))
	if err != nil {
		return "", fmt.Errorf("cannot place the cache %s: %w", cacheDir, err)
	}
	return dir, cache.Tree(dir, files)
}
