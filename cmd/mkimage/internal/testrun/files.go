package testrun

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/build"
	"github.com/hardtack-os/hardtack/cmd/mkimage/internal/config"
)

// rootFiles are what tests of the standard library read of a Go root beside their own package and testdata: all of them, and those of some packages.
var rootFiles = map[string][]string{
	"":                            {"VERSION", "lib/time/zoneinfo.zip"},
	"crypto/internal/fips140test": {"src/crypto/internal/entropy"},
	"go/build":                    {"src/cmd/internal/objfile"},
	"go/internal/srcimporter":     {"src"},
	"go/parser":                   {"src/go/printer/nodes.go"},
	"go/types":                    {"src"},
	"internal/godebugs":           {"doc/godebug.md"},
	"internal/trace":              {"src/internal/trace/internal/tracev1/testdata"},
	"io/ioutil":                   {"src/io/io_test.go"},
	"math/big/internal/asmgen":    {"src/math/big"},
	"path/filepath":               {"src/unicode"},
}

// testFiles are the files that a test finds in its image, at the paths that they have on the host: what lies in the package's folder (other folders there are empty), the testdata there and
// in the folders above it, up to the module, and for the standard library what else of a Go root tests read. Nothing else of the host is there.
func (r *Runner) testFiles(p *testPackage, settings config.Settings) ([]build.File, error) {
	if settings.FS == config.Off {
		return nil, nil
	}
	places, err := config.Placements(settings.Files)
	if err != nil {
		return nil, err
	}
	var files []build.File
	for _, pl := range places {
		if files, err = build.AddTree(files, pl.Host, pl.Guest); err != nil {
			return nil, err
		}
	}
	top := p.folder()
	switch {
	case p.Standard:
		top = strings.TrimSuffix(top, filepath.FromSlash("/src/"+p.ImportPath)) // the Go root
		for _, name := range slices.Concat(rootFiles[""], rootFiles[p.ImportPath]) {
			if files, err = addExisting(files, filepath.Join(top, filepath.FromSlash(name))); err != nil {
				return nil, err
			}
		}
	case p.Module != nil && p.Module.Dir != "":
		top = p.Module.Dir
	}
	own, err := os.ReadDir(p.folder())
	if err != nil {
		return nil, err
	}
	for _, e := range own {
		name := filepath.Join(p.folder(), e.Name())
		if e.IsDir() {
			files, err = build.AddFolder(files, name, inImage(name))
		} else if e.Type().IsRegular() {
			files, err = addExisting(files, name)
		}
		if err != nil {
			return nil, err
		}
	}
	for dir := p.folder(); ; dir = filepath.Dir(dir) {
		if files, err = addExisting(files, filepath.Join(dir, "testdata")); err != nil {
			return nil, err
		}
		if dir == top || dir == filepath.Dir(dir) {
			return files, nil
		}
	}
}

// inImage is the path that a path of the host has in the image: the same.
func inImage(name string) string {
	return "/" + strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(name, filepath.VolumeName(name))), "/")
}

// addExisting adds a file or folder of the host, if it is there, at its own path.
func addExisting(files []build.File, name string) ([]build.File, error) {
	if _, err := os.Stat(name); err != nil {
		return files, nil
	}
	return build.AddTree(files, name, inImage(name))
}
